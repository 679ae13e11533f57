//! Signals, all of which are blocked and read from a descriptor: no handler ever runs, so none is inherited.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};

use rustix::io::Errno;

/// The highest signal number of Linux.
pub(crate) const HIGHEST: i32 = 64;

/// Blocks every signal and gives each its default disposition: what is blocked is not lost and not obeyed, also where this
/// is process 1, and what the process that started this one ignored is not ignored by programs.
pub(crate) fn reset() -> io::Result<()> {
    for signal in 1..=HIGHEST {
        // The handlers that Rust's runtime has for a stack that overflows stay.
        if !matches!(signal, libc::SIGSEGV | libc::SIGBUS) {
            // SAFETY: the default disposition runs no code of ours. Where a signal cannot have one it fails, and that is fine.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
    }
    mask(libc::SIG_SETMASK, &full())
}

/// Unblocks every signal, for a program that is about to begin.
pub(crate) fn unblock() -> io::Result<()> {
    mask(libc::SIG_UNBLOCK, &full())
}

/// A descriptor that these signals, which are blocked, are read from.
pub(crate) fn descriptor(signals: &[i32]) -> io::Result<OwnedFd> {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset(3) initialises the set.
    let mut set = unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        set.assume_init()
    };
    for signal in signals {
        // SAFETY: the set is initialised.
        unsafe { libc::sigaddset(&raw mut set, *signal) };
    }
    // SAFETY: the set is initialised and only read.
    match unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) } {
        -1 => Err(io::Error::last_os_error()),
        // SAFETY: it was just made, and nobody else has it.
        fd => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
    }
}

/// The next signal on such a descriptor.
///
/// # Errors
///
/// [`Errno::AGAIN`] where there is none.
pub(crate) fn take(descriptor: impl AsFd) -> Result<i32, Errno> {
    let mut info = [0; size_of::<libc::signalfd_siginfo>()];
    rustix::io::read(descriptor, &mut info)?;
    // `ssi_signo` is the first field, four bytes.
    let [a, b, c, d, ..] = info;
    Ok(i32::from_ne_bytes([a, b, c, d]))
}

fn full() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigfillset(3) initialises the set.
    unsafe {
        libc::sigfillset(set.as_mut_ptr());
        set.assume_init()
    }
}

fn mask(how: i32, set: &libc::sigset_t) -> io::Result<()> {
    // SAFETY: the set is initialised and only read.
    match unsafe { libc::sigprocmask(how, set, std::ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
