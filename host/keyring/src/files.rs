//! The directory of a ring: `public`, the chain of public keys, and `ID.key`, the private half of the current one (PKCS#8,
//! RFC 5958). Where something was to be remembered that was signed, `last`.
//!
//! The last line of `public` says which key is the current one, so that replacing that one file is what makes a rotation
//! happen. What a process leaves that dies before or after it is a file of a private key that is not the current one, and
//! whoever next has the lock removes it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};
use zeroize::Zeroizing;

use crate::error::KeyringError;
use crate::public::KeyId;

/// The name of the file of public keys.
pub(crate) const PUBLIC: &str = "public";
/// How the names of files of private keys end.
const KEY: &str = "key";
/// The name of what was signed last.
const LAST: &str = "last";
/// The most bytes of that.
const REMEMBERED: usize = 4 << 10;
/// The most bytes of a private key; 85 are usual.
const PRIVATE: usize = 512;
/// What nobody but the owner may do.
const OTHERS: u32 = 0o077;

/// The directory while this process alone may change it. Let go when dropped.
pub(crate) struct Held(File);

pub(crate) fn failed(path: &Path) -> impl FnOnce(io::Error) -> KeyringError + '_ {
    |source| KeyringError::File { path: path.to_owned(), source }
}

/// Makes the directory where it is missing, and waits until no other process changes it.
pub(crate) fn hold(dir: &Path) -> Result<Held, KeyringError> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(dir)(error)),
        Err(_) => {}
        // What is signed with the keys may be on the disk before them otherwise.
        Ok(()) => {
            let above = dir.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
            File::open(above).and_then(|above| above.sync_all()).map_err(failed(above))?;
        }
    }
    let open = File::open(dir).map_err(failed(dir))?;
    private(dir, &open)?;
    flock(&open, FlockOperation::LockExclusive).map_err(|error| failed(dir)(error.into()))?;
    Ok(Held(open))
}

/// Refuses what somebody else owns or may use.
fn private(path: &Path, open: &File) -> Result<(), KeyringError> {
    let about = open.metadata().map_err(failed(path))?;
    let (mode, owner) = (about.mode() & 0o777, about.uid());
    let ours = owner == rustix::process::geteuid().as_raw() || owner == 0;
    if mode & OTHERS != 0 || !ours {
        return Err(KeyringError::Exposed { path: path.to_owned(), mode, owner });
    }
    Ok(())
}

/// Whether there are public keys. Where that cannot be said they are taken to be there: a chain that is begun in their place
/// would lose every key but the current one.
pub(crate) fn has_public(dir: &Path) -> Result<bool, KeyringError> {
    let path = dir.join(PUBLIC);
    match path.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed(&path)(error)),
    }
}

/// Which version of the public keys is there: it changes with each replacement.
pub(crate) fn version(dir: &Path) -> Result<(u64, i64, i64), KeyringError> {
    let path = dir.join(PUBLIC);
    let about = fs::metadata(&path).map_err(failed(&path))?;
    Ok((about.ino(), about.mtime(), about.mtime_nsec()))
}

/// A file of at most so many bytes; a link in its place is not followed.
pub(crate) fn read(path: &Path, most: usize) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
    let nofollow = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(nofollow).open(path).map_err(failed(path))?;
    // Room for all of it: one that grows leaves copies behind.
    let size = usize::try_from(file.metadata().map_err(failed(path))?.len()).unwrap_or(usize::MAX);
    let mut bytes = Zeroizing::new(Vec::with_capacity(size.min(most) + 1));
    file.take(most as u64 + 1).read_to_end(&mut bytes).map_err(failed(path))?;
    if bytes.len() > most {
        return Err(failed(path)(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "it is larger than such a file can be",
        )));
    }
    Ok(bytes)
}

/// The private half of a key.
pub(crate) fn read_private(dir: &Path, id: KeyId) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
    let path = private_path(dir, id);
    match File::open(&path) {
        Ok(open) => private(&path, &open)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(KeyringError::Private { path, id });
        }
        Err(error) => return Err(failed(&path)(error)),
    }
    read(&path, PRIVATE)
}

pub(crate) fn private_path(dir: &Path, id: KeyId) -> PathBuf {
    dir.join(format!("{id}.{KEY}"))
}

/// Writes the private half of a key.
pub(crate) fn write_private(held: &Held, dir: &Path, id: KeyId, bytes: &[u8]) -> Result<(), KeyringError> {
    replace(held, &private_path(dir, id), bytes)
}

/// Writes a file that is there as a whole or not at all, also after a power cut.
pub(crate) fn replace(held: &Held, path: &Path, bytes: &[u8]) -> Result<(), KeyringError> {
    let fresh = path.with_added_extension("new");
    let written = whole(&fresh, bytes).and_then(|()| fs::rename(&fresh, path));
    if written.is_err() {
        let _already_an_error = fs::remove_file(&fresh);
    }
    written.and_then(|()| held.0.sync_all()).map_err(failed(path))
}

fn whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Puts what was signed last in the place of what was there. All of it or the older one is there, and nobody waits for the disk.
pub(crate) fn remember(_held: &Held, dir: &Path, signed: &[u8]) -> Result<(), KeyringError> {
    let path = dir.join(LAST);
    let fresh = path.with_added_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(&fresh)(error)),
        _ => {}
    }
    let written = options.open(&fresh).and_then(|mut file| file.write_all(signed));
    written.and_then(|()| fs::rename(&fresh, &path)).map_err(failed(&path))
}

/// What was signed last; none where nothing was to be remembered.
pub(crate) fn remembered(dir: &Path) -> Result<Option<Vec<u8>>, KeyringError> {
    match read(&dir.join(LAST), REMEMBERED) {
        Err(KeyringError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        bytes => Ok(Some(bytes?.to_vec())),
    }
}

/// The ids of all private keys that are there; what a process left that died while it wrote a file is removed.
pub(crate) fn privates(_held: &Held, dir: &Path) -> Result<Vec<KeyId>, KeyringError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed(dir))? {
        let path = entry.map_err(failed(dir))?.path();
        let end = path.extension().and_then(|end| end.to_str());
        let id = path.file_stem().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
        match (end, id) {
            (Some("new"), _) => fs::remove_file(&path).map_err(failed(&path))?,
            (Some(KEY), Some(id)) => found.push(id),
            _ => {}
        }
    }
    Ok(found)
}

/// Removes the private half of a key that is not the current one.
pub(crate) fn forget(held: &Held, dir: &Path, id: KeyId) -> Result<(), KeyringError> {
    let path = private_path(dir, id);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(&path)(error)),
        _ => held.0.sync_all().map_err(failed(dir)),
    }
}
