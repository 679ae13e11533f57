//! Sandboxes that stand ready: made before anybody needs them, and given to the first caller who does.
//!
//! Owns: that each is given once, to one caller, within that caller's quota, and never comes back. Refuses: how many there are
//! to be, and when they are made.

use std::sync::Arc;
use std::time::SystemTime;

use packhost_audit::SessionEvent;

use super::held::EndOnDrop;
use super::idle::Kept;
use super::journal::Happened;
use super::need::{Key, Need};
use super::{SessionError, Sessions, Shared, table};
use crate::error::RuntimeError;
use crate::id::SandboxId;

impl Sessions {
    /// Makes a sandbox that stands ready for the first [`acquire`](Self::acquire) that needs the same, on whosever behalf; the
    /// owner in `need` does not matter. It counts for nobody until then. It stands ready for half of its lifetime, so that
    /// whoever gets it has the other half.
    ///
    /// # Errors
    /// Why there is none. Nothing is left of it then.
    pub async fn prepare(&self, need: &Need) -> Result<SandboxId, SessionError> {
        let need = need.of_nobody();
        let Some(key) = need.key() else {
            let why = "one of its paths is not UTF-8, and nothing else could be known to need the same";
            return Err(RuntimeError::Unsupported(why.to_owned()).into());
        };
        let mut kept = self.0.make(Some(key), &need).await?;
        kept.until = kept.ends.min(SystemTime::now() + need.lifetime / 2);
        let (id, chosen) = (kept.id.clone(), &kept.chosen);
        let (backend, reason) =
            (chosen.backend, format!("stands ready for {}, of {}", need.pack, chosen.image));
        let (event, reason) = (SessionEvent::Started, reason.as_str());
        self.0.settings.journal.note(Happened { id: &id, backend, owner: "", run: None, event, reason });
        let mut held = self.0.held();
        held.remove(&id);
        self.0.ready().put(kept);
        Ok(id)
    }

    /// Whether that sandbox stands ready, as far as is known.
    pub fn is_ready(&self, id: &SandboxId) -> bool {
        self.0.ready().has(id)
    }

    /// Ends a sandbox that stands ready, in the background. One that somebody has got is left alone.
    pub fn discard(&self, id: &SandboxId) {
        let kept = self.0.ready().remove(id);
        if let Some(kept) = kept {
            self.0.left.notify_one();
            self.0.end(kept.id, kept.chosen.backend);
        }
    }

    /// Done when a sandbox does not stand ready any more that did when this was last done. For one who waits.
    pub async fn ready_left(&self) {
        self.0.left.notified().await;
    }
}

impl Shared {
    /// One that stands ready for this need, and is its owner's from here on. It is given only where it answers.
    pub(super) async fn take_ready(
        self: &Arc<Self>,
        key: Option<Key>,
        need: &Need,
    ) -> Result<Option<Kept>, SessionError> {
        let Some(prepared) = need.of_nobody().key() else { return Ok(None) };
        if !self.ready().has_one_for(prepared) {
            return Ok(None);
        }
        // Before one is taken: who may have no more is not to use up what stands ready for others.
        if let Err(refused) = self.has_room(need).await
            && !self.makes_room(&refused, need).await
        {
            return Err(refused);
        }
        loop {
            let Some(mut kept) = self.ready_to_held(prepared) else { return Ok(None) };
            self.left.notify_one();
            // Whoever asks may go away at any point, and nobody else is to get it then.
            let unless_given = EndOnDrop::new(Arc::clone(self), kept.id.clone(), kept.chosen.backend);
            // Where it is nobody's no more, an operator has ended it.
            if kept.link.ping().await.is_ok() && self.give(&kept.id, need).await? {
                unless_given.forget();
                (kept.owner, kept.key, kept.until) = (need.owner.clone(), key, kept.ends);
                return Ok(Some(kept));
            }
        }
    }

    fn ready_to_held(&self, prepared: Key) -> Option<Kept> {
        let mut held = self.held();
        let kept = self.ready().take(prepared)?;
        held.insert(kept.id.clone(), (kept.chosen.backend, kept.ends));
        Some(kept)
    }

    async fn has_room(self: &Arc<Self>, need: &Need) -> Result<(), SessionError> {
        let (owner, pack, most) = (need.owner.clone(), need.pack.clone(), need.most);
        self.database(move |shared| shared.database.read(|sql| shared.within_quota(sql, &owner, &pack, most)))
            .await
    }

    /// Makes one the need's owner's, within its quota. Whether it was still nobody's.
    async fn give(self: &Arc<Self>, id: &SandboxId, need: &Need) -> Result<bool, SessionError> {
        let (id, owner, pack, most) = (id.clone(), need.owner.clone(), need.pack.clone(), need.most);
        self.database(move |shared| {
            shared.database.write(|sql| {
                shared.within_quota(sql, &owner, &pack, most)?;
                Ok(table::give(sql, &id, &owner)?)
            })
        })
        .await
    }
}
