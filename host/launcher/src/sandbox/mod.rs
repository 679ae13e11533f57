//! Making one sandbox: the launcher's side of what its first process does in [`init`].
//!
//! The two talk over a socket pair: the process says when its mounts are done and when it wants its users; the launcher puts it
//! into its cgroups meanwhile. The end of the pair without a word of trouble means that the supervisor runs.

mod etc;
mod files;
mod fork;
mod init;
mod keys;
mod mounts;
mod network;
mod plan;
mod proc;
mod root;
mod trial;
mod trouble;
mod user;

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

pub(crate) use fork::{exit, fork, keep_open};
pub(crate) use keys::forget as forget_keys;
pub(crate) use plan::{Handles, Plan};
pub(crate) use trial::try_out;
pub(crate) use trouble::During;
pub(crate) use user::{Power, draw};

use crate::process::Process;
use crate::wire::{Fault, Refusal};
use trouble::Trouble;

/// From the process: its mounts are done.
const MOUNTED: &[u8] = b"mounted";
/// To the process: it is in its cgroups.
const GO: &[u8] = b"go";
/// From the process: it has a user namespace. To it: it has its users.
const MAPPED: &[u8] = b"mapped";

/// The longest that making a sandbox may take. Only a file system that does not answer takes so long.
const LONGEST: Duration = Duration::from_secs(30);

/// All but the cgroup's and the last user's, which come when the rest is done.
const NAMESPACES: i32 =
    libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWNET | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS;

fn namespaces(power: Power) -> i32 {
    match power {
        Power::Root => NAMESPACES,
        Power::User => NAMESPACES | libc::CLONE_NEWUSER,
    }
}

/// Makes a sandbox. `settle` is called once its first process exists, and before it does anything that outlives this
/// launcher. After an error there is no process.
pub(crate) fn make(
    plan: &Plan,
    settle: impl FnOnce(&Process) -> Result<(), Refusal>,
) -> Result<Process, Refusal> {
    let pair =
        rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None);
    let (ours, theirs) = pair.during("making a socket pair")?;
    let forked =
        fork::fork(namespaces(plan.power)).during("starting a process with namespaces of its own")?;
    let Some(pid) = forked else {
        drop(ours);
        // Whether the sandbox is being made is about the launcher alone.
        fork::let_go(plan.handles.making.as_fd());
        init::run(plan, &theirs)
    };
    drop(theirs);
    // A child that nobody has waited for keeps its number, so this one is found.
    let process = Process::of(pid).during("taking hold of the new process")?;
    let made = settle(&process).and_then(|()| Ok(accompany(plan, &process, &ours, pid)?));
    match made {
        Ok(()) => Ok(process),
        Err(refusal) => {
            process.kill().during("ending what could not be made")?;
            process.wait(LONGEST).during("waiting for the end of what could not be made")?;
            Err(refusal)
        }
    }
}

fn accompany(
    plan: &Plan,
    process: &Process,
    channel: &OwnedFd,
    pid: rustix::process::Pid,
) -> Result<(), Trouble> {
    let say = |word| rustix::net::send(channel, word, SendFlags::NOSIGNAL).map(drop);
    loop {
        let packet = next(channel)?;
        match packet.as_slice() {
            [] => break,
            MOUNTED => say(GO).during("going on")?,
            MAPPED => {
                user::give(pid, plan.uid).during("giving the sandbox its users")?;
                say(MAPPED).during("going on")?;
            }
            trouble => {
                let refusal = minicbor::decode::<Refusal>(trouble);
                let refusal = refusal.unwrap_or_else(|error| Refusal::new(Fault::Failed, error.to_string()));
                return Err(Trouble::new(refusal.fault, refusal.message));
            }
        }
    }
    match process.wait(Duration::ZERO).during("looking at the supervisor")? {
        None => Ok(()),
        Some(end) => {
            Err(Trouble::new(Fault::Failed, format!("the sandbox ended while it was made: {end:?}")))
        }
    }
}

/// The next packet; an empty one at the end.
fn next(channel: &OwnedFd) -> Result<Vec<u8>, Trouble> {
    let seconds = Timespec { tv_sec: LONGEST.as_secs().cast_signed(), tv_nsec: 0 };
    let mut ready = [PollFd::new(channel, PollFlags::IN)];
    if poll(&mut ready, Some(&seconds)).during("waiting for the sandbox")? == 0 {
        return Err(Trouble::new(
            Fault::Failed,
            "making the sandbox took too long: does a file system not answer?",
        ));
    }
    let mut packet = vec![0; 4096];
    let (length, _) =
        rustix::net::recv(channel, &mut packet, RecvFlags::empty()).during("listening to the sandbox")?;
    packet.truncate(length);
    Ok(packet)
}
