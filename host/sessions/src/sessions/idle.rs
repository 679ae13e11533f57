//! Sessions that wait for the next call that needs the same: one of their owner's, or anybody's while they stand ready.

use std::sync::Arc;
use std::time::SystemTime;

use futures::FutureExt;
use packhost_core::{Caller, PackName};

use super::choose::Chosen;
use super::gate::Gate;
use super::need::Key;
use crate::id::SandboxId;
use crate::link::Link;

/// A session that nobody has now.
pub(super) struct Kept {
    pub(super) id: SandboxId,
    pub(super) owner: Caller,
    pub(super) pack: PackName,
    /// None for one that nobody else can use.
    pub(super) key: Option<Key>,
    pub(super) link: Link,
    pub(super) gate: Arc<Gate>,
    pub(super) chosen: Chosen,
    /// When it has to be gone.
    pub(super) ends: SystemTime,
    /// Until when it is kept without use.
    pub(super) until: SystemTime,
}

impl Kept {
    /// Whether its sandbox is gone.
    pub(super) fn is_lost(&self) -> bool {
        self.link.lost().now_or_never().is_some()
    }
}

/// All of them.
#[derive(Default)]
pub(super) struct Idle(Vec<Kept>);

impl Idle {
    pub(super) fn put(&mut self, kept: Kept) {
        self.0.push(kept);
    }

    /// The one that was used last: the others go sooner.
    pub(super) fn take(&mut self, key: Key) -> Option<Kept> {
        let at = self.0.iter().rposition(|kept| kept.key == Some(key))?;
        Some(self.0.remove(at))
    }

    /// The one of this owner and pack that has been unused longest.
    pub(super) fn take_oldest(&mut self, owner: &Caller, pack: &PackName) -> Option<Kept> {
        let at = self.0.iter().position(|kept| kept.owner == *owner && kept.pack == *pack)?;
        Some(self.0.remove(at))
    }

    /// Those whose time is over.
    pub(super) fn over(&mut self, now: SystemTime) -> Vec<Kept> {
        self.0.extract_if(.., |kept| kept.until <= now || kept.ends <= now || kept.is_lost()).collect()
    }

    pub(super) fn remove(&mut self, id: &SandboxId) -> Option<Kept> {
        let at = self.0.iter().position(|kept| kept.id == *id)?;
        Some(self.0.remove(at))
    }

    pub(super) fn all(&mut self) -> Vec<Kept> {
        std::mem::take(&mut self.0)
    }

    pub(super) fn has_one_for(&self, key: Key) -> bool {
        self.0.iter().any(|kept| kept.key == Some(key))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn has(&self, id: &SandboxId) -> bool {
        self.0.iter().any(|kept| kept.id == *id)
    }
}
