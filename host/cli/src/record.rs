//! The record of this host: where it is, the keys that it is signed with, and what its operator does.

mod act;
mod actor;
mod serving;

use std::path::PathBuf;
use std::sync::Arc;

use packhost_audit::{Log, Position, Settings};
use packhost_keyring::Keyring;

pub(crate) use act::{Act, Acts, Begun};
pub(crate) use actor::actor;

use crate::dirs::Dirs;
use crate::exit::Error;

/// The directory of the log, in the state directory.
const LOG: &str = "audit";
/// The directory of the host's signing keys, in the state directory.
const KEYS: &str = "keys";

/// Opens the log, and makes it and the keys where they are missing and always were. It has a thread: the walls must be up. The
/// state directory must be there.
pub(crate) fn open(dirs: &Dirs) -> Result<Arc<Log>, Error> {
    open_as(dirs, Settings::default())
}

/// The same, kept as these settings say.
pub(crate) fn open_as(dirs: &Dirs, settings: Settings) -> Result<Arc<Log>, Error> {
    Ok(Arc::new(Log::open(log_dir(dirs), Arc::new(keyring(dirs)?), settings)?))
}

/// The last record that is known of a log that is lost; none where there is one, or never was.
pub(crate) fn lost(dirs: &Dirs) -> Result<Option<Position>, Error> {
    Ok(Log::lost(&log_dir(dirs), &keys_dir(dirs))?)
}

/// The signing keys, made where neither they nor a log are there.
pub(crate) fn keyring(dirs: &Dirs) -> Result<Keyring, Error> {
    Ok(Log::keyring(&log_dir(dirs), keys_dir(dirs))?)
}

/// Where the log is, or will be.
pub(crate) fn log_dir(dirs: &Dirs) -> PathBuf {
    dirs.state.join(LOG)
}

/// Where the signing keys are, or will be.
pub(crate) fn keys_dir(dirs: &Dirs) -> PathBuf {
    dirs.state.join(KEYS)
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
