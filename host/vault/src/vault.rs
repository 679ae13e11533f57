//! The vault as its users have it.

mod admit;
mod transfer;
mod verify;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use packhost_state::Database;
use rusqlite::Transaction;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::binding::{Binding, Use};
use crate::error::VaultError;
use crate::keys::{KeyId, KeySource, Keyring, MasterKey};
use crate::seal::{Envelope, Label};
use crate::secret::Secret;
use crate::store::{self, Record};
pub use admit::Admitted;
use admit::fits;
use packhost_core::CredentialName;
pub use transfer::{Arrived, Carried};
pub use verify::{Finding, Verified};

/// Credentials in the state database. Its methods block: on the disk, on another process that writes, and on the command
/// that says the master key, where there is one.
pub struct Vault {
    database: Arc<Database>,
    source: KeySource,
    /// The keys as they were last read.
    keyring: Mutex<Option<Arc<Keyring>>>,
    /// Bindings by their text, so that each is read once.
    bindings: Mutex<HashMap<String, Arc<[Binding]>>>,
}

/// So many texts are kept; then it begins anew.
const TEXTS: usize = 256;

/// What may be known of a credential: everything but its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct About {
    /// Its name.
    pub name: CredentialName,
    /// Grows with each new value or binding, from 1.
    pub version: u64,
    /// Where it may be used.
    pub bindings: Vec<Binding>,
    /// The master key that it is sealed with.
    pub master_key: KeyId,
    /// When it was first set, in seconds since 1970.
    pub created: u64,
    /// When its value or bindings were last set, in seconds since 1970.
    pub changed: u64,
}

impl Vault {
    /// The vault in this database, sealed with the key that `source` names. No key is read before one is needed.
    ///
    /// # Errors
    /// When the tables are those of a newer host, or cannot be made.
    pub fn open(database: Arc<Database>, source: KeySource) -> Result<Self, VaultError> {
        database.migrate("vault", store::STEPS)?;
        Ok(Self { database, source, keyring: Mutex::new(None), bindings: Mutex::default() })
    }

    /// Keeps a value under this name, bound to these uses, in place of an earlier one. Returns the version.
    ///
    /// # Errors
    /// When the value does not fit a binding, there is no master key, or the state cannot be written.
    pub fn set(
        &self,
        name: &CredentialName,
        value: &Secret,
        bindings: &[Binding],
    ) -> Result<u64, VaultError> {
        fits(name, value, bindings)?;
        let version = self.database.write(|sql| {
            let old = store::look(sql, name)?;
            self.seal(sql, name, value, written(bindings), old.as_ref())
        })?;
        self.scrub();
        Ok(version)
    }

    /// Keeps another value under this name, with the bindings that it has.
    ///
    /// # Errors
    /// As [`set`](Self::set), and when there is no such credential.
    pub fn rotate(&self, name: &CredentialName, value: &Secret) -> Result<u64, VaultError> {
        let version = self.database.write(|sql| {
            let old = store::find(sql, name)?;
            // Bindings that were changed behind our back must not be sealed anew as if they were ours.
            self.unseal(&old)?;
            fits(name, value, &bindings_of(&old)?)?;
            self.seal(sql, name, value, old.bindings.clone(), Some(&old))
        })?;
        self.scrub();
        Ok(version)
    }

    /// Binds the credential to these uses instead of the ones that it has.
    ///
    /// # Errors
    /// As [`rotate`](Self::rotate).
    pub fn bind(&self, name: &CredentialName, bindings: &[Binding]) -> Result<u64, VaultError> {
        let version = self.database.write(|sql| {
            let old = store::find(sql, name)?;
            let value = Secret::new(&self.unseal(&old)?)?;
            fits(name, &value, bindings)?;
            self.seal(sql, name, &value, written(bindings), Some(&old))
        })?;
        self.scrub();
        Ok(version)
    }

