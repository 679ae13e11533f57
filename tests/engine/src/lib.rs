//! A Docker Engine of one's own, for tests and for the bench: nothing on the machine has to run, and no registry is asked.
//!
//! Owns: starting and ending `dockerd`, and images that are made of programs of this machine. Refuses: saying what goes
//! wrong; whoever has no Docker Engine asks [`can_start`] first, and everything else is a panic.

mod daemon;
mod image;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bollard::query_parameters::{CreateImageOptionsBuilder, ListContainersOptionsBuilder};
use bollard::{API_DEFAULT_VERSION, Docker, body_full};
use futures::TryStreamExt;
use rustix::process::Signal;
use tempfile::TempDir;

pub use image::{closure, with_python};

/// The image that every engine has.
pub const IMAGE: &str = "packhost/test";
const PROGRAMS: [&str; 11] =
    ["sh", "cat", "echo", "id", "ls", "dd", "touch", "sleep", "true", "chmod", "stat"];

/// Whether this machine and this user can start one: it takes root, and Debian's package docker.io.
pub fn can_start() -> bool {
    let there = Command::new("dockerd").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    rustix::process::geteuid().is_root() && there.is_ok_and(|status| status.success())
}

/// An engine. Ends, with all that it started, when it is dropped, or when the thread that started it ends.
pub struct Engine {
    daemon: Mutex<Child>,
    // Short, since the engine makes sockets in it.
    root: TempDir,
}

impl Engine {
    /// Starts one, and waits until it answers.
    pub async fn start() -> Self {
        let root = tempfile::Builder::new().prefix("pk").tempdir_in("/tmp").expect("a directory");
        let daemon = Mutex::new(daemon::spawn(root.path()));
        let engine = Self { daemon, root };
        engine.answers().await;
        engine.import(IMAGE, &[]).await;
        engine
    }

    async fn answers(&self) {
        let log = daemon::Log(self.root.path().join("log"));
        soon("the engine answers", async || match try_client(&self.socket()) {
            Some(client) => client.ping().await.ok(),
            None => None,
        })
        .await;
        drop(log);
    }

    /// Ends the daemon by a signal, and starts it again on what it left. To be called by a thread that stays.
    pub async fn restart(&self, by: Signal) {
        let containerd = self.root.path().join("exec/containerd/containerd.pid");
        let pid = fs::read_to_string(&containerd).ok().and_then(|pid| pid.trim().parse().ok());
        daemon::end(&mut self.daemon.lock().expect("no panic holds it"), by);
        // It ends with the daemon, a moment later, and a new daemon would take it for its own until then; or for as long as
        // the first process of this machine does not ask how it ended.
        soon("the engine's containerd ends", async || daemon::has_ended(pid).then_some(())).await;
        let _ = fs::remove_file(containerd);
        *self.daemon.lock().expect("no panic holds it") = daemon::spawn(self.root.path());
        self.answers().await;
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.root.path().join(daemon::SOCKET)
    }

    /// Where it keeps everything; gone with it.
    pub fn directory(&self) -> &Path {
        self.root.path()
    }

    /// A connection to it.
    pub async fn client(&self) -> Docker {
        client(&self.socket()).await
    }

    /// What has to be in `DOCKER_HOST` to mean it.
    pub fn address(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// What the engine's own client prints, without the line's end.
    pub fn docker(&self, words: &[&str]) -> String {
        let ran = Command::new("docker").args(["--host", &self.address()]).args(words).output();
        let ran = ran.expect("docker is there, as dockerd is");
        assert!(ran.status.success(), "docker {words:?}: {}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8_lossy(&ran.stdout).trim_end().to_owned()
    }

    /// Makes an image of the machine's programs, with these changes (instructions of a Dockerfile).
    pub async fn import(&self, name: &str, changes: &[&str]) {
        self.load(name, changes, closure(&PROGRAMS).into_inner().expect("a whole tar")).await;
    }

    /// Makes an image of a tar.
    pub async fn load(&self, name: &str, changes: &[&str], tar: Vec<u8>) {
        let options = CreateImageOptionsBuilder::default()
            .from_src("-")
            .repo(name)
            .tag("latest")
            .changes(changes.iter().map(|&change| change.to_owned()).collect())
            .build();
        let client = self.client().await;
        let imported = client.create_image(Some(options), Some(body_full(tar.into())), None);
        imported.try_collect::<Vec<_>>().await.expect("the image is imported");
    }

    /// The engine's id of an image.
    pub async fn image_id(&self, name: &str) -> String {
        self.client().await.inspect_image(name).await.expect("the image is there").id.expect("it has an id")
    }

    /// The names of all containers, whoever's.
    pub async fn containers(&self) -> Vec<String> {
        let all = ListContainersOptionsBuilder::default().all(true).build();
        let listed = self.client().await.list_containers(Some(all)).await.expect("the engine lists");
        listed.into_iter().flat_map(|container| container.names.unwrap_or_default()).collect()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        daemon::end(self.daemon.get_mut().unwrap_or_else(PoisonError::into_inner), Signal::TERM);
        daemon::clear(self.root.path());
    }
}

fn try_client(socket: &Path) -> Option<Docker> {
    Docker::connect_with_unix(socket.to_str()?, 60, API_DEFAULT_VERSION).ok()
}

/// A connection to the engine that listens there.
pub async fn client(socket: &Path) -> Docker {
    let client = try_client(socket).expect("the engine listens");
    client.negotiate_version().await.expect("the engine answers")
}

/// Waits until there is something; for as long as anything may take on a slow machine.
pub async fn soon<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let wait = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait).await.unwrap_or_else(|_| panic!("never: {what}"))
}
