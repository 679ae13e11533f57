//! The block in front of each member (POSIX.1-2001, pax, "ustar Interchange Format").

use std::ops::Range;

use super::BLOCK;

const NAME: Range<usize> = 0..100;
const MODE: Range<usize> = 100..108;
const UID: Range<usize> = 108..116;
const GID: Range<usize> = 116..124;
const SIZE: Range<usize> = 124..136;
const MODIFIED: Range<usize> = 136..148;
const CHECKSUM: Range<usize> = 148..156;
const TYPE: usize = 156;
const LINK: Range<usize> = 157..257;
const MAGIC: Range<usize> = 257..265;
const PREFIX: Range<usize> = 345..500;

/// The magic and version of the standard. GNU tar's differs, and so do its fields at the prefix's place.
const USTAR: &[u8] = b"ustar\x0000";

/// The most bytes of a name, or of where a link leads, in a header.
pub(super) const NAME_LENGTH: usize = NAME.end - NAME.start;
/// The largest number that eleven octal digits say.
pub(super) const NUMBER: u64 = 0o777_7777_7777;

/// A header that is read or written.
pub(super) struct Header([u8; BLOCK]);

impl Header {
    /// Takes a block for a header; none where its checksum is wrong.
    pub(super) fn read(block: [u8; BLOCK]) -> Option<Self> {
        let header = Self(block);
        let said = header.number(CHECKSUM)?;
        (said == i64::from(header.sum())).then_some(header)
    }

    /// A header of this type, as ours are: nobody's in particular.
    pub(super) fn new(kind: u8, name: &[u8], mode: u32, size: u64) -> Self {
        let mut header = Self([0; BLOCK]);
        header.put(NAME, &name[..name.len().min(NAME_LENGTH)]);
        header.0[TYPE] = kind;
        header.put(MAGIC, USTAR);
        header.octal(MODE, u64::from(mode & 0o777));
        header.octal(UID, 0);
        header.octal(GID, 0);
        header.octal(SIZE, size.min(NUMBER));
        header.octal(MODIFIED, 0);
        header
    }

    /// Sets where a link leads.
    pub(super) fn link(&mut self, target: &[u8]) {
        self.put(LINK, &target[..target.len().min(NAME_LENGTH)]);
    }

    /// Sets the time, in seconds since 1970.
    pub(super) fn modified(&mut self, seconds: u64) {
        self.octal(MODIFIED, seconds.min(NUMBER));
    }

    /// The block, with its checksum.
    pub(super) fn finished(mut self) -> [u8; BLOCK] {
        let sum = format!("{:06o}\0 ", self.sum());
        self.put(CHECKSUM, sum.as_bytes());
        self.0
    }

    /// The type of the member.
    pub(super) fn kind(&self) -> u8 {
        self.0[TYPE]
    }

    /// The name, with the prefix that goes before it.
    pub(super) fn name(&self) -> Vec<u8> {
        let (name, prefix) = (self.text(NAME), self.text(PREFIX));
        if &self.0[MAGIC] == USTAR && !prefix.is_empty() {
            [prefix, b"/", name].concat()
        } else {
            name.to_vec()
        }
    }

    /// Where a link leads.
    pub(super) fn target(&self) -> Vec<u8> {
        self.text(LINK).to_vec()
    }

    /// The bytes that follow; none where the field says no number of bytes.
    pub(super) fn size(&self) -> Option<u64> {
        self.number(SIZE).and_then(|size| u64::try_from(size).ok())
    }

    /// The permission bits and those above.
    pub(super) fn mode(&self) -> Option<u32> {
        self.number(MODE).and_then(|mode| u32::try_from(mode).ok())
    }

    /// The time, in seconds since 1970.
    pub(super) fn time(&self) -> Option<i64> {
        self.number(MODIFIED)
    }

    /// The field up to a NUL.
    fn text(&self, field: Range<usize>) -> &[u8] {
        let field = &self.0[field];
        let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
        &field[..end]
    }

    /// Octal digits between spaces, up to a NUL; or, with the first bit set, a number in two's complement (GNU tar).
    fn number(&self, field: Range<usize>) -> Option<i64> {
        let bytes = &self.0[field.clone()];
        if bytes[0] & 0x80 != 0 {
            // The first bit is the mark, the second one the sign. No field is longer than twelve bytes.
            let first = i128::from(bytes[0] & 0x3f) - i128::from(bytes[0] & 0x40);
            let value = bytes[1..].iter().fold(first, |value, byte| value << 8 | i128::from(*byte));
            return i64::try_from(value).ok();
        }
        let digits = self.text(field).trim_ascii();
        digits.iter().try_fold(0_i64, |value, digit| match digit {
            b'0'..=b'7' => value.checked_mul(8)?.checked_add(i64::from(digit - b'0')),
            _ => None,
        })
    }

    /// The bytes fit the field.
    fn put(&mut self, field: Range<usize>, bytes: &[u8]) {
        self.0[field][..bytes.len()].copy_from_slice(bytes);
    }

    /// Digits with zeros in front and a NUL behind. The number fits.
    fn octal(&mut self, field: Range<usize>, number: u64) {
        let digits = format!("{number:0width$o}", width = field.len() - 1);
        self.put(field, digits.as_bytes());
    }

    /// All bytes, those of the checksum taken for spaces.
    fn sum(&self) -> u32 {
        let bytes = self.0.iter().enumerate();
        bytes.map(|(at, byte)| if CHECKSUM.contains(&at) { 0x20 } else { u32::from(*byte) }).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::{Header, SIZE};

    fn number(bytes: &[u8]) -> Option<i64> {
        let mut header = Header::new(b'0', b"a", 0, 0);
        header.0[SIZE].fill(0);
        header.put(SIZE, bytes);
        header.number(SIZE)
    }

    #[test]
    fn numbers_are_octal_or_binary_with_a_sign() {
        assert_eq!(number(b"00000000017\0"), Some(15));
        assert_eq!(number(b"     17 "), Some(15));
        assert_eq!(number(b"777777777777"), Some(0o7777_7777_7777));
        assert_eq!(number(b""), Some(0));
        assert_eq!(number(b"8"), None);
        assert_eq!(number(b"-1"), None);
        assert_eq!(number(&[0xff; 12]), Some(-1));
        assert_eq!(number(&[0x80, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0]), Some(1 << 33));
        assert_eq!(number(&[0x80, 0, 0, 0xff, 0, 0, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(number(&[0xbf; 12]), None);
    }

    #[test]
    fn a_changed_header_is_none() {
        let mut header = Header::new(b'0', b"name", 0o644, 5);
        header.modified(1_700_000_000);
        let block = header.finished();
        let read = Header::read(block).expect("the checksum is right");
        assert_eq!((read.name(), read.size(), read.mode()), (b"name".to_vec(), Some(5), Some(0o644)));
        assert_eq!(read.time(), Some(1_700_000_000));
        let mut changed = block;
        changed[3] ^= 1;
        assert!(Header::read(changed).is_none());
    }
}
