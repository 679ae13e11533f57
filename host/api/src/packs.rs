//! `GET /v1/packs` and `GET /v1/packs/{name}`: what this caller may see.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use packhost_core::{ErrorCode, Identity, PackName};
use packhost_engine::Tool;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::api::Api;
use crate::extract::{Named, Vouched};
use crate::problem::Problem;
use crate::reply::json;

/// The packs, sorted by name.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PackList {
    /// The revision of the manifest in force.
    revision: String,
    /// Those that this caller may see.
    packs: Vec<PackSummary>,
}

/// A pack in a few words.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PackSummary {
    /// Its name, by which it is called.
    name: String,
    /// The name that MCP clients know it by, which is as good.
    tool: String,
    /// Its own version; a component that does not know packhost has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    /// A short name for people.
    title: String,
    /// What it does.
    description: String,
    /// What it does to the world.
    effects: Effects,
    /// Whether the caller's token lets it be called.
    callable: bool,
}

/// What a call does to the world.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Effects {
    /// It changes nothing.
    read_only: bool,
    /// It may destroy what was there before.
    destructive: bool,
    /// The same call twice has the effect of one.
    idempotent: bool,
    /// It talks to something outside this host.
    open_world: bool,
}

/// A pack, with all that is needed to call it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PackDetail {
    #[serde(flatten)]
    summary: PackSummary,
    /// The digest of the component.
    digest: String,
    /// JSON Schema 2020-12 of the input.
    input_schema: Value,
    /// JSON Schema 2020-12 of `output` in an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    output_schema: Option<Value>,
    /// How long a call may take, in milliseconds.
    time_ms: u64,
}

impl PackSummary {
    fn new(tool: &Tool, identity: &Identity) -> Self {
        let hints = tool.annotations;
        Self {
            name: tool.name.to_string(),
            tool: tool.tool.as_str().to_owned(),
            version: tool.pack.version.clone(),
            title: tool.title.clone(),
            description: tool.description.clone(),
            effects: Effects {
                read_only: hints.read_only,
                destructive: hints.destructive,
                idempotent: hints.idempotent,
                open_world: hints.open_world,
            },
            callable: identity.scopes.may_call(&tool.name),
        }
    }
}

pub(crate) async fn list(State(api): State<Api>, Vouched(identity): Vouched) -> Response {
    let catalog = api.engine().catalog();
    let packs = catalog.visible_to(&identity).map(|tool| PackSummary::new(tool, &identity)).collect();
    let revision = api.engine().manifest().revision().to_owned();
    json(StatusCode::OK, &PackList { revision, packs })
}

pub(crate) async fn describe(
    State(api): State<Api>,
    Vouched(identity): Vouched,
    Named(name): Named,
) -> Result<Response, Problem> {
    let tool = visible(&api, &name, &identity).ok_or_else(|| {
        let name: String = name.chars().take(100).collect();
        Problem::new(ErrorCode::NotFound, format!("There is no pack \"{name}\"."))
            .fix("List the packs with GET /v1/packs and use a name from the list.")
    })?;
    let detail = PackDetail {
        summary: PackSummary::new(&tool, &identity),
        digest: tool.pack.digest.to_string(),
        input_schema: (*tool.input_schema).clone(),
        output_schema: tool.output_schema.as_deref().cloned(),
        time_ms: u64::try_from(tool.for_caller(&identity).entry.limits.time.as_millis()).unwrap_or(u64::MAX),
    };
    Ok(json(StatusCode::OK, &detail))
}

/// The pack of this name, if this caller may see it.
pub(crate) fn visible(api: &Api, name: &str, identity: &Identity) -> Option<Arc<Tool>> {
    let catalog = api.engine().catalog();
    catalog.find(name).filter(|tool| tool.is_visible_to(identity)).cloned()
}

/// The own name of the pack of this name, if this caller may call it.
pub(crate) fn callable(api: &Api, name: &str, identity: &Identity) -> Option<PackName> {
    let tool = visible(api, name, identity)?;
    identity.scopes.may_call(&tool.name).then(|| tool.name.clone())
}
