//! What an operator looks at over this API: the documents that the command line prints with `--json`, made by whoever has
//! the manifest's files, the vault and the record.

use std::fmt;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use packhost_artifacts::{ArtifactError, Operator};
use packhost_core::{ErrorCode, Failure, Scope};
use packhost_engine::{Engine, LiveCall};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use tokio::task::spawn_blocking;

use crate::api::Api;
use crate::artifacts::{Whose, named, reader, refused};
use crate::extract::{Asked, Named, Vouched, allowed};
use crate::problem::Problem;
use crate::reply::json;

/// Who has what an operator looks at. Everything here may wait for a disk. No answer holds the value of a credential.
pub trait Desk: fmt::Debug + Send + Sync {
    /// What a pack asks for, what it may, and the credentials that its entry names. None where there is no such pack.
    ///
    /// # Errors
    /// Why it cannot be said.
    fn grants(&self, engine: &Engine, pack: &str) -> Result<Option<Value>, Failure>;

    /// What was denied, by pack, with the edit that would allow it.
    ///
    /// # Errors
    /// Why it cannot be said.
    fn denials(&self) -> Result<Value, Failure>;

    /// The credentials, without their values, and which pack may use them where.
    ///
    /// # Errors
    /// Why it cannot be said.
    fn credentials(&self, engine: &Engine) -> Result<Value, Failure>;

    /// Whether the record is what this host wrote.
    ///
    /// # Errors
    /// Why it cannot be said.
    fn verification(&self) -> Result<Value, Failure>;
}

/// The calls that run or wait for a place.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LiveList {
    /// The oldest first.
    calls: Vec<LiveAbout>,
}

/// A call that has not ended.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LiveAbout {
    /// Which call.
    run: String,
    /// The pack.
    pack: String,
    /// On whose behalf.
    caller: String,
    /// The door that it came through: `stdio`, `http`, `api` or `cli`.
    door: String,
    /// When it came, in milliseconds since 1970.
    since_ms: u64,
    /// `running`, or `waiting` for a place.
    place: &'static str,
}

impl From<LiveCall> for LiveAbout {
    fn from(call: LiveCall) -> Self {
        Self {
            run: call.run.to_string(),
            pack: call.pack.to_string(),
            caller: call.caller.to_string(),
            door: call.door.as_str().to_owned(),
            since_ms: call.since_ms,
            place: if call.waits { "waiting" } else { "running" },
        }
    }
}

pub(crate) async fn live(State(api): State<Api>, Vouched(identity): Vouched) -> Result<Response, Problem> {
    allowed(&identity, &Scope::Admin)?;
    let calls = api.engine().live().into_iter().map(LiveAbout::from).collect();
    Ok(json(StatusCode::OK, &LiveList { calls }))
}

pub(crate) async fn grants(
    State(api): State<Api>,
    Vouched(identity): Vouched,
    Named(pack): Named,
) -> Result<Response, Problem> {
    allowed(&identity, &Scope::Admin)?;
    let engine = api.engine().clone();
    let found = ask(&api, move |desk| desk.grants(&engine, &pack)).await?;
    let found = found.ok_or_else(|| {
        Problem::new(ErrorCode::NotFound, "There is no such pack.").fix("List the packs with GET /v1/packs.")
    })?;
    Ok(json(StatusCode::OK, &found))
}

pub(crate) async fn denials(State(api): State<Api>, Vouched(identity): Vouched) -> Result<Response, Problem> {
    allowed(&identity, &Scope::Admin)?;
    Ok(json(StatusCode::OK, &ask(&api, |desk| desk.denials()).await?))
}

pub(crate) async fn credentials(
    State(api): State<Api>,
    Vouched(identity): Vouched,
) -> Result<Response, Problem> {
    allowed(&identity, &Scope::Admin)?;
    let engine = api.engine().clone();
    Ok(json(StatusCode::OK, &ask(&api, move |desk| desk.credentials(&engine)).await?))
}

pub(crate) async fn verification(
    State(api): State<Api>,
    Vouched(identity): Vouched,
) -> Result<Response, Problem> {
    allowed(&identity, &Scope::ReadAudit)?;
    // It reads all of the record.
    let turn = api.turn().await;
    let found = ask(&api, move |desk| {
        let _turn = turn;
        desk.verification()
    });
    Ok(json(StatusCode::OK, &found.await?))
}

/// Whether an artifact is what was written, and who has signed for it.
pub(crate) async fn artifact(
    State(api): State<Api>,
    Vouched(identity): Vouched,
    Named(id): Named,
    Asked(Whose { all }): Asked<Whose>,
) -> Result<Response, Problem> {
    let artifacts = reader(&api, &identity)?;
    let id = named(&id)?;
    let keys = Operator::of(artifacts).keys().await.map_err(refused)?;
    let report = if all {
        allowed(&identity, &Scope::Admin)?;
        Operator::of(artifacts).verify(&id, &keys).await
    } else {
        artifacts.verify(&identity.caller, &id, &keys).await
    };
    let report = report.map_err(|error: ArtifactError| refused(error))?;
    let good = report.is_sound() && report.is_signed();
    Ok(json(StatusCode::OK, &serde_json::json!({ "good": good, "runs": [report] })))
}

/// Asks the desk, where there is one, on a thread that may wait.
async fn ask<T: Send + 'static>(
    api: &Api,
    work: impl FnOnce(&dyn Desk) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Problem> {
    let none = || Problem::new(ErrorCode::NotFound, "This host has nothing for an operator to look at.");
    let desk = api.desk().map(Arc::clone).ok_or_else(none)?;
    let done = spawn_blocking(move || work(&*desk)).await;
    done.map_err(|_| Problem::new(ErrorCode::Internal, "This could not be looked at."))?
        .map_err(Problem::from)
}
