//! A place for the Docker backend: a host of its own on one engine, which all behaviours share.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bollard::Docker;
use bollard::query_parameters::{InspectContainerOptions, ListContainersOptionsBuilder};
use packhost_sessions::docker::{DockerRuntime, DockerSettings, Stream, Supervisor};
use packhost_sessions::{HostId, Image, SandboxId, SessionRuntime};
use packhost_supervisor_binary::SUPERVISOR;
use tempfile::TempDir;
use tokio::runtime::Handle;

use crate::bench::Place;

#[allow(dead_code, reason = "the tests of the backend alone use the rest")]
#[path = "../sessions/docker/engine.rs"]
mod engine;

pub(crate) use engine::Engine;

const IMAGE: &str = "packhost/conformance";
const PROGRAMS: [&str; 28] = [
    "cat", "chmod", "dd", "echo", "env", "false", "grep", "head", "id", "ln", "ls", "mkdir", "mkfifo", "od",
    "pwd", "python3", "readlink", "rm", "seq", "setsid", "sh", "sleep", "stat", "stty", "touch", "tr",
    "true", "wc",
];
/// What no behaviour imports, and what would make the image large.
const UNUSED: [&str; 7] = ["test", "unittest", "idlelib", "lib2to3", "ensurepip", "tkinter", "pydoc_data"];

static ENGINE: Mutex<Option<Arc<Engine>>> = Mutex::new(None);

pub(crate) fn can_be_tried() -> bool {
    crate::process::can_be_tried() && Command::new("dockerd").arg("--version").output().is_ok()
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
    let mut tar = engine::closure(&PROGRAMS);
    let script = "import sysconfig; print(sysconfig.get_path('stdlib'))";
    let library = Command::new("/usr/bin/python3").args(["-I", "-c", script]).output();
    let library = library.expect("/usr/bin/python3 runs, which is Debian's package python3").stdout;
    let library = PathBuf::from(String::from_utf8(library).expect("UTF-8").trim());
    tar.follow_symlinks(true);
    let entries = fs::read_dir(&library).expect("it is there").flatten();
    for path in entries.map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let inside = path.strip_prefix("/").expect("absolute");
        if UNUSED.contains(&name.as_str()) || name.starts_with("config-") {
            continue;
        }
        // A link that leads nowhere is not needed either.
        match fs::metadata(&path) {
            Ok(found) if found.is_dir() => tar.append_dir_all(inside, &path).expect("it can be read"),
            Ok(_) => tar.append_path_with_name(&path, inside).expect("it can be read"),
            Err(_) => {}
        }
    }
    // What Python calls the C library with is linked with more than programs are.
    let linked = Command::new("ldd").args(glob(&library.join("lib-dynload"), "_ctypes.")).output();
    let linked = String::from_utf8(linked.expect("ldd runs").stdout).expect("UTF-8");
    for path in linked.split_whitespace().filter(|word| word.starts_with('/') && word.contains("libffi")) {
        let inside = path.trim_start_matches('/');
        tar.append_path_with_name(fs::canonicalize(path).expect("it is there"), inside)
            .expect("it can be read");
    }
    // Under the name that it goes by wherever it is a program of the machine.
    tar.append_path_with_name(fs::canonicalize("/usr/bin/python3").expect("it is there"), "usr/bin/python3")
        .expect("it can be read");
    tar.into_inner().expect("a whole tar")
}

/// The files of a directory whose names begin so.
fn glob(directory: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("it is there").flatten();
    entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path())
        .collect()
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
        engine::client(&self.settings.endpoint).await
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
