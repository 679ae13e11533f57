//! The credentials that a call may ask for. Who keeps them is not the engine's to know.

use std::sync::{Arc, Mutex, PoisonError};

use packhost_audit::{CredentialUsed, Event, Recorder};
use packhost_core::{Caller, PackName, RunId};
use packhost_egress::{CredentialError, CredentialUse, Credentials, Form, Opened};

/// Opens credentials for packs and callers.
pub trait CredentialStore: Send + Sync {
    /// The value, if this pack may use it so on behalf of this caller, and whether something is made with it. May block.
    ///
    /// # Errors
    /// When there is no such credential, it is not bound to this use, or it cannot be opened.
    fn open(&self, pack: &PackName, caller: &Caller, of: &CredentialUse) -> Result<Opened, CredentialError>;
}

/// The credentials that a call has used, and where. Cheap to clone; all clones are the same call's.
#[derive(Clone, Default)]
pub(crate) struct Uses(Arc<Mutex<Vec<CredentialUsed>>>);

/// Of one call, so many are remembered; each use has a record of its own.
const USES: usize = 64;

impl Uses {
    pub(crate) fn list(&self) -> Vec<CredentialUsed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, of: &CredentialUse) {
        let host = of.url.host_str().unwrap_or_default().to_owned();
        let used = CredentialUsed { name: of.name.to_string(), host };
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if uses.len() < USES && !uses.contains(&used) {
            uses.push(used);
        }
    }
}

/// The store as one call sees it.
pub(crate) struct Held {
    pub(crate) store: Option<Arc<dyn CredentialStore>>,
    pub(crate) recorder: Option<Arc<dyn Recorder>>,
    pub(crate) run: RunId,
    pub(crate) pack: PackName,
    pub(crate) caller: Caller,
    pub(crate) uses: Uses,
}

impl Credentials for Held {
    /// Nothing is opened that is not on record first.
    fn open(&self, of: &CredentialUse) -> Result<Opened, CredentialError> {
        let store = self.store.as_ref().ok_or(CredentialError::NotFound)?;
        let opened = store.open(&self.pack, &self.caller, of)?;
        if let Some(recorder) = &self.recorder {
            recorder.record(&Event::Credential(self.event(of, &opened))).map_err(|error| {
                tracing::error!(target: "packhost", run = %self.run, credential = %of.name, %error, "the use of a credential cannot be put on record");
                CredentialError::Unavailable
            })?;
        }
        self.uses.add(of);
        Ok(opened)
    }
}

impl Held {
    fn event(&self, of: &CredentialUse, opened: &Opened) -> packhost_audit::CredentialUse {
        let signs = match &opened.form {
            Form::Text => None,
            Form::Signing(signing) => Some(signing.kind().to_owned()),
        };
        packhost_audit::CredentialUse {
            run: self.run.to_string(),
            pack: self.pack.to_string(),
            caller: self.caller.to_string(),
            credential: of.name.to_string(),
            version: opened.version,
            host: of.url.host_str().unwrap_or_default().to_owned(),
            port: of.url.port_or_known_default().unwrap_or_default(),
            method: of.method.to_string(),
            place: of.place.to_string(),
            signs,
        }
    }
}
