//! A session that a call has.

use std::sync::Arc;
use std::time::SystemTime;

use packhost_audit::SessionEvent;

use super::Shared;
use super::choose::Chosen;
use super::idle::Kept;
use super::journal::Happened;
use super::need::Need;
use crate::id::SandboxId;
use crate::link::{Leaves, Link};
use crate::runtime::Capabilities;
use crate::spec::Backend;

/// A session that a call has. Dropped, it is ended; [`put_back`](Self::put_back), it waits for the next call of the same
/// owner.
pub struct Held {
    shared: Arc<Shared>,
    kept: Option<Kept>,
    need: Need,
    reused: bool,
    warm: bool,
}

impl Held {
    pub(super) fn new(shared: Arc<Shared>, kept: Kept, need: Need) -> Self {
        note(&shared, &kept, &need, SessionEvent::Started);
        Self { shared, kept: Some(kept), need, reused: false, warm: false }
    }

    pub(super) fn warm(shared: Arc<Shared>, kept: Kept, need: Need) -> Self {
        note(&shared, &kept, &need, SessionEvent::Given);
        Self { shared, kept: Some(kept), need, reused: false, warm: true }
    }

    pub(super) fn again(shared: Arc<Shared>, kept: Kept, need: Need) -> Self {
        note(&shared, &kept, &need, SessionEvent::UsedAgain);
        Self { shared, kept: Some(kept), need, reused: true, warm: false }
    }

    fn kept(&self) -> &Kept {
        // Taken by what consumes the session, and by drop.
        self.kept.as_ref().expect("a session that is held")
    }

    /// Its sandbox.
    pub fn id(&self) -> &SandboxId {
        &self.kept().id
    }

    /// The connection to its supervisor.
    pub fn link(&self) -> &Link {
        &self.kept().link
    }

    /// Which backend it became, and why not another.
    pub fn chosen(&self) -> &Chosen {
        &self.kept().chosen
    }

    /// Whether an earlier call left it.
    pub fn is_reused(&self) -> bool {
        self.reused
    }

    /// Whether it stood ready.
    pub fn is_warm(&self) -> bool {
        self.warm
    }

    /// What its backend can do.
    pub fn capabilities(&self) -> Capabilities {
        let runtime = self.shared.runtime(self.chosen().backend);
        runtime.map(|runtime| runtime.capabilities()).unwrap_or_default()
    }

    /// From now on this answers for what leaves the sandbox; before, nothing leaves.
    pub fn open_gate(&self, to: Arc<dyn Leaves>) {
        self.kept().gate.open(Some(to));
    }

    /// Leaves it to the next call that needs the same, for as long as the need said. Nothing of this call may still run in it.
    pub fn put_back(mut self) {
        let Some(mut kept) = self.kept.take() else { return };
        kept.gate.open(None);
        let now = SystemTime::now();
        let idle = self.need.idle;
        if idle.is_zero() || kept.key.is_none() || kept.ends <= now || kept.is_lost() {
            self.shared.end(kept.id, kept.chosen.backend);
            return;
        }
        kept.until = (now + idle).min(kept.ends);
        let mut held = self.shared.held();
        held.remove(&kept.id);
        self.shared.idle().put(kept);
    }
}

/// Says that a call of a pack has it.
fn note(shared: &Shared, kept: &Kept, need: &Need, event: SessionEvent) {
    let (owner, reason) = (need.owner.as_str(), format!("for {}, of {}", need.pack, kept.chosen.image));
    let (id, backend, run, reason) = (&kept.id, kept.chosen.backend, need.run, reason.as_str());
    shared.settings.journal.note(Happened { id, backend, owner, run, event, reason });
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(kept) = self.kept.take() {
            kept.gate.open(None);
            self.shared.end(kept.id, kept.chosen.backend);
        }
    }
}

/// Ends a sandbox that was being made, unless it was finished.
pub(super) struct EndOnDrop {
    shared: Arc<Shared>,
    what: Option<(SandboxId, Backend)>,
}

impl EndOnDrop {
    pub(super) fn new(shared: Arc<Shared>, id: SandboxId, backend: Backend) -> Self {
        Self { shared, what: Some((id, backend)) }
    }

    pub(super) fn forget(mut self) {
        self.what = None;
    }
}

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        if let Some((id, backend)) = self.what.take() {
            self.shared.end(id, backend);
        }
    }
}
