//! The vault, as the engine asks for credentials.

use std::sync::{Arc, OnceLock};

use packhost_core::{Caller, PackName};
use packhost_egress::{CredentialError, CredentialUse, Form, Opened};
use packhost_engine::CredentialStore;
use packhost_vault::{Admitted, Use, Vault, VaultError};
use zeroize::Zeroizing;

use crate::args::Global;
use crate::dirs::Dirs;
use crate::exit::Error;
use crate::state::{open_state, open_vault};

/// Opens the vault at its first use: most hosts never need it.
pub(crate) struct Credentials {
    global: Global,
    dirs: Dirs,
    vault: OnceLock<Vault>,
}

impl Credentials {
    /// Where the master key is not the host's own file, it is read at once: behind the walls nothing can be started, and files
    /// elsewhere are out of reach.
    pub(crate) fn of(global: &Global, dirs: &Dirs) -> Arc<Self> {
        let held = Self { global: global.clone(), dirs: dirs.clone(), vault: OnceLock::new() };
        if global.vault_key.as_ref().is_some_and(|key| key.source.is_some())
            && let Err(error) = held.read_key()
        {
            tracing::warn!(target: "packhost", "credentials cannot be used until the next start: {error}");
        }
        Arc::new(held)
    }

    fn read_key(&self) -> Result<(), Error> {
        Ok(self.vault()?.read_key()?)
    }

    fn vault(&self) -> Result<&Vault, Error> {
        if let Some(vault) = self.vault.get() {
            return Ok(vault);
        }
        let vault = open_vault(&self.global, &self.dirs, open_state(&self.dirs)?)?;
        Ok(self.vault.get_or_init(|| vault))
    }
}

impl CredentialStore for Credentials {
    fn open(&self, pack: &PackName, caller: &Caller, of: &CredentialUse) -> Result<Opened, CredentialError> {
        let unavailable = |error: &dyn std::fmt::Display| {
            tracing::error!(target: "packhost", credential = %of.name, %error, "a credential cannot be opened");
            CredentialError::Unavailable
        };
        let vault = self.vault().map_err(|error| unavailable(&error))?;
        let (method, url, place) = (of.method.as_str(), &of.url, &of.place);
        match vault.open_for(&of.name, &Use { pack, caller, method, url, place }) {
            Ok(Admitted { value, version, signing }) => {
                tracing::info!(
                    target: "packhost::vault",
                    credential = %of.name, %pack, %caller, host = url.host_str(), %place, signs = signing.is_some(),
                    "a credential is used"
                );
                let form = signing.map_or(Form::Text, |signing| Form::Signing(Box::new(signing)));
                Ok(Opened { value: Zeroizing::new(value.expose().to_vec()), version, form })
            }
            Err(VaultError::NotFound(_)) => Err(CredentialError::NotFound),
            Err(VaultError::Unbound { why, .. }) => Err(CredentialError::Unbound(why.to_string())),
            Err(error) => Err(unavailable(&error)),
        }
    }
}
