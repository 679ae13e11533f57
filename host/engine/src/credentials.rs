//! The credentials that a call may ask for. Who keeps them is not the engine's to know.

use std::sync::Arc;

use packhost_core::{Caller, PackName};
use packhost_egress::{CredentialError, CredentialUse, Credentials, Opened};

/// Opens credentials for packs and callers.
pub trait CredentialStore: Send + Sync {
    /// The value, if this pack may use it so on behalf of this caller, and whether something is made with it. May block.
    ///
    /// # Errors
    /// When there is no such credential, it is not bound to this use, or it cannot be opened.
    fn open(&self, pack: &PackName, caller: &Caller, of: &CredentialUse) -> Result<Opened, CredentialError>;
}

/// The store as one call sees it.
pub(crate) struct Held {
    pub(crate) store: Option<Arc<dyn CredentialStore>>,
    pub(crate) pack: PackName,
    pub(crate) caller: Caller,
}

impl Credentials for Held {
    fn open(&self, of: &CredentialUse) -> Result<Opened, CredentialError> {
        let store = self.store.as_ref().ok_or(CredentialError::NotFound)?;
        store.open(&self.pack, &self.caller, of)
    }
}
