//! The workspace of a call: the one that its input names, or a new one whose name the pack is told. In a new one a sandbox
//! may stand ready.

use std::sync::Arc;
use std::time::SystemTime;

use packhost_core::{Caller, ErrorCode, Failure};
use packhost_manifest::Grants;
use packhost_workspaces::{Measured, Workspace, WorkspaceError, Workspaces};
use serde_json::Value;

use crate::call::Call;
use crate::capabilities::only_reads;
use crate::catalog::Tool;
use crate::engine::Inner;
use crate::warm::{Reserved, Taken, Warm};

/// Where the name stands in an input.
pub(crate) const KEY: &str = "workspace";
/// Files, directories and links that a workspace may have.
const ENTRIES: u64 = 200_000;

/// The workspace that the call works in, with its name put into the input where there was none. None where the entry gives
/// none, and where it grants directories and the call names none: then it works in those. With the sandbox that stands ready in
/// it, where there is one.
pub(super) async fn of(
    engine: &Inner,
    call: &Call,
    tool: &Tool,
    grants: &Grants,
    input: &mut Value,
) -> Result<(Option<Arc<Workspace>>, Option<Taken>), Failure> {
    if !grants.workspace {
        return Ok((None, None));
    }
    let named = input.get(KEY).and_then(Value::as_str).map(str::to_owned);
    if named.is_none() && !grants.fs.is_empty() {
        return Ok((None, None));
    }
    let Some(workspaces) = engine.settings.workspaces.clone() else {
        return Err(Failure::new(ErrorCode::CapabilityDenied, "This host has no workspaces."));
    };
    // A call that can add nothing may look into a full one: what is in it is not lost.
    let adds = grants.session.is_some() || !only_reads(&grants.fs);
    let (caller, most) = (call.caller().clone(), adds.then_some(tool.entry.limits.workspace));
    let warm = Arc::clone(&engine.warm);
    let reserved = if named.is_none() { warm.take(tool, grants) } else { None };
    let found = tokio::task::spawn_blocking(move || match named {
        Some(name) => {
            let found = workspaces.find(&caller, &name, SystemTime::now())?;
            Ok((used(found, most)?, None))
        }
        None => fresh(&workspaces, &caller, &warm, reserved),
    });
    let (workspace, taken) = found.await.map_err(internal)?.map_err(Failure::from)?;
    if let Value::Object(fields) = input {
        fields.insert(KEY.to_owned(), workspace.name.as_str().into());
    }
    Ok((Some(Arc::new(workspace)), taken))
}

/// An empty one: the reserved one, where it can be given.
fn fresh(
    workspaces: &Workspaces,
    caller: &Caller,
    warm: &Warm,
    reserved: Option<Reserved>,
) -> Result<(Workspace, Option<Taken>), Refused> {
    let now = SystemTime::now();
    if let Some(reserved) = reserved {
        match workspaces.give(&reserved.workspace().name, caller, now) {
            Ok(()) => {
                let (workspace, taken) = reserved.given();
                return Ok((workspace, Some(taken)));
            }
            Err(WorkspaceError::NotFound(_)) => drop(reserved.given()),
            Err(refused) => {
                warm.put_back(reserved);
                return Err(refused.into());
            }
        }
    }
    Ok((workspaces.fresh(caller, now)?, None))
}

/// How full the workspace is, against what the pack may have in it.
pub(crate) fn over(workspace: &Workspace, most: u64) -> bool {
    let bound = Measured { bytes: most, entries: ENTRIES };
    packhost_workspaces::measure(&workspace.dir, bound)
        .is_ok_and(|found| found.bytes > bound.bytes || found.entries > bound.entries)
}

enum Refused {
    Workspace(WorkspaceError),
    Full { most: u64 },
}

fn used(workspace: Workspace, most: Option<u64>) -> Result<Workspace, Refused> {
    match most {
        Some(most) if over(&workspace, most) => Err(Refused::Full { most }),
        _ => Ok(workspace),
    }
}

impl From<WorkspaceError> for Refused {
    fn from(error: WorkspaceError) -> Self {
        Self::Workspace(error)
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Full { most } => full(most),
            Refused::Workspace(WorkspaceError::NotFound(name)) => {
                let mut failure = Self::new(
                    ErrorCode::NotFound,
                    format!("There is no workspace \"{name}\"."),
                )
                .fix("Leave \"workspace\" out for a new one, or pass a name that an earlier call answered.");
                failure.advice.pointer = Some(format!("/{KEY}"));
                failure
            }
            Refused::Workspace(WorkspaceError::TooMany { most }) => Self::new(
                ErrorCode::ResourceExhausted,
                format!("There are {most} workspaces already, which is as many as there may be."),
            )
            .fix("Go on in one of them: pass its name as \"workspace\"."),
            Refused::Workspace(error) => internal(error),
        }
    }
}

/// There is more in the workspace than may be.
pub(crate) fn full(most: u64) -> Failure {
    let message = format!("The workspace holds more than the {most} bytes or {ENTRIES} files that it may.");
    Failure::new(ErrorCode::ResourceExhausted, message).fix(
        "Start a new workspace by leaving \"workspace\" out, or delete files of this one with fs.delete.",
    )
}

fn internal(error: impl std::fmt::Display) -> Failure {
    Failure::new(ErrorCode::Internal, "The workspace cannot be used. The operator's log says why.")
        .cause(error)
}
