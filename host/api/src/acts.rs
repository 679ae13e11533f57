//! What somebody removes over this API goes on record, as what an operator does at the command line.

use std::collections::BTreeMap;
use std::sync::Arc;

use packhost_audit::{Act, ActOutcome, AuditError, Event, Recorder};
use packhost_core::{ErrorCode, Identity};
use tokio::task::spawn_blocking;

use crate::api::Api;
use crate::problem::Problem;

/// Does something that is on record before it is done, and again with what came of it. It is done whether or not the one who
/// asked is still there.
///
/// # Errors
/// Where it cannot be put on record; then it is not done.
pub(crate) async fn on_record<T, W>(
    api: &Api,
    identity: &Identity,
    verb: &str,
    subject: String,
    work: W,
) -> Result<T, Problem>
where
    T: Send + 'static,
    W: Future<Output = Result<T, Problem>> + Send + 'static,
{
    let mut act = Act {
        actor: identity.caller.to_string(),
        verb: verb.to_owned(),
        subject,
        details: BTreeMap::from([("door".to_owned(), "api".to_owned())]),
        outcome: ActOutcome::Begun,
    };
    let recorder = api.engine().recorder().cloned();
    let done = api.tasks().spawn(async move {
        put(recorder.clone(), act.clone()).await.map_err(|error| unrecorded(&error))?;
        let done = work.await;
        act.outcome = match &done {
            Ok(_) => ActOutcome::Done,
            Err(problem) => ActOutcome::Failed(problem.word().to_owned()),
        };
        if let Err(error) = put(recorder, act).await {
            tracing::error!(target: "packhost", %error, "what came of it is not on record");
        }
        done
    });
    done.await.unwrap_or_else(|_| Err(Problem::new(ErrorCode::Internal, "This could not be done.")))
}

/// Waits for the disk, and perhaps for another process, where that is allowed.
async fn put(recorder: Option<Arc<dyn Recorder>>, act: Act) -> Result<(), AuditError> {
    let Some(recorder) = recorder else { return Ok(()) };
    spawn_blocking(move || recorder.record(&Event::Act(act))).await.unwrap_or(Err(AuditError::Closed))
}

fn unrecorded(error: &AuditError) -> Problem {
    tracing::error!(target: "packhost", %error, "an act cannot be put on record, so it is not done");
    Problem::new(ErrorCode::Internal, "This cannot be put on record, so it was not done.")
        .fix("Tell the operator: the host's log says what keeps the record from being written.")
}
