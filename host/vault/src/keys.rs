//! The master key: where it comes from, and the ones that were before it.

mod source;

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::VaultError;
use crate::locked::Locked;
use crate::seal::digest;
pub use source::KeySourceError;

/// Bytes of a key (AES-256).
pub(crate) const KEY: usize = 32;
/// The most bytes that are read where keys should be.
const MOST: u64 = 64 << 10;
/// What nobody but the owner may do with a file that holds a key.
const OTHERS: u32 = 0o077;
/// The same in the directory of a unit's credentials, which nobody else can enter. A service that does not run as root
/// is let in by an access control list, and then the group's bits are the list's mask (acl(5)): `r--r-----`.
const OTHERS_OF_UNIT: u32 = 0o037;

/// Where the master key comes from. What is read there is one key a line, 32 bytes in base64; the first is the one in
/// use, the others open what is not yet sealed anew. Lines that start with `#` are skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// A file of this host's own, made on first use with mode 0600.
    Own(PathBuf),
    /// A file of the operator's, mode 0600 or stricter.
    File(PathBuf),
    /// A credential that systemd hands to the service (`LoadCredential=`), by its name.
    Systemd(String),
    /// An environment variable.
    Env(String),
    /// What a command writes to its standard output. The first word is the program; no shell is involved.
    Command(Vec<String>),
}

/// Names a master key without telling anything of it: the first 8 bytes of a digest, in hex.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KeyId(String);

/// A master key.
pub(crate) struct MasterKey {
    id: KeyId,
    key: Locked,
}

/// The master keys that are there: the one in use first.
pub struct Keyring {
    pub(crate) first: MasterKey,
    pub(crate) others: Vec<MasterKey>,
}

