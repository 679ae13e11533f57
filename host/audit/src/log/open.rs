//! Finding the end of a log, from its newest checkpoint on.

use std::fs::File;
use std::os::unix::fs::FileExt;

use packhost_keyring::{Keyring, Unverified};

use super::checkpoint::CheckpointBody;
use super::directory::Directory;
use super::ends::{HEAD, Head, Mark, SYNCED, read_synced, write_synced};
use super::line::{LARGEST, Line};
use super::reader::{Found, Lines};
use super::tail::{SegmentBody, Tail};
use super::{Hash, Position};
use crate::error::{AuditError, failed};
use crate::moment::Moment;

/// Makes a log where there is none: what says that nothing was written is there before the first segment.
pub(super) fn made(directory: &Directory) -> Result<(), AuditError> {
    if is_missing(directory)? {
        write_synced(directory, Position { n: 0, hash: Hash::genesis() })?;
    }
    Ok(())
}

/// Whether there is neither a log nor anything that says that one was there.
pub(super) fn is_missing(directory: &Directory) -> Result<bool, AuditError> {
    let path = directory.path();
    Ok(!path.try_exists().map_err(failed(path))?
        || directory.segments()?.is_empty()
            && Head::read(directory)?.is_none()
            && read_synced(directory)?.is_none())
}

/// The last segment, read to its end. What stands behind the last whole record is still there. The caller has the lock. What is
/// known beside the log of its last record has to be in it.
///
/// # Errors
/// When records are missing that are known to have been on the disk, or are others than those.
pub(super) fn end(
    directory: &Directory,
    keyring: &Keyring,
    known: Option<Position>,
) -> Result<(Tail, File), AuditError> {
    let head = Head::read(directory)?;
    if let Some(head) = &head {
        let keys = keyring.public()?;
        let path = directory.file(HEAD);
        head.checkpoint.verify(&keys).map_err(|error| match error {
            Unverified::UnknownKey(signer) => AuditError::Stranger { path, signer },
            Unverified::Wrong(_) => AuditError::Damaged { path, byte: 0, why: error.to_string() },
        })?;
    }
    let missing =
        || AuditError::Damaged { path: directory.file(SYNCED), byte: 0, why: "it is missing".into() };
    let synced = read_synced(directory)?.ok_or_else(missing)?;
    let known = known.filter(|known| known.n > 0);
    let (tail, file) = last_segment(directory, head.as_ref(), known)?;
    let tail = read(directory, tail, &file, [Some(synced), known])?;
    Ok((tail, file))
}

/// The last segment, and a place in it from which the chain is read.
fn last_segment(
    directory: &Directory,
    head: Option<&Head>,
    known: Option<Position>,
) -> Result<(Tail, File), AuditError> {
    let segments = directory.segments()?;
    let Some(last) = segments.last().copied() else {
        if let Some(head) = head {
            let path = directory.segment(head.segment);
            return Err(AuditError::Truncated { path, n: head.checkpoint.n });
        }
        if let Some(known) = known {
            return Err(AuditError::Truncated { path: directory.segment(1), n: known.n });
        }
        return Ok((fresh()?, directory.append_to(&directory.segment(1))?));
    };
    let path = directory.segment(last);
    let file = directory.append_to(&path)?;
    match head {
        Some(head) if head.segment > last => {
            Err(AuditError::Truncated { path: directory.segment(head.segment), n: head.checkpoint.n })
        }
        Some(head) if head.segment == last => {
            let tail = at_head(directory, head, &file)?;
            Ok((tail, file))
        }
        _ => {
            let tail = at_beginning(directory, last, head, &file)?;
            Ok((tail, file))
        }
    }
}

/// Behind the newest checkpoint.
fn at_head(directory: &Directory, head: &Head, file: &File) -> Result<Tail, AuditError> {
    let path = directory.segment(head.segment);
    let n = head.checkpoint.n;
    if file.metadata().map_err(failed(&path))?.len() < head.end {
        return Err(AuditError::Truncated { path, n });
    }
    let damaged = |why: &str| AuditError::Damaged { path: path.clone(), byte: head.end, why: why.into() };
    let other = || damaged("the newest checkpoint does not end here");
    let (line, start) = line_before(file, head.end).map_err(failed(&path))?.ok_or_else(other)?;
    let line = Line::parse(&line).map_err(damaged)?;
    let body: CheckpointBody = serde_json::from_str(line.envelope.body).map_err(|_| other())?;
    let known = (line.envelope.n, line.own) == (n, head.checkpoint.hash);
    // It says itself what is before it.
    if !known || !line.follows(&body.checkpoint.hash) {
        return Err(other());
    }
    let chain = chain_of(file).map_err(failed(&path))?;
    let (chain, began) = chain.ok_or_else(|| damaged("the first record of the segment is none"))?;
    let mut tail = Tail::before(head.segment, head.checkpoint.position(), line.envelope.time, chain);
    (tail.began, tail.end, tail.used) = (began, head.end, start > 0);
    tail.mark = Some(Mark { position: tail.last, segment: head.segment, end: head.end });
    tail.closed = body.closes;
    Ok(tail)
}

