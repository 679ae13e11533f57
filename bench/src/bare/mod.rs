//! The bare loop: the least that a fresh instance per call can cost with wasmtime. It instantiates and calls the very
//! component that the host runs, with the same pool, clock and linking done ahead, and does nothing else: no checks of
//! input or output, no grants, no deadline, no record.

mod bindings;
mod imports;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use packhost_package::Outline;
use tokio::runtime::{Builder, Runtime};
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, Store,
    StoreLimits, StoreLimitsBuilder,
};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::Outcome;
use crate::rounds::Sample;
use bindings::PackPre;

/// How often the epoch moves on.
const TICK: Duration = Duration::from_millis(10);
/// Bytes of each memory and table that stay resident when an instance ends; the page map says which to reset.
const RESIDENT: usize = 2 << 20;
/// Linear memory of one instance, in bytes.
const MEMORY: usize = 64 << 20;

/// A component that is compiled, linked and looked up.
#[derive(Clone)]
pub(crate) struct Bare {
    engine: Engine,
    pre: PackPre<State>,
    _clock: Arc<Clock>,
}

struct State {
    wasi: WasiCtx,
    table: ResourceTable,
    limits: StoreLimits,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl Bare {
    /// With a pool for so many instances at once.
    pub(crate) fn new(component: &[u8], instances: u32) -> Outcome<Self> {
        let engine = Engine::new(&config(component, instances)?)?;
        let component = Component::from_binary(&engine, component)?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        imports::link(&mut linker)?;
        let pre = PackPre::new(linker.instantiate_pre(&component)?)?;
        let clock = Arc::new(Clock::start(engine.clone()));
        Ok(Self { engine, pre, _clock: clock })
    }

    /// One call in a fresh instance, and the answer's JSON.
    pub(crate) async fn call(&self, input: &String) -> wasmtime::Result<String> {
        let limits = StoreLimitsBuilder::new().memory_size(MEMORY).build();
        let state = State { wasi: WasiCtx::builder().build(), table: ResourceTable::new(), limits };
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.limits);
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        let pack = self.pre.instantiate_async(&mut store).await?;
        let answer = pack.packhost_pack_handler().call_run(&mut store, input).await?;
        answer.map(|output| output.structured.unwrap_or_default()).map_err(|error| {
            // The jobs here have no way to fail.
            wasmtime::Error::msg(error.message)
        })
    }

    /// So many calls, one after the other, on this thread.
    fn calls(&self, input: &String, calls: usize) -> Outcome<Vec<Duration>> {
        current_thread()?.block_on(async {
            let mut took = Vec::with_capacity(calls);
            for _ in 0..calls {
                let since = Instant::now();
                std::hint::black_box(self.call(input).await?);
                took.push(since.elapsed());
            }
            Ok(took)
        })
    }

    /// So many calls, shared by so many threads.
    pub(crate) fn sample(&self, input: &String, calls: usize, threads: usize) -> Outcome<Sample> {
        let since = Instant::now();
        let took: Outcome<Vec<Vec<Duration>>> = std::thread::scope(|scope| {
            let running: Vec<_> =
                (0..threads).map(|_| scope.spawn(|| self.calls(input, calls / threads))).collect();
            running
                .into_iter()
                .map(|one| one.join().map_err(|_| "a thread of the bare loop panicked")?)
                .collect()
        });
        Ok(Sample::of(&took?.concat(), since))
    }
}

pub(crate) fn current_thread() -> Outcome<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

fn config(component: &[u8], instances: u32) -> Outcome<Config> {
    let needs = Outline::read(component)?.needs;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances * needs.core_instances)
        .total_memories(instances * needs.memories)
        .total_tables(instances * needs.tables)
        .total_stacks(instances)
        .max_unused_warm_slots(instances)
        .linear_memory_keep_resident(RESIDENT)
        .table_keep_resident(RESIDENT)
        .pagemap_scan(Enabled::Auto);
    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .epoch_interruption(true)
        .concurrency_support(false)
        .wasm_component_model_async(false)
        .memory_init_cow(true)
        .cranelift_opt_level(OptLevel::Speed);
    Ok(config)
}

/// Moves the epoch on, as a host has to that wants to stop guests.
struct Clock(Arc<AtomicBool>);

impl Clock {
    fn start(engine: Engine) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let theirs = Arc::clone(&over);
        std::thread::spawn(move || {
            while !theirs.load(Ordering::Relaxed) {
                std::thread::sleep(TICK);
                engine.increment_epoch();
            }
        });
        Self(over)
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
