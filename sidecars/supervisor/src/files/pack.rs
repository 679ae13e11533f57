//! Reads a tree into an archive.

use std::io::{self, BufWriter, Read, Write};
use std::os::fd::OwnedFd;

use packhost_session_protocol::limits;
use packhost_session_protocol::message::{EntryKind, Fault, Pack, Refusal};
use rustix::fs::{Mode, OFlags, Stat, fstat, openat};
use rustix::io::Errno;

use super::entry::{kind, target};
use super::host::{Host, gone};
use super::path;
use super::tar::{Content, Member, Time, Writer};
use super::trouble::trouble;
use super::walk::{Found, Reach, walk};

/// Files, directories and links below the directory, in the order of the bytes of their names; all else is left out, and what
/// goes away meanwhile. A file that shrinks while it is read is filled up with zeros, one that grows is cut.
pub(super) fn pack(pack: &Pack, host: &mut Host) -> Result<(), Refusal> {
    let start = path::tree(&pack.path)?;
    let mut packing =
        Packing { writer: Writer::new(BufWriter::with_capacity(limits::DATA, host)), left: pack.most_bytes };
    let reach = Reach { depth: u32::MAX, most: pack.most_entries, pass: false };
    if !walk(start, &reach, |found| packing.add(found))? {
        return Err(Refusal::new(Fault::Full, "the tree has more entries than were asked for"));
    }
    packing.writer.finish().map_err(|_| gone())
}

struct Packing<W: Write> {
    writer: Writer<W>,
    left: u64,
}

impl<W: Write> Packing<W> {
    fn add(&mut self, found: &Found<'_>) -> Result<(), Refusal> {
        let (mut path, mut stat, mut file) = (found.path.to_vec(), *found.stat, None);
        let content = match kind(found.stat) {
            EntryKind::Directory => {
                path.push(b'/');
                Content::Directory
            }
            EntryKind::Link => match target(found.dir, found.name, EntryKind::Link) {
                Some(target) => Content::Link(target),
                None => return Ok(()),
            },
            EntryKind::File => match open(found)? {
                Some((opened, now)) => {
                    (file, stat) = (Some(opened), now);
                    Content::File(u64::try_from(stat.st_size).unwrap_or(0))
                }
                None => return Ok(()),
            },
            EntryKind::Other => return Ok(()),
        };
        let nanos = u32::try_from(stat.st_mtime_nsec).unwrap_or(0);
        let modified = Time { seconds: stat.st_mtime, nanos };
        let member = Member { path, content, mode: stat.st_mode, modified };
        if let Content::File(size) = member.content {
            self.left = self.left.checked_sub(size).ok_or_else(|| {
                Refusal::new(Fault::Full, "the files in the tree have more bytes than were asked for")
            })?;
        }
        self.writer.add(&member).map_err(|_| gone())?;
        match (member.content, file) {
            (Content::File(size), Some(file)) => self.file(file, size, found.path),
            _ => Ok(()),
        }
    }

    fn file(&mut self, file: OwnedFd, size: u64, path: &[u8]) -> Result<(), Refusal> {
        let mut bytes = std::fs::File::from(file).take(size);
        let copied =
            io::copy(&mut bytes, &mut self.writer).map_err(|error| match Errno::from_io_error(&error) {
                Some(errno) => trouble("read", path, errno),
                None => gone(),
            })?;
        let missing = &mut io::repeat(0).take(size - copied);
        io::copy(missing, &mut self.writer).and_then(|_| self.writer.end(size)).map_err(|_| gone())
    }
}

/// Opens a regular file; none where it is one no more.
fn open(found: &Found<'_>) -> Result<Option<(OwnedFd, Stat)>, Refusal> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let failed = |errno| trouble("read", found.path, errno);
    let file = match openat(found.dir, found.name, flags, Mode::empty()) {
        Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => return Ok(None),
        file => file.map_err(failed)?,
    };
    let stat = fstat(&file).map_err(failed)?;
    Ok((kind(&stat) == EntryKind::File).then_some((file, stat)))
}
