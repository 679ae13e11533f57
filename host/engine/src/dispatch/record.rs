//! Step 7: one record per call, whatever the outcome, before its answer leaves. Holds no secret, and no input unless the operator
//! wants that.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use packhost_audit::{AuditError, Event, Recorder, Written};
use packhost_core::{Caller, Digest, ErrorCode, Failure, RunId};

use super::{Progressed, event};
use crate::call::{Answer, Call, Door, Ended};
use crate::engine::Inner;
use crate::peer::Peer;

/// Bytes of the name of a tool that there is none of, and of what a client calls itself, that go on record.
const NAMED: usize = 128;

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
    pub(super) run: RunId,
    pub(super) caller: Caller,
    pub(super) door: Door,
    pub(super) peer: Peer,
    pub(super) asked: String,
    pub(super) input: Option<Digest>,
    pub(super) started: SystemTime,
    pub(super) since: Instant,
    pub(super) so_far: Progressed,
    recorder: Option<Arc<dyn Recorder>>,
    closed: bool,
}

impl Record {
    pub(super) fn open(engine: &Inner, call: &Call) -> Self {
        let recorder = engine.settings.recorder.clone();
        Self {
            run: call.run,
            caller: call.caller().clone(),
            door: call.door,
            peer: call.peer.clone().cut(NAMED),
            asked: call.pack[..call.pack.floor_char_boundary(NAMED)].to_owned(),
            input: (recorder.is_some() || engine.settings.artifacts.is_some())
                .then(|| event::digest(&call.input)),
            started: SystemTime::now(),
            since: Instant::now(),
            so_far: Progressed::default(),
            recorder,
            closed: false,
        }
    }

    /// Writes the record, and hands on the result and what the record was made of. A call that cannot be recorded has no answer, and
    /// what it has made is taken back.
    pub(super) async fn close(
        mut self,
        mut result: Result<Answer, Ended>,
    ) -> (Result<Answer, Ended>, Progressed) {
        if let Some(recorder) = self.recorder.take() {
            let event = Event::Call(Box::new(event::call(&self, &result)));
            if let Err(error) = record(recorder, event).await {
                result = Err(unrecorded(self.run, &error).into());
            }
        }
        self.closed = true;
        match (self.so_far.made.take(), &result) {
            (Some(made), Ok(_)) => drop(made.take()),
            (Some(made), Err(_)) => {
                made.discard().await;
                self.so_far.artifacts.clear();
            }
            (None, _) => {}
        }
        match &result {
            Ok(_) => self.log("ok", None),
            Err(Ended::Asks(question)) => self.log("asks", Some(&question.id)),
            Err(Ended::Failed(failure)) => self.log(failure.code.as_str(), failure.cause.as_ref()),
        }
        (result, std::mem::take(&mut self.so_far))
    }

    /// A line of the host's own log.
    fn log(&self, outcome: &str, cause: Option<&String>) {
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

/// Puts it on record. Where another process writes just now, waits on a thread that may.
async fn record(recorder: Arc<dyn Recorder>, event: Event) -> Result<(), AuditError> {
    match recorder.try_record(&event)? {
        Written::At(_) => Ok(()),
        Written::Busy => {
            let waiting = tokio::task::spawn_blocking(move || recorder.record(&event));
            waiting.await.unwrap_or(Err(AuditError::Closed))
        }
    }
}

fn unrecorded(run: RunId, error: &AuditError) -> Failure {
    tracing::error!(target: "packhost", %run, %error, "a call cannot be put on record, so it has no answer");
    Failure::new(
        ErrorCode::Internal,
        "The call cannot be put on record, so there is no answer. It may have had effects.",
    )
    .fix("Tell the operator: the host's log says what keeps the record from being written.")
}

impl Drop for Record {
    fn drop(&mut self) {
        if self.closed {
            return;
        }
        let code = if std::thread::panicking() { ErrorCode::Internal } else { ErrorCode::Cancelled };
        self.so_far.close_ways();
        // It goes with what the call has made.
        self.so_far.artifacts.clear();
        if let Some(recorder) = self.recorder.take() {
            let ended = Err(Failure::new(code, "The call was cut off.").into());
            if let Err(error) = recorder.record(&Event::Call(Box::new(event::call(self, &ended)))) {
                tracing::error!(target: "packhost", run = %self.run, %error, "a call that was cut off cannot be put on record");
            }
        }
        self.log(code.as_str(), None);
    }
}
