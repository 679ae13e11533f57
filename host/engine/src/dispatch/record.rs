//! Step 7: one record per call, whatever the outcome. Holds no input and no secret.

use std::time::Instant;

use packhost_core::{Caller, ErrorCode, RunId};

use super::Progressed;
use crate::call::{Answer, Call, Door, Ended};
use crate::engine::Inner;

/// Notes the requests that no rule allows, on a thread that may wait for a disk.
pub(super) async fn denied(engine: &Inner, so_far: &Progressed) {
    let (Some(log), Some(tool)) = (engine.settings.denials.clone(), so_far.tool.clone()) else { return };
    if so_far.denied.is_empty() {
        return;
    }
    let denied = so_far.denied.clone();
    let noting = tokio::task::spawn_blocking(move || log.note(&tool.entry.pack, &denied));
    if let Err(error) = noting.await {
        tracing::error!(target: "packhost", %error, "denied requests were not noted");
    }
}

/// The record of one call, open while it runs. Dropped without being closed, it says `cancelled`, or `internal` where the
/// host itself panicked.
pub(super) struct Record {
    run: RunId,
    caller: Caller,
    door: Door,
    since: Instant,
    pub(super) so_far: Progressed,
    closed: bool,
}

impl Record {
    pub(super) fn open(call: &Call) -> Self {
        Self {
            run: call.run,
            caller: call.caller().clone(),
            door: call.door,
            since: Instant::now(),
            so_far: Progressed::default(),
            closed: false,
        }
    }

    /// Writes the record and hands on what it was made of.
    pub(super) fn close(mut self, result: &Result<Answer, Ended>) -> Progressed {
        self.closed = true;
        match result {
            Ok(_) => self.write("ok", None),
            Err(Ended::Asks(question)) => self.write("asks", Some(&question.id)),
            Err(Ended::Failed(failure)) => self.write(failure.code.as_str(), failure.cause.as_ref()),
        }
        std::mem::take(&mut self.so_far)
    }

    fn write(&self, outcome: &str, cause: Option<&String>) {
        let so_far = &self.so_far;
        let pack = so_far.tool.as_ref().map(|tool| tool.name.as_str());
        let digest = so_far.tool.as_ref().map(|tool| tool.pack.digest);
        let contacts = so_far.contacts.list.len() as u64 + so_far.contacts.more;
        tracing::info!(
            target: "packhost::call",
            run = %self.run, caller = %self.caller, door = ?self.door, pack, digest = digest.map(tracing::field::display),
            revision = so_far.revision, mends = so_far.mends.len(), contacts, requests = so_far.usage.requests, denied = so_far.denied.len(),
            queued_us = so_far.usage.queued.as_micros(), ran_us = so_far.usage.ran.as_micros(),
            session = so_far.session.as_ref().map(|used| used.id.as_str()), backend = so_far.session.as_ref().map(|used| used.chosen.backend.as_str()),
            warm = so_far.session.as_ref().map(|used| used.warm),
            total_us = self.since.elapsed().as_micros(), memory = so_far.usage.memory, outcome,
        );
        if let Some(cause) = cause {
            // A cause may hold what a guest said: its lines are indented, so that none can pass for a record of its own.
            let cause = cause.replace('\n', "\n    ");
            tracing::warn!(target: "packhost::call", run = %self.run, pack, outcome, "{cause}");
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if !self.closed {
            let code = if std::thread::panicking() { ErrorCode::Internal } else { ErrorCode::Cancelled };
            self.write(code.as_str(), None);
        }
    }
}
