//! How the host is doing, in numbers that somebody asks for now and then.

use packhost_sessions::Counts;

use crate::engine::Engine;

/// How the host is doing at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Vitals {
    /// Calls that wait for a place.
    pub waiting: u64,
    /// Components that were taken from the cache since the start.
    pub cached: u64,
    /// Components that were compiled since the start, because the cache did not have them.
    pub compiled: u64,
    /// Instances that calls have in the pool; nothing where the machine has no room for one.
    pub instances: u64,
    /// Linear memories in the pool that are kept for the next instance of the same component.
    pub warm_memories: u64,
    /// Sandboxes of this process, where it makes some.
    pub sandboxes: Option<Counts>,
}

impl Engine {
    /// How the host is doing now.
    pub fn vitals(&self) -> Vitals {
        let runtimes = self.runtimes();
        let (cached, compiled) = runtimes.loads();
        let (instances, warm_memories) = runtimes.pooled();
        Vitals {
            waiting: self.live().iter().filter(|call| call.waits).count() as u64,
            cached,
            compiled,
            instances,
            warm_memories,
            sandboxes: self.sessions().map(packhost_sessions::Sessions::counts),
        }
    }
}
