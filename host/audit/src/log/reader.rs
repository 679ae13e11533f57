//! Lines out of a file, one by one, in bounded memory whatever the file is.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::line::LARGEST;

/// How much is read at once, in bytes.
const CHUNK: usize = 256 << 10;

/// The lines of a part of a file. Memory: a chunk, and a line of at most [`LARGEST`] bytes.
pub(crate) struct Lines<'f> {
    file: &'f File,
    /// Where in the file the next read begins, and where it ends.
    at: u64,
    until: u64,
    buffer: Vec<u8>,
    /// What of the buffer was not handed out yet.
    from: usize,
    /// Where in the file that begins.
    byte: u64,
}

/// What was found next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// A line, without its end, and where it begins.
    Line(u64, &'a [u8]),
    /// A line with more bytes than a line may have, and where it begins. It was passed over.
    TooLong(u64),
    /// The last bytes, without the end of a line, and where they begin.
    Torn(u64),
}

impl<'f> Lines<'f> {
    /// The lines between two places of a file, of which the first begins a line.
    pub(crate) fn between(file: &'f File, from: u64, until: u64) -> Self {
        Self { file, at: from, until, buffer: Vec::new(), from: 0, byte: from }
    }

    /// The next line; `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Found<'_>>> {
        let mut looked = 0;
        loop {
            let rest = &self.buffer[self.from..];
            if let Some(end) = rest[looked..].iter().position(|byte| *byte == b'\n').map(|end| looked + end) {
                return Ok(Some(self.hand_out(end)));
            }
            looked = rest.len();
            if looked >= LARGEST {
                return self.pass_over().map(Some);
            }
            if !self.read()? {
                let torn = (looked > 0).then_some(Found::Torn(self.byte));
                self.byte += looked as u64;
                self.from = self.buffer.len();
                return Ok(torn);
            }
        }
    }

    /// Where in the file the next line begins.
    pub(crate) fn place(&self) -> u64 {
        self.byte
    }

    fn hand_out(&mut self, end: usize) -> Found<'_> {
        let (start, byte) = (self.from, self.byte);
        self.from += end + 1;
        self.byte += end as u64 + 1;
        if end >= LARGEST {
            Found::TooLong(byte)
        } else {
            Found::Line(byte, &self.buffer[start..start + end])
        }
    }

    /// Goes on behind the end of a line that is too long.
    fn pass_over(&mut self) -> io::Result<Found<'static>> {
        let start = self.byte;
        loop {
            let rest = &self.buffer[self.from..];
            let end = rest.iter().position(|byte| *byte == b'\n');
            let gone = end.map_or(rest.len(), |end| end + 1);
            self.byte += gone as u64;
            self.from += gone;
            if end.is_some() || !self.read()? {
                return Ok(Found::TooLong(start));
            }
        }
    }

    /// Reads on. Whether there was more.
    fn read(&mut self) -> io::Result<bool> {
        self.buffer.drain(..self.from);
        self.from = 0;
        let more = usize::try_from(self.until.saturating_sub(self.at)).unwrap_or(usize::MAX).min(CHUNK);
        let held = self.buffer.len();
        self.buffer.resize(held + more, 0);
        let read = loop {
            match self.file.read_at(&mut self.buffer[held..], self.at) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.buffer.truncate(held + *read.as_ref().unwrap_or(&0));
        let read = read?;
        self.at += read as u64;
        Ok(read > 0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// What a reader finds in a file of these bytes, as text.
    fn found(bytes: &[u8], from: u64) -> Vec<String> {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(bytes).expect("written");
        let mut lines = Lines::between(&file, from, u64::MAX);
        let mut found = Vec::new();
        while let Some(next) = lines.next().expect("read") {
            found.push(match next {
                Found::Line(byte, line) => format!("{byte}:{}", line.len()),
                Found::TooLong(byte) => format!("{byte}>"),
                Found::Torn(byte) => format!("{byte}~"),
            });
        }
        found
    }

    #[test]
    fn lines_are_found_with_their_places_across_every_border() {
        assert_eq!(found(b"", 0), Vec::<String>::new());
        assert_eq!(found(b"a\n\nbc\n", 0), ["0:1", "2:0", "3:2"]);
        assert_eq!(found(b"a\n\nbc\nd", 3), ["3:2", "6~"]);
        for size in [LARGEST - 1, LARGEST, LARGEST + 1, CHUNK * 2, CHUNK * 5 + 3] {
            let bytes = [b"a\n".as_slice(), &vec![b'x'; size], b"\nb\nc"].concat();
            let long = if size < LARGEST { format!("2:{size}") } else { "2>".into() };
            let expected = ["0:1".into(), long, format!("{}:1", size + 3), format!("{}~", size + 5)];
            assert_eq!(found(&bytes, 0), expected);
            assert_eq!(found(&bytes[..size + 2], 2), [if size < LARGEST { "2~" } else { "2>" }]);
        }
    }
}
