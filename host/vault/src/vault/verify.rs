//! Whether what is kept can be opened.

use std::sync::PoisonError;

use packhost_core::CredentialName;
use serde::Serialize;

use super::{Vault, bindings_of};
use crate::error::VaultError;
use crate::keys::{KeyId, Keyring};
use crate::store::{self, Record};

/// A credential, and whether it opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Its name.
    pub name: CredentialName,
    /// The master key that it is sealed with.
    pub master_key: KeyId,
    /// What was found.
    pub finding: Finding,
}

/// Whether a credential opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// It does: its own key, its value and what is authenticated beside it.
    Opens,
    /// The master key that it is sealed with is none of those that are here.
    KeyMissing,
    /// The master key is here, and the record is not the one that was written.
    Damaged,
}

impl Vault {
    /// Opens every credential, by name, and keeps no value.
    ///
    /// # Errors
    /// When there is something to open and no master key where it should be, or the state cannot be read.
    pub fn verify(&self) -> Result<Vec<Verified>, VaultError> {
        // In a transaction that writes: nobody exchanges the master key between the look at the records and that at the keys.
        self.database.write(|sql| {
            let records = store::all(sql)?;
            if records.is_empty() {
                return Ok(Vec::new());
            }
            let has_all =
                |keyring: &Keyring| records.iter().all(|record| keyring.find(&record.envelope.key).is_some());
            let known = self.keyring.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let keyring = known.filter(|keyring| has_all(keyring)).map_or_else(|| self.reload(false), Ok)?;
            Ok(records.iter().map(|record| verified(&keyring, record)).collect())
        })
    }
}

fn verified(keyring: &Keyring, record: &Record) -> Verified {
    let finding = match keyring.find(&record.envelope.key) {
        None => Finding::KeyMissing,
        Some(master) if record.envelope.open(master, &record.label()).is_err() => Finding::Damaged,
        Some(_) if bindings_of(record).is_err() => Finding::Damaged,
        Some(_) => Finding::Opens,
    };
    Verified { name: record.name.clone(), master_key: record.envelope.key.clone(), finding }
}
