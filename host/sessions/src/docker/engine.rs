//! The connection to the engine: what it is, what it can do, and what its errors mean.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bollard::errors::Error;
use bollard::models::SystemInfo;
use bollard::{API_DEFAULT_VERSION, Docker};

use crate::error::RuntimeError;

/// The oldest API that has all that is asked for: Docker 20.10.
const OLDEST: (usize, usize) = (1, 41);
/// How long the engine may take for one call, in seconds.
const CALL: u64 = 60;
/// How long it may take to say that it is well.
const ALIVE: Duration = Duration::from_secs(2);

/// An engine that answered.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) client: Docker,
    pub(super) facts: Facts,
}

/// What an engine says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// For people.
    pub(super) title: String,
    /// Who a sandbox's root user is on this machine.
    pub(super) root: u32,
    /// Processors.
    pub(super) cpus: u32,
    /// Where the engine keeps images and containers.
    pub(super) data: Option<PathBuf>,
    /// Whether it runs containers as other users than this machine's.
    pub(super) users: Users,
    /// Limits that it cannot hold, each as a sentence.
    pub(super) lacking: Vec<String>,
}

/// Who the users of containers are on the engine's machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Users {
    /// Those of the same number.
    Same,
    /// Others, unless a container is made to have the machine's (`userns-remap`).
    Remapped,
    /// Others, whatever a container is made with: the engine itself is no more than a user.
    Rootless,
}

impl Users {
    /// Why nothing of this host can be mounted in a container of this user namespace mode, in a sentence that begins with
    /// `mounts`. Files keep their owners in a mount, and those are nobody's inside.
    pub(super) fn in_the_way(self, userns: Option<&str>) -> Option<&'static str> {
        match self {
            Self::Same => None,
            Self::Remapped if userns == Some("host") => None,
            Self::Remapped => Some(
                "mounts: this engine maps users (userns-remap), so that a workspace would be nobody's inside; make containers                  with the machine's users, or use the backend `process`",
            ),
            Self::Rootless => Some(
                "mounts: this engine is rootless, so that a workspace would be nobody's inside; use an engine that runs as                  root, or the backend `process`",
            ),
        }
    }
}

/// Finds the engine, and remembers what it said.
#[derive(Debug)]
pub(super) struct Engine {
    endpoint: PathBuf,
    known: Mutex<Option<Arc<Known>>>,
}

impl Engine {
    pub(super) fn at(endpoint: PathBuf) -> Self {
        Self { endpoint, known: Mutex::new(None) }
    }

    /// The engine as it was last heard of.
    pub(super) fn remembered(&self) -> Option<Arc<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The engine, asked once.
    pub(super) async fn known(&self) -> Result<Arc<Known>, RuntimeError> {
        match self.remembered() {
            Some(known) => Ok(known),
            None => self.ask().await,
        }
    }

    /// Asks the engine what it is.
    pub(super) async fn ask(&self) -> Result<Arc<Known>, RuntimeError> {
        let asked = tokio::time::timeout(ALIVE, self.introduce()).await;
        let known = Arc::new(asked.unwrap_or_else(|_| {
            Err(self.away(&format!("it did not answer within {} seconds", ALIVE.as_secs())))
        })?);
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&known));
        Ok(known)
    }

    async fn introduce(&self) -> Result<Known, RuntimeError> {
        let Some(path) = self.endpoint.to_str() else {
            return Err(RuntimeError::Unavailable(
                "the path of the Docker Engine's socket is not UTF-8".into(),
            ));
        };
        let client =
            Docker::connect_with_unix(path, CALL, API_DEFAULT_VERSION).map_err(|error| self.failed(error))?;
        let client = client.negotiate_version().await.map_err(|error| self.failed(error))?;
        let version = client.client_version();
        if (version.major_version, version.minor_version) < OLDEST {
            return Err(RuntimeError::Unavailable(format!(
                "the Docker Engine at {path} speaks API {version}, and {}.{} is needed: update it to Docker 20.10 or newer",
                OLDEST.0, OLDEST.1
            )));
        }
        let info = client.info().await.map_err(|error| self.failed(error))?;
        Ok(Known { client, facts: Facts::of(info) })
    }

    /// What an error of the engine means.
    pub(super) fn failed(&self, error: Error) -> RuntimeError {
        match error {
            Error::DockerResponseServerError { status_code, message } => answered(status_code, &message),
            Error::DockerStreamError { error } => answered(500, &error),
            Error::RequestTimeoutError => self.away(&format!("it did not answer within {CALL} seconds")),
            Error::SocketNotFoundError(_) => self.away("there is no such socket"),
            Error::JsonDataError { message, .. } => {
                RuntimeError::Failed(format!("the Docker Engine's answer cannot be read: {message}"))
            }
            other => self.away(&sources(&other)),
        }
    }

    fn away(&self, why: &str) -> RuntimeError {
        RuntimeError::Unavailable(format!(
            "the Docker Engine at {} cannot be used ({why}): start it, let this user open its socket, or choose another backend",
            self.endpoint.display()
        ))
    }
}

/// Whether the engine said that what was asked for is not there.
pub(super) fn is_missing(error: &Error) -> bool {
    status(error) == Some(404)
}

/// Whether the engine said that something else is in the way.
pub(super) fn is_conflict(error: &Error) -> bool {
    status(error) == Some(409)
}

