//! Values in a stream that is cut anywhere.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::scan::Scanner;

/// A stream under way. Holds back what may be the beginning of a value and no more than that: at most twelve times the longest
/// spelling, which is that of a value of which every character is escaped.
pub struct Stream {
    scanner: Option<Arc<Scanner>>,
    held: Bytes,
    found: u64,
}

impl Stream {
    pub(crate) fn new(scanner: Option<Arc<Scanner>>) -> Self {
        Self { scanner, held: Bytes::new(), found: 0 }
    }

    /// Takes the next piece and gives what may be passed on by now.
    pub fn push(&mut self, piece: Bytes) -> Bytes {
        self.advance(piece, false)
    }

    /// What was held back, at the end of the stream.
    pub fn finish(&mut self) -> Bytes {
        self.advance(Bytes::new(), true)
    }

    /// How many bytes are held back.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// How many times there was a value.
    pub fn found(&self) -> u64 {
        self.found
    }

    fn advance(&mut self, piece: Bytes, last: bool) -> Bytes {
        let Some(scanner) = &self.scanner else { return piece };
        let mut text = match self.held.is_empty() {
            true => piece,
            false => {
                let mut text = BytesMut::with_capacity(self.held.len() + piece.len());
                text.extend_from_slice(&self.held);
                text.extend_from_slice(&piece);
                text.freeze()
            }
        };
        let scan = scanner.scan(&text, last);
        self.held = text.split_off(scan.known);
        self.found += scan.found.len() as u64;
        match scan.found.is_empty() {
            true => text,
            false => Bytes::from(scanner.replace(&text, &scan.found)),
        }
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("held", &self.held.len()).field("found", &self.found).finish()
    }
}
