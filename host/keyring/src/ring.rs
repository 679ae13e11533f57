//! The ring of a host: the current key, and the public halves of those before it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::error::{ChainError, KeyringError, Unverified};
use crate::files::{self, Held, PUBLIC};
use crate::public::{KeyId, Link, PublicKey, PublicKeys, SUCCESSOR};
use crate::signature::{Signature, message};

/// The keys that this host signs with. Its methods may wait for the disk. Several processes may have the same directory open:
/// a rotation by one of them counts for the others from their next signature on.
pub struct Keyring {
    dir: PathBuf,
    loaded: Mutex<Loaded>,
}

/// What was last read.
struct Loaded {
    version: (u64, i64, i64),
    keys: PublicKeys,
    private: Private,
}

/// The private half of a key, in PKCS#8.
struct Private {
    id: KeyId,
    document: Zeroizing<Vec<u8>>,
}

impl Keyring {
    /// The ring in this directory. Its first key is made where there is none; the directory's parent has to be there.
    ///
    /// # Errors
    /// When the directory cannot be made or is open to others, the public keys are no chain, or the private half of the
    /// current one is missing.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, KeyringError> {
        let dir = dir.into();
        let held = files::hold(&dir)?;
        let here = files::privates(&held, &dir)?;
        if !files::has_public(&dir)? {
            begin(&held, &dir, &here)?;
        }
        let loaded = Loaded::read(&dir)?;
        loaded.alone(&held, &dir, here)?;
        Ok(Self { dir, loaded: Mutex::new(loaded) })
    }

    /// Whether there is a ring in this directory.
    pub fn is_there(dir: &Path) -> bool {
        dir.join(PUBLIC).exists()
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Keeps something that was signed beside the keys, in place of what was kept there before: should it be lost where it
    /// belongs, here it is known that it was. The disk is not waited for, because an older one is as true.
    ///
    /// # Errors
    /// When it cannot be written; then the older one is there.
    pub fn remember(&self, signed: &[u8]) -> Result<(), KeyringError> {
        let held = files::hold(&self.dir)?;
        files::remember(&held, &self.dir, signed)
    }

    /// What [`remember`](Self::remember) has kept in this directory last. Makes nothing, and takes no lock.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn remembered(dir: &Path) -> Result<Option<Vec<u8>>, KeyringError> {
        files::remembered(dir)
    }

    /// The current key.
    ///
    /// # Errors
    /// When another process has changed the ring and it cannot be read.
    pub fn current(&self) -> Result<PublicKey, KeyringError> {
        self.with(|loaded| loaded.keys.current())
    }

    /// The public halves of all keys.
    ///
    /// # Errors
    /// As [`current`](Self::current).
    pub fn public(&self) -> Result<PublicKeys, KeyringError> {
        self.with(|loaded| loaded.keys.clone())
    }

    /// Signs these bytes for this purpose with the current key. A context is a word that no other purpose has, with a
    /// version at its end.
    ///
    /// # Errors
    /// As [`current`](Self::current).
    pub fn sign(&self, context: &'static str, bytes: &[u8]) -> Result<Signature, KeyringError> {
        self.with(|loaded| loaded.private.sign(&self.dir, context, bytes))?
    }

    /// Whether a key of this ring, the current or a retired one, signed these bytes for this purpose.
    ///
    /// # Errors
    /// When it did not, or the key is unknown.
    pub fn verify(
        &self,
        context: &'static str,
        bytes: &[u8],
        signature: &Signature,
    ) -> Result<(), Unverified> {
        // A ring that cannot be read again still has the keys that it had.
        let _older_ones_do = self.with(|_| ());
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.keys.verify(context, bytes, signature)
    }

    /// Makes a new key, has the current one vouch for it, and forgets the private half of that one.
    ///
    /// # Errors
    /// When the files cannot be written; then the ring is as it was. When the private half of the old key cannot be removed,
    /// the new one is in use all the same, and the next `open` tries again.
    pub fn rotate(&self) -> Result<PublicKey, KeyringError> {
        // In the order of `with`: whoever waits for the directory has this lock already.
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let held = files::hold(&self.dir)?;
        let here = files::privates(&held, &self.dir)?;
        *loaded = Loaded::read(&self.dir)?;
        loaded.alone(&held, &self.dir, here)?;
        let (next, mut link) = Private::make()?;
        link.vouched = Some(loaded.private.sign(&self.dir, SUCCESSOR, link.key.bytes())?);
        let (key, old) = (link.key, loaded.private.id);
        let keys = loaded.keys.followed_by(link)?;
        files::write_private(&held, &self.dir, next.id, &next.document)?;
        if let Err(error) = files::replace(&held, &self.dir.join(PUBLIC), keys.to_text().as_bytes()) {
            // It may count in spite of the error: what is there decides, and which private half is left over.
            let now = Loaded::read(&self.dir)?;
            if now.private.id == old {
                files::forget(&held, &self.dir, next.id)?;
                return Err(error);
            }
        }
        *loaded = Loaded::read(&self.dir)?;
        files::forget(&held, &self.dir, old)?;
        Ok(key)
    }

    /// Does something with what is in the directory now.
    fn with<T>(&self, work: impl FnOnce(&Loaded) -> T) -> Result<T, KeyringError> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if files::version(&self.dir)? != loaded.version {
            // Whoever rotates has the lock until the old private half is gone.
            let _held = files::hold(&self.dir)?;
            *loaded = Loaded::read(&self.dir)?;
        }
        Ok(work(&loaded))
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("Keyring")
            .field("dir", &self.dir)
            .field("current", &loaded.private.id)
            .finish_non_exhaustive()
    }
}

