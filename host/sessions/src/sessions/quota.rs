//! How many sessions a caller may have.

use std::sync::Arc;

use packhost_core::{Caller, PackName};
use rusqlite::Transaction;

use super::ending::Ending;
use super::need::Need;
use super::{SessionError, Shared, table};

impl Shared {
    /// Whether this owner may have one more of this pack, of which it may have `most`. Nobody may have any number: how many
    /// stand ready is bounded by who has them prepared.
    pub(super) fn within_quota(
        &self,
        sql: &Transaction<'_>,
        owner: &Caller,
        pack: &PackName,
        most: u32,
    ) -> Result<(), SessionError> {
        if owner.is_nobody() {
            return Ok(());
        }
        let (of_pack, of_owner) = table::count(sql, owner, pack.as_str())?;
        let all = self.settings.per_caller;
        if of_pack >= most {
            return Err(SessionError::TooMany { most, of: Some(format!("of {pack}")) });
        }
        if of_owner >= all {
            return Err(SessionError::TooMany { most: all, of: None });
        }
        Ok(())
    }

    /// Whether an idle session of this owner and pack has been ended for what was refused: one that waits for a call that may
    /// never come makes room for one that is here.
    pub(super) async fn makes_room(self: &Arc<Self>, refused: &SessionError, need: &Need) -> bool {
        let SessionError::TooMany { .. } = refused else { return false };
        let Some(kept) = self.idle().take_oldest(&need.owner, &need.pack) else { return false };
        if let Some(ending) = Ending::begin(self, kept.id, kept.chosen.backend) {
            ending.end(false).await;
        }
        true
    }
}
