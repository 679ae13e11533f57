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
        let mut socket = [PollFd::new(&socket, PollFlags::empty())];
        rustix::event::poll(&mut socket, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
        if socket[0].revents().contains(PollFlags::HUP) {
            return Ok(None);
        }
    }
    if received.flags.contains(ReturnFlags::TRUNC) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a packet that is too long"));
    }
    let message = minicbor::decode(&packet[..received.bytes])
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
    Ok(Some(Packet { message, descriptor }))
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
