//! What a sandbox is made from, as the host says it, and the bounds that it must keep.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use minicbor::{Decode, Encode};

use crate::wire::{Fault, Refusal, path, paths};

/// The bounds of a recipe.
pub mod bounds {
    /// Letters and digits in the name of a sandbox.
    pub const ID: usize = 26;
    /// Bytes in the name of an owner, an image, a label.
    pub const NAME: usize = 256;
    /// Paths of the machine, mounts, variables, labels, scratch directories: of each at most this many.
    pub const LIST: usize = 128;
    /// Bytes in a path: Linux's `PATH_MAX`.
    pub const PATH: usize = 4096;
    /// Sandboxes of one launcher at once, ended ones included until they are destroyed.
    pub const SANDBOXES: usize = 4096;
    /// Processes that a sandbox may have beyond its limit: the supervisor and what it keeps beside each program.
    pub const SUPERVISION: u32 = 32;
}

/// What a sandbox is made from.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Recipe {
    /// Its name: 26 lower-case letters and digits.
    #[n(0)]
    pub id: String,
    /// On whose behalf; for lists.
    #[n(1)]
    pub owner: String,
    /// Its files.
    #[n(2)]
    pub files: Files,
    /// How much it may use.
    #[n(3)]
    pub limits: Limits,
    /// Directories of the machine inside.
    #[n(4)]
    pub mounts: Vec<Mount>,
    /// Directories inside that are empty at first and may be written, beside `/tmp`, `/run` and `/dev/shm`.
    #[n(5)]
    #[cbor(with = "paths")]
    pub scratch: Vec<PathBuf>,
    /// The supervisor's environment.
    #[n(6)]
    pub env: BTreeMap<String, String>,
    /// For people who look at the state directory.
    #[n(7)]
    pub labels: BTreeMap<String, String>,
    /// After how many milliseconds without a connection the supervisor ends itself.
    #[n(8)]
    pub orphaned_after_ms: u64,
}

/// What the files of a sandbox are.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Files {
    /// These files and directories of the machine, to read. One that the machine has not is left out.
    #[n(0)]
    Host(
        #[n(0)]
        #[cbor(with = "paths")]
        Vec<PathBuf>,
    ),
    /// An unpacked image, by its name.
    #[n(1)]
    Image(#[n(0)] String),
}

/// How much a sandbox may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Limits {
    /// Thousandths of a processor, 10 to 1,024,000.
    #[n(0)]
    pub cpu_millis: u32,
    /// Bytes of memory, at least 4 MiB, tmpfs included.
    #[n(1)]
    pub memory: u64,
    /// Processes and threads, at least 1; [`bounds::SUPERVISION`] is added for the supervisor.
    #[n(2)]
    pub processes: u32,
    /// Bytes in all writable directories that are not mounts, at least 64 KiB.
    #[n(3)]
    pub disk: u64,
}

/// How a mount may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Access {
    /// To read, and to run what is there.
    #[n(0)]
    ReadOnly,
    /// To read, run and write.
    #[n(1)]
    ReadWrite,
}

/// A directory of the machine inside.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Mount {
    /// Where it is on the machine: absolute, no symbolic link anywhere.
    #[n(0)]
    #[cbor(with = "path")]
    pub host: PathBuf,
    /// Where it is inside: absolute.
    #[n(1)]
    #[cbor(with = "path")]
    pub inside: PathBuf,
    /// How it may be used.
    #[n(2)]
    pub access: Access,
}

/// What the launcher itself puts there.
const OWN: [&str; 4] = ["/proc", "/dev", "/sys", "/etc"];

impl Recipe {
    /// Whether everything keeps its bounds.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        if !is_id(&self.id) {
            return Err(refuse("the name of a sandbox is 26 lower-case letters and digits"));
        }
        let lengths = [self.mounts.len(), self.scratch.len(), self.env.len(), self.labels.len()];
        let names = self.env.iter().chain(&self.labels).flat_map(|(name, value)| [name, value]);
        if lengths.into_iter().any(|length| length > bounds::LIST) || self.owner.len() > bounds::NAME {
            return Err(refuse("a list or a name in the recipe is too long"));
        }
        if names.into_iter().any(|text| text.len() > bounds::PATH || text.contains('\0')) {
            return Err(refuse("a variable or label is too long or holds a NUL"));
        }
        self.limits.check()?;
        match &self.files {
            Files::Host(list) if list.len() > bounds::LIST => return Err(refuse("too many host paths")),
            Files::Host(list) => list.iter().try_for_each(|path| plain(path))?,
            Files::Image(name) if !is_image(name) => return Err(refuse("not the name of an image")),
            Files::Image(_) => {}
        }
        for mount in &self.mounts {
            plain(&mount.host)?;
            inside(&mount.inside)?;
        }
        self.scratch.iter().try_for_each(|path| inside(path))
    }
}

impl Limits {
    fn check(&self) -> Result<(), Refusal> {
        if !(10..=1_024_000).contains(&self.cpu_millis) {
            return Err(refuse("cpu_millis is 10 to 1,024,000"));
        }
        if self.memory < 4 << 20 || self.memory > i64::MAX as u64 {
            return Err(refuse("memory is at least 4 MiB"));
        }
        if self.processes == 0 || self.processes > 1 << 22 {
            return Err(refuse("processes is 1 to 4,194,304"));
        }
        if self.disk < 64 << 10 || self.disk > i64::MAX as u64 {
            return Err(refuse("disk is at least 64 KiB"));
        }
        Ok(())
    }
}

pub(crate) fn is_id(text: &str) -> bool {
    text.len() == bounds::ID && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// Parts between slashes that begin with a letter or digit: none is `..`, none is hidden.
fn is_image(name: &str) -> bool {
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    name.len() <= bounds::NAME && name.split('/').all(part)
}

/// Absolute, and nothing in it but names.
fn plain(path: &Path) -> Result<(), Refusal> {
    let mut parts = path.components();
    let names = parts.next() == Some(Component::RootDir)
        && parts.all(|part| matches!(part, Component::Normal(_)))
        && path.as_os_str().len() <= bounds::PATH
        && !path.as_os_str().as_encoded_bytes().contains(&0);
    if names { Ok(()) } else { Err(refuse(format!("{}: not an absolute path without ..", path.display()))) }
}

fn inside(path: &Path) -> Result<(), Refusal> {
    plain(path)?;
    if path == Path::new("/") || OWN.iter().any(|own| path.starts_with(own)) {
        return Err(refuse(format!("{}: nothing can be put there in a sandbox", path.display())));
    }
    Ok(())
}

fn refuse(message: impl Into<String>) -> Refusal {
    Refusal::new(Fault::Unsupported, message)
}
