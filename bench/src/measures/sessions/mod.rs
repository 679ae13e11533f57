//! Sandboxes: how long they take to be there, a program in them, what goes into them and comes out, and a whole call that
//! needs one. Each is held against what a person would do by hand on the same machine.

pub(super) mod bytes;
pub(super) mod exec;
pub(super) mod python;
pub(super) mod start;

use std::process::{Command, Stdio};
use std::time::Instant;

use packhost_sessions::SANDBOX_USER;

use super::Bench;
use crate::docker::{Docker, IMAGE, succeed};
use crate::sandboxes::{FILES, LIMITS, SCRATCH, Sandboxes};
use crate::{Outcome, proc};

impl Bench {
    /// What makes sandboxes here; the engine of those that are containers, or why there is none.
    fn sandboxes(&self) -> Outcome<(Sandboxes, Result<&Docker, String>)> {
        let docker = self.docker();
        let sandboxes = Sandboxes::start(&self.binaries.join("packhost"), docker.as_ref().ok().copied())?;
        Ok((sandboxes, docker))
    }
}

/// Milliseconds that a command takes, from its start to its end.
fn took(command: &mut Command) -> Outcome<f64> {
    let since = Instant::now();
    succeed(command.stdin(Stdio::null()))?;
    Ok(since.elapsed().as_secs_f64() * 1e3)
}

/// `docker run` of a program with the walls that a sandbox of the Docker backend has.
fn docker_run(docker: &Docker, program: &[&str]) -> Command {
    let mut command = docker.command(&["run", "--rm", "--network=none", "--dns=127.0.0.1", "--dns-search=."]);
    let user = format!("--user={SANDBOX_USER}:{SANDBOX_USER}");
    command.args([&user, "--cap-drop=ALL", "--security-opt=no-new-privileges:true", "--read-only"]);
    command.args(["--ipc=private", "--cgroupns=private", "--ulimit=nofile=4096:4096", "--ulimit=core=0:0"]);
    command.args([format!("--memory={}", LIMITS.memory), format!("--memory-swap={}", LIMITS.memory)]);
    command.args([
        format!("--pids-limit={}", LIMITS.processes),
        format!("--cpus={}", proc::processors().min(2)),
    ]);
    let tmpfs = format!("rw,nosuid,nodev,exec,mode=1777,size={}", LIMITS.disk / 4);
    command.args([
        format!("--tmpfs={SCRATCH}:{tmpfs}"),
        format!("--tmpfs=/tmp:{tmpfs}"),
        format!("--tmpfs=/run:{tmpfs}"),
    ]);
    command.args([
        "--shm-size=8m",
        "--log-driver=json-file",
        "--log-opt=max-size=1m",
        "--log-opt=max-file=1",
    ]);
    command
        .args(["--no-healthcheck", "--hostname=sandbox", &format!("--workdir={SCRATCH}"), IMAGE])
        .args(program);
    command
}

/// A program under bubblewrap, in a root of the same files as a sandbox of the process backend.
fn bwrap(program: &[&str]) -> Command {
    let mut command = Command::new("bwrap");
    command.args(["--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"]);
    let user = SANDBOX_USER.to_string();
    command.args(["--uid", &user, "--gid", &user, "--hostname", "sandbox"]);
    for path in FILES {
        match std::fs::read_link(path) {
            Ok(target) => command.arg("--symlink").arg(target).arg(path),
            Err(_) => command.args(["--ro-bind", path, path]),
        };
    }
    command.args(["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/run"]);
    command.args(["--tmpfs", SCRATCH, "--chdir", SCRATCH, "--"]).args(program);
    command
}
