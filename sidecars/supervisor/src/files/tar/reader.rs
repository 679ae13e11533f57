//! Reads an archive from a stream.

use std::io::{self, Read};

use super::header::Header;
use super::records::Records;
use super::{BLOCK, Time, padding};
use crate::files::limits::{AFTER_END, EXTENSIONS, RECORDS};
use crate::files::trouble::shown;

/// Why an archive was not read further.
#[derive(Debug, thiserror::Error)]
pub(in crate::files) enum ArchiveError {
    /// The stream broke.
    #[error("the archive was not sent to its end: {0}")]
    Broken(#[from] io::Error),
    /// It is no archive, or one that says two things.
    #[error("this is no tar archive that can be read: {0}")]
    Malformed(&'static str),
    /// It has what is not unpacked here.
    #[error(
        "the archive's member {path} is {what}; files, directories and symbolic links alone are unpacked"
    )]
    Unsupported {
        /// Its name, for a person.
        path: String,
        /// What it is.
        what: &'static str,
    },
}

/// What a member is.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::files) enum Content {
    /// A file of this many bytes.
    File(u64),
    /// A directory.
    Directory,
    /// A symbolic link that leads there.
    Link(Vec<u8>),
}

/// A member of an archive. Nothing in it is checked but that names have no NUL.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::files) struct Member {
    pub(in crate::files) path: Vec<u8>,
    pub(in crate::files) content: Content,
    pub(in crate::files) mode: u32,
    pub(in crate::files) modified: Time,
}

/// An archive that is being read. As a reader it is the bytes of the file that [`Archive::next`] gave last.
pub(in crate::files) struct Archive<R> {
    reader: R,
    /// Bytes of the member that are to come.
    left: u64,
    /// Bytes after them.
    padding: usize,
}

/// What the headers in front of a member's own say.
#[derive(Default)]
struct Extensions {
    records: Records,
    path: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
    length: usize,
}

impl<R: Read> Archive<R> {
    pub(in crate::files) fn new(reader: R) -> Self {
        Self { reader, left: 0, padding: 0 }
    }

    /// The next member; none at the end of the archive, and then the stream has been read to its end.
    pub(in crate::files) fn next(&mut self) -> Result<Option<Member>, ArchiveError> {
        let mut extensions = Extensions::default();
        for _ in 0..=EXTENSIONS {
            self.skip()?;
            let Some(header) = self.header()? else {
                self.rest()?;
                return Ok(None);
            };
            let size = header.size().ok_or(ArchiveError::Malformed("a size is no number"))?;
            match header.kind() {
                b'x' => {
                    let records = self.extension(size, &mut extensions)?;
                    extensions.records.take(&records).ok_or(BAD_RECORDS)?;
                }
                b'g' => global(&self.extension(size, &mut extensions)?)?,
                b'L' => extensions.path = Some(until_nul(self.extension(size, &mut extensions)?)),
                b'K' => extensions.target = Some(until_nul(self.extension(size, &mut extensions)?)),
                _ => return self.member(&header, size, extensions).map(Some),
            }
        }
        Err(ArchiveError::Malformed("too many extended headers are in front of one member"))
    }

    fn member(&mut self, header: &Header, size: u64, before: Extensions) -> Result<Member, ArchiveError> {
        let Extensions { records, path, target, .. } = before;
        let path = records.path.or(path).unwrap_or_else(|| header.name());
        let target = records.target.or(target).unwrap_or_else(|| header.target());
        if path.contains(&0) || target.contains(&0) {
            return Err(ArchiveError::Malformed("a name has a NUL in it"));
        }
        let size = records.size.unwrap_or(size);
        let unsupported = |what| ArchiveError::Unsupported { path: shown(&path), what };
        let content = match header.kind() {
            b'S' => return Err(unsupported("a file with holes")),
            _ if records.sparse => return Err(unsupported("a file with holes")),
            // So it was before directories had a type of their own.
            b'0' | 0 if path.ends_with(b"/") => Content::Directory,
            b'0' | 0 | b'7' => Content::File(size),
            b'5' => Content::Directory,
            b'2' => Content::Link(target),
            b'1' => return Err(unsupported("a hard link")),
            b'3' | b'4' => return Err(unsupported("a device")),
            b'6' => return Err(unsupported("a pipe")),
            _ => return Err(unsupported("of an unknown type")),
        };
        // Readers differ in whether bytes follow then.
        if size > 0 && !matches!(content, Content::File(_)) {
            return Err(ArchiveError::Malformed("a directory or link has a size"));
        }
        let mode = header.mode().ok_or(ArchiveError::Malformed("a mode is no number"))?;
        let seconds = header.time().ok_or(ArchiveError::Malformed("a time is no number"))?;
        (self.left, self.padding) = (size, padding(size));
        Ok(Member { path, content, mode, modified: records.modified.unwrap_or(Time { seconds, nanos: 0 }) })
    }

    /// The next header; none at the block of zeros that ends the archive.
    fn header(&mut self) -> Result<Option<Header>, ArchiveError> {
        let mut block = [0; BLOCK];
        self.exactly(&mut block)?;
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        Header::read(block).map(Some).ok_or(ArchiveError::Malformed("a header's checksum is wrong"))
    }

    /// The bytes of an extended header, bounded together with those of the others before the same member.
    fn extension(&mut self, size: u64, before: &mut Extensions) -> Result<Vec<u8>, ArchiveError> {
        let size = usize::try_from(size).ok().filter(|size| *size <= RECORDS - before.length);
        let size = size.ok_or(ArchiveError::Malformed("the extended headers of a member are too long"))?;
        before.length += size;
        let mut bytes = vec![0; size];
        self.exactly(&mut bytes)?;
        self.padding = padding(size as u64);
        Ok(bytes)
    }

    /// Passes over what was not read of the last member.
    fn skip(&mut self) -> Result<(), ArchiveError> {
        io::copy(self, &mut io::sink())?;
        let padding = std::mem::take(&mut self.padding);
        self.exactly(&mut [0; BLOCK][..padding])
    }

    /// What follows the end.
    fn rest(&mut self) -> Result<(), ArchiveError> {
        let read = io::copy(&mut self.reader.by_ref().take(AFTER_END + 1), &mut io::sink())?;
        if read > AFTER_END { Err(ArchiveError::Malformed("too much follows its end")) } else { Ok(()) }
    }

    fn exactly(&mut self, buffer: &mut [u8]) -> Result<(), ArchiveError> {
        Ok(self.reader.read_exact(buffer)?)
    }
}

const BAD_RECORDS: ArchiveError = ArchiveError::Malformed("an extended header has no records");

/// The bytes of a member. An end before the member's own is an error.
impl<R: Read> Read for Archive<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let length = self.reader.read(&mut buffer[..most])?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= length as u64;
        Ok(length)
    }
}

/// Records for all members that follow. What would name or size them all alike is refused; the rest, a comment for the most
/// part, is not needed.
fn global(bytes: &[u8]) -> Result<(), ArchiveError> {
    let mut records = Records::default();
    records.take(bytes).ok_or(BAD_RECORDS)?;
    records.modified = None;
    if records == Records::default() {
        return Ok(());
    }
    Err(ArchiveError::Malformed("a global header names or sizes all members alike"))
}

fn until_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    bytes.truncate(end);
    bytes
}
