//! What is known of a log beside its directory: the newest checkpoint, which the ring of keys remembers. So a log that is lost
//! is missed, and so is what an older copy of it lacks.

use std::path::Path;

use packhost_keyring::Keyring;

use super::checkpoint::Checkpoint;
use super::ends::Mark;
use super::{Hash, Position};
use crate::error::AuditError;

/// What the ring remembers, as it is called where something is said of it.
pub(crate) const LAST: &str = "keys/last";

/// The last record that a checkpoint is known of, where a log was begun with the keys in this directory. Before the first
/// checkpoint its number is 0, and so it is where what is remembered cannot be read.
pub(super) fn known(ring: &Path) -> Result<Option<Position>, AuditError> {
    let position = |text: Vec<u8>| parsed(&text).map_or_else(before_all, |last| last.position());
    Ok(Keyring::remembered(ring)?.map(position))
}

/// The checkpoint itself; none where it cannot be read, as after a power cut.
pub(crate) fn remembered(ring: &Path) -> Result<Option<Checkpoint>, AuditError> {
    Ok(Keyring::remembered(ring)?.and_then(|text| parsed(&text)))
}

fn parsed(text: &[u8]) -> Option<Checkpoint> {
    serde_json::from_slice(text).ok()
}

/// Has the ring remember this one. Where it cannot, the log is as good as before, and would be missed for an older one.
pub(super) fn remember(keyring: &Keyring, checkpoint: &Checkpoint) {
    if let Err(error) = put(keyring, checkpoint) {
        tracing::warn!(target: "packhost::audit", %error, "the newest checkpoint is not remembered beside the keys");
    }
}

/// Has the ring remember this record of another log, and forget the one that is lost.
pub(super) fn replace(keyring: &Keyring, position: Position) -> Result<(), AuditError> {
    put(keyring, &Checkpoint::sign(keyring, position)?)
}

fn put(keyring: &Keyring, checkpoint: &Checkpoint) -> Result<(), AuditError> {
    let mut text = serde_json::to_vec(checkpoint).unwrap_or_default();
    text.push(b'\n');
    Ok(keyring.remember(&text)?)
}

/// Has the ring remember that there is a log, where it knows of none: one that was just begun, or an older host's.
pub(super) fn remember_first(keyring: &Keyring, mark: Option<Mark>) -> Result<(), AuditError> {
    if known(keyring.dir())?.is_none() {
        let last = mark.map_or_else(before_all, |mark| mark.position);
        remember(keyring, &Checkpoint::sign(keyring, last)?);
    }
    Ok(())
}

fn before_all() -> Position {
    Position { n: 0, hash: Hash::genesis() }
}
