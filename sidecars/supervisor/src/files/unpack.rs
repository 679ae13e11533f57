//! Writes a tree from an archive.
//!
//! Each member's directory is come to from the start, part by part, none of which may be a link: neither one that the archive
//! made nor one that somebody puts there meanwhile leads elsewhere.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use packhost_session_protocol::message::{self, EntryKind, Fault, Refusal};
use rustix::fs::{
    AtFlags, Mode, OFlags, Timespec, Timestamps, fchmod, futimens, mkdirat, openat, statat, utimensat,
};
use rustix::io::Errno;

use super::entry::kind;
use super::fresh::{self, Fresh};
use super::host::gone;
use super::limits::{MEMBER_DEPTH, PATH_BELOW};
use super::path;
use super::seen::Seen;
use super::tar::{Archive, ArchiveError, Content, Member, Time};
use super::trouble::{shown, trouble};

/// The most that an archive may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of files.
    pub most_bytes: u64,
    /// Members, and directories that no member is for.
    pub most_entries: u64,
}

/// A directory below the start; no right to read it is needed, and a link is none.
const BELOW: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

pub(super) fn serve(asked: &message::Unpack, input: &mut impl Read) -> Result<(), Refusal> {
    path::make(&asked.path, 0o755)?;
    let into = path::tree(&asked.path)?;
    let limits = Limits { most_bytes: asked.most_bytes, most_entries: asked.most_entries };
    unpack(input, into.as_fd(), limits)
}

/// Unpacks a tar archive into a directory: regular files, directories and symbolic links, the latter wherever they lead, with
/// the low nine bits of their modes and with their times. Files and links take the place of files and links that are there;
/// directories that are there stay as they are. Nothing is written outside of the directory, whoever changes it meanwhile.
///
/// # Errors
///
/// What the archive, the limits or the file system do not allow. What was unpacked before stays.
pub fn unpack(reader: impl Read, into: BorrowedFd<'_>, limits: Limits) -> Result<(), Refusal> {
    let mut archive = Archive::new(reader);
    let mut tree = Tree { into, left: limits, seen: Seen::default() };
    while let Some(member) = archive.next().map_err(refused)? {
        tree.add(&member, &mut archive)?;
    }
    tree.finish()
}

/// The tree that is being written.
struct Tree<'a> {
    into: BorrowedFd<'a>,
    left: Limits,
    seen: Seen,
}

impl Tree<'_> {
    fn add(&mut self, member: &Member, bytes: &mut impl Read) -> Result<(), Refusal> {
        let mut parts = parts(&member.path)?;
        self.count()?;
        let Some(name) = parts.pop() else {
            // The start itself, which stays as it is.
            let start = member.content == Content::Directory;
            return if start { Ok(()) } else { Err(malformed("a file or link has no name")) };
        };
        if let Content::File(size) = member.content {
            let left = self.left.most_bytes.checked_sub(size);
            self.left.most_bytes = left.ok_or_else(|| full("the files in the archive have more bytes"))?;
        }
        let (dir, at) = self.directory(&parts, &member.path)?;
        match &member.content {
            Content::File(_) => file(dir.as_fd(), name, member, bytes),
            Content::Link(target) => link(dir.as_fd(), name, member, target),
            Content::Directory => {
                let at = self.make(dir.as_fd(), at, name, &member.path)?;
                self.seen.becomes(at, member.mode, Some(member.modified));
                Ok(())
            }
        }
    }

    fn count(&mut self) -> Result<(), Refusal> {
        let left = self.left.most_entries.checked_sub(1);
        self.left.most_entries = left.ok_or_else(|| full("the archive has more entries"))?;
        Ok(())
    }

    /// Opens a directory below the start, and makes it and those above where they are missing.
    fn directory(&mut self, parts: &[&[u8]], path: &[u8]) -> Result<(OwnedFd, usize), Refusal> {
        let start = openat(self.into, c".", BELOW, Mode::empty());
        let mut dir = start.map_err(|errno| trouble("open the directory for", path, errno))?;
        let mut at = Seen::START;
        for part in parts {
            (dir, at) = match openat(&dir, *part, BELOW, Mode::empty()) {
                Ok(next) => (next, self.seen.there(at, part)?),
                Err(Errno::NOENT) => {
                    self.count()?;
                    let at = self.make(dir.as_fd(), at, part, path)?;
                    let next = openat(&dir, *part, BELOW, Mode::empty());
                    (next.map_err(|errno| through(dir.as_fd(), part, path, errno))?, at)
                }
                Err(errno) => return Err(through(dir.as_fd(), part, path, errno)),
            };
        }
        Ok((dir, at))
    }

    /// Makes a directory and remembers that it did. One that is there is left as it is.
    fn make(&mut self, dir: BorrowedFd<'_>, at: usize, name: &[u8], path: &[u8]) -> Result<usize, Refusal> {
        match mkdirat(dir, name, Mode::RWXU) {
            Ok(()) => self.seen.made(at, name),
            Err(Errno::EXIST) => match openat(dir, name, BELOW, Mode::empty()) {
                Ok(_) => self.seen.there(at, name),
                Err(errno) => Err(through(dir, name, path, errno)),
            },
            Err(errno) => Err(trouble("make the directory", path, errno)),
        }
    }

    /// Gives the directories that were made their modes and times, those below before those above.
    fn finish(&self) -> Result<(), Refusal> {
        for (parts, mode, modified) in self.seen.all_made() {
            let failed = |errno| trouble("set the mode of", &parts.join(&b'/'), errno);
            let start = openat(self.into, c".", BELOW, Mode::empty());
            let walk = |dir, part: &&[u8]| openat(dir, *part, BELOW, Mode::empty());
            let dir = start.and_then(|start| parts.iter().try_fold(start, walk)).map_err(failed)?;
            let read = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let dir = openat(&dir, c".", read, Mode::empty()).map_err(failed)?;
            if let Some(modified) = modified {
                futimens(&dir, &times(modified)).map_err(failed)?;
            }
            fchmod(&dir, Mode::from_raw_mode(mode & 0o777)).map_err(failed)?;
        }
        Ok(())
    }
}

