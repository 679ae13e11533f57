//! Paths that the host names, and the directories in front of their last part.
//!
//! These follow links: where they may lead is for the walls around the worker. Only the last part is never followed.

use std::os::fd::OwnedFd;

use packhost_session_protocol::limits;
use packhost_session_protocol::message::{Fault, Refusal};
use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
use rustix::io::Errno;

use super::trouble::{shown, trouble};

/// The mode of directories that are made on the way to what was asked for.
const ON_THE_WAY: u32 = 0o755;
/// A directory as a place to start from; no right to read it is needed.
const PLACE: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// A directory to read, itself and not what a link leads to.
const TREE: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// Where something is: a directory, and a name in it that is a plain one.
pub(super) struct Spot<'a> {
    pub(super) dir: OwnedFd,
    pub(super) name: &'a [u8],
}

/// Refuses what is no absolute path. One byte less than `PATH_MAX` is the most: the kernel counts the NUL.
pub(super) fn check(path: &[u8]) -> Result<(), Refusal> {
    let wrong = if path.first() != Some(&b'/') {
        "is not absolute"
    } else if path.contains(&0) {
        "has a NUL in it"
    } else if path.len() >= limits::PATH {
        "is longer than 4095 bytes"
    } else {
        return Ok(());
    };
    Err(Refusal::new(Fault::Malformed, format!("the path {} {wrong}", shown(path))))
}

/// The path without the slashes at its end, which would make the kernel follow a link.
pub(super) fn trimmed(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(1, |last| last + 1);
    &path[..end.min(path.len())]
}

/// Finds the directory that a path's last part is in, and makes those that are missing where `make` says so.
pub(super) fn spot(path: &[u8], make: bool) -> Result<Spot<'_>, Refusal> {
    let path = trimmed(path);
    let (front, name) = split(path);
    if matches!(name, b"" | b"." | b"..") {
        let message = format!("the path {} does not end with a name", shown(path));
        return Err(Refusal::new(Fault::Malformed, message));
    }
    let dir = if make { made(front) } else { place(front) };
    let dir = dir.map_err(|errno| trouble("open the directory of", path, errno))?;
    Ok(Spot { dir, name })
}

/// Opens a directory to read it and what is below.
pub(super) fn tree(path: &[u8]) -> Result<OwnedFd, Refusal> {
    openat(CWD, trimmed(path), TREE, Mode::empty())
        .map_err(|errno| trouble("open the directory", path, errno))
}

/// Makes a directory with this mode, and those above it. One that is there is left as it is.
pub(super) fn make(path: &[u8], mode: u32) -> Result<(), Refusal> {
    if trimmed(path) == b"/" {
        return Ok(());
    }
    let spot = spot(path, true)?;
    match mkdirat(&spot.dir, spot.name, Mode::from_raw_mode(mode & 0o777)) {
        Ok(()) => Ok(()),
        // A link to a directory is no directory here.
        Err(Errno::EXIST) => openat(&spot.dir, spot.name, PLACE | OFlags::NOFOLLOW, Mode::empty())
            .map(drop)
            .map_err(|errno| trouble("make the directory", path, errno)),
        Err(errno) => Err(trouble("make the directory", path, errno)),
    }
}

fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..=slash], &path[slash + 1..]),
        None => (b"/", path),
    }
}

fn place(path: &[u8]) -> Result<OwnedFd, Errno> {
    openat(CWD, path, PLACE, Mode::empty())
}

fn made(path: &[u8]) -> Result<OwnedFd, Errno> {
    match place(path) {
        Err(Errno::NOENT) => {}
        done => return done,
    }
    let mut dir = place(b"/")?;
    for part in path.split(|byte| *byte == b'/').filter(|part| !part.is_empty()) {
        dir = match openat(&dir, part, PLACE, Mode::empty()) {
            Err(Errno::NOENT) => {
                match mkdirat(&dir, part, Mode::from_raw_mode(ON_THE_WAY)) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(errno) => return Err(errno),
                }
                openat(&dir, part, PLACE, Mode::empty())?
            }
            done => done?,
        };
    }
    Ok(dir)
}

#[cfg(test)]
mod tests {
    use super::{check, split, trimmed};

    #[test]
    fn a_path_is_absolute_short_and_without_nul() {
        assert!(check(b"/").is_ok() && check(b"/a/../b\xff\n").is_ok() && check(&[b'/'; 4095]).is_ok());
        for wrong in [&b""[..], b"a", b"/a\0b", &[b'/'; 4096]] {
            assert!(check(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn slashes_at_the_end_are_no_part_of_a_name() {
        assert_eq!(trimmed(b"/a/b//"), b"/a/b");
        assert_eq!(trimmed(b"///"), b"/");
        assert_eq!(split(b"/a/b"), (&b"/a/"[..], &b"b"[..]));
        assert_eq!(split(b"/"), (&b"/"[..], &b""[..]));
    }
}
