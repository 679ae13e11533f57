//! `wasi:logging`: a guest's log lines, counted against the same limit as its stdout and stderr.

use wasmtime::component::{HasSelf, Linker};

use super::bindings::logging::{self, Host};
use crate::call::Level;
use crate::runtime::Guest;

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    logging::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)
}

impl Host for Guest {
    async fn log(&mut self, level: logging::Level, context: String, message: String) -> wasmtime::Result<()> {
        let level = match level {
            logging::Level::Trace => Level::Trace,
            logging::Level::Debug => Level::Debug,
            logging::Level::Info => Level::Info,
            logging::Level::Warn => Level::Warn,
            logging::Level::Error => Level::Error,
            logging::Level::Critical => Level::Critical,
        };
        self.logs.line(level, &context, &message);
        Ok(())
    }
}
