//! How much is in a directory.

use std::io;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

/// How deep directories are followed. What is deeper counts as over every quota. Each level is a descriptor of the host while
/// it is looked at, and calls are looked at side by side.
const DEPTH: usize = 128;

/// What is in a directory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Measured {
    /// Bytes that its files and directories take on the disk. One that has several names counts once for each.
    pub bytes: u64,
    /// Files, directories and links.
    pub entries: u64,
}

/// More than any quota.
const OVER: Measured = Measured { bytes: u64::MAX, entries: u64::MAX };

/// Measures a directory without following a link, and stops as soon as it holds more than `most` bytes or entries: what is
/// returned is then more than that, and not all.
///
/// # Errors
///
/// When the directory itself is not there, or the host has no descriptor left. What vanishes while it is looked at counts for
/// nothing; a directory that cannot be looked into, as its owner has closed it, counts as over every quota, and so does the one
/// that is measured: a program that has one below it open goes on writing there.
pub fn measure(dir: &Path, most: Measured) -> io::Result<Measured> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let top = match rustix::fs::openat(CWD, dir, flags, Mode::empty()) {
        Err(Errno::ACCESS | Errno::PERM) => return Ok(OVER),
        opened => opened?,
    };
    let mut sum = Measured::default();
    let mut open: Vec<Dir> = vec![Dir::new(top)?];
    loop {
        let depth = open.len();
        let Some(at) = open.last_mut() else { break };
        let Some(entry) = at.read() else {
            open.pop();
            continue;
        };
        let Ok(entry) = entry else { continue };
        if matches!(entry.file_name().to_bytes(), b"." | b"..") {
            continue;
        }
        let fd = at.fd()?;
        let about = match rustix::fs::statat(fd, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(about) => about,
            // One that can be listed and not searched.
            Err(Errno::ACCESS | Errno::PERM) => return Ok(OVER),
            Err(_) => continue,
        };
        sum.entries += 1;
        sum.bytes = sum.bytes.saturating_add(u64::try_from(about.st_blocks).unwrap_or(0) * 512);
        if sum.bytes > most.bytes || sum.entries > most.entries {
            return Ok(sum);
        }
        if FileType::from_raw_mode(about.st_mode) != FileType::Directory {
            continue;
        }
        if depth == DEPTH {
            return Ok(OVER);
        }
        let below = match rustix::fs::openat(fd, entry.file_name(), flags | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(below) => below,
            // Something else has its name by now.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => continue,
            Err(Errno::ACCESS | Errno::PERM) => return Ok(OVER),
            Err(error) => return Err(error.into()),
        };
        open.push(Dir::new(below)?);
    }
    Ok(sum)
}
