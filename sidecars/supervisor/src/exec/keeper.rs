//! The keeper of one program: a process that does nothing but wait for it, and end what it leaves.
//!
//! The supervisor speaks to it over a socket: a packet of one byte sends that signal to the program's process group; the
//! end of the stream ends the whole tree, so that a supervisor that dies takes its programs along. The keeper says one
//! thing, at the end: a [`Report`].

use std::cell::Cell;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use rustix::process::{Pid, WaitStatus};

use super::command::{self, Stdio};
use super::plan::Plan;
use crate::{own, signals, tree};

/// How a program's tree ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Report {
    /// As wait(2) has it.
    pub(super) status: i32,
    /// Whether the keeper was told to end it.
    pub(super) killed: bool,
    /// CPU time of everything in it, in microseconds.
    pub(super) cpu_us: u64,
    /// The most memory that one process in it had resident, in bytes.
    pub(super) peak_memory: u64,
}

/// The bytes of a report.
pub(super) const REPORT: usize = 24;

impl Report {
    fn to_bytes(self) -> [u8; REPORT] {
        let mut bytes = [0; REPORT];
        bytes[..4].copy_from_slice(&self.status.to_ne_bytes());
        bytes[4] = u8::from(self.killed);
        bytes[8..16].copy_from_slice(&self.cpu_us.to_ne_bytes());
        bytes[16..].copy_from_slice(&self.peak_memory.to_ne_bytes());
        bytes
    }

    /// Reads a report back.
    pub(super) fn of(bytes: &[u8; REPORT]) -> Self {
        let [s0, s1, s2, s3, killed, _, _, _, c0, c1, c2, c3, c4, c5, c6, c7, peak @ ..] = *bytes;
        Self {
            status: i32::from_ne_bytes([s0, s1, s2, s3]),
            killed: killed != 0,
            cpu_us: u64::from_ne_bytes([c0, c1, c2, c3, c4, c5, c6, c7]),
            peak_memory: u64::from_ne_bytes(peak),
        }
    }
}

/// Forks.
///
/// # Safety
///
/// This process has one thread, and the child never returns into what it was forked from: it becomes another program or
/// exits with [`command::exit`].
pub(super) unsafe fn fork() -> io::Result<Option<Pid>> {
    // SAFETY: with one thread the child is a whole copy, in which everything may be used.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        pid => Ok(Pid::from_raw(pid)),
    }
}

/// Starts the command and keeps it. To be called in a process that was forked for it.
pub(super) fn keep(control: &OwnedFd, telling: &OwnedFd, stdio: &Stdio, plan: Plan) -> ! {
    let _guard = NeverBack;
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    // SAFETY: the one thread of this process calls it, and neither side returns.
    let main = match unsafe { fork() } {
        Ok(None) => command::become_program(plan, stdio, telling),
        Ok(Some(main)) => main,
        Err(error) => {
            command::not_forked(telling, &error);
            command::exit(1)
        }
    };
    match watch(control, main) {
        Ok(()) => command::exit(0),
        // Without a report the supervisor ends what is left.
        Err(_) => command::exit(1),
    }
}

/// A panic in a forked process must not unwind into what it was forked from.
struct NeverBack;

impl Drop for NeverBack {
    fn drop(&mut self) {
        command::exit(1);
    }
}

fn watch(control: &OwnedFd, main: Pid) -> io::Result<()> {
    // Everything else that the supervisor has open, of other programs too, is not to stay open for this one's life.
    rustix::stdio::dup2_stdin(control)?;
    own::close_range(1, u32::MAX, 0)?;
    let control = rustix::stdio::stdin();
    let children = signals::descriptor(&[libc::SIGCHLD])?;

    let status = Cell::new(None);
    let mut killed = false;
    loop {
        let mut ended = |pid, how: WaitStatus| {
            if pid == main {
                status.set(Some(how.as_raw()));
            }
        };
        tree::reap(&mut ended);
        if status.get().is_some() || killed {
            tree::end(&mut ended)?;
            break;
        }
        let wanted = PollFlags::IN;
        let mut waits = [PollFd::from_borrowed_fd(control, wanted), PollFd::new(&children, wanted)];
        match poll(&mut waits, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if !waits[1].revents().is_empty() {
            while signals::take(children.as_fd()).is_ok() {}
        }
        if !waits[0].revents().is_empty() {
            killed = obey(control, main) == Told::End;
        }
    }
    let usage = usage();
    let report = Report { status: status.get().unwrap_or_default(), killed, ..usage };
    rustix::net::send(control, &report.to_bytes(), SendFlags::NOSIGNAL)?;
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    GoOn,
    End,
}

/// Does what the supervisor says. The command has not been waited for yet, so its number is still its own.
fn obey(control: BorrowedFd<'_>, main: Pid) -> Told {
    let mut signal = [0_u8; 1];
    match rustix::net::recv(control, &mut signal[..], RecvFlags::DONTWAIT) {
        Ok((_, 0)) => Told::End,
        Ok(_) => {
            // SAFETY: no memory is passed.
            unsafe { libc::kill(-main.as_raw_nonzero().get(), i32::from(signal[0])) };
            Told::GoOn
        }
        Err(Errno::AGAIN | Errno::INTR) => Told::GoOn,
        Err(_) => Told::End,
    }
}

/// What everything that was waited for has used.
fn usage() -> Report {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: all zeros is a value of it, and getrusage(2) writes nothing else.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr());
        usage.assume_init()
    };
    let microseconds = |time: libc::timeval| {
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        seconds.saturating_mul(1_000_000).saturating_add(u64::try_from(time.tv_usec).unwrap_or_default())
    };
    Report {
        status: 0,
        killed: false,
        cpu_us: microseconds(usage.ru_utime).saturating_add(microseconds(usage.ru_stime)),
        peak_memory: u64::try_from(usage.ru_maxrss).unwrap_or_default().saturating_mul(1024),
    }
}
