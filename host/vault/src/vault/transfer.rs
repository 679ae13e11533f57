//! Credentials on their way from one vault to another.

use packhost_core::CredentialName;
use serde::Serialize;

use super::{Vault, about, fits, put, written};
use crate::binding::Binding;
use crate::error::VaultError;
use crate::secret::Secret;
use crate::store;

/// A credential with its value. Whoever has it encrypts it before it leaves the process.
#[derive(Debug)]
pub struct Carried {
    /// Its name.
    pub name: CredentialName,
    /// Its value.
    pub value: Secret,
    /// Where it may be used.
    pub bindings: Vec<Binding>,
}

/// What came of a credential that was brought in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Arrived {
    /// Its name.
    pub name: CredentialName,
    /// Its version here.
    pub version: u64,
    /// Whether it took the place of one of the same name.
    pub replaced: bool,
}

impl Vault {
    /// Every credential with its value, by name, as they are at one moment.
    ///
    /// # Errors
    /// When one of them cannot be opened: a backup that lacks something is none.
    pub fn export(&self) -> Result<Vec<Carried>, VaultError> {
        self.with_keys(|| {
            let records = self.database.read(store::all)?;
            let carried = records.into_iter().map(|record| {
                let value = Secret::new(&self.unseal(&record)?)?;
                let known = about(record)?;
                Ok(Carried { name: known.name, value, bindings: known.bindings })
            });
            carried.collect()
        })
    }

    /// Keeps all of these, or none. `replace` says whether one may take the place of a credential that is here.
    ///
    /// # Errors
    /// When a name is here already and `replace` is not said, or as [`set`](Self::set); then nothing was kept.
    pub fn import(&self, carried: &[Carried], replace: bool) -> Result<Vec<Arrived>, VaultError> {
        let arrived = self.database.write(|sql| {
            let keyring = self.reload(store::is_empty(sql)?)?;
            let (mut arrived, mut taken) = (Vec::new(), Vec::new());
            for Carried { name, value, bindings } in carried {
                fits(name, value, bindings)?;
                let old = store::look(sql, name)?;
                if old.is_some() && !replace {
                    taken.push(name.clone());
                    continue;
                }
                let version = put(sql, &keyring, (name, value), written(bindings), old.as_ref())?;
                arrived.push(Arrived { name: name.clone(), version, replaced: old.is_some() });
            }
            // What was written is thrown away with the transaction.
            if taken.is_empty() { Ok(arrived) } else { Err(VaultError::Taken(taken)) }
        })?;
        self.scrub();
        Ok(arrived)
    }
}
