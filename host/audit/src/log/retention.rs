//! Removing the oldest segments, so that what was there stays proven.
//!
//! In this order: the line in `sealed` is on the disk, a record of kind `removed` is in the log, the file is gone. A process that
//! dies in between leaves a segment that is in `sealed`, and the next time it goes.
//!
//! What is too old goes by two readings of the clock: one that was wrong for a moment, as after a start without a time server,
//! costs nothing.

use std::fs;
use std::io::{self, Write};
use std::time::Duration;

use rustix::fs::ftruncate;
use serde::{Deserialize, Serialize};

use super::checkpoint::CheckpointBody;
use super::line::Line;
use super::lock::Held;
use super::open::{first_line, line_before};
use super::sealed::{Ledger, MOST, SEALED, Sealed};
use super::writer::{Writer, json};
use super::{Hash, Retention};
use crate::error::{AuditError, failed};
use crate::moment::Moment;

/// So long a segment has been too old before it goes, as the clock says now and said when a later one began.
const GRACE: Duration = Duration::from_secs(3600);

/// The body of a record of kind `removed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Removed {
    pub(crate) segment: u64,
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) hash: Hash,
}

impl Removed {
    pub(crate) const KIND: &'static str = "removed";
}

/// Removes the oldest closed segments that are beyond what is kept. Those that are there afterwards follow on what was removed.
pub(super) fn retain(writer: &mut Writer, held: &Held, keep: Retention) -> Result<Vec<Sealed>, AuditError> {
    writer.catch_up(held)?;
    let mut ledger = read(writer)?;
    let mut gone = Vec::new();
    // Noting what is removed may close the one that is written to: that stays for the next time.
    let current = writer.tail.segment;
    let mut segments = Vec::new();
    for number in writer.directory.segments()? {
        let path = writer.directory.segment(number);
        segments.push((number, fs::metadata(&path).map_err(failed(&path))?.len()));
    }
    let then = if keep.age.is_some() { earlier(writer, &segments)? } else { None };
    let mut total: u64 = segments.iter().map(|(_, bytes)| bytes).sum();
    for (number, bytes) in segments {
        if number >= current {
            break;
        }
        let known = ledger.entries.iter().any(|sealed| sealed.segment == number);
        if !known {
            let sealed = describe(writer, number, bytes)?;
            let too_old = keep.age.zip(then).is_some_and(|(age, then)| then.since(sealed.to) > age);
            if !too_old && keep.bytes.is_none_or(|most| total <= most) {
                break;
            }
            ledger = seal(writer, &ledger, &sealed)?;
            let Sealed { segment, first, last, hash, .. } = sealed;
            writer.append(held, Removed::KIND, &json(&Removed { segment, first, last, hash })?)?;
            gone.push(sealed);
        }
        remove(writer, number)?;
        total -= bytes;
    }
    writer.directory.sync()?;
    Ok(gone)
}

/// What the clock said when the newest segment began that has been there for longer than the grace.
fn earlier(writer: &Writer, segments: &[(u64, u64)]) -> Result<Option<Moment>, AuditError> {
    let now = Moment::of((writer.settings.clock)());
    for (number, _) in segments.iter().rev() {
        let path = writer.directory.segment(*number);
        let file = writer.directory.read_from(&path).map_err(failed(&path))?;
        let line = first_line(&file).map_err(failed(&path))?;
        let parsed = line.as_deref().ok_or("the first line is none").and_then(Line::parse);
        let damaged = |why: &str| AuditError::Damaged { path: path.clone(), byte: 0, why: why.into() };
        let began = parsed.map_err(damaged)?.envelope.reading();
        if now.since(began) >= GRACE {
            return Ok(Some(began));
        }
    }
    Ok(None)
}

/// What was removed until now. A line without an end is of a process that died; its segment is still there.
fn read(writer: &Writer) -> Result<Ledger, AuditError> {
    let path = writer.directory.file(SEALED);
    let bytes = writer.directory.read(SEALED, MOST)?.unwrap_or_default();
    if bytes.len() as u64 > MOST {
        return Err(failed(&path)(io::ErrorKind::FileTooLarge.into()));
    }
    let keys = writer.keyring.public()?;
    let (ledger, wrong) = Ledger::read(&bytes, &keys);
    if let Some((_, byte, why)) = wrong {
        return Err(AuditError::Damaged { path, byte, why });
    }
    if ledger.torn {
        let file = writer.directory.append_to(&path)?;
        ftruncate(&file, ledger.whole).map_err(|error| failed(&path)(error.into()))?;
    }
    Ok(ledger)
}

/// Notes a segment, down to the disk.
fn seal(writer: &Writer, ledger: &Ledger, sealed: &Sealed) -> Result<Ledger, AuditError> {
    let path = writer.directory.file(SEALED);
    let line = ledger.line(&writer.keyring, sealed)?;
    let mut file = writer.directory.append_to(&path)?;
    let written = file.write_all(&line).and_then(|()| file.sync_all());
    if let Err(error) = written {
        let _the_next_one_does = ftruncate(&file, ledger.whole);
        return Err(failed(&path)(error));
    }
    writer.directory.sync()?;
    read(writer)
}

/// What a closed segment is, by its first and its last record, of which the last is a checkpoint that has to be good.
fn describe(writer: &Writer, number: u64, bytes: u64) -> Result<Sealed, AuditError> {
    let path = writer.directory.segment(number);
    let damaged = |byte: u64, why: &str| AuditError::Damaged { path: path.clone(), byte, why: why.into() };
    let file = writer.directory.read_from(&path).map_err(failed(&path))?;
    let first = first_line(&file).map_err(failed(&path))?;
    let first = first.ok_or_else(|| damaged(0, "the first line is none"))?;
    let first = Line::parse(&first).map_err(|why| damaged(0, why))?.envelope;
    let last = line_before(&file, bytes).map_err(failed(&path))?;
    let (last, byte) = last.ok_or_else(|| damaged(bytes, "the last line is none"))?;
    let last = Line::parse(&last).map_err(|why| damaged(byte, why))?;
    let body: CheckpointBody = serde_json::from_str(last.envelope.body)
        .map_err(|_| damaged(byte, "the last record is not the checkpoint that closes the segment"))?;
    let keys = writer.keyring.public()?;
    body.checkpoint.verify(&keys).map_err(|error| damaged(byte, &error.to_string()))?;
    if !body.closes || !last.follows(&body.checkpoint.hash) {
        return Err(damaged(byte, "the last record is not the checkpoint that closes the segment"));
    }
    Ok(Sealed {
        segment: number,
        first: first.n,
        last: last.envelope.n,
        hash: last.own,
        bytes,
        from: first.time,
        to: last.envelope.time,
        removed: Moment::of((writer.settings.clock)()),
    })
}

/// Removes the segment, and what was cut off it.
fn remove(writer: &Writer, number: u64) -> Result<(), AuditError> {
    let torn = format!("{number:08}.");
    for name in writer.directory.torn()?.into_iter().filter(|name| name.starts_with(&torn)) {
        let path = writer.directory.file(&name);
        fs::remove_file(&path).map_err(failed(&path))?;
    }
    let path = writer.directory.segment(number);
    fs::remove_file(&path).map_err(failed(&path))
}
