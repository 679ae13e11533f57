//! A Docker Engine of one's own, for tests and for the bench: nothing on the machine has to run, and no registry is asked.
//!
//! Owns: starting and ending `dockerd`, and images that are made of programs of this machine. Refuses: saying what goes
//! wrong; whoever has no Docker Engine asks [`can_start`] first, and everything else is a panic.

mod image;

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bollard::query_parameters::{CreateImageOptionsBuilder, ListContainersOptionsBuilder};
use bollard::{API_DEFAULT_VERSION, Docker, body_full};
use futures::TryStreamExt;
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
    daemon: Child,
    // Short, since the engine makes sockets in it.
    root: TempDir,
}

impl Engine {
    /// Starts one, and waits until it answers.
    pub async fn start() -> Self {
        let root = tempfile::Builder::new().prefix("pk").tempdir_in("/tmp").expect("a directory");
        let path = |name: &str| root.path().join(name).to_str().expect("UTF-8").to_owned();
        let log = fs::File::create(path("log")).expect("a log");
        let mut command = Command::new("dockerd");
        command.args(["--data-root", &path("data"), "--exec-root", &path("exec"), "--pidfile", &path("pid")]);
        command.args(["--host", &format!("unix://{}", path("docker.sock"))]);
        command.args(["--iptables=false", "--bridge=none", "--shutdown-timeout", "1"]);
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log);
        // SAFETY: prctl(2) is async-signal-safe, and nothing else happens between fork and exec.
        unsafe {
            command.pre_exec(|| {
                rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
                Ok(())
            });
        }
        let daemon = command.spawn().expect("dockerd is installed, which is Debian's package docker.io");
        let engine = Self { daemon, root };
        soon("the engine answers", async || match engine.try_client() {
            Some(client) => client.ping().await.ok(),
            None => None,
        })
        .await;
        engine.import(IMAGE, &[]).await;
        engine
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.root.path().join("docker.sock")
    }

    /// Where it keeps everything; gone with it.
    pub fn directory(&self) -> &Path {
        self.root.path()
    }

    fn try_client(&self) -> Option<Docker> {
        Docker::connect_with_unix(self.socket().to_str()?, 60, API_DEFAULT_VERSION).ok()
    }

    /// A connection to it.
    pub async fn client(&self) -> Docker {
        let client = self.try_client().expect("the engine listens");
        client.negotiate_version().await.expect("the engine answers")
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
        if let Some(pid) = rustix::process::Pid::from_raw(self.daemon.id().cast_signed()) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.daemon.wait();
        // What the engine leaves mounted would keep the directory from being removed.
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        for mount in mounts.lines().rev().filter_map(|line| line.split(' ').nth(1)) {
            if Path::new(mount).starts_with(self.root.path()) {
                let _ = Command::new("umount").args(["--lazy", mount]).status();
            }
        }
    }
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
