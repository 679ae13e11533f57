//! Which directories of the host a container may be given, and where.
//!
//! Refuses what would hand over the engine (its socket, its data), other sandboxes, or the machine.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use bollard::models::{Mount as Bind, MountBindOptions, MountBindOptionsPropagationEnum, MountType};

use super::place::OURS;
use crate::error::RuntimeError;
use crate::spec::{Access, Mount};

/// Sockets through which the machine can be had, wherever this engine listens.
const SOCKETS: [&str; 4] =
    ["/run/docker.sock", "/run/containerd/containerd.sock", "/run/podman/podman.sock", "/run/crio/crio.sock"];
/// What is no directory of files.
const KERNEL: [&str; 3] = ["/proc", "/sys", "/dev"];

/// What no mount may show.
#[derive(Debug, Default)]
pub(super) struct Forbidden {
    sockets: Vec<PathBuf>,
    trees: Vec<PathBuf>,
}

impl Forbidden {
    /// The engine's socket, and the trees that are the engine's and this backend's own.
    pub(super) fn new(endpoint: &Path, trees: impl IntoIterator<Item = PathBuf>) -> Self {
        let sockets = SOCKETS.iter().map(Path::new).chain([endpoint]).flat_map(spellings).collect();
        Self { sockets, trees: trees.into_iter().flat_map(|tree| spellings(&tree)).collect() }
    }

    fn shows(&self, host: &Path) -> Option<String> {
        if let Some(socket) = self.sockets.iter().find(|socket| socket.starts_with(host)) {
            return Some(format!("it shows {}, which is the whole machine", socket.display()));
        }
        if let Some(tree) = self.trees.iter().find(|tree| tree.starts_with(host) || host.starts_with(tree)) {
            return Some(format!("{} is no sandbox's to see", tree.display()));
        }
        let kernel = KERNEL.iter().find(|tree| host.starts_with(tree))?;
        Some(format!("{kernel} is the kernel's"))
    }
}

/// A path as it was given and as it really is.
fn spellings(path: &Path) -> Vec<PathBuf> {
    [Some(path.to_owned()), path.canonicalize().ok()].into_iter().flatten().collect()
}

/// The mounts as the engine wants them.
pub(super) fn binds(mounts: &[Mount], forbidden: &Forbidden) -> Result<Vec<Bind>, RuntimeError> {
    let mut seen = BTreeSet::new();
    mounts
        .iter()
        .map(|mount| {
            let refuse = |why: String| {
                RuntimeError::Unsupported(format!("{} cannot be mounted: {why}", mount.host.display()))
            };
            let host = real(&mount.host).map_err(refuse)?;
            if let Some(why) = forbidden.shows(&host) {
                return Err(refuse(why));
            }
            let inside = target(&mount.inside)?;
            if !seen.insert(inside.clone()) {
                return Err(refuse(format!("{inside} is mounted twice")));
            }
            let host = host.to_str().ok_or_else(|| refuse("its name is not UTF-8".into()))?;
            Ok(bind(host, &inside, mount.access))
        })
        .collect()
}

/// A bind mount that carries nothing else along: no mounts below it, and none that come later.
pub(super) fn bind(host: &str, inside: &str, access: Access) -> Bind {
    Bind {
        typ: Some(MountType::BIND),
        source: Some(host.to_owned()),
        target: Some(inside.to_owned()),
        read_only: Some(access == Access::ReadOnly),
        bind_options: Some(MountBindOptions {
            propagation: Some(MountBindOptionsPropagationEnum::RPRIVATE),
            non_recursive: Some(true),
            ..MountBindOptions::default()
        }),
        ..Bind::default()
    }
}

/// The directory of the host, where the path is what it seems to be.
fn real(host: &Path) -> Result<PathBuf, String> {
    if !host.is_absolute() {
        return Err("the path is not absolute".into());
    }
    let found = host.canonicalize().map_err(|error| error.to_string())?;
    if found != host {
        return Err(format!("there is a symbolic link in its path; say {}", found.display()));
    }
    if !found.is_dir() {
        return Err("it is not a directory".into());
    }
    Ok(found)
}

/// A path inside, where something of the sandbox's may be put.
pub(super) fn target(inside: &Path) -> Result<String, RuntimeError> {
    let refuse =
        |why: &str| RuntimeError::Unsupported(format!("nothing can be put at {}: {why}", inside.display()));
    let plain = inside.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    if !inside.is_absolute() || !plain {
        return Err(refuse("the path inside has to be absolute and without .."));
    }
    if inside.parent().is_none()
        || KERNEL.iter().any(|tree| inside.starts_with(tree))
        || inside.starts_with(OURS)
    {
        return Err(refuse("the sandbox itself is there"));
    }
    inside
        .to_str()
        .map(|text| text.trim_end_matches('/').to_owned())
        .ok_or_else(|| refuse("its name is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(host: &Path, inside: &str) -> Vec<Mount> {
        vec![Mount { host: host.to_owned(), inside: inside.into(), access: Access::ReadOnly }]
    }

    #[test]
    fn the_engine_its_socket_and_the_machine_cannot_be_mounted() {
        let room = tempfile::tempdir().expect("as said");
        let room = room.path().canonicalize().expect("as said");
        let (engine, state, granted) = (room.join("engine"), room.join("state"), room.join("granted"));
        for directory in [&engine, &state, &granted] {
            std::fs::create_dir(directory).expect("made");
        }
        let socket = engine.join("docker.sock");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("as said");
        let alias = room.join("alias");
        std::os::unix::fs::symlink(&engine, &alias).expect("as said");
        let forbidden = Forbidden::new(&alias.join("docker.sock"), [state.clone()]);

        for host in ["/", "/run", "/proc", "/proc/self", "/sys", "/dev", "/nonexistent", "relative"]
            .map(PathBuf::from)
        {
            assert!(binds(&mount(&host, "/data"), &forbidden).is_err(), "{}", host.display());
        }
        for host in [&room, &engine, &alias, &socket, &state, &state.join("x")] {
            assert!(binds(&mount(host, "/data"), &forbidden).is_err(), "{}", host.display());
        }
        let bind = &binds(&mount(&granted, "/data"), &forbidden).expect("as said")[0];
        assert_eq!((bind.source.as_deref(), bind.read_only), (granted.to_str(), Some(true)));
        assert!(binds(&[mount(&granted, "/data"), mount(&granted, "/data")].concat(), &forbidden).is_err());
    }

    #[test]
    fn nothing_is_put_over_the_sandbox_itself() {
        for inside in
            ["/", "/proc", "/sys/fs", "/dev/shm", "/.packhost", "/.packhost/run", "data", "/a/../.packhost"]
        {
            assert!(target(Path::new(inside)).is_err(), "{inside}");
        }
        assert_eq!(target(Path::new("/work/")).expect("as said"), "/work");
    }
}
