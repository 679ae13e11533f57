//! What goes on beside the calls: leases are renewed, sessions end when their time is over, and what a host that is gone
//! has left behind is removed.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use packhost_state::StateError;

use super::table::{self, Stored};
use super::{SessionError, Sessions, Shared};
use crate::id::SandboxId;
use crate::runtime::SessionRuntime;

/// How often sessions are looked at.
const BEAT: Duration = Duration::from_secs(1);
/// A sandbox without a row is left alone for this long: it may be of a process that is about to write the row of another
/// one, or of a clock that went back.
const STRAY: Duration = Duration::from_secs(60);

impl Sessions {
    /// Keeps sessions in order, for as long as this is polled.
    pub async fn keep(&self) {
        let lease = self.0.settings.lease;
        let mut beat = tokio::time::interval(BEAT.min(lease / 3));
        let mut renewed = tokio::time::Instant::now();
        self.log(self.sweep().await);
        loop {
            beat.tick().await;
            self.0.end_over();
            if renewed.elapsed() >= lease / 3 {
                renewed = tokio::time::Instant::now();
                self.log(self.sweep().await);
            }
        }
    }

    fn log(&self, swept: Result<Swept, SessionError>) {
        match swept {
            Ok(Swept { ended: 0 }) => {}
            Ok(Swept { ended }) => {
                tracing::info!(target: "packhost::session", ended, event = "swept");
            }
            Err(error) => {
                tracing::warn!(target: "packhost::session", %error, "sessions cannot be kept in order")
            }
        }
    }

    /// Renews the leases of this process, and ends what belongs to no process any more: sessions whose lease has run out,
    /// sandboxes of this host without a session, sessions without a sandbox.
    ///
    /// # Errors
    /// When the state cannot be read or written. A backend that does not answer is left for the next time.
    pub async fn sweep(&self) -> Result<Swept, SessionError> {
        let shared = &self.0;
        let now = SystemTime::now();
        let (lost, known) = shared
            .database(move |shared| {
                let (instance, at) = (shared.instance.as_str(), table::monotonic());
                let until = at.saturating_add(shared.lease_ms());
                shared.database.write(|sql| {
                    table::renew(sql, instance, until)?;
                    let lost = table::take(sql, (instance, &shared.settings.boot), at, until)?;
                    Ok::<_, StateError>((lost, table::all(sql)?))
                })
            })
            .await?;
        let mut ended = lost.len();
        for row in lost {
            tracing::info!(target: "packhost::session", id = %row.id, owner = row.owner, event = "left behind");
            shared.end(row.id, row.backend);
        }
        for runtime in &shared.runtimes {
            ended += shared.sweep_backend(runtime, &known, now).await;
        }
        Ok(Swept { ended })
    }
}

/// What a sweep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Swept {
    /// Sandboxes that it ended.
    pub ended: usize,
}

impl Shared {
    /// Ends idle and ready sessions whose time is over, and held ones that have lived too long.
    fn end_over(self: &Arc<Self>) {
        let now = SystemTime::now();
        let over = self.idle().over(now);
        let not_ready = self.ready().over(now);
        if !not_ready.is_empty() {
            self.left.notify_one();
        }
        for kept in over.into_iter().chain(not_ready) {
            self.end(kept.id, kept.chosen.backend);
        }
        let too_old: Vec<_> = self.held().extract_if(|_, (_, ends)| *ends <= now).collect();
        for (id, (backend, _)) in too_old {
            tracing::info!(target: "packhost::session", %id, event = "lifetime over");
            // The call that has it sees its sandbox go.
            self.end(id, backend);
        }
    }

    async fn sweep_backend(
        self: &Arc<Self>,
        runtime: &Arc<dyn SessionRuntime>,
        known: &[Stored],
        now: SystemTime,
    ) -> usize {
        let Ok(there) = runtime.list().await else { return 0 };
        let backend = runtime.backend();
        let mut ended = 0;
        for sandbox in &there {
            let has_row = known.iter().any(|row| row.id == sandbox.id);
            let old = now.duration_since(sandbox.created).is_ok_and(|age| age > STRAY);
            if !has_row && old && !self.is_ours(&sandbox.id) {
                ended += 1;
                self.end_stray(sandbox.id.clone(), backend);
            }
        }
        // Rows of this process alone: another one may be making the sandbox of its own right now. What nobody has here is gone,
        // or could not be ended when it was to be.
        let ours = known.iter().filter(|row| row.backend == backend && row.instance == self.instance);
        for row in ours.filter(|row| !self.is_ours(&row.id)) {
            ended += usize::from(there.iter().any(|sandbox| sandbox.id == row.id));
            self.end(row.id.clone(), backend);
        }
        ended
    }

    /// Whether this process has it, is making it, or is ending it.
    fn is_ours(&self, id: &SandboxId) -> bool {
        // Kept locked: it may be on its way from one to the other.
        let held = self.held();
        held.contains_key(id) || self.idle().has(id) || self.ready().has(id) || self.ending().contains(id)
    }
}
