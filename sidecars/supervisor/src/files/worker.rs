//! Workers: forked children behind the walls, one for each exchange.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream as Line;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use packhost_confine::Wall;
use packhost_session_protocol::message::{Fault, FileReply, Refusal};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::process::{
    DumpableBehavior, Pid, PidfdFlags, Signal, getpid, getppid, pidfd_open, pidfd_send_signal,
    set_dumpable_behavior, set_parent_process_death_signal, umask,
};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::UnixStream;
use tokio::runtime::Handle;

use super::host::{Host, gone};
use super::limits::{GRACE, WORKERS};
use super::request::Request;
use super::work;

/// A worker that runs. Dropping it gives it [`GRACE`] to end, now that its line has ended, and kills it then.
pub(super) struct Worker(Option<Doomed>);

/// A worker by its descriptor, which stays right when the number of its process is used again. Killed when dropped;
/// nothing happens to one that has ended.
struct Doomed {
    process: OwnedFd,
    place: Option<Place>,
}

impl Worker {
    /// Starts a worker for this request, and gives the line to it.
    pub(super) fn start(request: Request) -> Result<(Self, UnixStream), Refusal> {
        let place = Place::take()?;
        let wall = Wall::prepare(request.confinement()).map_err(|error| not_confined(&error))?;
        let (ours, theirs) = Line::pair().map_err(|error| cannot_start(&error))?;
        ours.set_nonblocking(true).map_err(|error| cannot_start(&error))?;
        let supervisor = getpid();
        // SAFETY: the supervisor has one thread, so the child's memory is whole: no lock in it is held by a thread that is
        // not there. The child never returns from `live`.
        match unsafe { libc::fork() } {
            0 => live(request, wall, theirs, supervisor),
            child if child < 0 => Err(cannot_start(&io::Error::last_os_error())),
            child => {
                drop(theirs);
                let child = Pid::from_raw(child).ok_or_else(|| cannot_start(&Errno::CHILD))?;
                // Nobody has reaped it yet: that happens on this thread. Without a descriptor the worker still ends with
                // its line, which is dropped here.
                let process =
                    pidfd_open(child, PidfdFlags::NONBLOCK).map_err(|errno| cannot_start(&errno))?;
                let line = UnixStream::from_std(ours).map_err(|error| cannot_start(&error))?;
                Ok((Self(Some(Doomed { process, place: Some(place) })), line))
            }
        }
    }

    /// It has said its last word, and another one may have its place.
    pub(super) fn answered(&mut self) {
        if let Some(doomed) = &mut self.0 {
            doomed.place = None;
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Without a runtime it is killed at once.
        if let (Some(doomed), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(doomed.linger());
        }
    }
}

impl Doomed {
    async fn linger(self) {
        // SAFETY: the descriptor stays open, and the same, for as long as `self`, which goes after what waits for it.
        let ended = unsafe { AsyncFd::register_with_interest(self.process.as_fd(), Interest::READABLE) };
        if let Ok(ended) = ended {
            let _ = tokio::time::timeout(GRACE, ended.readable()).await;
        }
    }
}

impl Drop for Doomed {
    fn drop(&mut self) {
        let _ = pidfd_send_signal(&self.process, Signal::KILL);
    }
}

/// One of the places for workers.
struct Place;

static TAKEN: AtomicUsize = AtomicUsize::new(0);

impl Place {
    fn take() -> Result<Self, Refusal> {
        let more = |taken| (taken < WORKERS).then_some(taken + 1);
        match TAKEN.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more) {
            Ok(_) => Ok(Self),
            Err(_) => {
                let message =
                    format!("{WORKERS} requests about files are served already; ask again when one is done");
                Err(Refusal::new(Fault::Busy, message))
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        TAKEN.fetch_sub(1, Ordering::Relaxed);
    }
}

fn cannot_start(why: &dyn std::fmt::Display) -> Refusal {
    Refusal::new(Fault::Busy, format!("cannot start a worker for files: {why}"))
}

fn not_confined(why: &dyn std::fmt::Display) -> Refusal {
    let mut message = format!("the access to files cannot be confined as asked: {why}");
    message.truncate(message.floor_char_boundary(500));
    Refusal::new(Fault::NotConfined, message)
}

/// The life of a worker.
fn live(request: Request, wall: Wall, line: Line, supervisor: Pid) -> ! {
    // What the supervisor had is not the worker's to drop: the process ends without coming back here.
    std::panic::set_hook(Box::new(|_| {}));
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let descriptor = line.as_raw_fd();
        let mut host = Host::new(line);
        let last = enclose(wall, descriptor, supervisor).and_then(|()| work::work(&request, &mut host));
        host.say(&last.unwrap_or_else(FileReply::Refused))
    }));
    let code = i32::from(!matches!(outcome, Ok(Ok(()))));
    // SAFETY: it only ends the process, without running what the supervisor would run at its own end.
    unsafe { libc::_exit(code) }
}

/// Puts the walls up, and lets go of all that the supervisor had but the line.
fn enclose(wall: Wall, line: RawFd, supervisor: Pid) -> Result<(), Refusal> {
    forget_signals();
    umask(Mode::empty());
    forget_standard_streams().map_err(|errno| not_confined(&errno))?;
    wall.raise().map_err(|error| not_confined(&error))?;
    // The walls' own descriptors have been used.
    close_all_but(line).map_err(|error| not_confined(&error))?;
    // Another user's programs must not look into what is the supervisor's memory. Changing the user undoes either.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|errno| not_confined(&errno))?;
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|errno| not_confined(&errno))?;
    if getppid() == Some(supervisor) { Ok(()) } else { Err(gone()) }
}

/// The supervisor's handlers would tell the supervisor of signals that are the worker's.
fn forget_signals() {
    // SAFETY: signal(2) and sigprocmask(2) change how this process takes signals, and the set is initialised. No handler is
    // set. That some signals cannot be changed is fine.
    unsafe {
        for signal in 1..=libc::SIGRTMAX() {
            libc::signal(signal, libc::SIG_DFL);
        }
        // As errors of the calls instead.
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// They may be the host's stream. What takes their place can neither be read nor written, and keeps files that are opened
/// later from getting their numbers.
fn forget_standard_streams() -> Result<(), Errno> {
    let nothing = openat(CWD, c"/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    dup2_stdin(&nothing)?;
    dup2_stdout(&nothing)?;
    dup2_stderr(&nothing)
}

fn close_all_but(kept: RawFd) -> io::Result<()> {
    let kept = libc::c_uint::try_from(kept).unwrap_or(0);
    for (first, last) in [(3, kept.saturating_sub(1)), (kept.max(2) + 1, libc::c_uint::MAX)] {
        // SAFETY: the owners of these, in this copy of the supervisor's memory, are never used again.
        if first <= last && unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
