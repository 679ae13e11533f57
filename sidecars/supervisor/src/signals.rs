//! Signals, all of which are blocked and read from a descriptor: no handler ever runs, so none is inherited.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::ptr;

use rustix::io::Errno;

/// The highest signal number of Linux.
pub(crate) const HIGHEST: i32 = 64;

/// Blocks every signal and gives each its default disposition: what is blocked is not lost and not obeyed, also where this
/// is process 1, and what the process that started this one ignored is not ignored by programs.
pub(crate) fn reset() -> io::Result<()> {
    for signal in 1..=HIGHEST {
        // The handlers that Rust's runtime has for a stack that overflows stay.
        if !matches!(signal, libc::SIGSEGV | libc::SIGBUS) {
            default(signal);
        }
    }
    mask(libc::SIG_SETMASK, &full())
}

/// Gives a signal its default disposition. Not through the C library, which keeps some of the numbers for itself and leaves
/// what they were set to by somebody else.
fn default(signal: i32) {
    // The kernel's `sigaction` (rt_sigaction(2)): handler, flags, restorer, mask. All zeros is SIG_DFL.
    let action = [0_u64; 4];
    let none = ptr::null_mut::<libc::c_void>();
    // SAFETY: the default disposition runs no code of ours, and the action is no shorter than what the kernel reads. Where a
    // signal cannot have one it fails, and that is fine.
    unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, &raw const action, none, size_of::<u64>()) };
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
    match unsafe { libc::sigprocmask(how, set, ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