fn file(dir: BorrowedFd<'_>, name: &[u8], member: &Member, bytes: &mut impl Read) -> Result<(), Refusal> {
    let failed = |errno| trouble("write", &member.path, errno);
    let mut fresh = Fresh::make(dir).map_err(failed)?;
    io::copy(bytes, fresh.file()).map_err(|error| match Errno::from_io_error(&error) {
        Some(errno) => failed(errno),
        None => refused(error.into()),
    })?;
    fresh.land(name, member.mode, Some(&times(member.modified)), true).map_err(failed)
}

fn link(dir: BorrowedFd<'_>, name: &[u8], member: &Member, target: &[u8]) -> Result<(), Refusal> {
    fresh::link(dir, name, target)
        .and_then(|()| utimensat(dir, name, &times(member.modified), AtFlags::SYMLINK_NOFOLLOW))
        .map_err(|errno| trouble("make the link", &member.path, errno))
}

/// The parts of a member's path, without those that say nothing. Absolute ones and those with `..` are refused.
fn parts(path: &[u8]) -> Result<Vec<&[u8]>, Refusal> {
    if path.len() > PATH_BELOW {
        return Err(malformed("a path is too long"));
    }
    if path.starts_with(b"/") {
        return Err(outside(path, "is absolute"));
    }
    let parts = path.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b"."));
    let parts: Vec<_> = parts.take(MEMBER_DEPTH + 1).collect();
    if parts.contains(&&b".."[..]) {
        return Err(outside(path, "has .. in it"));
    }
    if parts.len() > MEMBER_DEPTH {
        return Err(malformed("a path is too deep"));
    }
    Ok(parts)
}

/// A refusal for what is in the way where a directory belongs.
fn through(dir: BorrowedFd<'_>, name: &[u8], path: &[u8], errno: Errno) -> Refusal {
    let there = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW);
    if there.is_ok_and(|stat| kind(&stat) == EntryKind::Link) {
        return outside(path, "leads through a symbolic link");
    }
    trouble("open the directory", path, errno)
}

fn outside(path: &[u8], how: &str) -> Refusal {
    let message =
        format!("the archive's path {} {how}; nothing outside its directory is written", shown(path));
    Refusal::new(Fault::Denied, message)
}

pub(super) fn full(what: &str) -> Refusal {
    Refusal::new(Fault::Full, format!("{what} than are allowed"))
}

fn malformed(what: &'static str) -> Refusal {
    refused(ArchiveError::Malformed(what))
}

fn refused(error: ArchiveError) -> Refusal {
    let fault = match &error {
        ArchiveError::Broken(error) if error.kind() == io::ErrorKind::ConnectionAborted => return gone(),
        ArchiveError::Unsupported { .. } => Fault::Unsupported,
        ArchiveError::Broken(_) | ArchiveError::Malformed(_) => Fault::Malformed,
    };
    Refusal::new(fault, error.to_string())
}

fn times(modified: Time) -> Timestamps {
    let time = Timespec { tv_sec: modified.seconds, tv_nsec: modified.nanos.into() };
    Timestamps { last_access: time, last_modification: time }
}
