//! Sandboxes as containers of a Docker Engine, over its API on a Unix socket.
//!
//! Owns: which container a sandbox is, what it may not have, and how the supervisor gets into it and is reached.
//! Refuses: pulling images, and everything that goes on inside, which is between the host and the supervisor.
//!
//! The supervisor is mounted into whatever image there is and is its process 1. It makes a Unix socket in a directory that
//! it shares with this host, so that bytes go from process to process and the engine is not asked for anything.

mod bridge;
mod container;
mod engine;
mod image;
mod mounts;
mod place;
mod sandbox;
mod settings;
mod state;

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use bollard::models::ContainerSummaryStateEnum as Summary;
use bollard::query_parameters::ListContainersOptionsBuilder;
use futures::{StreamExt, TryStreamExt};
use tokio::sync::oneshot;

use self::sandbox::Sandboxes;
pub use self::settings::{DockerSettings, Stream, Supervisor, endpoint};
use crate::error::RuntimeError;
use crate::id::SandboxId;
use crate::runtime::{ByteStream, Capabilities, Health, SandboxState, SandboxStatus, SessionRuntime};
use crate::spec::{Backend, SandboxSpec};

/// Containers that are looked at side by side for how they ended.
const LOOKS: usize = 8;

/// Makes sandboxes with a Docker Engine. The engine need not be there yet.
#[derive(Debug)]
pub struct DockerRuntime {
    sandboxes: Arc<Sandboxes>,
}

impl DockerRuntime {
    /// With these settings. Asks nothing of the engine before it is used.
    pub fn new(settings: DockerSettings) -> Self {
        Self { sandboxes: Arc::new(Sandboxes::new(settings)) }
    }
}

#[async_trait]
impl SessionRuntime for DockerRuntime {
    fn backend(&self) -> Backend {
        Backend::Docker
    }

    fn capabilities(&self) -> Capabilities {
        let known = self.sandboxes.engine.remembered();
        let in_the_way = known.as_ref().and_then(|known| self.in_the_way(known));
        let lacking = known.map(|known| known.facts.lacking.clone());
        let lacking = lacking.unwrap_or_else(|| vec![engine::SHARED.to_owned()]);
        Capabilities {
            host_files: false,
            images: true,
            mounts: in_the_way.is_none(),
            two_users: true,
            lacking: lacking.into_iter().chain(in_the_way.map(str::to_owned)).collect(),
        }
    }

    async fn health(&self) -> Health {
        match self.sandboxes.engine.ask().await {
            Ok(known) => Health::Healthy(match self.in_the_way(&known) {
                Some(_) => format!("{}, which cannot mount workspaces", known.facts.title),
                None => known.facts.title.clone(),
            }),
            Err(error) => Health::Unhealthy(error.to_string()),
        }
    }

    async fn create(&self, spec: &SandboxSpec) -> Result<(), RuntimeError> {
        let (sandboxes, spec) = (Arc::clone(&self.sandboxes), spec.clone());
        let (done, made) = oneshot::channel();
        // A task of its own: whoever waits may go away in the middle of a call, and the engine would go on with it.
        tokio::spawn(async move {
            let result = sandboxes.create(&spec).await;
            let made = result.is_ok();
            if done.send(result).is_err() && made {
                sandboxes.discard(&spec.id).await;
            }
        });
        made.await
            .unwrap_or_else(|_| Err(RuntimeError::Failed("the making of the sandbox was stopped".into())))
    }

    async fn open(&self, id: &SandboxId) -> Result<Box<dyn ByteStream>, RuntimeError> {
        self.sandboxes.open(id).await
    }

    async fn get(&self, id: &SandboxId) -> Result<SandboxStatus, RuntimeError> {
        self.sandboxes.look(id).await
    }

    async fn list(&self) -> Result<Vec<SandboxStatus>, RuntimeError> {
        let sandboxes = &self.sandboxes;
        let known = sandboxes.engine.known().await?;
        let ours = format!("{}={}", container::label::HOST, sandboxes.settings.host);
        let options = ListContainersOptionsBuilder::default()
            .all(true)
            .filters(&HashMap::from([("label", vec![ours])]))
            .build();
        let listed = known
            .client
            .list_containers(Some(options))
            .await
            .map_err(|error| sandboxes.engine.failed(error))?;
        let of = |summary: bollard::models::ContainerSummary| async move {
            let state = match summary.state {
                Some(Summary::CREATED | Summary::RESTARTING) => SandboxState::Starting,
                Some(Summary::RUNNING | Summary::PAUSED) => SandboxState::Running,
                // How it ended is not in the list.
                _ => return self.look_again(summary.labels.as_ref()).await,
            };
            Ok(state::status(&sandboxes.settings.host, summary.labels.as_ref(), state))
        };
        let found: Vec<Option<SandboxStatus>> =
            futures::stream::iter(listed.into_iter().map(of)).buffered(LOOKS).try_collect().await?;
        let found: Vec<SandboxStatus> = found.into_iter().flatten().collect();
        sandboxes.tidy(&found).await;
        Ok(found)
    }

    async fn logs(&self, id: &SandboxId, most: usize) -> Result<Vec<u8>, RuntimeError> {
        self.sandboxes.logs(id, most).await
    }

    async fn destroy(&self, id: &SandboxId) -> Result<(), RuntimeError> {
        self.sandboxes.destroy(id).await
    }
}

impl DockerRuntime {
    /// Why this engine cannot mount anything of this host.
    fn in_the_way(&self, known: &engine::Known) -> Option<&'static str> {
        known.facts.users.in_the_way(self.sandboxes.settings.userns.as_deref())
    }

    /// A container of the list, by itself; none when it has gone since.
    async fn look_again(
        &self,
        labels: Option<&HashMap<String, String>>,
    ) -> Result<Option<SandboxStatus>, RuntimeError> {
        let id =
            labels.and_then(|labels| labels.get(container::label::SANDBOX)).and_then(|id| id.parse().ok());
        let Some(id) = id else { return Ok(None) };
        match self.sandboxes.look(&id).await {
            Ok(status) => Ok(Some(status)),
            Err(RuntimeError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