    /// What there is to know of one credential.
    ///
    /// # Errors
    /// When there is no such credential, or its record is damaged.
    pub fn about(&self, name: &CredentialName) -> Result<About, VaultError> {
        about(self.database.read(|sql| store::find(sql, name))?)
    }

    /// The same of all, by name.
    ///
    /// # Errors
    /// When a record is damaged.
    pub fn list(&self) -> Result<Vec<About>, VaultError> {
        self.database.read(store::all)?.into_iter().map(about).collect()
    }

    /// Forgets a credential.
    ///
    /// # Errors
    /// When there is no such credential.
    pub fn remove(&self, name: &CredentialName) -> Result<(), VaultError> {
        self.database.write(|sql| store::remove(sql, name))?;
        self.scrub();
        Ok(())
    }

    /// The value, for a use that it is bound to, and what the binding makes with it. Bindings are looked at after they were
    /// authenticated.
    ///
    /// # Errors
    /// When there is no such credential, it is not bound to this use, or it cannot be opened.
    pub fn open_for(&self, name: &CredentialName, of: &Use<'_>) -> Result<Admitted, VaultError> {
        let (record, value) = self.with_keys(|| {
            let record = self.database.glance(|sql| store::find(sql, name))?;
            let value = self.unseal(&record)?;
            Ok((record, value))
        })?;
        let bindings = self.bindings_of(&record)?;
        let unbound = |why| VaultError::Unbound { name: name.clone(), why };
        let signing = Binding::any_admits(&bindings, of).map_err(unbound)?.signing().cloned();
        Ok(Admitted { value: Secret::new(&value)?, version: record.version, signing })
    }

    /// Reads the master key now, for a host that cannot do so later.
    ///
    /// # Errors
    /// When there is none where it should be.
    pub fn read_key(&self) -> Result<(), VaultError> {
        self.reload(false).map(drop)
    }

    /// Seals everything with another master key: a fresh one where the key is this host's own, otherwise the first of
    /// those that the operator provides. Returns its id, and how many credentials were sealed anew.
    ///
    /// It may be cut off anywhere: until the last step every key that something is sealed with is kept.
    ///
    /// # Errors
    /// When the operator provides no new key, or something is sealed with a key that is not there.
    pub fn rotate_master(&self) -> Result<(KeyId, usize), VaultError> {
        let done = self.database.write(|sql| {
            let mut keyring = self.source.load(store::is_empty(sql)?)?;
            if matches!(self.source, KeySource::Own(_)) {
                let old = std::mem::replace(&mut keyring.first, MasterKey::random()?);
                keyring.others.insert(0, old);
            } else if keyring.others.is_empty() {
                return Err(VaultError::NotOurs(self.source.to_string()));
            }
            let mut count = 0;
            for record in store::all(sql)? {
                if record.envelope.key != *keyring.first.id() {
                    let envelope = rewrap(&keyring, &record)?;
                    store::put(sql, &Record { envelope, ..record })?;
                    count += 1;
                }
            }
            // Last, so that no exchange that fails adds a key; and before anything that is sealed with it is there.
            if matches!(self.source, KeySource::Own(_)) {
                self.source.store(&keyring)?;
            }
            Ok((keyring.first.id().clone(), count))
        })?;
        if matches!(self.source, KeySource::Own(_)) {
            self.forget_old_keys()?;
        }
        self.scrub();
        *self.keyring.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(done)
    }

    /// Drops the keys that nothing is sealed with any more. Looks again, because another process may have been here.
    fn forget_old_keys(&self) -> Result<(), VaultError> {
        self.database.write(|sql| {
            let mut keyring = self.source.load(false)?;
            let records = store::all(sql)?;
            keyring.others.retain(|key| records.iter().any(|record| record.envelope.key == *key.id()));
            self.source.store(&keyring)
        })
    }

    fn seal(
        &self,
        sql: &Transaction<'_>,
        name: &CredentialName,
        value: &Secret,
        bindings: String,
        old: Option<&Record>,
    ) -> Result<u64, VaultError> {
        // Read anew: another process may have rotated the key, and waits for nobody who still has the old one.
        let keyring = self.reload(store::is_empty(sql)?)?;
        put(sql, &keyring, (name, value), bindings, old)
    }

