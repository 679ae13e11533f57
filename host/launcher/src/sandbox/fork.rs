//! A child that goes on with a copy of this process: fork(2) with new namespaces.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use rustix::process::Pid;

/// Forks; `None` in the child, which must end without returning to what the parent was doing.
///
/// The launcher has one thread (see [`crate::serve`]), so the child may do what the parent may: no lock is held by anybody.
pub(crate) fn fork(namespaces: i32) -> io::Result<Option<Pid>> {
    // `c_long`, as the kernel reads flags as a whole register.
    let flags = libc::c_long::from(namespaces | libc::SIGCHLD);
    // SAFETY: without a stack of its own the child gets a copy of this one, as with fork; no pointer is given.
    let answer = unsafe { libc::syscall(libc::SYS_clone, flags, 0_usize, 0_usize, 0_usize, 0_usize) };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    // A process number fits.
    Ok(i32::try_from(answer).ok().and_then(Pid::from_raw))
}

/// In a child of `parent`: waits to be killed.
pub(crate) fn pause(parent: Pid) -> ! {
    // Should the parent be killed before it can kill this one.
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    while rustix::process::getppid() == Some(parent) {
        // SAFETY: takes nothing and touches nothing.
        unsafe { libc::pause() };
    }
    exit(0)
}

/// Ends a child at once: no destructors, no buffers that are the parent's too.
pub(crate) fn exit(code: i32) -> ! {
    // SAFETY: never returns and runs nothing of this process.
    unsafe { libc::_exit(code) }
}

/// In a child: closes everything but the first three descriptors and those of these numbers. What held the others must not be
/// used or dropped any more; the child never returns to it.
pub(crate) fn keep_open(kept: &[RawFd]) {
    let mut kept = kept.to_vec();
    kept.sort_unstable();
    const FIRST: RawFd = 3;
    let mut first = FIRST;
    for number in kept.into_iter().filter(|number| *number >= FIRST).chain([RawFd::MAX]) {
        close_range(first, number - 1);
        first = number.saturating_add(1);
    }
}

/// In a child: closes a descriptor that its parent goes on with. What held it must not be used or dropped any more.
pub(crate) fn let_go(descriptor: BorrowedFd<'_>) {
    close_range(descriptor.as_raw_fd(), descriptor.as_raw_fd());
}

fn close_range(first: RawFd, last: RawFd) {
    if first <= last {
        // SAFETY: closes descriptors of this process alone; what held them is left alone, as the callers say.
        unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    }
}
