//! `wasi:filesystem`: the granted directories as preopens, and nothing beside them.

use std::io;
use std::path::Path;

use packhost_manifest::FsMode;
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

use super::Granted;

/// A granted directory that cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("the directory {host} that the manifest grants as {guest} cannot be opened: {source}")]
pub(crate) struct FilesystemError {
    host: String,
    pub(crate) guest: String,
    source: io::Error,
}

/// The granted directories. A missing one that the guest may write is made, private to this user; what else is
/// missing is an error, because an empty directory in its place would lie.
pub(super) fn build(builder: &mut WasiCtxBuilder, granted: &Granted<'_>) -> Result<(), FilesystemError> {
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
        ensure(&grant.host).map_err(failed)?;
        builder
            .preopened_dir(&grant.host, &grant.guest, perms)
            .map_err(|error| failed(io::Error::other(error.to_string())))?;
    }
    Ok(())
}

fn ensure(host: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    match std::fs::DirBuilder::new().mode(0o700).create(host) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}
