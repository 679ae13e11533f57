//! What the host and the launcher say to each other: one request, one reply, each one packet of CBOR; a descriptor travels with
//! the reply that it belongs to.
//!
//! A packet socket (`SOCK_SEQPACKET`) keeps packets whole, so nothing has to be put together again, and a packet that is too
//! long is known before it is read.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use minicbor::{Decode, Encode};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};

use crate::recipe::Recipe;

/// The most bytes in one packet.
pub(crate) const PACKET: usize = 64 * 1024;
/// The most sandboxes in one reply to [`Ask::List`].
pub(crate) const PAGE: usize = 128;

/// The two ends of a new channel: the first for the host, the second for the launcher.
///
/// # Errors
///
/// The kernel's: no descriptors left.
pub fn channel() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC;
    Ok(rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?)
}

#[derive(Debug, Encode, Decode)]
pub(crate) struct Request {
    /// Comes back with the reply.
    #[n(0)]
    pub(crate) number: u64,
    #[n(1)]
    pub(crate) ask: Ask,
}

#[derive(Debug, Encode, Decode)]
pub(crate) enum Ask {
    #[n(0)]
    About,
    #[n(1)]
    Start(#[n(0)] Box<Recipe>),
    #[n(2)]
    Open(#[n(0)] String),
    #[n(3)]
    Kill(#[n(0)] String),
    #[n(4)]
    Status(#[n(0)] String),
    /// Those whose names come after this one.
    #[n(5)]
    List(#[n(0)] String),
    #[n(6)]
    Usage(#[n(0)] String),
    #[n(7)]
    Log(#[n(0)] String),
}

#[derive(Debug, Encode, Decode)]
pub(crate) struct Reply {
    #[n(0)]
    pub(crate) number: u64,
    #[n(1)]
    pub(crate) answer: Answer,
}

#[derive(Debug, Encode, Decode)]
pub(crate) enum Answer {
    #[n(0)]
    Refused(#[n(0)] Refusal),
    #[n(1)]
    Done,
    /// With a descriptor.
    #[n(2)]
    Here,
    #[n(3)]
    About(#[n(0)] About),
    #[n(4)]
    Started(#[n(0)] Started),
    #[n(5)]
    Status(#[n(0)] Sandbox),
    #[n(6)]
    List(#[n(0)] Vec<Sandbox>),
    #[n(7)]
    Usage(#[n(0)] Usage),
}

/// What the launcher can do on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct About {
    /// Why it can make no sandbox, and what to change.
    #[n(0)]
    pub unusable: Option<String>,
    /// Whether the supervisor and programs are different users.
    #[n(1)]
    pub two_users: bool,
    /// Whether there is a directory of images.
    #[n(2)]
    pub images: bool,
    /// Limits that it cannot hold for a sandbox as a whole, and what this kernel does not hold programs to, each as a sentence.
    #[n(3)]
    pub lacking: Vec<String>,
}

/// A sandbox has been made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Started {
    /// Its first process, as the machine sees it.
    #[n(0)]
    pub pid: u32,
}

/// What is known of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Sandbox {
    /// Its name.
    #[n(0)]
    pub id: String,
    /// On whose behalf it was made.
    #[n(1)]
    pub owner: String,
    /// When, in milliseconds since 1970.
    #[n(2)]
    pub created_ms: u64,
    /// What it does.
    #[n(3)]
    pub state: State,
}

/// What a sandbox does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum State {
    /// It runs, with this first process.
    #[n(0)]
    Running(#[n(0)] u32),
    /// It has ended.
    #[n(1)]
    Ended(#[n(0)] End),
}

/// How a sandbox ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum End {
    /// The supervisor exited with this code.
    #[n(0)]
    Exited(#[n(0)] i32),
    /// This signal ended the supervisor.
    #[n(1)]
    Signalled(#[n(0)] i32),
    /// The kernel killed the supervisor because the sandbox had no memory left.
    #[n(2)]
    OutOfMemory,
    /// No launcher was there to see it.
    #[n(3)]
    Unknown,
}

/// What a sandbox uses, as its cgroups count it; nothing where it has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
pub struct Usage {
    /// Bytes of memory.
    #[n(0)]
    pub memory: Option<u64>,
    /// Processes and threads, the supervisor's included.
    #[n(1)]
    pub processes: Option<u64>,
    /// Processor time in microseconds.
    #[n(2)]
    pub cpu_us: Option<u64>,
    /// Processes that were killed because there was no memory left.
    #[n(3)]
    pub oom_kills: Option<u64>,
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// Which of the known reasons.
    #[n(0)]
    pub fault: Fault,
    /// A sentence for a person.
    #[n(1)]
    pub message: String,
}

impl Refusal {
    /// A refusal; a message of more than 2,000 bytes is cut.
    pub fn new(fault: Fault, message: impl Into<String>) -> Self {
        const LONGEST: usize = 2000;
        let mut message: String = message.into();
        message.truncate(message.floor_char_boundary(LONGEST));
        Self { fault, message }
    }
}

/// The reasons why something was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Fault {
    /// The machine does not let the launcher make sandboxes.
    #[n(0)]
    Unavailable,
    /// The image is not there.
    #[n(1)]
    Image,
    /// The recipe asks for what is not granted, or cannot be done.
    #[n(2)]
    Unsupported,
    /// There is no such sandbox.
    #[n(3)]
    NotFound,
    /// The sandbox has ended.
    #[n(4)]
    Ended,
    /// There is no room: processes, memory, sandboxes.
    #[n(5)]
    Exhausted,
    /// Everything else.
    #[n(6)]
    Failed,
}

/// Sends one packet. The kernel takes it whole or not at all.
pub(crate) fn send<M: Encode<()>>(
    socket: BorrowedFd<'_>,
    message: &M,
    descriptor: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    let mut packet = Vec::with_capacity(256);
    // Writing into a vector cannot fail.
    let _ = minicbor::encode(message, &mut packet);
    if packet.len() > PACKET {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the message is longer than a packet may be",
        ));
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = descriptor.map(|descriptor| [descriptor]);
    if let Some(descriptors) = &descriptors {
        control.push(SendAncillaryMessage::ScmRights(descriptors));
    }
    rustix::net::sendmsg(socket, &[IoSlice::new(&packet)], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// What came in one packet.
#[derive(Debug)]
pub(crate) struct Packet<M> {
    pub(crate) message: M,
    pub(crate) descriptor: Option<OwnedFd>,
}

/// Receives one packet; `None` once the other side is gone. [`io::ErrorKind::InvalidData`] is the packet's fault alone: the next
/// one may be better.
pub(crate) fn receive<M: for<'b> Decode<'b, ()>>(socket: impl AsFd) -> io::Result<Option<Packet<M>>> {
    let Some((packet, descriptor)) = whole(socket)? else { return Ok(None) };
    let message = minicbor::decode(&packet)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
    Ok(Some(Packet { message, descriptor }))
}

/// The same, as the bytes that it is.
pub(crate) fn whole(socket: impl AsFd) -> io::Result<Option<(Vec<u8>, Option<OwnedFd>)>> {
    let mut packet = vec![0; PACKET];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC;
    let received = rustix::net::recvmsg(&socket, &mut [IoSliceMut::new(&mut packet)], &mut control, flags)?;
    let descriptor = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    if received.bytes == 0 {
        // One that only says nothing more is gone as well: its end would be heard again and again.
        let mut socket = [PollFd::new(&socket, PollFlags::RDHUP)];
        rustix::event::poll(&mut socket, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
        if socket[0].revents().intersects(PollFlags::HUP | PollFlags::RDHUP) {
            return Ok(None);
        }
    }
    if received.flags.contains(ReturnFlags::TRUNC) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a packet that is too long"));
    }
    packet.truncate(received.bytes);
    Ok(Some((packet, descriptor)))
}

/// A request as the launcher takes it, or what is answered in its place. From here on a recipe keeps its bounds: requests that
/// wait take no more memory than their packets, and an empty path, which is one byte there, is many once it is read.
pub(crate) fn request(packet: &[u8]) -> Result<Request, Reply> {
    let request: Request = minicbor::decode(packet).map_err(|error| unreadable(&error))?;
    if let Ask::Start(recipe) = &request.ask {
        let refused = |refusal| Reply { number: request.number, answer: Answer::Refused(refusal) };
        recipe.check().map_err(refused)?;
    }
    Ok(request)
}

/// The answer to what is no request: it has no number.
pub(crate) fn unreadable(error: &impl std::fmt::Display) -> Reply {
    let refusal = Refusal::new(Fault::Unsupported, format!("this cannot be read: {error}"));
    Reply { number: 0, answer: Answer::Refused(refusal) }
}

/// A path as the bytes that it is.
pub(crate) mod path {
    use std::ffi::OsString;
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    use std::path::{Path, PathBuf};

    use minicbor::decode::Error;
    use minicbor::encode::{self, Write};
    use minicbor::{Decoder, Encoder};

    pub(crate) fn encode<C, W: Write>(
        path: &Path,
        to: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        to.bytes(path.as_os_str().as_bytes())?.ok()
    }

    pub(crate) fn decode<C>(from: &mut Decoder<'_>, _: &mut C) -> Result<PathBuf, Error> {
        Ok(PathBuf::from(OsString::from_vec(from.bytes()?.to_vec())))
    }
}

/// A list of them.
pub(crate) mod paths {
    use std::path::PathBuf;

    use minicbor::decode::Error;
    use minicbor::encode::{self, Write};
    use minicbor::{Decoder, Encoder};

    pub(crate) fn encode<C, W: Write>(
        paths: &[PathBuf],
        to: &mut Encoder<W>,
        context: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        to.array(paths.len() as u64)?;
        paths.iter().try_for_each(|path| super::path::encode(path, to, context))
    }

    pub(crate) fn decode<C>(from: &mut Decoder<'_>, context: &mut C) -> Result<Vec<PathBuf>, Error> {
        let length = from.array()?.ok_or_else(|| Error::message("a list without a length"))?;
        (0..length).map(|_| super::path::decode(from, context)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;
    use rustix::net::Shutdown;

    use super::*;
    use crate::recipe::{Access, Files, Limits, Mount, bounds};

    fn packet(number: u64, ask: Ask) -> Vec<u8> {
        let mut packet = Vec::new();
        minicbor::encode(Request { number, ask }, &mut packet).expect("a vector takes it");
        packet
    }

    fn recipe() -> Recipe {
        Recipe {
            id: "0123456789abcdefghjkmnpqrs".into(),
            owner: "somebody".into(),
            files: Files::Host(vec!["/usr".into()]),
            limits: Limits { cpu_millis: 1000, memory: 64 << 20, processes: 10, disk: 1 << 20 },
            mounts: Vec::new(),
            scratch: Vec::new(),
            env: BTreeMap::new(),
            labels: BTreeMap::new(),
            orphaned_after_ms: 1000,
        }
    }

    fn paths() -> impl Strategy<Value = Vec<PathBuf>> {
        vec("(/[a-z]{1,3}){1,3}|[a-z./]{0,4}".prop_map(PathBuf::from), 0..4)
    }

    fn recipes() -> impl Strategy<Value = Recipe> {
        let texts = || btree_map(".{0,4}", ".{0,4}", 0..4);
        let files = prop_oneof![paths().prop_map(Files::Host), "[a-z./]{0,8}".prop_map(Files::Image)];
        let mounts = vec((paths(), paths(), any::<bool>()), 0..3);
        // Each a little beyond its bound as well.
        let numbers = (9_u32..40, (4_u64 << 20) - 1..1 << 30, 0_u32..9, (64_u64 << 10) - 1..1 << 20);
        let all = ("[a-z0-9]{25,26}", ".{0,9}", files, numbers, mounts, paths(), texts(), texts());
        all.prop_map(|(id, owner, files, numbers, mounts, scratch, env, labels)| {
            let (cpu_millis, memory, processes, disk) = numbers;
            let first = |paths: Vec<PathBuf>| paths.into_iter().next().unwrap_or_default();
            let mounts = mounts.into_iter().map(|(host, inside, write)| Mount {
                host: first(host),
                inside: first(inside),
                access: if write { Access::ReadWrite } else { Access::ReadOnly },
            });
            let limits = Limits { cpu_millis, memory, processes, disk };
            let mounts = mounts.collect();
            Recipe { id, owner, files, limits, mounts, scratch, env, labels, orphaned_after_ms: memory }
        })
    }

    proptest! {
        #[test]
        fn a_recipe_is_read_as_it_was_written_or_refused_with_its_number(recipe in recipes(), number in any::<u64>()) {
            let packet = packet(number, Ask::Start(Box::new(recipe.clone())));
            match request(&packet) {
                Ok(Request { number: read, ask: Ask::Start(taken) }) => {
                    prop_assert!(recipe.check().is_ok());
                    prop_assert_eq!((read, *taken), (number, recipe));
                }
                Ok(other) => return Err(TestCaseError::fail(format!("{other:?}"))),
                Err(reply) => {
                    prop_assert_eq!(reply.number, number);
                    prop_assert!(recipe.check().is_err());
                }
            }
        }

        #[test]
        fn no_bytes_panic_and_no_recipe_is_taken_that_breaks_its_bounds(
            bytes in vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(), byte in any::<u8>()
        ) {
            let mut changed = packet(7, Ask::Start(Box::new(recipe())));
            let at = at.index(changed.len());
            changed[at] = byte;
            for packet in [&bytes, &changed] {
                if let Ok(Request { ask: Ask::Start(recipe), .. }) = request(packet) {
                    prop_assert!(recipe.check().is_ok());
                }
            }
        }
    }

    #[test]
    fn a_list_that_is_too_long_is_refused_before_it_waits() {
        let empty = vec![PathBuf::new(); PACKET / 2];
        let long = packet(7, Ask::Start(Box::new(Recipe { scratch: empty, ..recipe() })));
        assert!(long.len() < PACKET);
        let refused = request(&long).expect_err("more than there may be");
        assert_eq!(refused.number, 7);
        let most = vec![PathBuf::from("/a"); bounds::LIST];
        let good = packet(8, Ask::Start(Box::new(Recipe { scratch: most, ..recipe() })));
        assert!(request(&good).is_ok_and(|request| request.number == 8));
    }

    #[test]
    fn one_that_says_nothing_more_is_gone() {
        let (host, launcher) = channel().expect("two descriptors");
        send(host.as_fd(), &Request { number: 1, ask: Ask::About }, None).expect("there is room");
        rustix::net::send(&host, b"", SendFlags::NOSIGNAL).expect("there is room");
        assert!(whole(&launcher).expect("a packet").is_some_and(|(packet, _)| !packet.is_empty()));
        assert!(whole(&launcher).expect("a packet").is_some_and(|(packet, _)| packet.is_empty()));
        rustix::net::shutdown(&host, Shutdown::Write).expect("it is connected");
        assert!(whole(&launcher).expect("the end").is_none());
    }
}