/// Before the first record of a segment, which says what was before it.
fn at_beginning(
    directory: &Directory,
    number: u64,
    head: Option<&Head>,
    file: &File,
) -> Result<Tail, AuditError> {
    let path = directory.segment(number);
    let first = first_line(file).map_err(failed(&path))?;
    let body = first.as_deref().and_then(|line| Line::parse(line).ok()).and_then(|line| {
        let body: SegmentBody = serde_json::from_str(line.envelope.body).ok()?;
        Some((Position { n: line.envelope.n - 1, hash: body.previous }, line.envelope.time, body.chain))
    });
    let mark =
        head.map(|head| Mark { position: head.checkpoint.position(), segment: head.segment, end: head.end });
    // Where the checkpoint that closed the segment before is known, there is nothing to take on trust.
    let fits = |last: Position| match mark {
        Some(mark) if mark.segment + 1 == number && last.n == mark.position.n => last == mark.position,
        Some(mark) => last.n > mark.position.n,
        None => true,
    };
    let mut tail = match (body.filter(|(last, ..)| fits(*last)), mark) {
        (Some((last, time, chain)), _) => Tail::before(number, last, time, chain),
        // Its process or the machine died before it had a record. The checkpoint that closed the one before is the newest.
        (None, Some(mark)) if mark.segment + 1 == number => {
            let (time, chain) = ending(directory, mark)?;
            Tail::before(number, mark.position, time, chain)
        }
        (None, None) if number == 1 => return fresh(),
        _ => {
            let why = "the first record of the segment is none".into();
            return Err(AuditError::Damaged { path, byte: 0, why });
        }
    };
    tail.mark = mark;
    Ok(tail)
}

/// Before the first record of all, in a log that is told apart from every other.
fn fresh() -> Result<Tail, AuditError> {
    let mut random = [0u8; 16];
    getrandom::fill(&mut random).map_err(|error| AuditError::Start(error.into()))?;
    let chain = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let none = Position { n: 0, hash: Hash::genesis() };
    Ok(Tail::before(1, none, Moment::default(), chain))
}

/// The time of the newest checkpoint, and the log that its segment is of.
fn ending(directory: &Directory, mark: Mark) -> Result<(Moment, String), AuditError> {
    let path = directory.segment(mark.segment);
    let file = directory.read_from(&path).map_err(failed(&path))?;
    let damaged = || AuditError::Damaged {
        path: path.clone(),
        byte: mark.end,
        why: "the newest checkpoint does not end here".into(),
    };
    let (line, _) = line_before(&file, mark.end).map_err(failed(&path))?.ok_or_else(damaged)?;
    let line = Line::parse(&line).ok().filter(|line| line.own == mark.position.hash).ok_or_else(damaged)?;
    let (chain, _) = chain_of(&file).map_err(failed(&path))?.ok_or_else(damaged)?;
    Ok((line.envelope.time, chain))
}

/// Reads to the end, and holds it to what is known to be on the disk. What stands before the newest checkpoint is for a
/// verification.
fn read(
    directory: &Directory,
    mut tail: Tail,
    file: &File,
    known: [Option<Position>; 2],
) -> Result<Tail, AuditError> {
    let path = directory.segment(tail.segment);
    let size = file.metadata().map_err(failed(&path))?.len();
    let differs = |position: Position| {
        known.iter().flatten().any(|known| known.n == position.n && known.hash != position.hash)
    };
    let mut wrong = Some(tail.last).filter(|last| differs(*last));
    let check = |position| wrong = wrong.or(Some(position).filter(|position| differs(*position)));
    let broken = tail.read_on(file, size, check).map_err(failed(&path))?;
    if let Some(Position { n, .. }) = wrong {
        let why = format!("record {n} is not the one that was written to the disk");
        return Err(AuditError::Damaged { path, byte: tail.end, why });
    }
    if let Some(n) = known.iter().flatten().map(|known| known.n).max().filter(|n| tail.last.n < *n) {
        // What is damaged here had been written and confirmed.
        return Err(match broken {
            Some(broken) if !broken.torn => AuditError::Damaged { path, byte: broken.byte, why: broken.why },
            _ => AuditError::Truncated { path, n },
        });
    }
    Ok(tail)
}

/// The first line of a file, without its end.
pub(super) fn first_line(file: &File) -> std::io::Result<Option<Vec<u8>>> {
    let mut lines = Lines::between(file, 0, LARGEST as u64);
    Ok(match lines.next()? {
        Some(Found::Line(_, line)) => Some(line.to_vec()),
        _ => None,
    })
}

/// Which log a segment is of, and what the clock said when it began.
fn chain_of(file: &File) -> std::io::Result<Option<(String, Moment)>> {
    Ok(first_line(file)?.and_then(|line| {
        let line = Line::parse(&line).ok()?;
        let body: SegmentBody = serde_json::from_str(line.envelope.body).ok()?;
        Some((body.chain, line.envelope.reading()))
    }))
}

/// The line that ends before this byte, without its end, and where it begins.
pub(super) fn line_before(file: &File, end: u64) -> std::io::Result<Option<(Vec<u8>, u64)>> {
    let from = end.saturating_sub(LARGEST as u64 + 1);
    let mut bytes = vec![0; usize::try_from(end - from).unwrap_or_default()];
    file.read_exact_at(&mut bytes, from)?;
    if bytes.pop() != Some(b'\n') {
        return Ok(None);
    }
    let start = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    if start == 0 && from > 0 {
        return Ok(None);
    }
    let line = bytes.split_off(start);
    Ok(Some((line, from + start as u64)))
}
