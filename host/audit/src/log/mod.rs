//! The log: records in segments, each with the hash of all before it.

mod line;
mod reader;
mod settings;

use serde::{Deserialize, Serialize};

pub use line::{Hash, HashError, LARGEST};
pub use settings::{Durability, PATIENCE};

/// A record's place in the chain, and the hash that stands for it and all before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Its number, from 1.
    pub n: u64,
    /// Its hash.
    pub hash: Hash,
}

/// What came of an append that does not wait for another process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It is on record, here.
    At(Position),
    /// Another process writes just now. Nothing was written; try again where waiting is allowed.
    Busy,
}
