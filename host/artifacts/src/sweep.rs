//! Taking away what nobody refers to.

use std::sync::Arc;

use futures::TryStreamExt as _;
use serde::Serialize;

use crate::artifacts::{Inner, blocking};
use crate::belonging::belong_together;
use crate::error::ArtifactError;
use crate::id::Place;
use crate::settings::milliseconds;
use crate::table::{objects, references, strays};

/// Rows that are dealt with in one transaction: others want to write, too.
const AT_ONCE: u32 = 256;

/// What a sweep has removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Swept {
    /// Artifacts that had expired.
    pub expired: u64,
    /// Uploads whose writer was gone.
    pub abandoned: u64,
    /// Objects that were removed from the store, with those that no row knew.
    pub objects: u64,
    /// Objects that no row knows and that are left alone for now.
    pub strays: u64,
    /// Objects that could not be removed, and are there still.
    pub failed: u64,
}

impl Inner {
    pub(crate) async fn sweep(self: &Arc<Self>) -> Result<Swept, ArtifactError> {
        // Nothing is removed from a store that is another's.
        belong_together(&self.store, &self.database).await?;
        let mut swept = Swept { expired: self.expire().await?, ..Swept::default() };
        let of = Arc::clone(self);
        let abandon = move || {
            let (now, lease) = (of.settings.clock.now(), milliseconds(of.settings.lease));
            // Looked at before the rows are: whoever comes later has a lease.
            let alive = of.alive.lock().clone();
            of.database.write(|sql| objects::abandon(sql, &alive, now, lease))
        };
        swept.abandoned = blocking(abandon).await?;
        self.remove_going(&mut swept).await?;
        self.note_strays().await?;
        self.remove_strays(&mut swept).await?;
        let of = Arc::clone(self);
        swept.strays = blocking(move || of.database.read(strays::count)).await?;
        Ok(swept)
    }

    /// Removes artifacts that were seen to have expired a while ago: a clock that was wrong for a moment costs none.
    async fn expire(self: &Arc<Self>) -> Result<u64, ArtifactError> {
        let of = Arc::clone(self);
        let now = self.settings.clock.now();
        blocking(move || of.database.write(|sql| references::mark(sql, now))).await?;
        let before = now.checked_sub(milliseconds(self.settings.grace));
        let Some(before) = before else { return Ok(0) };
        let mut expired = 0;
        loop {
            let of = Arc::clone(self);
            let some = move || of.database.write(|sql| references::expire(sql, before, AT_ONCE));
            let some = blocking(some).await?;
            expired += some;
            if some < u64::from(AT_ONCE) {
                return Ok(expired);
            }
        }
    }

    /// Removes the objects of rows that are to go.
    async fn remove_going(self: &Arc<Self>, swept: &mut Swept) -> Result<(), ArtifactError> {
        let mut after: Option<Place> = None;
        loop {
            let (of, behind) = (Arc::clone(self), after.clone());
            let going = move || of.database.read(|sql| objects::going(sql, behind.as_ref(), AT_ONCE));
            let going = blocking(going).await?;
            let Some((last, _)) = going.last() else { return Ok(()) };
            after = Some(last.clone());
            for (place, upload) in going {
                let removed = self.clear(place, upload).await;
                swept.note(removed);
            }
        }
    }

    /// Notes the objects that have no row. A row is there before its object and as long as it: whatever is seen first, and then
    /// has no row, is nobody's. It was written by somebody who had been taken for dead, or the database is older than the store.
    async fn note_strays(self: &Arc<Self>) -> Result<(), ArtifactError> {
        let (now, mut news) = (self.settings.clock.now(), 0);
        let of = Arc::clone(self);
        blocking(move || of.database.write(|sql| strays::not_after(sql, now))).await?;
        let mut listed = self.store.list();
        while let Some(places) = listed.try_next().await? {
            let of = Arc::clone(self);
            let unknown = move || {
                of.database.read(|sql| {
                    let mut unknown = Vec::new();
                    for place in places {
                        if !objects::is_known(sql, &place)? {
                            unknown.push(place);
                        }
                    }
                    Ok::<_, ArtifactError>(unknown)
                })
            };
            let mut found = Vec::new();
            for place in blocking(unknown).await? {
                // Another sweeper may have removed it, and then its row.
                if self.store.has(&place).await? {
                    found.push(place);
                }
            }
            if !found.is_empty() {
                let of = Arc::clone(self);
                news += blocking(move || of.database.write(|sql| strays::note(sql, &found, now))).await?;
            }
        }
        if news > 0 && !self.settings.strays.is_zero() {
            let days = self.settings.strays.as_secs() / (24 * 3600);
            tracing::warn!(
                objects = news,
                days,
                "there are artifacts that the state database does not know, and that go after this time: if it was restored from an earlier one, put the newer one back"
            );
        }
        Ok(())
    }

    /// Removes objects that have had no row for long enough.
    async fn remove_strays(self: &Arc<Self>, swept: &mut Swept) -> Result<(), ArtifactError> {
        let before = self.settings.clock.now().checked_sub(milliseconds(self.settings.strays));
        let Some(before) = before else { return Ok(()) };
        let mut after: Option<Place> = None;
        loop {
            let (of, behind) = (Arc::clone(self), after.clone());
            let due = move || of.database.read(|sql| strays::due(sql, before, behind.as_ref(), AT_ONCE));
            let due = blocking(due).await?;
            let Some(last) = due.last() else { return Ok(()) };
            after = Some(last.clone());
            for place in due {
                let removed = self.store.remove(&place, None).await;
                let is_gone = removed.is_ok();
                swept.note(removed);
                if is_gone {
                    let of = Arc::clone(self);
                    blocking(move || of.database.write(|sql| strays::forget(sql, &place))).await?;
                }
            }
        }
    }
}

impl Swept {
    fn note(&mut self, removed: Result<(), ArtifactError>) {
        match removed {
            Ok(()) => self.objects += 1,
            Err(error) => {
                self.failed += 1;
                tracing::warn!(%error, "an object that is no longer needed cannot be removed");
            }
        }
    }
}
