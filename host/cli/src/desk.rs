//! What an operator looks at over the HTTP API: the documents of the verbs, made by the host that runs.

use std::fmt;

use packhost_api::Desk;
use packhost_core::{ErrorCode, Failure, PackName};
use packhost_engine::Engine;
use packhost_state::Database;
use serde_json::{Value, json};

use crate::args::Global;
use crate::dirs::Dirs;
use crate::exit::Error;
use crate::packs::is_meant;
use crate::state::{open_state, open_vault};
use crate::verbs::{audit, packs, policy, vault};

/// The desk of this host.
pub(crate) struct OfThisHost {
    pub(crate) global: Global,
    pub(crate) dirs: Dirs,
}

impl OfThisHost {
    fn grants(&self, engine: &Engine, name: &str) -> Result<Option<Value>, Error> {
        let manifest = engine.manifest();
        let meant = |own: &PackName| is_meant(own.as_str(), name);
        let catalog = engine.catalog();
        let own = match catalog.find(name) {
            Some(tool) => Some((tool.name.clone(), tool.pack.clone())),
            None => engine
                .packs()
                .iter()
                .find(|pack| meant(&pack.name))
                .map(|pack| (pack.name.clone(), pack.clone())),
        };
        let Some((name, pack)) = own else { return Ok(None) };
        let mut document = policy::explain::document(&manifest, &pack, &name);
        document["name"] = json!(name);
        if let Some(entry) = manifest.entry(&name) {
            document["manifest"] = json!(entry.place.to_string());
            document["credentials"] = json!(packs::credentials::of(entry, &self.global)?);
        }
        Ok(Some(document))
    }

    fn credentials(&self, engine: &Engine) -> Result<Value, Error> {
        if !Database::is_there(&self.dirs.state) {
            return Ok(json!({ "credentials": [] }));
        }
        let kept = open_vault(&self.global, &self.dirs, open_state(&self.dirs)?)?;
        let names: Vec<PackName> = engine.packs().iter().map(|pack| pack.name.clone()).collect();
        vault::uses::documents(&kept, &names, &engine.manifest())
    }
}

impl Desk for OfThisHost {
    fn grants(&self, engine: &Engine, pack: &str) -> Result<Option<Value>, Failure> {
        Self::grants(self, engine, pack).map_err(told)
    }

    fn denials(&self) -> Result<Value, Failure> {
        policy::suggest::documents(&self.global, &self.dirs).map_err(told)
    }

    fn credentials(&self, engine: &Engine) -> Result<Value, Failure> {
        Self::credentials(self, engine).map_err(told)
    }

    fn verification(&self) -> Result<Value, Failure> {
        audit::verify::of_this_host(&self.dirs).map_err(told)
    }
}

/// Whoever asks is an operator, and is told what the command line would say.
fn told(error: Error) -> Failure {
    tracing::warn!(target: "packhost", %error, "an operator cannot be shown what was asked for");
    Failure::new(ErrorCode::Internal, error.to_string())
}

impl fmt::Debug for OfThisHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the desk of this host")
    }
}
