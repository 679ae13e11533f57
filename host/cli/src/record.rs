//! The record of this host: where it is, and the keys that it is signed with.

use std::sync::Arc;

use packhost_audit::{AuditError, Log, Settings};
use packhost_keyring::Keyring;

use crate::dirs::Dirs;
use crate::exit::Error;

/// The directory of the log, in the state directory.
const LOG: &str = "audit";
/// The directory of the host's signing keys, in the state directory.
pub(crate) const KEYS: &str = "keys";

/// Opens the log, and makes it and the keys where they are missing. It has a thread: the walls must be up. The state directory must
/// be there.
pub(crate) fn open(dirs: &Dirs) -> Result<Arc<Log>, Error> {
    let keyring = Arc::new(Keyring::open(dirs.state.join(KEYS)).map_err(AuditError::Key)?);
    Ok(Arc::new(Log::open(dirs.state.join(LOG), keyring, Settings::default())?))
}

/// The record while this process writes to it. Once dropped, all that it has written is signed for and on the disk.
pub(crate) struct Open(pub(crate) Option<Arc<Log>>);

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.0.as_ref().map(|log| log.close()) {
            tracing::error!(target: "packhost", %error, "the end of the record is not signed for");
        }
    }
}
