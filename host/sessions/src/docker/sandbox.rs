//! One sandbox after another: making it, reaching it, looking at it, ending it.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bollard::query_parameters::{
    CreateContainerOptionsBuilder, InspectContainerOptions, LogsOptionsBuilder,
    RemoveContainerOptionsBuilder, StartContainerOptions,
};
use futures::StreamExt;
use tokio::time::{Instant, sleep};

use super::container::{self, Parts, name};
use super::engine::{Engine, Facts, Known, is_conflict, is_missing};
use super::place::Places;
use super::settings::{DockerSettings, Stream};
use super::{bridge, image, state};
use crate::error::RuntimeError;
use crate::id::SandboxId;
use crate::runtime::{ByteStream, SandboxStatus};
use crate::spec::SandboxSpec;

/// How long a supervisor may take until it listens.
const READY: Duration = Duration::from_secs(10);
/// How long a supervisor that should listen is tried.
const REACH: Duration = Duration::from_secs(2);
/// How long the engine may take to remove a container that it is removing already.
const REMOVED: Duration = Duration::from_secs(20);
/// Between two tries: at first, and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(25));
/// How much of its log explains a sandbox that never came up, in bytes.
const EXCERPT: usize = 500;

/// The sandboxes of one host on one engine.
#[derive(Debug)]
pub(super) struct Sandboxes {
    pub(super) settings: DockerSettings,
    pub(super) engine: Engine,
    pub(super) places: Arc<Places>,
}

impl Sandboxes {
    pub(super) fn new(settings: DockerSettings) -> Self {
        Self {
            engine: Engine::at(settings.endpoint.clone()),
            places: Arc::new(Places::new(settings.run_dir.clone(), settings.supervisor.clone())),
            settings,
        }
    }

    /// Makes a sandbox and waits until it can be reached. Leaves nothing when that fails.
    pub(super) async fn create(&self, spec: &SandboxSpec) -> Result<(), RuntimeError> {
        let known = self.engine.known().await?;
        let image = image::find(&self.engine, &known, &spec.image).await?;
        let program = self.places.program()?;
        let run = match self.stream(&known.facts) {
            Stream::Socket => Some(self.places.of(&spec.id)),
            Stream::Exec => None,
        };
        let parts = Parts { program: &program, run: run.as_deref() };
        let body = container::body(spec, image, &parts, &self.settings, &known.facts)?;
        if run.is_some() {
            self.places.make(&spec.id, self.root(&known.facts))?;
        }
        let options = CreateContainerOptionsBuilder::default().name(&name(&spec.id)).build();
        match known.client.create_container(Some(options), body).await {
            Ok(_) => {}
            Err(error) if is_conflict(&error) => {
                // Somebody else's: the container stays, and only what was made here goes.
                if run.is_some() {
                    self.remove_place(&spec.id).await?;
                }
                return Err(self.engine.failed(error));
            }
            Err(error) => {
                // Made perhaps all the same, where the answer was lost.
                self.discard(&spec.id).await;
                return Err(self.engine.failed(error));
            }
        }
        let started = self.start(&known, &spec.id).await;
        if started.is_err() {
            self.discard(&spec.id).await;
        }
        started
    }

    async fn start(&self, known: &Known, id: &SandboxId) -> Result<(), RuntimeError> {
        let started = known.client.start_container(&name(id), None::<StartContainerOptions>).await;
        started.map_err(|error| self.engine.failed(error))?;
        match self.reach(known, id, READY).await {
            Ok(stream) => {
                drop(stream);
                Ok(())
            }
            Err(error) => {
                let said = self.logs(id, EXCERPT).await.unwrap_or_default();
                let said = String::from_utf8_lossy(&said);
                Err(RuntimeError::Failed(format!(
                    "the supervisor did not come up: {error}; it wrote: \"{}\"",
                    said.trim()
                )))
            }
        }
    }

    /// Removes what nobody will ask for. Where that fails, [`list`](crate::SessionRuntime::list) still knows it.
    pub(super) async fn discard(&self, id: &SandboxId) {
        if let Err(error) = self.destroy(id).await {
            tracing::warn!(sandbox = %id, %error, "a sandbox that could not be made could not be removed either");
        }
    }

    pub(super) async fn open(&self, id: &SandboxId) -> Result<Box<dyn ByteStream>, RuntimeError> {
        let known = self.engine.known().await?;
        self.reach(&known, id, REACH).await
    }

    /// Connects to the supervisor, for as long as it can be that it will listen.
    async fn reach(
        &self,
        known: &Known,
        id: &SandboxId,
        patience: Duration,
    ) -> Result<Box<dyn ByteStream>, RuntimeError> {
        let (started, mut pause) = (Instant::now(), PAUSE.0);
        // A sandbox that ended is told apart at the first failure; one that comes up is not looked at each time.
        let mut look = Instant::now();
        loop {
            let failed = match self.connect(known, id).await {
                Ok(stream) => return Ok(stream),
                Err(failed) => failed,
            };
            if Instant::now() >= look {
                look = Instant::now() + PAUSE.1 * 4;
                if let Some(ended) = state::unreachable(&self.look(id).await?.state) {
                    return Err(ended);
                }
            }
            if started.elapsed() > patience {
                return Err(RuntimeError::Unavailable(format!(
                    "the sandbox's supervisor cannot be reached: {failed}"
                )));
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE.1);
        }
    }

