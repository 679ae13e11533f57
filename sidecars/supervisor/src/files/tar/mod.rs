//! Tar archives: POSIX.1-2001 pax, with what GNU tar writes for long names, as a stream in bounded memory.
//!
//! Written for this, as the library at hand reads the extended headers of a member into memory however long they are, and
//! takes a newline in a name for the end of a record.

mod header;
mod reader;
mod records;
mod writer;

pub(super) use reader::{Archive, ArchiveError, Content, Member};
pub(super) use writer::Writer;

/// Everything in an archive is a multiple of this, in bytes.
const BLOCK: usize = 512;

/// A time: seconds since 1970, and nanoseconds after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Time {
    pub(super) seconds: i64,
    pub(super) nanos: u32,
}

/// What is missing to a whole block after this many bytes.
fn padding(length: u64) -> usize {
    let over = usize::try_from(length % BLOCK as u64).unwrap_or(0);
    (BLOCK - over) % BLOCK
}
