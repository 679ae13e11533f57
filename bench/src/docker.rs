//! The Docker Engine that measures use: the one that `DOCKER_HOST` or the default socket leads to, or one of the bench's own
//! where none runs and one can be started.

use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use packhost_sessions::docker::endpoint;
use packhost_test_engine::{Engine, can_start, closure, with_python};

use crate::Outcome;
use crate::bare::current_thread;

/// A few programs of this machine, and Python where there is one.
pub(crate) const IMAGE: &str = "packhost-bench";
/// The native binary of the job.
pub(crate) const STATS: &str = "packhost-bench-native-stats";
/// Python as sandboxes of the machine's own files have it.
pub(crate) const PYTHON: &str = "/usr/bin/python3";
const PROGRAMS: [&str; 2] = ["cat", "true"];

/// An engine that answers, with [`IMAGE`]. The images that the bench makes are gone with it.
pub(crate) struct Docker {
    socket: PathBuf,
    own: Option<Engine>,
}

impl Docker {
    /// Finds or starts an engine.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub(crate) fn find() -> Outcome<Self> {
        let socket = endpoint(std::env::var("DOCKER_HOST").ok().as_deref())?;
        let found = if succeed(&mut docker(&socket, &["version"])).is_ok() {
            Self { socket, own: None }
        } else if can_start() {
            eprintln!("  starting a Docker Engine");
            let own = current_thread()?.block_on(Engine::start());
            Self { socket: own.socket(), own: Some(own) }
        } else {
            return Err("no Docker here".into());
        };
        let tar = match Path::new(PYTHON).exists() {
            true => with_python(closure(&[&PROGRAMS[..], &["python3"]].concat())),
            false => closure(&PROGRAMS),
        };
        let mut file = tempfile::tempfile()?;
        file.write_all(&tar.into_inner()?)?;
        file.rewind()?;
        found.import(IMAGE, file)?;
        Ok(found)
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// The command line of Docker, with this engine.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        docker(&self.socket, words)
    }

    /// Makes an image of a tar.
    pub(crate) fn import(&self, name: &str, tar: impl Into<Stdio>) -> Outcome<()> {
        succeed(self.command(&["import", "-", name]).stdin(tar))
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        if self.own.is_none() {
            // They are on somebody else's engine, who did not ask for them.
            let _ = succeed(&mut self.command(&["image", "rm", "--force", IMAGE, STATS]));
        }
    }
}

fn docker(socket: &Path, words: &[&str]) -> Command {
    let mut command = Command::new("docker");
    command.arg("--host").arg(format!("unix://{}", socket.display())).args(words);
    command
}

/// Runs a command whose output nobody needs.
pub(crate) fn succeed(command: &mut Command) -> Outcome<()> {
    let done = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?.wait_with_output()?;
    if done.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&done.stderr).trim()).into())
}