    fn unseal(&self, record: &Record) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let known = self.keyring.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let known = known.filter(|keyring| keyring.find(&record.envelope.key).is_some());
        let keyring = known.map_or_else(|| self.reload(false), Ok)?;
        let master = key_of(&keyring, record)?;
        let opened = record.envelope.open(master, &record.label());
        opened.map_err(|_| VaultError::Damaged(record.name.clone()))
    }

    /// The bindings of a record whose text was authenticated.
    fn bindings_of(&self, record: &Record) -> Result<Arc<[Binding]>, VaultError> {
        let known = || self.bindings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bindings) = known().get(&record.bindings) {
            return Ok(Arc::clone(bindings));
        }
        let bindings: Arc<[Binding]> = bindings_of(record)?.into();
        let mut known = known();
        if known.len() >= TEXTS {
            known.clear();
        }
        known.insert(record.bindings.clone(), Arc::clone(&bindings));
        Ok(bindings)
    }

    /// Does this, and again where the master key was exchanged between its look at a record and its look at the keys.
    fn with_keys<T>(&self, work: impl Fn() -> Result<T, VaultError>) -> Result<T, VaultError> {
        let mut missing = None;
        loop {
            match work() {
                Err(VaultError::KeyMissing { id, .. }) if missing.as_ref() != Some(&id) => missing = Some(id),
                done => return done,
            }
        }
    }

    /// What was replaced or removed is not to be found in the write-ahead log either. Where it cannot be done now, the
    /// change itself is kept all the same, and the next one does it.
    fn scrub(&self) {
        let _ = self.database.scrub();
    }

    fn reload(&self, make: bool) -> Result<Arc<Keyring>, VaultError> {
        let keyring = Arc::new(self.source.load(make)?);
        *self.keyring.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&keyring));
        Ok(keyring)
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").field("source", &self.source.to_string()).finish_non_exhaustive()
    }
}

/// Writes a credential sealed with the first of these keys; returns its version.
fn put(
    sql: &Transaction<'_>,
    keyring: &Keyring,
    (name, value): (&CredentialName, &Secret),
    bindings: String,
    old: Option<&Record>,
) -> Result<u64, VaultError> {
    let version = old.map_or(1, |old| old.version.saturating_add(1));
    let envelope = Envelope::seal(&keyring.first, &Label { name, version, bindings: &bindings }, value)?;
    let changed = now();
    let created = old.map_or(changed, |old| old.created);
    store::put(sql, &Record { name: name.clone(), version, bindings, envelope, created, changed })?;
    Ok(version)
}

fn key_of<'a>(keyring: &'a Keyring, record: &Record) -> Result<&'a MasterKey, VaultError> {
    let id = &record.envelope.key;
    let missing = || VaultError::KeyMissing { name: record.name.clone(), id: id.clone() };
    keyring.find(id).ok_or_else(missing)
}

fn rewrap(keyring: &Keyring, record: &Record) -> Result<Envelope, VaultError> {
    let old = key_of(keyring, record)?;
    let rewrapped = record.envelope.rewrap(old, &keyring.first, &record.label())?;
    rewrapped.map_err(|_| VaultError::Damaged(record.name.clone()))
}

fn bindings_of(record: &Record) -> Result<Vec<Binding>, VaultError> {
    serde_json::from_str(&record.bindings).map_err(|_| VaultError::Damaged(record.name.clone()))
}

fn about(record: Record) -> Result<About, VaultError> {
    Ok(About {
        bindings: bindings_of(&record)?,
        name: record.name,
        version: record.version,
        master_key: record.envelope.key,
        created: record.created,
        changed: record.changed,
    })
}

/// The bindings as they are stored and authenticated.
fn written(bindings: &[Binding]) -> String {
    serde_json::json!(bindings).to_string()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
