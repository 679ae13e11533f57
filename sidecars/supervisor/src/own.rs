//! The supervisor's own process: made ready before anything is served, so that what it starts inherits nothing of it.

use std::io;
use std::os::fd::RawFd;

use rustix::process::{DumpableBehavior, set_child_subreaper, set_dumpable_behavior};

use crate::signals;

/// Makes this process what everything else here relies on: no descriptors but the standard ones and `keep`, no signal that
/// interrupts it, no look into it for others of its user, and a parent to whatever is orphaned below it.
pub(crate) fn settle(keep: Option<RawFd>) -> io::Result<()> {
    close_all_but(keep)?;
    signals::reset()?;
    // Its descriptors, environment and memory are none of its children's business, also where they are the same user.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    // Nothing that is started here may ever have any of them, and each program would have to do it again.
    packhost_confine::empty_bounding_set().map_err(io::Error::other)?;
    set_child_subreaper(Some(rustix::process::getpid()))?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    Ok(())
}

fn close_all_but(keep: Option<RawFd>) -> io::Result<()> {
    let Some(keep) = keep.and_then(|fd| u32::try_from(fd).ok()) else { return close_range(3, u32::MAX, 0) };
    if keep > 3 {
        close_range(3, keep - 1, 0)?;
    }
    close_range(keep.max(2) + 1, u32::MAX, 0)
}

/// close_range(2), Linux 5.9.
pub(crate) fn close_range(first: u32, last: u32, flags: libc::c_uint) -> io::Result<()> {
    // SAFETY: no memory is passed. That nobody uses the descriptors any more is the caller's to know; the callers are the
    // start of the process and what runs between fork and exec.
    match unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
