//! What is known of a log beside its directory: the newest checkpoint, which the ring of keys remembers. So a log that is lost
//! is missed.

use std::path::Path;

use packhost_keyring::Keyring;

use super::checkpoint::Checkpoint;
use super::ends::Mark;
use super::{Hash, Position};
use crate::error::AuditError;

/// The last record that a checkpoint is known of, where a log was begun with the keys in this directory. Before the first
/// checkpoint its number is 0, and so it is where what is remembered cannot be read.
pub(super) fn known(ring: &Path) -> Result<Option<Position>, AuditError> {
    let position = |text: Vec<u8>| {
        let checkpoint = serde_json::from_slice(&text).ok();
        checkpoint.map_or_else(before_all, |checkpoint: Checkpoint| checkpoint.position())
    };
    Ok(Keyring::remembered(ring)?.map(position))
}

/// Has the ring remember this one. Where it cannot, the log is as good as before, and would be missed for an older one.
pub(super) fn remember(keyring: &Keyring, checkpoint: &Checkpoint) {
    let mut text = serde_json::to_vec(checkpoint).unwrap_or_default();
    text.push(b'\n');
    if let Err(error) = keyring.remember(&text) {
        tracing::warn!(target: "packhost::audit", %error, "the newest checkpoint is not remembered beside the keys");
    }
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
