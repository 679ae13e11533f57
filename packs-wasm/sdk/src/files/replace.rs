//! Writing a file whole: a call that is stopped in the middle leaves the old file or the new one, never a half.

use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::{explain, regular};
use crate::Error;

/// How many symbolic links one path may go through.
const LINKS: usize = 16;

/// Replaces the content of a file, or makes it where it was not; says whether it made it. The content is written beside
/// it under another name and then takes its place, so the file is a new one with the rights that new files have. A
/// symbolic link stays, and the file that it leads to is replaced.
///
/// # Errors
///
/// As [`explain`]; `invalid-input` where something other than a regular file is there. The old content stays.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<bool, Error> {
    let failed = |error: io::Error| explain(path, &error);
    let target = linked(path).map_err(failed)?;
    let created = match fs::metadata(&target) {
        Err(error) if error.kind() == ErrorKind::NotFound => true,
        _ => regular(&target).map(|_| false)?,
    };
    let beside = temporary(target.parent().unwrap_or(Path::new(".")));
    let done = write(&beside, bytes).and_then(|()| fs::rename(&beside, &target));
    if done.is_err() {
        let _ = fs::remove_file(&beside);
    }
    done.map(|()| created).map_err(failed)
}

/// A name in this directory that nothing has.
pub fn temporary(directory: &Path) -> PathBuf {
    directory.join(format!(".{:016x}.tmp", RandomState::new().hash_one(directory)))
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    File::create_new(path)?.write_all(bytes)
}

/// Where the path's last links lead. What they may lead to is the host's to judge.
fn linked(path: &Path) -> io::Result<PathBuf> {
    let mut target = path.to_owned();
    for _ in 0..LINKS {
        if !fs::symlink_metadata(&target).is_ok_and(|metadata| metadata.is_symlink()) {
            return Ok(target);
        }
        let link = fs::read_link(&target)?;
        if link.is_absolute() {
            return Err(ErrorKind::PermissionDenied.into());
        }
        target = target.parent().unwrap_or(Path::new(".")).join(link);
    }
    Err(io::Error::other("too many symbolic links"))
}
