//! How the engines are configured, and why.

use packhost_package::Outline;
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

/// Which of the two engines a component runs on. The one with component-model async costs about twice as much for
/// a call of an async function and adds to every other, so only components that use it pay for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Flavour {
    /// WASI 0.2.
    Lean,
    /// WASI 0.2 and 0.3.
    Concurrent,
}

impl Flavour {
    /// What a component needs, from what it imports and exports.
    pub(crate) fn of(outline: &Outline) -> Self {
        if outline.uses_async { Self::Concurrent } else { Self::Lean }
    }

    /// For file names.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Lean => "lean",
            Self::Concurrent => "async",
        }
    }
}

/// What one instance of a component takes from the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Demand {
    pub(crate) core_instances: u32,
    pub(crate) memories: u32,
    pub(crate) tables: u32,
}

impl Default for Demand {
    /// What a Rust component takes.
    fn default() -> Self {
        Self { core_instances: 4, memories: 1, tables: 2 }
    }
}

impl Demand {
    /// Enough for an instance of either.
    #[must_use]
    pub(crate) fn max(self, other: Self) -> Self {
        Self {
            core_instances: self.core_instances.max(other.core_instances),
            memories: self.memories.max(other.memories),
            tables: self.tables.max(other.tables),
        }
    }

    /// What one instance of this component takes. Bounded: no component of good will comes near, and one that
    /// does gets an error at the call instead of a pool that nobody can pay for.
    pub(crate) fn of(outline: &Outline) -> Self {
        let need = &outline.needs;
        Self {
            core_instances: need.core_instances.clamp(1, 64),
            memories: need.memories.clamp(1, 16),
            tables: need.tables.clamp(1, 64),
        }
    }
}

/// Bytes of each memory and table that stay resident when an instance ends. With the page map scan only the pages
/// that were written are reset, so a large number costs nothing; without it all of them are, so it is small.
const RESIDENT_WITH_SCAN: usize = 2 << 20;
const RESIDENT_WITHOUT_SCAN: usize = 64 << 10;

/// An engine whose instances come from a pool where this machine has room for one, and are mapped one by one elsewhere.
pub(super) fn engine(flavour: Flavour, demand: Demand, calls: u32) -> wasmtime::Result<Engine> {
    let mut config = base(flavour);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(demand, calls)));
    match Engine::new(&config) {
        Ok(engine) => Ok(engine),
        Err(error) => {
            tracing::warn!(%error, calls, "no pool for {calls} instances here; each call maps its own memory (slower)");
            config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
            Engine::new(&config)
        }
    }
}

fn base(flavour: Flavour) -> Config {
    let concurrent = flavour == Flavour::Concurrent;
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .wasm_component_model_async(concurrent)
        .concurrency_support(concurrent)
        .epoch_interruption(true)
        .memory_init_cow(true)
        .cranelift_opt_level(OptLevel::Speed)
        .parallel_compilation(true)
        .generate_address_map(true)
        .max_wasm_stack(512 << 10)
        .async_stack_size(1 << 20);
    config
}

fn pool(demand: Demand, calls: u32) -> PoolingAllocationConfig {
    let scan = scan_is_safe() && PoolingAllocationConfig::is_pagemap_scan_available();
    let resident = if scan { RESIDENT_WITH_SCAN } else { RESIDENT_WITHOUT_SCAN };
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(calls)
        .total_core_instances(calls.saturating_mul(demand.core_instances))
        .total_memories(calls.saturating_mul(demand.memories))
        .total_tables(calls.saturating_mul(demand.tables))
        .total_stacks(calls)
        .max_memories_per_module(demand.memories)
        .max_tables_per_module(demand.tables)
        .table_elements(super::TABLE_ELEMENTS)
        .max_unused_warm_slots(calls)
        .linear_memory_keep_resident(resident)
        .table_keep_resident(resident)
        .pagemap_scan(if scan { Enabled::Auto } else { Enabled::No });
    pool
}

/// Whether `PAGEMAP_SCAN` may decide which pages to reset: only where nothing can be swapped, because there it shows every
/// page that was written.
fn scan_is_safe() -> bool {
    let swapless = std::fs::read_to_string("/proc/meminfo").is_ok_and(|text| no_swap(&text));
    if !swapless {
        tracing::info!(
            "this machine can swap: instances are reset page by page instead of by page map (slower)"
        );
    }
    swapless
}

fn no_swap(meminfo: &str) -> bool {
    let total = meminfo.lines().find_map(|line| line.strip_prefix("SwapTotal:"));
    total.is_some_and(|rest| rest.trim().trim_end_matches("kB").trim() == "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swap_is_read_from_meminfo() {
        assert!(no_swap("MemTotal: 5 kB\nSwapTotal:              0 kB\nSwapFree: 0 kB\n"));
        assert!(!no_swap("SwapTotal:       2097148 kB\n"));
        assert!(!no_swap(""), "not knowing is not being safe");
    }
}
