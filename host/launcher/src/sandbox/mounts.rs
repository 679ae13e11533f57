//! The kernel's mount interface that works on descriptors (fsopen(2), open_tree(2), move_mount(2), mount_setattr(2)): a mount is
//! made whole, with all its restrictions, before it gets a place.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create,
    fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount, open_tree,
};

/// What every mount of a sandbox has.
pub(crate) const TAME: u64 = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;
/// To read only.
pub(crate) const FIXED: u64 = TAME | libc::MOUNT_ATTR_RDONLY;

/// Nothing there can be run.
pub(crate) const NOEXEC: u64 = libc::MOUNT_ATTR_NOEXEC;

/// A new file system that has no place yet; an option without a value is a word by itself. Gives nobody power (`nosuid`); whether it may have devices is for the caller.
pub(crate) fn fresh(kind: &CStr, options: &[(&str, String)], more: MountAttrFlags) -> io::Result<OwnedFd> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (name, value) in options {
        let set = match value.as_str() {
            "" => fsconfig_set_flag(&context, *name),
            value => fsconfig_set_string(&context, *name, value),
        };
        set.map_err(|error| {
            io::Error::new(io::Error::from(error).kind(), format!("{name}={value}: {error}"))
        })?;
    }
    fsconfig_create(&context)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | more;
    Ok(fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?)
}

/// Opens a path that leads over no symbolic link, for its place alone.
pub(crate) fn straight(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    Ok(openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS)?)
}

/// A copy of what is mounted there, without a place; with everything that is mounted beneath, if so asked.
pub(crate) fn copy(of: impl AsFd, whole: bool) -> io::Result<OwnedFd> {
    let mut flags =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    if whole {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    Ok(open_tree(of, c"", flags)?)
}

/// The same by path, inside.
pub(crate) fn copy_at(path: impl AsRef<Path>) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    Ok(open_tree(CWD, path.as_ref(), flags)?)
}

/// Gives a mount its place.
pub(crate) fn attach(mount: impl AsFd, at: impl AsRef<Path>) -> io::Result<()> {
    Ok(move_mount(mount, c"", CWD, at.as_ref(), MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?)
}

/// Restricts a mount and all beneath it.
pub(crate) fn restrict(mount: impl AsFd, attributes: u64) -> io::Result<()> {
    set(mount.as_fd(), c"", libc::AT_EMPTY_PATH | libc::AT_RECURSIVE, attributes, None)
}

/// Restricts the mount at this path, and none beneath it.
pub(crate) fn restrict_at(path: &CStr, attributes: u64) -> io::Result<()> {
    set(CWD, path, 0, attributes, None)
}

/// Shows the owners on disk as others: see user_namespaces(7) and mount_setattr(2), "ID-mapped mounts".
pub(crate) fn map_owners(mount: impl AsFd, namespace: BorrowedFd<'_>) -> io::Result<()> {
    set(mount.as_fd(), c"", libc::AT_EMPTY_PATH, libc::MOUNT_ATTR_IDMAP, Some(namespace))
}

fn set(
    at: BorrowedFd<'_>,
    path: &CStr,
    flags: i32,
    attributes: u64,
    namespace: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    let attributes = libc::mount_attr {
        attr_set: attributes,
        attr_clr: 0,
        propagation: 0,
        userns_fd: namespace.map_or(0, |namespace| u64::from(namespace.as_raw_fd().unsigned_abs())),
    };
    // SAFETY: the path ends with a NUL and the structure is as long as is said; both outlive the call.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            at.as_raw_fd(),
            path.as_ptr(),
            flags,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
