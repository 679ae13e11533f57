//! A Docker Engine of a test's own.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::host::Ran;

/// Ends, with all that it started, when it is dropped.
pub struct Dockerd {
    daemon: Child,
    // Short, since the engine makes sockets in it.
    root: TempDir,
}

impl Dockerd {
    /// Starts one, and waits until it answers.
    pub fn start() -> Self {
        let root = tempfile::Builder::new().prefix("pk").tempdir_in("/tmp").expect("a directory");
        let path = |name: &str| root.path().join(name).display().to_string();
        let log = std::fs::File::create(path("log")).expect("the directory is ours");
        let daemon = Command::new("dockerd")
            .args(["--data-root", &path("data"), "--exec-root", &path("exec"), "--pidfile", &path("pid")])
            .args(["--host", &format!("unix://{}", path("s")), "--iptables=false", "--bridge=none"])
            .args(["--shutdown-timeout", "1"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn()
            .expect("dockerd is installed, which is Debian's package docker.io");
        let engine = Self { daemon, root };
        crate::host::wait_until("the engine answers", &|| engine.docker(&["version"]).code == 0);
        engine
    }

    /// What `DOCKER_HOST` has to be.
    pub fn address(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    fn socket(&self) -> PathBuf {
        self.root.path().join("s")
    }

    /// The engine's own client.
    pub fn docker(&self, words: &[&str]) -> Ran {
        let output = Command::new("docker").args(["--host", &self.address()]).args(words).output();
        Ran::from(output.expect("docker is there, as dockerd is"))
    }
}

impl Drop for Dockerd {
    fn drop(&mut self) {
        let pid = self.daemon.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        let _ = self.daemon.wait();
        // What the engine leaves mounted would keep the directory from being removed.
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        for mount in mounts.lines().rev().filter_map(|line| line.split(' ').nth(1)) {
            if std::path::Path::new(mount).starts_with(self.root.path()) {
                let _ = Command::new("umount").args(["--lazy", mount]).status();
            }
        }
    }
}