    /// One try. A sandbox without a directory was made to be reached through the engine.
    async fn connect(&self, known: &Known, id: &SandboxId) -> io::Result<Box<dyn ByteStream>> {
        if self.places.of(id).is_dir() {
            return Ok(Box::new(self.places.connect(id).await?));
        }
        // The name alone would open another host's.
        self.look(id).await.map_err(io::Error::other)?;
        bridge::open(&known.client, &name(id)).await.map_err(io::Error::other)
    }

    /// What is known of a sandbox of this host.
    pub(super) async fn look(&self, id: &SandboxId) -> Result<SandboxStatus, RuntimeError> {
        let known = self.engine.known().await?;
        let found = match known.client.inspect_container(&name(id), None::<InspectContainerOptions>).await {
            Ok(found) => found,
            Err(error) if is_missing(&error) => return Err(RuntimeError::NotFound),
            Err(error) => return Err(self.engine.failed(error)),
        };
        let labels = found.config.as_ref().and_then(|config| config.labels.as_ref());
        state::status(&self.settings.host, labels, state::state(found.state.as_ref()))
            .ok_or(RuntimeError::NotFound)
    }

    /// The end of what the supervisor wrote. The engine keeps no more than a mebibyte of it.
    pub(super) async fn logs(&self, id: &SandboxId, most: usize) -> Result<Vec<u8>, RuntimeError> {
        self.look(id).await?;
        let known = self.engine.known().await?;
        let options = LogsOptionsBuilder::default().stdout(true).stderr(true).tail("all").build();
        let mut pieces = std::pin::pin!(known.client.logs(&name(id), Some(options)));
        let mut end = Vec::new();
        while let Some(piece) = pieces.next().await {
            match piece {
                Ok(piece) => end.extend_from_slice(piece.as_ref()),
                Err(error) if is_missing(&error) => return Err(RuntimeError::NotFound),
                Err(error) => return Err(self.engine.failed(error)),
            }
            let over = end.len().saturating_sub(most);
            end.drain(..over);
        }
        Ok(end)
    }

    pub(super) async fn destroy(&self, id: &SandboxId) -> Result<(), RuntimeError> {
        match self.look(id).await {
            Ok(_) => self.remove(id).await?,
            Err(RuntimeError::NotFound) => {}
            Err(error) => return Err(error),
        }
        self.remove_place(id).await
    }

    async fn remove_place(&self, id: &SandboxId) -> Result<(), RuntimeError> {
        let (places, id) = (Arc::clone(&self.places), id.clone());
        match tokio::task::spawn_blocking(move || places.remove(&id)).await {
            Ok(removed) => removed,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }

    /// Removes directories whose sandbox is gone, and ends sandboxes that fill theirs. These are all that there are.
    pub(super) async fn tidy(&self, all: &[SandboxStatus]) {
        let places = Arc::clone(&self.places);
        let known: BTreeSet<SandboxId> = all.iter().map(|status| status.id.clone()).collect();
        let looked = tokio::task::spawn_blocking(move || {
            places.sweep(|id| known.contains(id));
            known.into_iter().filter(|id| places.is_overfull(id)).collect::<Vec<_>>()
        });
        // A panic is in the log, and the next look is as good.
        for id in looked.await.unwrap_or_default() {
            tracing::warn!(sandbox = %id, "a sandbox fills the directory of its socket on this host, and is ended");
            self.discard(&id).await;
        }
    }

    async fn remove(&self, id: &SandboxId) -> Result<(), RuntimeError> {
        let known = self.engine.known().await?;
        let (started, mut pause) = (Instant::now(), PAUSE.0);
        loop {
            let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
            match known.client.remove_container(&name(id), Some(options)).await {
                Ok(()) => return Ok(()),
                Err(error) if is_missing(&error) => return Ok(()),
                // Somebody else removes it already, and it is not gone before they are done.
                Err(error) if is_conflict(&error) && started.elapsed() < REMOVED => {}
                Err(error) => return Err(self.engine.failed(error)),
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE.1);
        }
    }

    /// How the supervisor of a new sandbox is reached.
    fn stream(&self, facts: &Facts) -> Stream {
        let own = rustix::process::geteuid();
        // The socket's directory has to be the sandbox's root user's: inside, anybody else's is a program's, perhaps.
        match self.settings.stream {
            Stream::Socket if own.is_root() || own.as_raw() == self.root(facts) => Stream::Socket,
            Stream::Socket | Stream::Exec => Stream::Exec,
        }
    }

    fn root(&self, facts: &Facts) -> u32 {
        match self.settings.userns.as_deref() {
            Some("host") => 0,
            _ => facts.root,
        }
    }
}
