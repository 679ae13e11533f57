//! What a sandbox is made from. Nothing here belongs to one backend or to one kind of workload.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use packhost_core::Caller;
use serde::{Deserialize, Serialize};

use crate::id::SandboxId;

/// Everything that makes sandboxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// Namespaces, Landlock and seccomp on this machine, without a daemon.
    Process,
    /// A Docker Engine.
    Docker,
    /// Pods of a Kubernetes cluster.
    Kubernetes,
    /// An NVIDIA OpenShell gateway.
    OpenShell,
}

impl Backend {
    /// As it stands in manifests, logs and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Docker => "docker",
            Self::Kubernetes => "kubernetes",
            Self::OpenShell => "openshell",
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the files of a sandbox are.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Image {
    /// These directories and files of the machine that the sandbox is made on, to read.
    Host(Vec<PathBuf>),
    /// An image, such as `packhost/python`, with the digest that it is pinned to where there is one.
    Named {
        /// Its name, without a tag.
        name: String,
        /// `sha256:` and 64 hex digits.
        digest: Option<String>,
    },
}

/// How much a sandbox may use. Every field is a hard limit; a backend that cannot hold one says so in its
/// [`Capabilities`](crate::Capabilities).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SandboxLimits {
    /// Thousandths of a processor, 10 to 1,024,000.
    pub cpu_millis: u32,
    /// Bytes of memory of everything inside together, tmpfs included.
    pub memory: u64,
    /// Processes and threads.
    pub processes: u32,
    /// Bytes of files that may be written outside of mounts, in memory or on disk, together.
    pub disk: u64,
    /// Open files per process.
    pub open_files: u32,
}

/// How a mount may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// To read, and to run what is there.
    ReadOnly,
    /// To read, run and write.
    ReadWrite,
}

/// A directory of the host inside the sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Mount {
    /// Where it is on the host, absolute, no symbolic links.
    pub host: PathBuf,
    /// Where it is inside, absolute.
    pub inside: PathBuf,
    /// How it may be used.
    pub access: Access,
}

/// What a sandbox is made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxSpec {
    /// Its name.
    pub id: SandboxId,
    /// On whose behalf.
    #[serde(with = "owner")]
    pub owner: Caller,
    /// Its files.
    pub image: Image,
    /// How much it may use.
    pub limits: SandboxLimits,
    /// Directories of the host.
    pub mounts: Vec<Mount>,
    /// Directories inside that can be written and are empty at first, beside `/tmp`. They share `limits.disk` with it.
    pub scratch: Vec<PathBuf>,
    /// The environment of the supervisor, which programs do not inherit. Holds no secret.
    pub env: BTreeMap<String, String>,
    /// For people and for tools of the backend: which pack, which run.
    pub labels: BTreeMap<String, String>,
    /// How long it may go without a connection before it ends itself: the net below a host that never comes back.
    pub orphaned_after: Duration,
}

/// As whom programs run inside, where the backend can have a user beside the supervisor's: uid and gid.
pub const SANDBOX_USER: u32 = 1000;

mod owner {
    use packhost_core::Caller;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(caller: &Caller, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(caller.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Caller, D::Error> {
        let text = String::deserialize(from)?;
        Caller::recorded(&text).ok_or_else(|| serde::de::Error::custom("not a caller"))
    }
}

/// A word that is no backend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a backend: process, docker, kubernetes or openshell")]
pub struct UnknownBackend(String);

impl FromStr for Backend {
    type Err = UnknownBackend;

    fn from_str(text: &str) -> Result<Self, UnknownBackend> {
        [Self::Process, Self::Docker, Self::Kubernetes, Self::OpenShell]
            .into_iter()
            .find(|backend| backend.as_str() == text)
            .ok_or_else(|| UnknownBackend(text.to_owned()))
    }
}
