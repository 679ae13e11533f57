//! One process, told apart from any later one that has its number.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, waitid,
};

use crate::wire::End;

/// A process that was alive when it was found.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    /// When it started, in clock ticks since the machine did: /proc/PID/stat, field 22 (proc_pid_stat(5)).
    pub(crate) start: u64,
    handle: OwnedFd,
}

impl Process {
    /// The process with this number now.
    pub(crate) fn of(pid: Pid) -> io::Result<Self> {
        // The handle first: what is read afterwards is of this process, or the handle says that it has ended.
        let handle = pidfd_open(pid, PidfdFlags::empty())?;
        let number = pid.as_raw_nonzero().get();
        let stat = fs::read_to_string(format!("/proc/{number}/stat"))?;
        let start =
            start_of(&stat).ok_or_else(|| io::Error::other(format!("/proc/{number}/stat: {stat}")))?;
        Ok(Self { pid: number.unsigned_abs(), start, handle })
    }

    /// The process with this number, if it is the one that started then.
    pub(crate) fn find(pid: u32, start: u64) -> Option<Self> {
        let pid = Pid::from_raw(i32::try_from(pid).ok()?)?;
        Self::of(pid).ok().filter(|process| process.start == start)
    }

    /// Ends it; the first process of a pid namespace takes the others with it. It may have ended already.
    pub(crate) fn kill(&self) -> io::Result<()> {
        match pidfd_send_signal(&self.handle, Signal::KILL) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits for its end, and tells how it was; `None` if it has not ended after that long.
    pub(crate) fn wait(&self, longest: Duration) -> io::Result<Option<End>> {
        let timeout = Timespec {
            tv_sec: i64::try_from(longest.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(longest.subsec_nanos()),
        };
        let mut ended = [self.interest()];
        if poll(&mut ended, Some(&timeout))? == 0 {
            return Ok(None);
        }
        match waitid(WaitId::PidFd(self.handle.as_fd()), WaitIdOptions::EXITED | WaitIdOptions::NOHANG) {
            Ok(Some(status)) => Ok(Some(match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => End::Exited(code),
                (None, Some(signal)) => End::Signalled(signal),
                (None, None) => End::Unknown,
            })),
            // Not our child: an earlier launcher started it.
            Ok(None) | Err(_) => Ok(Some(End::Unknown)),
        }
    }

    /// Readable once it has ended, with all that its pid namespace held.
    pub(crate) fn interest(&self) -> PollFd<'_> {
        PollFd::new(&self.handle, PollFlags::IN)
    }
}

impl AsRawFd for Process {
    fn as_raw_fd(&self) -> RawFd {
        self.handle.as_raw_fd()
    }
}

/// The name in parentheses may itself hold spaces and parentheses, so fields are counted from the last one.
fn start_of(stat: &str) -> Option<u64> {
    const AFTER_NAME: usize = 22 - 3;
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(AFTER_NAME)?.parse().ok()
}

/// Which run of the machine this is: process numbers and start times of another one mean nothing.
pub(crate) fn boot() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_is_found_behind_a_name_with_parentheses() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 0 1 2 3 4 5 6 7 8 20 0 1 0 4242 9 9";
        assert_eq!(start_of(stat), Some(4242));
        assert_eq!(start_of("7 (a"), None);
    }

    #[test]
    fn a_process_with_another_start_is_not_found() {
        let own = Process::of(rustix::process::getpid()).expect("this process runs");
        assert!(Process::find(own.pid, own.start).is_some());
        assert!(Process::find(own.pid, own.start + 1).is_none());
    }
}
