//! What a call needs of a session, from its grants.

use std::path::PathBuf;

use packhost_core::{Caller, PackName};
use packhost_manifest::{Limits, SessionBackend, SessionGrant};
use packhost_sessions::{Access, Backend, Mount, NamedImage, Need, SandboxLimits};
use packhost_workspaces::Workspace;

use super::WORKSPACE;

/// In no workspace; see [`inside`].
pub(crate) fn of(grant: &SessionGrant, limits: &Limits, owner: &Caller, pack: &PackName) -> Need {
    let scratch = grant.files.read_write.iter().filter(|path| !is_of_every_sandbox(path));
    Need {
        owner: owner.clone(),
        pack: pack.clone(),
        on: grant.on.iter().map(|backend| backend_of(*backend)).collect(),
        image: grant
            .image
            .as_ref()
            .map(|image| NamedImage { name: image.name.clone(), digest: image.digest.clone() }),
        host_files: grant.files.of_the_machine().collect(),
        limits: SandboxLimits {
            cpu_millis: limits.cpu_millis,
            memory: limits.sandbox_memory,
            processes: limits.processes,
            disk: limits.disk,
            open_files: limits.open_files,
        },
        mounts: Vec::new(),
        scratch: scratch.map(PathBuf::from).collect(),
        workspace: None,
        // The rest of the grant is asked for with every request or program, under the call's own grants.
        rules: format!("{:?}", grant.files),
        idle: grant.idle,
        lifetime: grant.lifetime,
        most: limits.sessions,
        run: None,
    }
}

/// The same, in this workspace where there is one.
pub(crate) fn inside(mut need: Need, workspace: Option<&Workspace>) -> Need {
    if let Some(workspace) = workspace {
        let (host, inside) = (workspace.dir.clone(), PathBuf::from(WORKSPACE));
        need.mounts = vec![Mount { host, inside, access: Access::ReadWrite }];
        need.workspace = Some(workspace.name.to_string());
    }
    need
}

/// What every sandbox has by itself, empty and to write.
pub(super) fn is_of_every_sandbox(path: &str) -> bool {
    matches!(path, "/tmp" | "/run" | "/dev/shm" | WORKSPACE)
}

fn backend_of(backend: SessionBackend) -> Backend {
    match backend {
        SessionBackend::Process => Backend::Process,
        SessionBackend::Docker => Backend::Docker,
    }
}
