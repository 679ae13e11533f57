//! What a path leads to, so that it can be told later whether it still does.

use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, StatxFlags, statx};
use rustix::io::Errno;

/// Numbers of mounts that are not given again (statx(2), Linux 6.8). Before, the kernel gives the one that may be.
const MOUNT: StatxFlags = StatxFlags::from_bits_retain(0x4000);

/// A file or directory, as the kernel numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    mount: u64,
    device: (u32, u32),
    inode: u64,
    /// Whether it is a directory.
    pub(crate) directory: bool,
}

impl Place {
    /// What is open.
    pub(crate) fn of(file: impl AsFd) -> Result<Self, Errno> {
        Self::ask(file, Path::new(""), AtFlags::EMPTY_PATH)
    }

    /// What an absolute path leads to, with all links followed; none where there is nothing.
    pub(crate) fn at(path: &[u8]) -> Result<Option<Self>, Errno> {
        match Self::ask(CWD, Path::new(OsStr::from_bytes(path)), AtFlags::empty()) {
            Ok(place) => Ok(Some(place)),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    fn ask(from: impl AsFd, path: &Path, flags: AtFlags) -> Result<Self, Errno> {
        let stat = statx(from, path, flags, StatxFlags::TYPE | StatxFlags::INO | MOUNT)?;
        Ok(Self {
            mount: stat.stx_mnt_id,
            device: (stat.stx_dev_major, stat.stx_dev_minor),
            inode: stat.stx_ino,
            directory: FileType::from_raw_mode(u32::from(stat.stx_mode)) == FileType::Directory,
        })
    }
}
