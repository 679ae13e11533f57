//! wasmtime as this host uses it: two engines, their linkers, the pool, the clock, the threads, the cache.

mod cache;
mod compile;
mod config;
mod guest;
mod limiter;
mod logs;
mod stop;
mod threads;
mod ticker;

pub(crate) use cache::Cache;
pub(crate) use compile::{Loaded, load};
pub(crate) use config::{Demand, Flavour};
pub(crate) use guest::{Guest, GuestParts};
pub(crate) use limiter::{Exhausted, Limiter, TABLE_ELEMENTS};
pub(crate) use logs::{LogStream, Logs};
pub(crate) use stop::{Stop, StopReason};
pub(crate) use threads::GuestThreads;
pub(crate) use ticker::Ticker;

use std::sync::OnceLock;

use wasmtime::component::Linker;

use crate::capabilities;

/// One wasmtime engine with its linker. Built once, shared by every call.
pub(crate) struct Runtime {
    pub(crate) engine: wasmtime::Engine,
    pub(crate) linker: Linker<Guest>,
}

impl Runtime {
    fn new(flavour: Flavour, demand: Demand, calls: u32) -> wasmtime::Result<Self> {
        let engine = config::engine(flavour, demand, calls)?;
        let mut linker = Linker::new(&engine);
        capabilities::link(&mut linker, flavour)?;
        Ok(Self { engine, linker })
    }
}

/// The lean engine, and the one with component-model async, which is made when the first component needs it.
pub(crate) struct Runtimes {
    lean: Runtime,
    concurrent: OnceLock<Runtime>,
    demand: Demand,
    calls: u32,
}

impl Runtimes {
    /// `lean` and `concurrent` say what one instance of the largest pack of each kind takes.
    pub(crate) fn new(lean: Demand, concurrent: Demand, calls: u32) -> wasmtime::Result<Self> {
        let lean = Runtime::new(Flavour::Lean, lean, calls)?;
        Ok(Self { lean, concurrent: OnceLock::new(), demand: concurrent, calls })
    }

    pub(crate) fn of(&self, flavour: Flavour) -> wasmtime::Result<&Runtime> {
        match flavour {
            Flavour::Lean => Ok(&self.lean),
            Flavour::Concurrent => match self.concurrent.get() {
                Some(runtime) => Ok(runtime),
                None => {
                    let made = Runtime::new(Flavour::Concurrent, self.demand, self.calls)?;
                    Ok(self.concurrent.get_or_init(|| made))
                }
            },
        }
    }

    /// Moves the epoch of every engine on by one.
    pub(crate) fn tick(&self) {
        self.lean.engine.increment_epoch();
        if let Some(concurrent) = self.concurrent.get() {
            concurrent.engine.increment_epoch();
        }
    }
}
