//! Work that may take long, in a process of its own: a copy of the launcher, which has one thread, so that the work may fork
//! in its turn, and the launcher waits for nothing but its end.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use rustix::event::PollFd;
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use crate::process::Process;
use crate::sandbox::{exit, fork, keep_open};
use crate::wire::{self, Answer, Refusal};

/// The longest that one may work before it is killed: longer than it waits for a sandbox to be made or to end, and not so long
/// that the host gives up first.
const LONGEST: Duration = Duration::from_secs(40);

/// A process that works.
#[derive(Debug)]
pub(crate) struct Worker {
    process: Process,
    /// Where its answer is, once it has ended.
    answer: OwnedFd,
    since: Instant,
}

impl Worker {
    /// Starts one. Of what is open here it has the descriptors of these numbers and the first three, so that nothing stays open
    /// because it still works.
    pub(crate) fn start(kept: &[RawFd], work: impl FnOnce() -> Result<Answer, Refusal>) -> io::Result<Self> {
        let kind = SocketType::SEQPACKET;
        let (ours, theirs) = rustix::net::socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?;
        let Some(pid) = fork(0)? else {
            let _end = EndOfPanic;
            keep_open(&[kept, &[theirs.as_raw_fd()]].concat());
            let answer = work().unwrap_or_else(Answer::Refused);
            // A launcher that is gone wants no answer.
            let _ = wire::send(theirs.as_fd(), &answer, None);
            exit(0)
        };
        rustix::io::ioctl_fionbio(&ours, true)?;
        // A child that nobody has waited for keeps its number, so this one is found.
        Ok(Self { process: Process::of(pid)?, answer: ours, since: Instant::now() })
    }

    /// Readable once it has ended.
    pub(crate) fn interest(&self) -> PollFd<'_> {
        self.process.interest()
    }

    /// What it says, once it has ended; none within if it was killed before it said anything. What it started and left is this
    /// process's child by then.
    pub(crate) fn result(&self) -> Option<Option<Answer>> {
        if let Ok(None) = self.process.wait(Duration::ZERO) {
            return None;
        }
        match wire::receive(&self.answer) {
            Ok(packet) => Some(packet.map(|packet| packet.message)),
            Err(error) => {
                if error.kind() != ErrorKind::WouldBlock {
                    eprintln!("packhost: what a worker of the launcher says cannot be read: {error}");
                }
                Some(None)
            }
        }
    }

    /// Ends it if it has worked for too long.
    pub(crate) fn hurry(&self) {
        if self.since.elapsed() >= LONGEST
            && let Err(error) = self.process.kill()
        {
            eprintln!("packhost: a worker of the launcher cannot be ended: {error}");
        }
    }
}

/// A panic ends this process here: what the launcher does next is not for its copy to do.
struct EndOfPanic;

impl Drop for EndOfPanic {
    fn drop(&mut self) {
        exit(1)
    }
}
