//! The vault, as the engine asks for credentials.

use std::sync::{Arc, OnceLock};

use packhost_core::{Caller, PackName};
use packhost_egress::{CredentialError, CredentialUse, Form, Opened};
use packhost_engine::CredentialStore;
use packhost_state::Database;
use packhost_vault::{Admitted, Finding, Use, Vault, VaultError};
use zeroize::Zeroizing;

use crate::args::Global;
use crate::dirs::Dirs;
use crate::exit::Error;
use crate::state::{open_state, open_vault};

/// Opens the vault when it is needed: most verbs never do.
pub(crate) struct Credentials {
    global: Global,
    dirs: Dirs,
    vault: OnceLock<Vault>,
}

impl Credentials {
    /// Where the master key is not the host's own file, it is read at once: behind the walls nothing can be started, and files
    /// elsewhere are out of reach. A host that `serves` says in the log what that key does not open.
    pub(crate) fn of(global: &Global, dirs: &Dirs, serves: bool) -> Arc<Self> {
        let held = Self { global: global.clone(), dirs: dirs.clone(), vault: OnceLock::new() };
        let is_elsewhere = global.vault_key.as_ref().is_some_and(|key| key.source.is_some());
        match if is_elsewhere { held.read_key() } else { Ok(()) } {
            Ok(()) if serves => held.warn_of_closed(),
            Ok(()) => {}
            Err(error) => {
                tracing::warn!(target: "packhost", "credentials cannot be used until the next start: {error}");
            }
        }
        Arc::new(held)
    }

    /// A wrong key is told before an agent stumbles over it. It is no reason not to start: packs without credentials do not need
    /// it.
    fn warn_of_closed(&self) {
        match self.closed() {
            Ok(closed) if closed.is_empty() => {}
            Ok(closed) => tracing::warn!(
                target: "packhost",
                "the master key does not open {}, which cannot be used; `packhost vault verify` says why", closed.join(", ")
            ),
            Err(error) => tracing::warn!(target: "packhost", "credentials cannot be used: {error}"),
        }
    }

    /// The names of those that do not open.
    fn closed(&self) -> Result<Vec<String>, Error> {
        if !Database::is_there(&self.dirs.state) {
            return Ok(Vec::new());
        }
        let found = self.vault()?.verify()?.into_iter();
        Ok(found.filter(|one| one.finding != Finding::Opens).map(|one| one.name.to_string()).collect())
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
