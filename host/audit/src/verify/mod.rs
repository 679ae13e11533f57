//! Whether a log is what this host wrote.
//!
//! Reads every byte once, in memory that does not grow with the log. Nothing is trusted but the public keys and the checkpoints
//! that the caller has from elsewhere: not the files, whatever is in them.

mod ends;
mod expect;
mod meaning;
mod records;
mod report;
mod snapshot;

use std::path::Path;

use packhost_keyring::PublicKeys;

pub use report::{Finding, Proven, Report, What};

use crate::error::AuditError;
use crate::log::{Checkpoint, Hash, Ledger, Position, SEALED};
use ends::Ends;
use records::Records;
use snapshot::Snapshot;

/// How often the log is read anew because retention removes what is being read.
const TRIES: usize = 4;

/// Verifies the log in this directory, with keys and checkpoints that are known to be right. Another process may append
/// meanwhile: what it appends is not looked at. It blocks for as long as it takes to read the log.
///
/// # Errors
/// When the directory or a file cannot be read. What is wrong with the log is no error but in the report.
pub fn verify(dir: &Path, keys: &PublicKeys, kept: &[Checkpoint]) -> Result<Report, AuditError> {
    with(dir, None, keys, kept)
}

/// The same of a log whose ring of keys is here, in this directory: it also has to have the checkpoint that the ring remembers.
///
/// # Errors
/// As there.
pub fn verify_with_ring(
    dir: &Path,
    ring: &Path,
    keys: &PublicKeys,
    kept: &[Checkpoint],
) -> Result<Report, AuditError> {
    with(dir, Some(ring), keys, kept)
}

fn with(
    dir: &Path,
    ring: Option<&Path>,
    keys: &PublicKeys,
    kept: &[Checkpoint],
) -> Result<Report, AuditError> {
    let mut tries = 0;
    loop {
        tries += 1;
        let snapshot = Snapshot::take(dir, ring)?;
        match once(&snapshot, keys, kept) {
            Err(AuditError::File { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound && tries < TRIES => {}
            done => return done,
        }
    }
}

fn once(snapshot: &Snapshot, keys: &PublicKeys, kept: &[Checkpoint]) -> Result<Report, AuditError> {
    let mut report = Report::default();
    let ledger = sealed(snapshot, keys, &mut report);
    report.removed = ledger.end();
    let ends = Ends::of(snapshot, keys, kept, &mut report);
    let mut records = Records::new(snapshot, keys, &ledger, ends, report);
    let mut before: Option<u64> = None;
    for (number, size) in &snapshot.segments {
        if before.is_none_or(|before| before + 1 != *number) {
            let behind = before.unwrap_or_else(|| ledger.entries.last().map_or(0, |last| last.segment));
            if behind + 1 < *number {
                records.missing_segments(behind + 1, *number);
            }
        }
        records.segment(*number, *size)?;
        before = Some(*number);
    }
    Ok(records.done())
}

/// What retention removed, as far as its file is good.
fn sealed(snapshot: &Snapshot, keys: &PublicKeys, report: &mut Report) -> Ledger {
    let (ledger, wrong) = Ledger::read(&snapshot.sealed, keys);
    // A process that dies leaves a part of a line, and the segment that it speaks of.
    let first = snapshot.segments.first().map_or(1, |(number, _)| *number);
    let next = ledger.entries.len() as u64 + 1;
    let torn = (ledger.torn && first > next).then(|| (next, ledger.whole, "a line without an end".into()));
    if let Some((line, byte, why)) = wrong.or(torn) {
        report.add(Finding {
            what: What::Sealed,
            file: SEALED.into(),
            line,
            byte,
            n: None,
            expected: "a line that this host wrote and signed".into(),
            found: why,
        });
    }
    ledger
}

/// What stands before the first record of all.
fn nothing() -> Position {
    Position { n: 0, hash: Hash::genesis() }
}
