//! What happens to sandboxes, as it is said in the host's log and on the record.

use std::fmt;
use std::sync::Arc;

use packhost_audit::{AuditError, Event, Recorder, Session, SessionEvent, Written};
use packhost_core::RunId;

use crate::id::SandboxId;
use crate::spec::Backend;

/// Where it is said what happens to sandboxes: the host's log, and the record where there is one. What cannot be recorded is an
/// error in the log; a call that has a sandbox is on record itself.
#[derive(Clone, Default)]
pub struct Journal(Option<Arc<dyn Recorder>>);

/// Something that happened to a sandbox.
pub(super) struct Happened<'a> {
    pub(super) id: &'a SandboxId,
    pub(super) backend: Backend,
    /// Whose it is, where that is known.
    pub(super) owner: &'a str,
    /// The call that it happened for, where it was for one.
    pub(super) run: Option<RunId>,
    pub(super) event: SessionEvent,
    pub(super) reason: &'a str,
}

impl Journal {
    /// With a record.
    pub fn on(recorder: Arc<dyn Recorder>) -> Self {
        Self(Some(recorder))
    }

    pub(super) fn note(&self, happened: Happened<'_>) {
        let Happened { id, backend, owner, run, event, reason } = happened;
        let run = run.map(|run| run.to_string()).unwrap_or_default();
        tracing::info!(target: "packhost::session", %id, %backend, owner, run, reason, event = event.as_str());
        let Some(recorder) = self.0.clone() else { return };
        let (id, owner, backend) = (id.to_string(), owner.to_owned(), backend.to_string());
        let event = Event::Session(Session { id, owner, backend, run, event, reason: reason.to_owned() });
        match recorder.try_record(&event) {
            Ok(Written::At(_)) => {}
            // Another process writes just now: that is waited for where waiting is allowed.
            Ok(Written::Busy) => drop(tokio::task::spawn_blocking(move || {
                if let Err(error) = recorder.record(&event) {
                    unrecorded(&event, &error);
                }
            })),
            Err(error) => unrecorded(&event, &error),
        }
    }
}

fn unrecorded(event: &Event, error: &AuditError) {
    let Event::Session(session) = event else { return };
    tracing::error!(target: "packhost::session", id = session.id, %error, "not on record: {}", session.event.as_str());
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Journal").field(&self.0.is_some()).finish()
    }
}