/// Makes the first key. A private key without a chain is one whose process died here, and no reason to make another: should
/// it have signed anything, that can still be verified.
fn begin(held: &Held, dir: &Path, here: &[KeyId]) -> Result<(), KeyringError> {
    let link = match here {
        [] => {
            let (private, link) = Private::make()?;
            files::write_private(held, dir, private.id, &private.document)?;
            link
        }
        [id] => Private::read(dir, *id)?.link(dir)?,
        // Not what a process leaves that dies.
        _ => return Err(KeyringError::Chain { path: dir.join(PUBLIC), source: ChainError::Empty }),
    };
    files::replace(held, &dir.join(PUBLIC), PublicKeys::beginning(link).to_text().as_bytes())
}

impl Loaded {
    /// Reads the directory, whose lock the caller has.
    fn read(dir: &Path) -> Result<Self, KeyringError> {
        let version = files::version(dir)?;
        let keys = PublicKeys::read(dir)?;
        let private = Private::read(dir, keys.current().id())?;
        Ok(Self { version, keys, private })
    }

    /// Of these private keys, removes all but the current one: a process left them that died before its rotation counted, or
    /// right after.
    fn alone(&self, held: &Held, dir: &Path, here: Vec<KeyId>) -> Result<(), KeyringError> {
        here.into_iter().filter(|id| *id != self.private.id).try_for_each(|id| files::forget(held, dir, id))
    }
}

impl Private {
    fn make() -> Result<(Self, Link), KeyringError> {
        let unmade = |_| KeyringError::Make("the system gives no random bytes");
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(unmade)?;
        let document = Zeroizing::new(document.as_ref().to_vec());
        let pair =
            Ed25519KeyPair::from_pkcs8(&document).map_err(|_| KeyringError::Make("the key is none"))?;
        let link = link(&pair);
        Ok((Self { id: link.id, document }, link))
    }

    /// The private half of this key, and of no other.
    fn read(dir: &Path, id: KeyId) -> Result<Self, KeyringError> {
        let private = Self { id, document: files::read_private(dir, id)? };
        private.link(dir)?;
        Ok(private)
    }

    fn pair(&self, dir: &Path) -> Result<Ed25519KeyPair, KeyringError> {
        let wrong = || KeyringError::Private { path: files::private_path(dir, self.id), id: self.id };
        // A document whose two halves do not belong together is refused by ring.
        let pair = Ed25519KeyPair::from_pkcs8(&self.document).map_err(|_| wrong())?;
        if link(&pair).id == self.id { Ok(pair) } else { Err(wrong()) }
    }

    fn link(&self, dir: &Path) -> Result<Link, KeyringError> {
        Ok(link(&self.pair(dir)?))
    }

    fn sign(&self, dir: &Path, context: &'static str, bytes: &[u8]) -> Result<Signature, KeyringError> {
        let signature = self.pair(dir)?.sign(&message(context, bytes));
        let bytes = signature.as_ref().try_into();
        let bytes = bytes.map_err(|_| KeyringError::Make("the signature has another length"))?;
        Ok(Signature { key_id: self.id, bytes })
    }
}

/// The first link of a chain with this key.
fn link(pair: &Ed25519KeyPair) -> Link {
    let mut bytes = [0; PublicKey::LENGTH];
    bytes.copy_from_slice(pair.public_key().as_ref());
    let key = PublicKey(bytes);
    let now = OffsetDateTime::now_utc();
    Link { id: key.id(), key, made: now.replace_nanosecond(0).unwrap_or(now), vouched: None }
}
