//! What the fuzz target of the log needs and nobody else.

use crate::log::{Hash, Line};

/// What the first record has in place of the hash of a record before it.
pub fn genesis() -> [u8; 32] {
    *Hash::genesis().bytes()
}

/// The hash of a record with this JSON behind one with this hash.
pub fn hash_after(previous: &[u8; 32], json: &[u8]) -> [u8; 32] {
    *Hash(*previous).after(json).bytes()
}

/// What would be written for this line, if it is one.
pub fn reread(line: &[u8]) -> Option<Vec<u8>> {
    let line = Line::parse(line).ok()?;
    let mut again = Vec::new();
    // The hash is that of another record before it; its own is put back.
    line.envelope.line(&Hash::genesis(), &mut again);
    again.pop();
    again.splice(..64, line.own.to_string().into_bytes());
    Some(again)
}
