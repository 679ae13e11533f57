//! Compiled components on disk. They are native code: a forged one would run as this process, so nothing is mapped
//! that this host did not write itself.
//!
//! What is checked: the directory is a real one (no link), owned by this user, closed to everyone else; each file
//! likewise; and a keyed MAC (HMAC-SHA-256, RFC 2104) over the file's name and content, with a key that only this
//! user can read. Whatever does not match is compiled again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use packhost_core::Digest;
use sha2::Sha256;
use wasmtime::Engine;
use wasmtime::component::Component;

use super::Flavour;

const KEY: &str = "compiled.key";
/// How long a compiled component is kept.
const KEEP: Duration = Duration::from_secs(30 * 86_400);
/// How long a file may be under way.
const KEEP_HALF: Duration = Duration::from_secs(3600);

/// Compiled components on disk.
pub(crate) struct Cache {
    dir: PathBuf,
    key: [u8; 32],
}

/// Why there is no cache, or why a file in it is not used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CacheError {
    #[error("{} is not a plain {what} that belongs to this user alone", path.display())]
    NotPrivate { path: PathBuf, what: &'static str },
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} is not what this host wrote", .0.display())]
    Forged(PathBuf),
    #[error("no randomness for the cache key: {0}")]
    Randomness(getrandom::Error),
}

impl Cache {
    /// Opens the cache in `dir`, with the MAC key in `state`; makes what is missing.
    pub(crate) fn open(dir: &Path, state: &Path) -> Result<Self, CacheError> {
        private_dir(state)?;
        private_dir(dir)?;
        sweep(dir);
        Ok(Self { dir: dir.to_owned(), key: key(&state.join(KEY))? })
    }

    /// The compiled form of the component with this digest, if there is one that may be used.
    pub(crate) fn get(&self, engine: &Engine, flavour: Flavour, digest: Digest) -> Option<Component> {
        let name = name(engine, flavour, digest);
        match self.verified(&name) {
            Ok(None) => None,
            Ok(Some(file)) => {
                map(engine, &file).inspect_err(|error| tracing::warn!(%error, %name, "rebuilding")).ok()
            }
            Err(error) => {
                tracing::warn!(%error, "compiled component not used; compiling it again");
                None
            }
        }
    }

    /// Keeps a compiled component. Readers see all of it or nothing.
    pub(crate) fn put(
        &self,
        component: &Component,
        flavour: Flavour,
        digest: Digest,
    ) -> wasmtime::Result<()> {
        let name = name(component.engine(), flavour, digest);
        let bytes = component.serialize()?;
        let mac = self.mac(&name, &bytes).finalize().into_bytes();
        write_whole(&self.dir.join(format!("{name}.mac")), &mac)?;
        write_whole(&self.dir.join(&name), &bytes)?;
        Ok(())
    }

    /// The file, open, after its content matched its MAC.
    fn verified(&self, name: &str) -> Result<Option<File>, CacheError> {
        let path = self.dir.join(name);
        let Some((mut file, size)) = open_private(&path)? else { return Ok(None) };
        let Some((mut mac, _)) = open_private(&self.dir.join(format!("{name}.mac")))? else {
            return Err(CacheError::Forged(path));
        };
        let failed = |source| CacheError::Io { path: path.clone(), source };
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        file.read_to_end(&mut bytes).map_err(failed)?;
        let mut expected = Vec::with_capacity(32);
        Read::take(&mut mac, 64).read_to_end(&mut expected).map_err(failed)?;
        match self.mac(name, &bytes).verify_slice(&expected) {
            Ok(()) => Ok(Some(file)),
            Err(_) => Err(CacheError::Forged(path)),
        }
    }

    fn mac(&self, name: &str, bytes: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key)
            .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
        mac.update(&(name.len() as u64).to_le_bytes());
        mac.update(name.as_bytes());
        mac.update(bytes);
        mac
    }
}

/// Component digest, engine, and everything about the engine that decides whether its code can be used.
fn name(engine: &Engine, flavour: Flavour, digest: Digest) -> String {
    use std::hash::{Hash, Hasher};
    struct Sha(Sha256);
    impl Hasher for Sha {
        fn write(&mut self, bytes: &[u8]) {
            sha2::Digest::update(&mut self.0, bytes);
        }
        fn finish(&self) -> u64 {
            let hash = sha2::Digest::finalize(self.0.clone());
            u64::from_le_bytes([hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]])
        }
    }
    let mut hasher = Sha(sha2::Digest::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{}-{}-{:016x}.cwasm", digest.hex(), flavour.as_str(), hasher.finish())
}

/// Maps the very file that was verified, not whatever its name leads to by now.
fn map(engine: &Engine, file: &File) -> wasmtime::Result<Component> {
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(file));
    // SAFETY: the bytes were written by `put` for this component and this engine's compatibility hash: the MAC over
    // both was verified on this open file, which only this user can write.
    unsafe { Component::deserialize_file(engine, path) }
}

fn private_dir(path: &Path) -> Result<(), CacheError> {
    let failed = |source| CacheError::Io { path: path.to_owned(), source };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
        _ => {}
    }
    let meta = fs::symlink_metadata(path).map_err(failed)?;
    if meta.is_dir() && meta.uid() == rustix::process::geteuid().as_raw() && meta.mode() & 0o077 == 0 {
        Ok(())
    } else {
        Err(CacheError::NotPrivate { path: path.to_owned(), what: "directory" })
    }
}

/// Removes what this host wrote long ago: for another engine, for components that are no longer there, or half. What is
/// still of use is compiled once more.
fn sweep(dir: &Path) {
    let old = |entry: &fs::DirEntry| {
        let name = entry.file_name();
        let keep = match Path::new(&name).extension().and_then(|extension| extension.to_str()) {
            Some("cwasm" | "mac") => KEEP,
            Some("new") => KEEP_HALF,
            _ => return false,
        };
        let written = entry.metadata().and_then(|meta| meta.modified());
        written.is_ok_and(|written| written.elapsed().is_ok_and(|age| age > keep))
    };
    for entry in fs::read_dir(dir).into_iter().flatten().flatten().filter(old) {
        // Another host may be sweeping too.
        let _ = fs::remove_file(entry.path());
    }
}

/// Opens a file that is nobody else's: no link, one name, owned by this user, closed to everyone else.
fn open_private(path: &Path) -> Result<Option<(File, u64)>, CacheError> {
    let failed = |source| CacheError::Io { path: path.to_owned(), source };
    let flags = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let meta = file.metadata().map_err(failed)?;
    let ours = meta.uid() == rustix::process::geteuid().as_raw() && meta.mode() & 0o077 == 0;
    if meta.is_file() && meta.nlink() == 1 && ours {
        Ok(Some((file, meta.len())))
    } else {
        Err(CacheError::NotPrivate { path: path.to_owned(), what: "file" })
    }
}

fn key(path: &Path) -> Result<[u8; 32], CacheError> {
    let failed = |source| CacheError::Io { path: path.to_owned(), source };
    let mut key = [0; 32];
    if let Some((mut file, 32)) = open_private(path)? {
        file.read_exact(&mut key).map_err(failed)?;
        return Ok(key);
    }
    getrandom::fill(&mut key).map_err(CacheError::Randomness)?;
    write_whole(path, &key).map_err(failed)?;
    Ok(key)
}

/// Writes beside, flushes to disk, renames.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension(format!("{}.new", packhost_core::RunId::fresh()));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&beside);
    }
    written
}
