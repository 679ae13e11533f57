//! What the operator says about the Docker Engine.

use std::path::PathBuf;

use crate::error::RuntimeError;
use crate::id::HostId;

/// Where an engine listens when nobody says otherwise.
const ENDPOINT: &str = "/var/run/docker.sock";

/// How to make sandboxes with a Docker Engine.
#[derive(Debug, Clone)]
pub struct DockerSettings {
    /// The engine's Unix socket. See [`endpoint`].
    pub endpoint: PathBuf,
    /// Whose sandboxes these are.
    pub host: HostId,
    /// A directory of this host's state for the sockets of its sandboxes; made where it is missing. The engine must see the
    /// same file system at the same path.
    pub run_dir: PathBuf,
    /// The supervisor, a static program for the engine's processor.
    pub supervisor: Supervisor,
    /// An OCI runtime that the engine knows, such as `runsc` or `kata`; none for the engine's own choice.
    pub runtime: Option<String>,
    /// The engine's user namespace mode for sandboxes; none for the engine's own setting, `host` to go without.
    pub userns: Option<String>,
    /// How to reach the supervisor.
    pub stream: Stream,
}

/// Where the supervisor's program is.
#[derive(Debug, Clone)]
pub enum Supervisor {
    /// In this program; written to [`run_dir`](DockerSettings::run_dir) at first use.
    Bytes(&'static [u8]),
    /// A file that the engine can mount, absolute.
    File(PathBuf),
}

/// How bytes get to the supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Through a Unix socket in a directory that host and sandbox share. The quicker one. Where that directory could not be
    /// the sandbox's root user's alone (this host is neither root nor the owner of a rootless engine), [`Stream::Exec`]
    /// is used instead.
    Socket,
    /// Through a program that the engine starts in the sandbox (`docker exec`), where sockets do not pass through mounts:
    /// gVisor, Kata, an engine in a virtual machine.
    Exec,
}

/// The engine's socket, from the value of `DOCKER_HOST` where it is set.
///
/// # Errors
///
/// [`RuntimeError::Unsupported`] for anything but `unix://` and an absolute path.
pub fn endpoint(docker_host: Option<&str>) -> Result<PathBuf, RuntimeError> {
    match docker_host.filter(|text| !text.is_empty()) {
        None => Ok(PathBuf::from(ENDPOINT)),
        Some(text) => match text.strip_prefix("unix://") {
            Some(path) if path.starts_with('/') => Ok(PathBuf::from(path)),
            _ => Err(RuntimeError::Unsupported(format!(
                "DOCKER_HOST is \"{text}\", and only a Docker Engine on this machine can be used: set it to unix:// and the \
                 absolute path of the engine's socket"
            ))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_found_by_a_unix_socket_and_by_nothing_else() {
        assert_eq!(endpoint(None).expect("as said"), PathBuf::from(ENDPOINT));
        assert_eq!(endpoint(Some("")).expect("as said"), PathBuf::from(ENDPOINT));
        assert_eq!(
            endpoint(Some("unix:///run/user/1/docker.sock")).expect("as said"),
            PathBuf::from("/run/user/1/docker.sock")
        );
        for remote in ["tcp://10.0.0.1:2375", "ssh://root@there", "unix://relative", "/var/run/docker.sock"] {
            assert!(matches!(endpoint(Some(remote)), Err(RuntimeError::Unsupported(_))), "{remote}");
        }
    }
}
