//! What a crash would leave behind.

use std::io;

/// From here on the kernel writes no core file of this process, pipes none to a program, and lets no other process of the
/// same user look into its memory: credentials are in there while a request is sent. Children get it back with `execve`,
/// all but the limit.
///
/// # Errors
/// What the kernel answers; the process is then as it was, or half so.
pub fn forgo_dumps() -> io::Result<()> {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: reads `none`, which lives until the call is over.
    let limited = unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) };
    if limited != 0 {
        return Err(io::Error::last_os_error());
    }
    // A handler in `core_pattern` is started whatever the limit.
    // SAFETY: this request takes one number and no memory.
    match unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
