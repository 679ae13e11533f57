//! What the tests of this backend share: specs, the supervisor's stand-in, waiting.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use packhost_core::Caller;
use packhost_sessions::docker::{DockerRuntime, DockerSettings, Stream, Supervisor};
use packhost_sessions::{HostId, Image, RuntimeError, SandboxId, SandboxLimits, SandboxSpec, SessionRuntime};
pub(crate) use packhost_test_engine::soon;
use packhost_test_engine::{Engine, IMAGE};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The stand-in, built once.
fn stand_in() -> &'static [u8] {
    static BUILT: OnceLock<&'static [u8]> = OnceLock::new();
    BUILT.get_or_init(|| {
        let room = tempfile::tempdir().expect("a directory");
        let program = room.path().join("stand-in");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sessions/docker/stand_in.rs");
        let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
        let built = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
            .args(["--edition", "2024", "-O", "--target", &target, "-o"])
            .args([&program, &source])
            .status();
        assert!(built.expect("rustc runs").success(), "the target {target} is installed");
        std::fs::read(&program).expect("it was built").leak()
    })
}

/// A host of the engine, with its own directory.
pub(crate) struct Host {
    pub(crate) runtime: DockerRuntime,
    pub(crate) run_dir: PathBuf,
}

pub(crate) fn settings(engine: &Engine, name: &str) -> DockerSettings {
    DockerSettings {
        endpoint: engine.socket(),
        host: HostId::fresh(),
        run_dir: engine.directory().join(name),
        supervisor: Supervisor::Bytes(stand_in()),
        runtime: None,
        userns: None,
        stream: Stream::Socket,
    }
}

pub(crate) fn host(engine: &Engine, name: &str) -> Host {
    with(settings(engine, name))
}

pub(crate) fn with(settings: DockerSettings) -> Host {
    Host { run_dir: settings.run_dir.clone(), runtime: DockerRuntime::new(settings) }
}

pub(crate) fn image(name: &str) -> Image {
    Image::Named { name: name.into(), digest: None }
}

pub(crate) fn spec() -> SandboxSpec {
    SandboxSpec {
        id: SandboxId::fresh(),
        owner: Caller::local(),
        image: image(IMAGE),
        limits: SandboxLimits {
            cpu_millis: 1000,
            memory: 256 << 20,
            processes: 40,
            disk: 16 << 20,
            open_files: 256,
        },
        mounts: Vec::new(),
        scratch: Vec::new(),
        env: BTreeMap::new(),
        labels: BTreeMap::new(),
        orphaned_after: Duration::from_secs(600),
    }
}

impl Host {
    pub(crate) async fn create(&self, spec: &SandboxSpec) -> SandboxId {
        self.runtime.create(spec).await.expect("a sandbox");
        spec.id.clone()
    }

    /// What a command prints inside.
    pub(crate) async fn run(&self, id: &SandboxId, command: &str) -> String {
        let mut stream = self.runtime.open(id).await.expect("the sandbox is reached");
        stream.write_all(format!("{command}\n").as_bytes()).await.expect("the command is sent");
        let mut printed = String::new();
        stream.read_to_string(&mut printed).await.expect("the output is read");
        printed
    }

    /// Sends a word that ends the sandbox.
    pub(crate) async fn end(&self, id: &SandboxId, word: &str) {
        let mut stream = self.runtime.open(id).await.expect("the sandbox is reached");
        let _ = stream.write_all(format!("{word}\n").as_bytes()).await;
        let _ = stream.read(&mut [0]).await;
    }

    pub(crate) async fn refused(&self, spec: &SandboxSpec) -> RuntimeError {
        self.runtime.create(spec).await.expect_err("no sandbox")
    }

    /// The directories of sandboxes.
    pub(crate) fn places(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.run_dir).map(|entries| entries.flatten().collect::<Vec<_>>());
        let directories = entries.unwrap_or_default().into_iter().map(|entry| entry.path());
        directories.filter(|path| path.is_dir()).collect()
    }
}
