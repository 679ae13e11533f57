//! Opening the paths of a profile without being led elsewhere by the program that they are for.
//!
//! A program may own a directory above a granted path, and put a link there for the wall of the program after it. So a link
//! on the way is followed when it came with the image or the host, and is an error when it belongs to the program's user.
//! Where the sandbox has one user only, all links are that user's; then those on the root are followed if nothing there can be
//! written.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{
    CWD, FileType, Mode, OFlags, ResolveFlags, StatVfsMountFlags, fstat, fstatvfs, open, openat, openat2,
    readlinkat,
};
use rustix::io::Errno;

use crate::ConfineError;

/// Links followed on the way to one path, path_resolution(7).
const LINKS: usize = 40;

const PLACE: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

/// Opens a path to be granted (`O_PATH`); none where there is nothing. No link of the user `distrusted` is followed.
pub(crate) fn reach(path: &[u8], distrusted: Option<u32>) -> Result<Option<OwnedFd>, ConfineError> {
    let path = Path::new(OsStr::from_bytes(path));
    if !path.is_absolute() {
        return Err(ConfineError::Relative(PathBuf::from(path)));
    }
    // In one call where there is no link, which is nearly always.
    let direct = openat2(CWD, path, PLACE, Mode::empty(), ResolveFlags::NO_SYMLINKS);
    match direct.or_else(|_| walk(path, distrusted)) {
        Ok(place) => Ok(Some(place)),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(errno) => Err(ConfineError::Path { path: PathBuf::from(path), source: errno.into() }),
    }
}

/// `PERM` at a link that is not followed.
fn walk(path: &Path, distrusted: Option<u32>) -> Result<OwnedFd, Errno> {
    let root = || open("/", PLACE, Mode::empty());
    let mut links = 0;
    let mut place = root()?;
    let mut ahead = parts(path);
    while let Some(part) = ahead.pop_front() {
        let next = openat(&place, &part, PLACE | OFlags::NOFOLLOW, Mode::empty())?;
        let stat = fstat(&next)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
            place = next;
            continue;
        }
        links += 1;
        if links > LINKS {
            return Err(Errno::LOOP);
        }
        if distrusted == Some(stat.st_uid) && !fixed(&root()?, stat.st_dev)? {
            return Err(Errno::PERM);
        }
        let target =
            PathBuf::from(OsString::from_vec(readlinkat(next.as_fd(), "", Vec::new())?.into_bytes()));
        if target.is_absolute() {
            place = root()?;
        }
        let mut longer = parts(&target);
        longer.append(&mut ahead);
        ahead = longer;
    }
    Ok(place)
}

/// Whether what is on this device is on the file system of the root, and that is mounted to read only.
fn fixed(root: &OwnedFd, device: u64) -> Result<bool, Errno> {
    Ok(fstat(root)?.st_dev == device && fstatvfs(root)?.f_flag.contains(StatVfsMountFlags::RDONLY))
}

fn parts(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir))
        .map(|part| part.as_os_str().to_owned())
        .collect()
}
