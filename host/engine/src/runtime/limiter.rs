//! What one instance may take of memory and tables.

use wasmtime::ResourceLimiter;

/// Elements of one table. A component of a large language runtime has about ten thousand.
pub(crate) const TABLE_ELEMENTS: usize = 100_000;

/// What ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exhausted {
    /// Linear memory, over all memories of the instance.
    Memory,
    /// A table.
    Table,
}

/// Counts the linear memory of one instance, over all its memories, and refuses to grow past the limit. The guest
/// sees a failed `memory.grow`; what it does then is its own affair.
#[derive(Debug)]
pub(crate) struct Limiter {
    limit: usize,
    used: usize,
    peak: usize,
    exhausted: Option<Exhausted>,
}

impl Limiter {
    /// `limit` in bytes.
    pub(crate) fn new(limit: u64) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Self { limit, used: 0, peak: 0, exhausted: None }
    }

    /// What ran out first, if something did.
    pub(crate) fn exhausted(&self) -> Option<Exhausted> {
        self.exhausted
    }

    /// The most memory that was in use, in bytes.
    pub(crate) fn peak(&self) -> u64 {
        self.peak as u64
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let used = self.used.saturating_add(desired.saturating_sub(current));
        if used > self.limit {
            self.exhausted.get_or_insert(Exhausted::Memory);
            return Ok(false);
        }
        self.used = used;
        self.peak = self.peak.max(used);
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let fits = desired <= TABLE_ELEMENTS;
        if !fits {
            self.exhausted.get_or_insert(Exhausted::Table);
        }
        Ok(fits)
    }
}
