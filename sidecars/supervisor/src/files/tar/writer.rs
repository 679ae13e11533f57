//! Writes an archive to a stream.

use std::io::{self, Write};

use super::header::{Header, NAME_LENGTH, NUMBER};
use super::reader::{Content, Member};
use super::{BLOCK, Time, padding, records};

/// An archive that is being written. As a writer it takes the bytes of the file that was [added](Writer::add) last.
pub(in crate::files) struct Writer<W> {
    writer: W,
}

impl<W: Write> Writer<W> {
    pub(in crate::files) fn new(writer: W) -> Self {
        Self { writer }
    }

    /// Adds a member. Of a file all its bytes are written next, and then [`Writer::end`] says so.
    pub(in crate::files) fn add(&mut self, member: &Member) -> io::Result<()> {
        let Member { path, content, mode, modified } = member;
        let (kind, size, target) = match content {
            Content::File(size) => (b'0', *size, &b""[..]),
            Content::Directory => (b'5', 0, &b""[..]),
            Content::Link(target) => (b'2', 0, &target[..]),
        };
        let extended = extended(path, target, size, *modified);
        if !extended.is_empty() {
            let length = extended.len() as u64;
            self.writer.write_all(&Header::new(b'x', b"pax", 0o644, length).finished())?;
            self.writer.write_all(&extended)?;
            self.end(length)?;
        }
        let mut header = Header::new(kind, path, *mode, size);
        header.link(target);
        header.modified(u64::try_from(modified.seconds).unwrap_or(0));
        self.writer.write_all(&header.finished())
    }

    /// Ends a file of this many bytes.
    pub(in crate::files) fn end(&mut self, size: u64) -> io::Result<()> {
        self.writer.write_all(&[0; BLOCK][..padding(size)])
    }

    /// Ends the archive.
    pub(in crate::files) fn finish(mut self) -> io::Result<()> {
        self.writer.write_all(&[0; 2 * BLOCK])?;
        self.writer.flush()
    }
}

impl<W: Write> Write for Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// The records for what has no room in the header.
fn extended(path: &[u8], target: &[u8], size: u64, modified: Time) -> Vec<u8> {
    let mut bytes = Vec::new();
    let long = |name: &[u8]| name.len() > NAME_LENGTH;
    let binary = |name: &[u8]| long(name) && std::str::from_utf8(name).is_err();
    if binary(path) || binary(target) {
        records::write(&mut bytes, "hdrcharset", b"BINARY");
    }
    if long(path) {
        records::write(&mut bytes, "path", path);
    }
    if long(target) {
        records::write(&mut bytes, "linkpath", target);
    }
    if size > NUMBER {
        records::write(&mut bytes, "size", size.to_string().as_bytes());
    }
    if modified.nanos != 0 || !(0..=NUMBER.cast_signed()).contains(&modified.seconds) {
        records::write(&mut bytes, "mtime", records::time_text(modified).as_bytes());
    }
    bytes
}
