//! Where things are: the XDG base directories, or one directory for everything.

use std::env;
use std::path::{Path, PathBuf};

use packhost_manifest::HostVars;
use packhost_vault::KeySource;

use crate::args::{AccessKeySource, Global};
use crate::exit::Error;

/// The directories of this host.
#[derive(Debug, Clone)]
pub(crate) struct Dirs {
    /// What must survive; made by this host.
    pub(crate) state: PathBuf,
    /// What can be made again.
    pub(crate) cache: PathBuf,
    /// The operator's manifest files.
    pub(crate) policies: PathBuf,
    /// The operator's components.
    pub(crate) packs: PathBuf,
    /// Files of tokens and keys, where this host reads some: no pack may.
    pub(crate) secrets: Vec<PathBuf>,
    /// Files that are read again while this host runs, besides manifests.
    pub(crate) reread: Vec<PathBuf>,
    /// `~` of manifests.
    pub(crate) home: Option<PathBuf>,
}

impl Dirs {
    /// `--state DIR`, or the XDG directories (XDG Base Directory Specification 0.8).
    pub(crate) fn of(global: &Global) -> Result<Self, Error> {
        let home = absolute("HOME");
        let secrets = secrets(global);
        if let Some(root) = &global.state {
            let root = std::path::absolute(root).map_err(|source| Error::file(root, source))?;
            return Ok(Self {
                cache: root.join("cache"),
                policies: root.join("policies"),
                packs: root.join("packs"),
                state: root,
                secrets,
                reread: Vec::new(),
                home,
            });
        }
        let base = |variable: &str, below: &str| -> Result<PathBuf, Error> {
            let base = absolute(variable).or_else(|| home.as_deref().map(|home| home.join(below)));
            let base = base.ok_or_else(|| {
                Error::failed(format!("neither ${variable} nor $HOME is set; name a directory with --state"))
            })?;
            Ok(base.join("packhost"))
        };
        Ok(Self {
            state: base("XDG_STATE_HOME", ".local/state")?,
            cache: base("XDG_CACHE_HOME", ".cache")?,
            policies: base("XDG_CONFIG_HOME", ".config")?.join("policies"),
            packs: base("XDG_DATA_HOME", ".local/share")?.join("packs"),
            secrets,
            reread: Vec::new(),
            home,
        })
    }

    /// What the host's variables in a manifest mean.
    pub(crate) fn vars(&self) -> HostVars {
        HostVars { state: self.state.clone(), home: self.home.clone() }
    }

    /// A path as a person would write it.
    pub(crate) fn show(&self, path: &Path) -> String {
        match self.home.as_deref().and_then(|home| path.strip_prefix(home).ok()) {
            Some(rest) => format!("~/{}", rest.display()),
            None => path.display().to_string(),
        }
    }
}

/// Files that this process reads a key from, and where systemd puts those of a service (systemd.exec(5), `LoadCredential=`).
fn secrets(global: &Global) -> Vec<PathBuf> {
    let access = global.artifacts.artifacts_s3_key.iter().filter_map(AccessKeySource::path);
    let master = global.vault_key.iter().filter_map(|key| match &key.source {
        Some(KeySource::File(path)) => Some(path.clone()),
        _ => None,
    });
    access.chain(master).chain(absolute("CREDENTIALS_DIRECTORY")).collect()
}

/// The specification has relative values ignored.
fn absolute(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute())
}
