//! A text that comes in parts. Owns what is held back, and that no more is than may be the beginning of a value.
//!
//! What is held back is bounded by the longest spelling of the longest value: two hexadecimal digits for each byte, each in
//! an escape of at most 14 bytes and after a line break of two such escapes, so 1344 KiB for a value of 16 KiB.

use std::fmt;

use bytes::Bytes;

use crate::redactor::{Cut, Redactor};
use crate::search::Search;

/// Takes the values of a [`Redactor`] out of bytes that come in parts. All that it gives out, one after the other, is what
/// [`Redactor::bytes`] makes of all that it was given, wherever that was cut.
pub struct Stream {
    redactor: Redactor,
    search: Search,
    cut: Cut,
    /// The end of what was given, which may be the beginning of a value; from `head` on.
    held: Vec<u8>,
    head: usize,
}

impl Stream {
    pub(crate) fn new(redactor: Redactor) -> Self {
        Self { redactor, search: Search::default(), cut: Cut::default(), held: Vec::new(), head: 0 }
    }

    /// Takes the next part, and gives what may be passed on by now: all but what may be the beginning of a value. Without
    /// a copy, unless something was held back or is found.
    pub fn push(&mut self, chunk: Bytes) -> Bytes {
        if self.held.is_empty() { self.first(chunk) } else { self.next(&chunk, true) }
    }

    /// Gives what is held back: there is no more to come. What is pushed after that begins a new text.
    pub fn finish(&mut self) -> Bytes {
        self.next(&[], false)
    }

    /// How many values were replaced so far. Those that overlap count as one.
    pub fn found(&self) -> u64 {
        self.cut.count
    }

    /// Whether there was a value so far, also one that is still held back.
    pub fn has_met(&self) -> bool {
        self.cut.count > 0 || !self.search.matches.is_empty()
    }

    /// A part with nothing before it.
    fn first(&mut self, chunk: Bytes) -> Bytes {
        self.redactor.0.advance(&mut self.search, &chunk, 0, true);
        let decided = self.search.decided(&chunk);
        self.held.extend_from_slice(&chunk[decided..]);
        let out = self.write(&chunk[..decided]);
        out.map_or_else(|| chunk.slice(..decided), Bytes::from)
    }

    /// A part that follows on what is held.
    fn next(&mut self, chunk: &[u8], more: bool) -> Bytes {
        let mut held = std::mem::take(&mut self.held);
        let from = held.len() - self.head;
        held.extend_from_slice(chunk);
        let text = &held[self.head..];
        self.redactor.0.advance(&mut self.search, text, from, more);
        let decided = self.search.decided(text);
        let text = &text[..decided];
        let out = self.write(text).map_or_else(|| Bytes::copy_from_slice(text), Bytes::from);
        self.head += decided;
        // As much is moved as was given out since the last time, at the most.
        if self.head > held.len() / 2 {
            held.drain(..self.head);
            self.head = 0;
        }
        self.held = held;
        out
    }

    /// A text in which nothing more will be found, unless it stays as it is.
    fn write(&mut self, text: &[u8]) -> Option<Vec<u8>> {
        let Self { redactor, search, cut, .. } = self;
        let mut out = None;
        if !cut.is_idle() || !search.matches.is_empty() {
            let out = out.insert(Vec::with_capacity(text.len()));
            // The threads and the matches that stay begin after the text.
            cut.write(&redactor.0, &mut search.matches, text, out);
        }
        search.forget(text.len());
        out
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = self.held.len() - self.head;
        f.debug_struct("Stream")
            .field("redactor", &self.redactor)
            .field("held", &held)
            .finish_non_exhaustive()
    }
}
