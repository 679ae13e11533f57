//! The list of denied requests, as the engine writes it.

use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use packhost_audit::Denials;
use packhost_core::PackName;
use packhost_engine::DenialLog;
use packhost_manifest::DeniedRequest;

use crate::dirs::Dirs;
use crate::exit::Error;
use crate::state::open_state;

/// Opens the database when something is denied for the first time.
pub(crate) struct DeniedRequests {
    dirs: Dirs,
    denials: OnceLock<Denials>,
}

impl DeniedRequests {
    pub(crate) fn of(dirs: &Dirs) -> Arc<Self> {
        Arc::new(Self { dirs: dirs.clone(), denials: OnceLock::new() })
    }

    fn denials(&self) -> Result<&Denials, Error> {
        if let Some(denials) = self.denials.get() {
            return Ok(denials);
        }
        let denials = Denials::open(open_state(&self.dirs)?)?;
        Ok(self.denials.get_or_init(|| denials))
    }
}

impl DenialLog for DeniedRequests {
    fn note(&self, pack: &PackName, denied: &[DeniedRequest]) {
        let noted = self.denials().and_then(|denials| Ok(denials.note(pack, denied, SystemTime::now())?));
        if let Err(error) = noted {
            tracing::error!(target: "packhost", %pack, %error, "denied requests cannot be noted");
        }
    }
}
