//! Which backend serves a call: the first of the entry's list that is healthy and can do what is needed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::need::Need;
use crate::error::RuntimeError;
use crate::id::SandboxId;
use crate::runtime::{Health, SessionRuntime};
use crate::spec::{Backend, Image, SandboxSpec};

/// How long a backend may take to say whether it is well.
const HEALTH: Duration = Duration::from_secs(3);

/// Which backend it became, and why not another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Chosen {
    /// The backend.
    pub backend: Backend,
    /// What the sandbox is made of.
    pub image: String,
    /// Those that came before it in the list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub passed: Vec<Passed>,
}

impl Chosen {
    /// Why not a backend that stands before it in the list, in words; empty where none does.
    pub fn why(&self) -> String {
        self.passed.iter().map(Passed::to_string).collect::<Vec<_>>().join("; ")
    }
}

/// A backend that was passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Passed {
    /// Which.
    pub backend: Backend,
    /// Why, in a sentence.
    pub reason: String,
}

impl fmt::Display for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.backend, self.reason)
    }
}

/// The backend, if it can be used for this.
pub(super) async fn usable<'a>(
    runtime: Option<&'a Arc<dyn SessionRuntime>>,
    backend: Backend,
    need: &Need,
) -> Result<&'a Arc<dyn SessionRuntime>, String> {
    let runtime = runtime.ok_or_else(|| "this host is not set up for it".to_owned())?;
    if need.images(backend).is_empty() {
        return Err("it needs an image, and the entry names none".to_owned());
    }
    match tokio::time::timeout(HEALTH, runtime.health()).await {
        Ok(Health::Healthy(_)) => {}
        Ok(Health::Unhealthy(reason)) => return Err(reason),
        Err(_) => return Err(format!("it does not answer within {} s", HEALTH.as_secs())),
    }
    // Only now: some know what they can when they have been asked how they are.
    let can = runtime.capabilities();
    if !need.mounts.is_empty() && !can.mounts {
        let why = can.lacking.into_iter().find(|sentence| sentence.starts_with("mounts:"));
        return Err(why.unwrap_or_else(|| "it cannot mount the workspace".to_owned()));
    }
    Ok(runtime)
}

/// Whether what went wrong is a reason to try the next image or backend. What the call itself asks too much of is not.
pub(super) fn is_for_the_next(error: &RuntimeError) -> bool {
    matches!(
        error,
        RuntimeError::Unavailable(_)
            | RuntimeError::Image(_)
            | RuntimeError::Unsupported(_)
            | RuntimeError::Failed(_)
    )
}

pub(super) fn spec(image: &Image, need: &Need, orphaned_after: Duration) -> SandboxSpec {
    SandboxSpec {
        id: SandboxId::fresh(),
        owner: need.owner.clone(),
        image: image.clone(),
        limits: need.limits,
        mounts: need.mounts.clone(),
        scratch: need.scratch.clone(),
        env: BTreeMap::new(),
        labels: BTreeMap::from([("packhost.pack".to_owned(), need.pack.to_string())]),
        orphaned_after,
    }
}

/// What a sandbox is made of, for people.
pub(super) fn name(image: &Image) -> String {
    match image {
        Image::Host(_) => "the machine's own files".to_owned(),
        Image::Named { name, .. } => name.clone(),
    }
}
