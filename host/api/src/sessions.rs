//! `/v1/sessions` and `/v1/workspaces`: what this caller's calls have left standing.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use packhost_core::{ErrorCode, Identity, Scope};
use packhost_sessions::{Listed as Sandbox, SandboxId, SandboxState, SessionError, Sessions};
use packhost_workspaces::{Listed as Directory, WorkspaceError, WorkspaceName, Workspaces};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use crate::acts::on_record;
use crate::api::Api;
use crate::extract::{Asked, Named, Vouched, allowed};
use crate::problem::Problem;
use crate::reply::json;

/// Sandboxes.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SessionList {
    /// The oldest first.
    sessions: Vec<SessionAbout>,
}

/// A sandbox.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SessionAbout {
    /// Its id.
    id: String,
    /// Where it runs.
    backend: String,
    /// On whose behalf; absent for one that stands ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    /// For which pack.
    pack: String,
    /// Its workspace, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    workspace: Option<String>,
    /// What it is made of.
    image: String,
    /// When it was made, in milliseconds since 1970.
    created: u64,
    /// When it ends at the latest, in milliseconds since 1970.
    ends: u64,
    /// `starting`, `running` or `ended`; absent where its backend does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
}

impl From<Sandbox> for SessionAbout {
    fn from(sandbox: Sandbox) -> Self {
        Self {
            id: sandbox.id.to_string(),
            backend: sandbox.backend.to_string(),
            owner: sandbox.owner,
            pack: sandbox.pack,
            workspace: sandbox.workspace,
            image: sandbox.image,
            created: sandbox.created,
            ends: sandbox.ends,
            state: sandbox.state.map(|state| match state {
                SandboxState::Starting => "starting",
                SandboxState::Running => "running",
                SandboxState::Ended(_) => "ended",
            }),
        }
    }
}

/// Workspaces.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct WorkspaceList {
    /// The latest used first.
    workspaces: Vec<WorkspaceAbout>,
}

/// A directory that calls share.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct WorkspaceAbout {
    /// Its name, which packs take as `workspace`.
    name: String,
    /// Whose it is; absent for one that is reserved.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    /// When it was made, in milliseconds since 1970.
    created: u64,
    /// When it was last used, in milliseconds since 1970.
    used: u64,
}

impl From<Directory> for WorkspaceAbout {
    fn from(directory: Directory) -> Self {
        let Directory { name, owner, created, used } = directory;
        Self { name: name.to_string(), owner, created, used }
    }
}

/// Whether those of everybody are wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    #[serde(default)]
    all: bool,
}

pub(crate) async fn list(
    State(api): State<Api>,
    Vouched(identity): Vouched,
    Asked(Wanted { all }): Asked<Wanted>,
) -> Result<Response, Problem> {
    if all {
        allowed(&identity, &Scope::Admin)?;
    }
    let sessions = match api.engine().sessions() {
        Some(sessions) => of_sessions(sessions, (!all).then_some(&identity)).await?,
        None => Vec::new(),
    };
    let sessions = sessions.into_iter().map(SessionAbout::from).collect();
    Ok(json(StatusCode::OK, &SessionList { sessions }))
}

/// Of this caller, or all.
async fn of_sessions(sessions: &Sessions, whose: Option<&Identity>) -> Result<Vec<Sandbox>, Problem> {
    let mut listed = sessions.list().await.map_err(|error| session(&error))?;
    listed.retain(|one| whose.is_none_or(|whose| one.owner.as_deref() == Some(whose.caller.as_str())));
    Ok(listed)
}

pub(crate) async fn end(
    State(api): State<Api>,
    Vouched(identity): Vouched,
    Named(id): Named,
) -> Result<Response, Problem> {
    let unknown = || Problem::new(ErrorCode::NotFound, "There is no such session of this caller.");
    let sessions = api.engine().sessions().cloned().ok_or_else(unknown)?;
    let id: SandboxId = id.parse().map_err(|_| unknown())?;
    let whose = (!identity.scopes.allow(&Scope::Admin)).then_some(&identity);
    if !of_sessions(&sessions, whose).await?.iter().any(|one| one.id == id) {
        return Err(unknown());
    }
    on_record(&api, &identity, "sessions.rm", id.to_string(), async move {
        sessions.remove(&id).await.map_err(|error| session(&error))
    })
    .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(crate) async fn workspaces(
    State(api): State<Api>,
    Vouched(identity): Vouched,
    Asked(Wanted { all }): Asked<Wanted>,
) -> Result<Response, Problem> {
    if all {
        allowed(&identity, &Scope::Admin)?;
    }
    let workspaces = match api.engine().workspaces() {
        Some(workspaces) => of_workspaces(workspaces, (!all).then_some(&identity)).await?,
        None => Vec::new(),
    };
    let workspaces = workspaces.into_iter().map(WorkspaceAbout::from).collect();
    Ok(json(StatusCode::OK, &WorkspaceList { workspaces }))
}

async fn of_workspaces(
    workspaces: &Arc<Workspaces>,
    whose: Option<&Identity>,
) -> Result<Vec<Directory>, Problem> {
    let (workspaces, owner) = (Arc::clone(workspaces), whose.map(|whose| whose.caller.clone()));
    let listed = spawn_blocking(move || workspaces.list(owner.as_ref())).await;
    listed.map_err(|_| workspace_failed())?.map_err(|error| workspace(&error))
}

pub(crate) async fn remove_workspace(
    State(api): State<Api>,
    Vouched(identity): Vouched,
    Named(name): Named,
) -> Result<Response, Problem> {
    let unknown = || Problem::new(ErrorCode::NotFound, "There is no such workspace of this caller.");
    let workspaces = api.engine().workspaces().cloned().ok_or_else(unknown)?;
    let name: WorkspaceName = name.parse().map_err(|_| unknown())?;
    let whose = (!identity.scopes.allow(&Scope::Admin)).then_some(&identity);
    if !of_workspaces(&workspaces, whose).await?.iter().any(|one| one.name == name) {
        return Err(unknown());
    }
    on_record(&api, &identity, "workspaces.rm", name.to_string(), async move {
        let removed = spawn_blocking(move || workspaces.remove(&name)).await;
        removed.map_err(|_| workspace_failed())?.map_err(|error| workspace(&error))
    })
    .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn session(error: &SessionError) -> Problem {
    match error {
        SessionError::NotFound(_) => {
            Problem::new(ErrorCode::NotFound, "There is no such session of this caller.")
        }
        error => {
            tracing::warn!(target: "packhost", %error, "sessions cannot be had");
            Problem::new(ErrorCode::SessionUnavailable, "Sessions cannot be listed or ended now.")
                .fix("Tell the operator: the host's log says why.")
        }
    }
}

fn workspace(error: &WorkspaceError) -> Problem {
    tracing::warn!(target: "packhost", %error, "workspaces cannot be had");
    workspace_failed()
}

fn workspace_failed() -> Problem {
    Problem::new(ErrorCode::Internal, "Workspaces cannot be listed or removed now.")
        .fix("Tell the operator: the host's log says why.")
}