fn status(error: &Error) -> Option<u16> {
    match error {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// The engine has no codes for what the machine ran out of: its texts hold the system's words.
fn answered(status: u16, message: &str) -> RuntimeError {
    const EXHAUSTED: [&str; 4] = [
        "no space left on device",
        "cannot allocate memory",
        "resource temporarily unavailable",
        "too many open files",
    ];
    let lower = message.to_ascii_lowercase();
    if EXHAUSTED.iter().any(|words| lower.contains(words)) {
        return RuntimeError::Exhausted(format!("the machine has no room for another sandbox: {message}"));
    }
    match status {
        400 => {
            RuntimeError::Unsupported(format!("the Docker Engine does not make such a sandbox: {message}"))
        }
        _ => RuntimeError::Failed(format!("the Docker Engine answered {status}: {message}")),
    }
}

/// An error with what caused it: the outermost text alone says nothing about a socket.
fn sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    text
}

impl Facts {
    fn of(info: SystemInfo) -> Self {
        let security = info.security_options.unwrap_or_default();
        let has = |name: &str| security.iter().any(|option| option.split(',').any(|part| part == name));
        let data = info.docker_root_dir.map(PathBuf::from);
        let (users, root) = if has("name=rootless") {
            (Users::Rootless, rustix::process::geteuid().as_raw())
        } else if has("name=userns") {
            (Users::Remapped, data.as_deref().and_then(remapped).unwrap_or(0))
        } else {
            (Users::Same, 0)
        };
        let mut lacking = vec![SHARED.to_owned()];
        let held = [
            (info.memory_limit, "memory: this engine's machine has no memory controller"),
            (info.swap_limit, "memory: swap is not counted on this engine's machine"),
            (info.pids_limit, "processes: this engine's machine has no pids controller"),
            (info.cpu_cfs_quota, "cpu: this engine's machine has no CPU quota"),
        ];
        // What it does not say it has: podman leaves some out.
        lacking
            .extend(held.iter().filter(|(held, _)| *held == Some(false)).map(|(_, why)| (*why).to_owned()));
        let version = info.server_version.unwrap_or_else(|| "of an unknown version".into());
        let cpus = info.ncpu.and_then(|cpus| u32::try_from(cpus).ok()).unwrap_or(1).max(1);
        Self { title: format!("Docker Engine {version}"), root, cpus, data, users, lacking }
    }
}

/// What no engine can.
pub(super) const SHARED: &str = "disk: every directory that can be written has an equal part of it, because the engine cannot mount one file \
                      system in several places";

/// Under `userns-remap` the engine keeps its data in a directory that is named after root's uid and gid outside.
fn remapped(data: &Path) -> Option<u32> {
    let (uid, gid) = data.file_name()?.to_str()?.split_once('.')?;
    gid.parse::<u32>().ok()?;
    uid.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(security: &[&str], data: &str) -> SystemInfo {
        SystemInfo {
            security_options: Some(security.iter().map(|&text| text.to_owned()).collect()),
            docker_root_dir: Some(data.into()),
            ..SystemInfo::default()
        }
    }

    #[test]
    fn the_root_user_of_a_remapped_engine_is_found() {
        let seccomp = "name=seccomp,profile=default";
        let of = |security: &[&str], data| Facts::of(info(security, data)).root;
        assert_eq!(of(&[seccomp], "/var/lib/docker"), 0);
        assert_eq!(of(&[seccomp, "name=userns"], "/var/lib/docker/165536.165536"), 165_536);
        assert_eq!(of(&[seccomp, "name=rootless"], "/home/u/x"), rustix::process::geteuid().as_raw());
    }

    #[test]
    fn an_engine_whose_users_are_not_the_machines_mounts_nothing_and_says_why() {
        let seccomp = "name=seccomp,profile=default";
        let why = |security: &[&str], data, userns| Facts::of(info(security, data)).users.in_the_way(userns);
        assert_eq!(why(&[seccomp], "/var/lib/docker", None), None);
        let (remapped, data) = ([seccomp, "name=userns"], "/var/lib/docker/165536.165536");
        assert!(why(&remapped, data, None).is_some_and(|why| why.contains("userns-remap")));
        assert_eq!(why(&remapped, data, Some("host")), None);
        let rootless = [seccomp, "name=rootless", "name=cgroupns"];
        for userns in [None, Some("host")] {
            assert!(why(&rootless, "/home/u/x", userns).is_some_and(|why| why.starts_with("mounts: ")));
        }
    }

    #[test]
    fn a_controller_that_is_missing_is_said() {
        let engine =
            SystemInfo { pids_limit: Some(false), memory_limit: Some(true), ..info(&[], "/var/lib/docker") };
        let lacking = Facts::of(engine).lacking;
        assert!(lacking.iter().any(|why| why.starts_with("processes:")), "{lacking:?}");
        assert!(!lacking.iter().any(|why| why.starts_with("memory:")), "{lacking:?}");
    }

    #[test]
    fn a_machine_that_is_full_is_told_from_a_bad_spec() {
        assert!(matches!(answered(500, "write /x: No space left on device"), RuntimeError::Exhausted(_)));
        assert!(matches!(answered(400, "Minimum memory limit allowed is 6MB"), RuntimeError::Unsupported(_)));
        assert!(matches!(answered(500, "boom"), RuntimeError::Failed(_)));
    }
}
