//! Keyrings (session-keyring(7)), which fork and exec hand on.

use std::io;
use std::ptr;

/// Gives this process a session keyring of its own, with nothing in it and without a name. A kernel without keys has none to
/// hand on, and whoever may not make a keyring cannot use the one that there is either.
pub(crate) fn forget() -> io::Result<()> {
    // SAFETY: takes no name, and touches no memory of this process.
    let joined = unsafe {
        libc::syscall(libc::SYS_keyctl, libc::KEYCTL_JOIN_SESSION_KEYRING, ptr::null::<libc::c_char>())
    };
    if joined >= 0 {
        return Ok(());
    }
    match io::Error::last_os_error() {
        error if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM | libc::EACCES)) => Ok(()),
        error => Err(error),
    }
}