impl KeyId {
    /// As text, 16 hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// An id that was stored.
    pub(crate) fn stored(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl MasterKey {
    fn of(key: Locked) -> Self {
        let hash = digest(&[b"packhost vault 1: key id", key.bytes()]);
        let id = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        Self { id: KeyId(id), key }
    }

    pub(crate) fn random() -> Result<Self, VaultError> {
        Ok(Self::of(Locked::filled(KEY, |key| Ok::<(), VaultError>(getrandom::fill(key)?))?))
    }

    pub(crate) fn id(&self) -> &KeyId {
        &self.id
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.key.bytes()
    }

    fn line(&self) -> Zeroizing<String> {
        let mut line = Zeroizing::new(String::with_capacity(KEY * 2));
        STANDARD.encode_string(self.bytes(), &mut line);
        line.push('\n');
        line
    }
}

impl Keyring {
    /// The ids of all keys, the one in use first.
    pub fn ids(&self) -> impl Iterator<Item = &KeyId> {
        self.all().map(MasterKey::id)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &MasterKey> {
        std::iter::once(&self.first).chain(&self.others)
    }

    pub(crate) fn find(&self, id: &KeyId) -> Option<&MasterKey> {
        self.all().find(|key| key.id() == id)
    }

    /// From lines of keys; the error says which line is wrong and nothing of what it holds.
    fn read(text: &str) -> Result<Self, String> {
        let mut keys = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = || format!("line {} is not 32 bytes in base64", index + 1);
            let bytes = Zeroizing::new(STANDARD.decode(line).map_err(|_| wrong())?);
            if bytes.len() != KEY {
                return Err(wrong());
            }
            keys.push(MasterKey::of(Locked::copy(&bytes).map_err(|error| error.to_string())?));
        }
        let mut keys = keys.into_iter();
        let first = keys.next().ok_or("there is no key in it")?;
        Ok(Self { first, others: keys.collect() })
    }

    /// As lines, the one in use first.
    fn write(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(KEY * 2 * (1 + self.others.len())));
        self.all().for_each(|key| text.push_str(&key.line()));
        text
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

impl KeySource {
    /// The keys that are there now. `make` says whether a file of the host's own may be made where there is none.
    pub(crate) fn load(&self, make: bool) -> Result<Keyring, VaultError> {
        let failed = |why: String| VaultError::Key { place: self.to_string(), why };
        let text = match self {
            Self::Own(path) if make && !path.exists() => {
                let made = Keyring { first: MasterKey::random()?, others: Vec::new() };
                replace(path, &made.write(), false).map_err(|error| self.not_written(&error))?;
                // Another process may have been first.
                private(path, OTHERS)?
            }
            Self::Own(path) | Self::File(path) => private(path, OTHERS)?,
            Self::Systemd(name) => {
                let dir = std::env::var_os("CREDENTIALS_DIRECTORY");
                let dir = dir.ok_or_else(|| failed("$CREDENTIALS_DIRECTORY is not set".into()))?;
                private(&Path::new(&dir).join(name), OTHERS_OF_UNIT)?
            }
            Self::Env(variable) => {
                Zeroizing::new(std::env::var(variable).map_err(|_| failed("it is not set".into()))?)
            }
            Self::Command(words) => output(words).map_err(failed)?,
        };
        Keyring::read(&text).map_err(failed)
    }

    /// Puts these keys in place of those that are there.
    pub(crate) fn store(&self, keyring: &Keyring) -> Result<(), VaultError> {
        let Self::Own(path) = self else { return Err(VaultError::NotOurs(self.to_string())) };
        replace(path, &keyring.write(), true).map_err(|error| self.not_written(&error))
    }

    fn not_written(&self, error: &io::Error) -> VaultError {
        VaultError::KeyNotWritten { place: self.to_string(), why: error.to_string() }
    }
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(path) | Self::File(path) => path.display().fmt(f),
            Self::Systemd(name) => write!(f, "the systemd credential {name}"),
            Self::Env(variable) => write!(f, "${variable}"),
            Self::Command(words) => write!(f, "`{}`", words.join(" ")),
        }
    }
}

/// A file that only this user, or root, could have written or read: none of the bits `others` is set.
fn private(path: &Path, others: u32) -> Result<Zeroizing<String>, VaultError> {
    let place = path.display().to_string();
    let failed = |error: io::Error| VaultError::Key { place: place.clone(), why: error.to_string() };
    let mut file = File::open(path).map_err(failed)?;
    let about = file.metadata().map_err(failed)?;
    let mode = about.permissions().mode() & 0o777;
    let ours = about.uid() == rustix::process::geteuid().as_raw() || about.uid() == 0;
    if mode & others != 0 || !ours {
        return Err(VaultError::Exposed { path: path.to_owned(), mode });
    }
    text(&mut file).map_err(failed)
}

fn text(from: &mut impl Read) -> io::Result<Zeroizing<String>> {
    // Room for all of it: one that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(MOST as usize + 1));
    from.take(MOST + 1).read_to_string(&mut text)?;
    // The keys behind that would be missed as if they were not there.
    if text.len() > MOST as usize {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is longer than 64 KiB"));
    }
    Ok(text)
}

/// What a command says. It gets nothing of this host's standard streams but stderr.
fn output(words: &[String]) -> Result<Zeroizing<String>, String> {
    let [program, args @ ..] = words else { return Err("no command is named".into()) };
    let mut command = Command::new(program);
    let started = command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = started.map_err(|error| error.to_string())?;
    let mut stdout = child.stdout.take().ok_or("it has no stdout")?;
    let said = text(&mut stdout).map_err(|error| error.to_string());
    // One that says more than is read must not wait for a reader.
    drop(stdout);
    let status = child.wait().map_err(|error| error.to_string())?;
    // One that says too much ends at a pipe that is closed.
    if status.success() || said.is_err() { said } else { Err(format!("it ended with {status}")) }
}

/// Writes a file that is there as a whole or not at all, also after a power cut. An existing one is replaced or kept.
///
/// The caller holds the write lock of the state database, so nobody else is here. What a process leaves that dies here
/// is a copy of the keys: it has one name, and the next write removes it.
fn replace(path: &Path, text: &str, existing: bool) -> io::Result<()> {
    let dir = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let fresh = path.with_added_extension("new");
    remove(&fresh)?;
    let moved = whole(&fresh, text).and_then(|()| {
        // Not every file system can rename without replacing; a second name is as good.
        if existing { fs::rename(&fresh, path) } else { fs::hard_link(&fresh, path) }
    });
    let removed = remove(&fresh);
    match moved {
        Err(error) if existing || error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => removed?,
    }
    File::open(dir)?.sync_all()
}

/// Writes a file that was not there, down to the disk.
fn whole(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
