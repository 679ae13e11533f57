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
use std::sync::atomic::{AtomicU64, Ordering};

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
    cached: AtomicU64,
    compiled: AtomicU64,
}

impl Runtimes {
    /// `lean` and `concurrent` say what one instance of the largest pack of each kind takes.
    pub(crate) fn new(lean: Demand, concurrent: Demand, calls: u32) -> wasmtime::Result<Self> {
        let lean = Runtime::new(Flavour::Lean, lean, calls)?;
        let (cached, compiled) = (AtomicU64::new(0), AtomicU64::new(0));
        Ok(Self { lean, concurrent: OnceLock::new(), demand: concurrent, calls, cached, compiled })
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

    fn each(&self) -> impl Iterator<Item = &wasmtime::Engine> {
        std::iter::once(&self.lean).chain(self.concurrent.get()).map(|runtime| &runtime.engine)
    }

    /// Components that were taken from the cache, and that were compiled.
    pub(crate) fn loads(&self) -> (u64, u64) {
        (self.cached.load(Ordering::Relaxed), self.compiled.load(Ordering::Relaxed))
    }

    /// Core instances in the pools, and memories there that are kept for the next.
    pub(crate) fn pooled(&self) -> (u64, u64) {
        let pools = self.each().filter_map(wasmtime::Engine::pooling_allocator_metrics);
        let numbers = pools.map(|pool| (pool.core_instances(), u64::from(pool.unused_warm_memories())));
        numbers.fold((0, 0), |(all, warm), (own, kept)| (all + own, warm + kept))
    }

    /// Moves the epoch of every engine on by one.
    pub(crate) fn tick(&self) {
        self.each().for_each(wasmtime::Engine::increment_epoch);
    }
}
