//! What a credential is used as: its value, or what is signed with it.

use packhost_core::CredentialName;
use packhost_signing::{KeyError, Signing};

use crate::binding::Binding;
use crate::error::VaultError;
use crate::secret::Secret;

/// A credential that may be used, and how.
#[derive(Debug, PartialEq, Eq)]
pub struct Admitted {
    /// Its value.
    pub value: Secret,
    /// Which version of it.
    pub version: u64,
    /// What is made with the value, which is then not to be shown. `None` where the value itself stands in the request.
    pub signing: Option<Signing>,
}

/// Whether every binding can do what it says with this value. A private key is of no use as text, and is never sent.
pub(super) fn fits(name: &CredentialName, value: &Secret, bindings: &[Binding]) -> Result<(), VaultError> {
    for binding in bindings {
        let fit = match binding.signing() {
            Some(signing) => signing.check_key(value.expose()),
            None if packhost_signing::is_private(value.expose()) => Err(KeyError::Private),
            None => Ok(()),
        };
        let unfit = |why| VaultError::Unfit { name: name.clone(), binding: binding.to_string(), why };
        fit.map_err(unfit)?;
    }
    Ok(())
}
