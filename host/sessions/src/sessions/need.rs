//! What a call needs of a session, and which idle ones would do.

use std::path::PathBuf;
use std::time::Duration;

use packhost_core::{Caller, Digest, PackName};
use serde::Serialize;

use crate::spec::{Backend, Image, Mount, SandboxLimits};

/// What a call needs of a session.
#[derive(Debug, Clone, Serialize)]
pub struct Need {
    /// On whose behalf.
    #[serde(serialize_with = "owner")]
    pub owner: Caller,
    /// For which pack.
    pub pack: PackName,
    /// The backends that will do, the best first.
    pub on: Vec<Backend>,
    /// The image, where one is named.
    pub image: Option<NamedImage>,
    /// The machine's own files that do instead, where the image is not there or none is named; empty for none.
    pub host_files: Vec<PathBuf>,
    /// How much it may use.
    pub limits: SandboxLimits,
    /// Directories of the host.
    pub mounts: Vec<Mount>,
    /// Empty directories to write.
    pub scratch: Vec<PathBuf>,
    /// The workspace that is among the mounts, by its name.
    pub workspace: Option<String>,
    /// What else has to be the same for a session to be used again: a digest of the rules inside.
    pub rules: String,
    /// How long it is kept for the next call that needs the same; zero for not at all.
    pub idle: Duration,
    /// How long it lives at most.
    pub lifetime: Duration,
    /// How many sessions the owner may have of this pack.
    pub most: u32,
}

/// An image by name, and the digest that it has to have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NamedImage {
    /// Such as `packhost/python`.
    pub name: String,
    /// `sha256:` and 64 hex digits.
    pub digest: Option<String>,
}

/// Sessions with the same key can stand in for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key(Digest);

impl Need {
    /// Everything counts: a session is never used for another owner, pack, workspace or rule than it was made for.
    pub(super) fn key(&self) -> Key {
        // A need has nothing in it that JSON cannot say.
        Key(Digest::of(&serde_json::to_vec(self).unwrap_or_default()))
    }

    /// What the sandbox could be made of on this backend, the best first.
    pub(super) fn images(&self, backend: Backend) -> Vec<Image> {
        let named = self
            .image
            .iter()
            .map(|image| Image::Named { name: image.name.clone(), digest: image.digest.clone() });
        let host = (backend == Backend::Process && !self.host_files.is_empty())
            .then(|| Image::Host(self.host_files.clone()));
        named.chain(host).collect()
    }
}

fn owner<S: serde::Serializer>(caller: &Caller, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_str(caller.as_str())
}
