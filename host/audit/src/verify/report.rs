//! What a verification says.

use std::fmt;

use packhost_keyring::KeyId;
use serde::Serialize;

use crate::log::{Hash, Position};
use crate::moment::Moment;

/// What a verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What is wrong, in the order of the log; the first [`Report::MOST`].
    pub findings: Vec<Finding>,
    /// How many more there are.
    pub more: u64,
    /// The number of the first record that is there.
    pub first: Option<u64>,
    /// The last record.
    pub last: Option<Position>,
    /// Records that were read.
    pub records: u64,
    /// Segments that are there.
    pub segments: u64,
    /// Checkpoints whose signature is good.
    pub checkpoints: u64,
    /// The last record that retention removed, where it has; everything up to it is attested by signatures alone.
    pub removed: Option<Position>,
    /// How far a signature proves the log. What comes after rests on the hashes alone.
    pub proven: Option<Proven>,
    /// Kept checkpoints that the log fits.
    pub kept: Vec<u64>,
    /// Kept checkpoints that speak of what retention removed: nothing can be said of them.
    pub kept_removed: Vec<u64>,
    /// The log ends with a part of a record, at this byte of the last segment: a process or the machine died, or one is being
    /// written. The host cuts it off when it next appends.
    pub torn: Option<u64>,
}

/// How far a signature proves the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proven {
    /// The last record that is covered.
    pub n: u64,
    /// Its hash.
    pub hash: Hash,
    /// Which key signed.
    pub key_id: KeyId,
    /// The time of the record that was read last before the signature.
    pub time: Moment,
}

/// Something that is not as this host wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind of thing.
    pub what: What,
    /// The file.
    pub file: String,
    /// The line in it, from 1; 0 where it is about the file as a whole.
    pub line: u64,
    /// Where the line begins.
    pub byte: u64,
    /// The number that the record has or should have.
    pub n: Option<u64>,
    /// What should be there.
    pub expected: String,
    /// What is there.
    pub found: String,
}

/// What kind of thing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A line that is none of a log.
    Malformed,
    /// A record that is not the one that had this hash, or that stands behind another than it did.
    Changed,
    /// Records are missing before this one.
    Missing,
    /// A record that was there already, or is out of order.
    Repeated,
    /// A time before that of an earlier record.
    Time,
    /// What a segment says of itself is wrong, or a whole segment is missing.
    Segment,
    /// A checkpoint in the log does not fit the records before it, or is not signed by a known key.
    Checkpoint,
    /// The log ends before a record that was in it.
    Truncated,
    /// The file `head` is missing, older than it has to be, or not signed by a known key.
    Head,
    /// The file `synced` is missing or wrong.
    Synced,
    /// The checkpoint that the ring of keys remembers is not one of this log, or not signed by a known key.
    Last,
    /// The file `sealed` is wrong, or what it says was removed is not what was.
    Sealed,
    /// What was cut off after a crash is not what the record of that says.
    Torn,
    /// A checkpoint that was kept elsewhere is not one of this log, or not signed by a known key.
    Kept,
}

impl Report {
    /// The most findings that are listed.
    pub const MOST: usize = 1_000;
    /// The most bytes of what a finding says that was expected, and of what it says that was found.
    pub const TEXT: usize = 512;

    /// Whether nothing is wrong.
    pub fn is_intact(&self) -> bool {
        self.findings.is_empty()
    }

    pub(super) fn add(&mut self, mut finding: Finding) {
        // What stands in a log that was changed may be long.
        for text in [&mut finding.expected, &mut finding.found] {
            text.truncate(text.floor_char_boundary(Self::TEXT));
        }
        if self.findings.len() < Self::MOST {
            self.findings.push(finding);
        } else {
            self.more += 1;
        }
    }
}

impl fmt::Display for Finding {
    /// One line, such as `00000002.log:17 (byte 4711, record 1043): expected …, found …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{} (byte {}", self.line, self.byte)?;
        }
        match self.n {
            Some(n) if self.line > 0 => write!(f, ", record {n})")?,
            Some(n) => write!(f, " (record {n})")?,
            None if self.line > 0 => f.write_str(")")?,
            None => {}
        }
        write!(f, ": expected {}, found {}", self.expected, self.found)
    }
}
