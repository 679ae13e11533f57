//! The limits on what comes out of an archive, and what has been used of them.

use std::cell::Cell;
use std::io::{self, Read};

use packhost_sdk::Error;

/// Entries that an archive may have.
pub const MOST_ENTRIES: usize = 10_000;

/// Bytes that an archive may have, unpacked.
pub const MOST_BYTES: u64 = 512 << 20;

/// How many times larger than the archive its content may be, from [`RATIO_FROM`] on.
pub const MOST_RATIO: u64 = 200;

/// Content smaller than this, in bytes, may be compressed as well as it can.
pub const RATIO_FROM: u64 = 8 << 20;

/// What has been used of the limits.
pub(crate) struct Budget {
    packed: u64,
    entries: Cell<usize>,
    bytes: Cell<u64>,
}

impl Budget {
    /// For an archive of this many bytes.
    pub(crate) fn new(packed: u64) -> Self {
        Self { packed, entries: Cell::new(0), bytes: Cell::new(0) }
    }

    /// Takes one more entry.
    pub(crate) fn entry(&self) -> Result<(), Error> {
        self.entries.set(self.entries.get() + 1);
        match self.entries.get() > MOST_ENTRIES {
            true => {
                Err(Error::resource_exhausted(format!("The archive has more than {MOST_ENTRIES} entries.")))
            }
            false => Ok(()),
        }
    }

    /// Counts what is read through the reader. Over the limit, it reads no further.
    pub(crate) fn count<R: Read>(&self, inner: R) -> Counted<'_, R> {
        Counted { inner, budget: self }
    }

    /// What `result` is in truth: over the limit, that is the reason for whatever failed.
    pub(crate) fn judge<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        match self.over() {
            true => Err(Error::resource_exhausted(format!(
                "The archive's content is larger than is allowed: {MOST_BYTES} bytes, or {MOST_RATIO} times the archive."
            ))
            .pointer("/path")),
            false => result,
        }
    }

    fn over(&self) -> bool {
        let bytes = self.bytes.get();
        bytes > MOST_BYTES || (bytes > RATIO_FROM && bytes / MOST_RATIO > self.packed)
    }
}

/// A reader that counts against the budget.
pub(crate) struct Counted<'a, R> {
    inner: R,
    budget: &'a Budget,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.budget.bytes.set(self.budget.bytes.get() + read as u64);
        if self.budget.over() { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(read) }
    }
}
