//! What a call needs of a session, and which idle ones would do.

use std::path::PathBuf;
use std::time::Duration;

use packhost_core::{Caller, Digest, PackName, RunId};
use serde::Serialize;

use crate::spec::{Backend, Image, Mount, SandboxLimits};

/// What a call needs of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
    /// The call that it is for, as the record names it. No session is any other for that.
    #[serde(skip)]
    pub run: Option<RunId>,
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
    /// Everything counts: a session is never used for another owner, pack, workspace or rule than it was made for. None for
    /// a need that cannot be told from others, as JSON has no word for a path that is not UTF-8: it gets a session of its own.
    pub(super) fn key(&self) -> Option<Key> {
        serde_json::to_vec(self).ok().map(|all| Key(Digest::of(&all)))
    }

    /// The same on nobody's behalf, which is what a sandbox that would do was prepared for.
    pub(super) fn of_nobody(&self) -> Self {
        Self { owner: Caller::nobody(), ..self.clone() }
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

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;
    use crate::spec::Access;

    fn need(owner: Caller, host: &[u8]) -> Need {
        let host = PathBuf::from(std::ffi::OsString::from_vec(host.to_vec()));
        Need {
            owner,
            pack: "python.run".parse().expect("a name"),
            on: vec![Backend::Process],
            image: None,
            host_files: Vec::new(),
            limits: SandboxLimits {
                cpu_millis: 1000,
                memory: 1 << 30,
                processes: 10,
                disk: 1 << 20,
                open_files: 64,
            },
            mounts: vec![Mount { host, inside: "/workspace".into(), access: Access::ReadWrite }],
            scratch: Vec::new(),
            workspace: None,
            rules: String::new(),
            idle: Duration::from_secs(1),
            lifetime: Duration::from_secs(1),
            most: 1,
            run: None,
        }
    }

    #[test]
    fn needs_of_two_callers_are_never_the_same_whatever_the_bytes_of_a_path() {
        let (ada, bob) = (Caller::local(), Caller::token("bob"));
        let key = |owner: &Caller, host| need(owner.clone(), host).key();
        assert!(key(&ada, b"/state/a").is_some());
        assert_eq!(key(&ada, b"/state/a"), key(&ada, b"/state/a"));
        assert_ne!(key(&ada, b"/state/a"), key(&bob, b"/state/a"));
        assert_ne!(key(&ada, b"/state/a"), key(&ada, b"/state/b"));
        assert_eq!(key(&ada, b"/state/\xff"), None);
        let of_a_run = Need { run: Some(RunId::fresh()), ..need(ada.clone(), b"/state/a") };
        assert_eq!(of_a_run.key(), key(&ada, b"/state/a"), "the next call may have it");
    }
}
