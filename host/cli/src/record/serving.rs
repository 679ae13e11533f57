//! That a host serves, on record: from its start to its end in good order. One that was killed stays begun.

use std::fmt::Display;
use std::sync::Arc;

use packhost_audit::{Log, Recorder};
use packhost_engine::Engine;

use super::{Act, Begun, Open};
use crate::exit::Error;

/// A host that serves.
#[must_use]
pub(crate) struct Serving(Option<Begun>);

impl Open {
    /// Puts it on record that this host is about to serve at a place, which is said without secrets.
    ///
    /// # Errors
    /// When that cannot be written. Then nobody is to be served.
    pub(crate) fn serving(&self, verb: &str, place: impl Display, engine: &Engine) -> Result<Serving, Error> {
        let Some(log) = &self.0 else { return Ok(Serving(None)) };
        let recorder: Arc<dyn Recorder> = Arc::<Log>::clone(log);
        let act = Act::new(verb, place).with("version", env!("CARGO_PKG_VERSION"));
        let act = act.with("revision", engine.manifest().revision());
        Ok(Serving(Some(act.begin(recorder)?)))
    }
}

impl Serving {
    /// Puts on record how it has ended, and hands that back.
    pub(crate) fn end(self, served: Result<(), Error>) -> Result<(), Error> {
        match self.0 {
            Some(begun) => begun.end(served),
            None => served,
        }
    }
}
