//! A place for the Docker backend: a host of its own on one engine, which all behaviours share.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bollard::query_parameters::{InspectContainerOptions, ListContainersOptionsBuilder};
use packhost_sessions::docker::{DockerRuntime, DockerSettings, Stream, Supervisor};
use packhost_sessions::{HostId, Image, SandboxId, SessionRuntime};
use packhost_supervisor_binary::SUPERVISOR;
use packhost_test_engine::{Engine, can_start, closure, with_python};
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
    engine: Arc<Engine>,
    settings: DockerSettings,
    work: TempDir,
}

pub(crate) fn place() -> Box<dyn Place> {
    let engine = ENGINE.lock().expect("no panic holds it").clone().expect("it was started");
    let host = HostId::fresh();
    let settings = DockerSettings {
        endpoint: engine.socket(),
        run_dir: engine.directory().join(host.as_str()),
        host,
        supervisor: Supervisor::Bytes(SUPERVISOR),
        runtime: None,
        userns: None,
        stream: Stream::Socket,
    };
    Box::new(DockerPlace {
        engine,
        settings,
        work: TempDir::with_prefix("conformance").expect("a directory"),
    })
}

impl DockerPlace {
    /// The engine's own id and the first process of a sandbox's container.
    async fn container(&self, id: &SandboxId) -> (String, u32) {
        let client = self.engine.client().await;
        let name = format!("packhost-{id}");
        let found =
            client.inspect_container(&name, None::<InspectContainerOptions>).await.expect("it is there");
        let pid = found.state.and_then(|state| state.pid).expect("it was started");
        (found.id.expect("every container has one"), u32::try_from(pid).expect("as said"))
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
        self.work.path()
    }

    async fn supervisor(&self, id: &SandboxId) -> u32 {
        self.container(id).await.1
    }

    async fn names(&self, id: &SandboxId) -> Vec<String> {
        vec![id.as_str().to_owned(), self.container(id).await.0]
    }

    async fn left(&self) -> Vec<String> {
        let ours = HashMap::from([("label", vec![format!("packhost.host={}", self.settings.host)])]);
        let ours = ListContainersOptionsBuilder::default().all(true).filters(&ours).build();
        let listed = self.engine.client().await.list_containers(Some(ours)).await.expect("the engine lists");
        let mut left: Vec<String> =
            listed.into_iter().flat_map(|found| found.names.unwrap_or_default()).collect();
        let entries = fs::read_dir(&self.settings.run_dir).into_iter().flatten().flatten();
        let places = entries.filter(|entry| entry.path().is_dir());
        left.extend(places.map(|entry| entry.path().display().to_string()));
        left
    }
}
