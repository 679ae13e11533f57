//! `wasi:filesystem`: the granted directories as preopens, and nothing beside them.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Component, Path};

use packhost_manifest::{FsGrant, FsMode, HostVars, Manifest};
use rustix::fs::{Mode, OFlags, ResolveFlags};
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

use super::Granted;
use crate::session::WORKSPACE;

/// A granted directory that cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("the directory {host} that the manifest grants as {guest} cannot be opened: {source}")]
pub(crate) struct FilesystemError {
    host: String,
    pub(crate) guest: String,
    source: io::Error,
}

impl FilesystemError {
    /// Whether it is there and this host may not open it, as where the walls went up before it was granted.
    pub(crate) fn is_closed_to_us(&self) -> bool {
        self.source.kind() == io::ErrorKind::PermissionDenied
    }
}

/// Makes the directories that packs may write and that are not there, private to this user. A directory that packs only
/// read is the operator's to make: an empty one in its place would lie.
pub(crate) fn make_missing(manifest: &Manifest, vars: &HostVars) {
    for rule in manifest.entries().flat_map(|entry| &entry.fs).filter(|rule| rule.mode == FsMode::ReadWrite) {
        let Some(base) = rule.host.base(vars) else { continue };
        if let Err(error) = make(&base) {
            tracing::warn!(%error, directory = %base.display(), rule = %rule.place, "a granted directory cannot be made");
        }
    }
}

fn make(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// The granted directories of one call: its workspace alone, where it has one.
pub(super) fn build(builder: &mut WasiCtxBuilder, granted: &Granted<'_>) -> Result<(), FilesystemError> {
    if let Some(workspace) = granted.workspace {
        let failed = |source| FilesystemError {
            host: workspace.dir.display().to_string(),
            guest: WORKSPACE.to_owned(),
            source,
        };
        return builder
            .preopened_dir(&workspace.dir, WORKSPACE, workspace_perms(&granted.grants.fs))
            .map(drop)
            .map_err(|error| failed(io::Error::other(error.to_string())));
    }
    for grant in &granted.grants.fs {
        let failed = |source| FilesystemError {
            host: grant.host.display().to_string(),
            guest: grant.guest.clone(),
            source,
        };
        let perms = match grant.mode {
            FsMode::ReadOnly => FsPerms::ReadOnly,
            FsMode::ReadWrite => FsPerms::ReadWrite,
        };
        let opened = open(grant).map_err(failed)?;
        // The directory that was opened, not whatever its name leads to by now.
        builder
            .preopened_dir(format!("/proc/self/fd/{}", opened.as_raw_fd()), &grant.guest, perms)
            .map_err(|error| failed(io::Error::other(error.to_string())))?;
    }
    Ok(())
}

/// To write as well, unless the pack may only read wherever else it may look.
fn workspace_perms(fs: &[FsGrant]) -> FsPerms {
    match only_reads(fs) {
        true => FsPerms::ReadOnly,
        false => FsPerms::ReadWrite,
    }
}

/// Whether a component with these directories has its workspace to read only.
pub(crate) fn only_reads(fs: &[FsGrant]) -> bool {
    !fs.is_empty() && fs.iter().all(|grant| grant.mode == FsMode::ReadOnly)
}

/// Opens the part that the manifest spells out as the operator meant it, links included, and the part that the call's
/// input named without following a link: a guest may have made it.
fn open(grant: &FsGrant) -> io::Result<OwnedFd> {
    let mut at: OwnedFd = File::open(&grant.base)?.into();
    let below = grant.host.strip_prefix(&grant.base).unwrap_or(Path::new(""));
    for part in below.components() {
        let Component::Normal(name) = part else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file name"));
        };
        at = step(&at, name, grant.mode)?;
    }
    Ok(at)
}

fn step(at: &OwnedFd, name: &OsStr, mode: FsMode) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let inside = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    if mode == FsMode::ReadWrite {
        match rustix::fs::mkdirat(at, name, Mode::RWXU) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(rustix::fs::openat2(at, name, flags, Mode::empty(), inside)?)
}
