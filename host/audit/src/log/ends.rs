//! What is known of the log's end beside the log: `head`, the newest checkpoint, and `synced`, the last record that is known
//! to be on the disk.
//!
//! `head` is signed and `synced` is not. Both are written after the records that they speak of are on the disk, `head` first:
//! a log that ends before what they say was cut off.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;

use packhost_keyring::Keyring;
use serde::{Deserialize, Serialize};

use super::checkpoint::Checkpoint;
use super::directory::Directory;
use super::{Hash, Position, known};
use crate::error::{AuditError, failed};

/// The newest checkpoint.
pub(crate) const HEAD: &str = "head";
/// The last record on the disk.
pub(crate) const SYNCED: &str = "synced";
/// The most bytes of `head`.
const MOST: u64 = 4 << 10;
/// The digits of n in `synced`.
const DIGITS: usize = 20;
/// The bytes of `synced`: n, a space, the hash, the end of the line. Less than a sector of a disk, which is written as a whole.
const LENGTH: usize = DIGITS + 1 + 64 + 1;

/// A checkpoint's record, and where it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) position: Position,
    pub(crate) segment: u64,
    /// The byte behind it.
    pub(crate) end: u64,
}

/// The file `head`: a signed statement of the newest record of kind `checkpoint` itself, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) checkpoint: Checkpoint,
    pub(crate) segment: u64,
    /// The byte behind the record.
    pub(crate) end: u64,
}

impl Head {
    /// Reads it; `None` where there is none.
    pub(crate) fn read(directory: &Directory) -> Result<Option<Self>, AuditError> {
        let Some(bytes) = directory.read(HEAD, MOST)? else { return Ok(None) };
        let damaged = |why: String| AuditError::Damaged { path: directory.file(HEAD), byte: 0, why };
        let head: Self = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        if head.text() != bytes {
            return Err(damaged("it is not as this host writes it".into()));
        }
        Ok(Some(head))
    }

    fn text(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec(self).unwrap_or_default();
        text.push(b'\n');
        text
    }

    /// Puts this checkpoint in place of an older one.
    pub(crate) fn advance(directory: &Directory, keyring: &Keyring, mark: Mark) -> Result<(), AuditError> {
        let _turn = directory.turn()?;
        if Self::read(directory)?.is_some_and(|head| head.checkpoint.n >= mark.position.n) {
            return Ok(());
        }
        let checkpoint = Checkpoint::sign(keyring, mark.position)?;
        let head = Self { checkpoint, segment: mark.segment, end: mark.end };
        directory.replace(HEAD, &head.text())?;
        known::remember(keyring, &head.checkpoint);
        Ok(())
    }
}

/// Reads `synced`; `None` where there is none. Before the first record, n is 0.
pub(crate) fn read_synced(directory: &Directory) -> Result<Option<Position>, AuditError> {
    let Some(bytes) = directory.read(SYNCED, LENGTH as u64)? else { return Ok(None) };
    let damaged = || AuditError::Damaged {
        path: directory.file(SYNCED),
        byte: 0,
        why: "it is not as this host writes it".into(),
    };
    let text = std::str::from_utf8(&bytes).ok().filter(|text| text.len() == LENGTH).ok_or_else(damaged)?;
    let (n, rest) = text.split_once(' ').filter(|(n, _)| n.len() == DIGITS).ok_or_else(damaged)?;
    let digits = n.bytes().all(|digit| digit.is_ascii_digit());
    let n = digits.then(|| n.parse().ok()).flatten().ok_or_else(damaged)?;
    let hash: Hash = rest.strip_suffix('\n').and_then(|hash| hash.parse().ok()).ok_or_else(damaged)?;
    Ok(Some(Position { n, hash }))
}

/// Notes that everything up to here is on the disk. Whether the note itself is does not matter: an older one is as true.
pub(crate) fn write_synced(directory: &Directory, position: Position) -> Result<(), AuditError> {
    let path = directory.file(SYNCED);
    let _turn = directory.turn()?;
    let text = format!("{:0DIGITS$} {}\n", position.n, position.hash);
    // One that cannot be read is no reason to write over it: it is evidence.
    match read_synced(directory)? {
        None => return directory.replace(SYNCED, text.as_bytes()),
        Some(synced) if synced.n >= position.n => return Ok(()),
        Some(_) => {}
    }
    let file = OpenOptions::new().write(true).open(&path);
    file.and_then(|file| file.write_all_at(text.as_bytes(), 0)).map_err(failed(&path))
}
