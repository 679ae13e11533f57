//! The state database of this host, and the vault in it.

use std::sync::Arc;

use packhost_state::Database;
use packhost_vault::{KeySource, Vault};

use crate::args::Global;
use crate::dirs::Dirs;
use crate::exit::Error;

/// The file of the host's own master key, in the state directory.
const OWN_KEY: &str = "vault.key";

/// The state database. The state directory must be there.
pub(crate) fn open_state(dirs: &Dirs) -> Result<Arc<Database>, Error> {
    Ok(Arc::new(Database::open(&dirs.state)?))
}

/// The vault in this database, with the master key that the command line names. No key is read before one is needed.
pub(crate) fn open_vault(global: &Global, dirs: &Dirs, database: Arc<Database>) -> Result<Vault, Error> {
    let named = global.vault_key.as_ref().and_then(|key| key.source.clone());
    let source = named.unwrap_or_else(|| KeySource::Own(dirs.state.join(OWN_KEY)));
    Ok(Vault::open(database, source)?)
}
