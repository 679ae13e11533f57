//! A place for the Docker backend: a host of its own on one engine, which all behaviours share.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bollard::Docker;
use bollard::query_parameters::{InspectContainerOptions, ListContainersOptionsBuilder};
use packhost_sessions::docker::{DockerRuntime, DockerSettings, Stream, Supervisor};
use packhost_sessions::{HostId, Image, SandboxId, SessionRuntime};
use packhost_supervisor_binary::SUPERVISOR;
use packhost_test_engine::{Engine, can_start, client, closure, with_python};
use tempfile::TempDir;
use tokio::runtime::Handle;

use crate::bench::Place;

const IMAGE: &str = "packhost/conformance";
const PROGRAMS: [&str; 28] = [
    "cat", "chmod", "dd", "echo", "env", "false", "grep", "head", "id", "ln", "ls", "mkdir", "mkfifo", "od",
    "pwd", "python3", "readlink", "rm", "seq", "setsid", "sh", "sleep", "stat", "stty", "touch", "tr",
    "true", "wc",
];

static ENGINE: Mutex<Option<Arc<Engine>>> = Mutex::new(None);

pub(crate) fn can_be_tried() -> bool {
    crate::process::can_be_tried() && can_start()
}

/// Ends the engine when it is dropped.
pub(crate) struct Running;

pub(crate) fn start(handle: &Handle) -> Running {
    let engine = handle.block_on(async {
        let engine = Engine::start().await;
        engine.load(IMAGE, &[], image()).await;
        engine
    });
    *ENGINE.lock().expect("no panic holds it") = Some(Arc::new(engine));
    Running
}

impl Drop for Running {
    fn drop(&mut self) {
        ENGINE.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Programs of this machine, and Python's own library.
fn image() -> Vec<u8> {
    with_python(closure(&PROGRAMS)).into_inner().expect("a whole tar")
}

struct DockerPlace {
    settings: DockerSettings,
    work: PathBuf,
    /// Where the directory is this place's own: it goes with it.
    _own: Option<TempDir>,
}

/// The engine that all share.
pub(crate) fn engine() -> Arc<Engine> {
    ENGINE.lock().expect("no panic holds it").clone().expect("it was started")
}

pub(crate) fn place() -> Box<dyn Place> {
    let (engine, host) = (engine(), HostId::fresh());
    let (endpoint, run_dir) = (engine.socket(), engine.directory().join(host.as_str()));
    let work = TempDir::with_prefix("conformance").expect("a directory");
    let settings = settings(endpoint, run_dir, host);
    Box::new(DockerPlace { settings, work: work.path().to_owned(), _own: Some(work) })
}

/// The place of a home that several processes may share, on the engine that listens there.
pub(crate) fn shared(home: &Path, endpoint: PathBuf, host: HostId) -> Box<dyn Place> {
    let work = home.join("work");
    fs::create_dir_all(&work).expect("ours");
    Box::new(DockerPlace { settings: settings(endpoint, home.join("run"), host), work, _own: None })
}

fn settings(endpoint: PathBuf, run_dir: PathBuf, host: HostId) -> DockerSettings {
    DockerSettings {
        endpoint,
        run_dir,
        host,
        supervisor: Supervisor::Bytes(SUPERVISOR),
        runtime: None,
        userns: None,
        stream: Stream::Socket,
    }
}

impl DockerPlace {
    async fn client(&self) -> Docker {
        client(&self.settings.endpoint).await
    }

    /// The engine's own id of a sandbox's container, and its first process while that runs.
    async fn container(&self, id: &SandboxId) -> Option<(String, Option<u32>)> {
        let name = format!("packhost-{id}");
        let client = self.client().await;
        let found = client.inspect_container(&name, None::<InspectContainerOptions>).await.ok()?;
        let pid = found.state.and_then(|state| state.pid).and_then(|pid| u32::try_from(pid).ok());
        Some((found.id.expect("every container has one"), pid.filter(|pid| *pid != 0)))
    }
}

#[async_trait]
impl Place for DockerPlace {
    fn host(&self) -> Arc<dyn SessionRuntime> {
        Arc::new(DockerRuntime::new(self.settings.clone()))
    }

    fn beside(&self) -> Box<dyn Place> {
        place()
    }

    fn image(&self) -> Image {
        Image::Named { name: IMAGE.to_owned(), digest: None }
    }

    fn work(&self) -> &Path {
        &self.work
    }

    fn home(&self) -> &Path {
        &self.settings.run_dir
    }

    async fn supervisor(&self, id: &SandboxId) -> Option<u32> {
        self.container(id).await?.1
    }

    async fn names(&self, id: &SandboxId) -> Vec<String> {
        let (container, _) = self.container(id).await.expect("it is there");
        vec![id.as_str().to_owned(), container]
    }

    async fn left(&self) -> Vec<String> {
        let ours = HashMap::from([("label", vec![format!("packhost.host={}", self.settings.host)])]);
        let ours = ListContainersOptionsBuilder::default().all(true).filters(&ours).build();
        let listed = self.client().await.list_containers(Some(ours)).await.expect("the engine lists");
        let mut left: Vec<String> =
            listed.into_iter().flat_map(|found| found.names.unwrap_or_default()).collect();
        let entries = fs::read_dir(&self.settings.run_dir).into_iter().flatten().flatten();
        let places = entries.filter(|entry| entry.path().is_dir());
        left.extend(places.map(|entry| entry.path().display().to_string()));
        left
    }
}
