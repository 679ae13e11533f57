//! What a link is made with.

use std::sync::Arc;
use std::time::Duration;

use super::leaves::Leaves;
use crate::id::SandboxId;
use crate::runtime::SessionRuntime;

/// The times of a [`Link`](super::Link).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkSettings {
    /// How long a broken connection is waited for before calls end with [`LinkError::Broken`](super::LinkError::Broken).
    /// Counted from the break, so what is called later waits less. The link itself goes on trying until its sandbox ends.
    pub reopen_for: Duration,
    /// How long the supervisor may take to answer an opening, a Hello or a Ping. Beyond that the connection counts as broken.
    pub answer_within: Duration,
    /// How long the supervisor may be silent, or take nothing, in the middle of an exchange about files. A large tree that is
    /// removed is such a silence.
    pub silent_for: Duration,
    /// How often the supervisor is asked whether it is still there.
    pub ping_every: Duration,
    /// After how long without a connection the sandbox ends itself; none leaves what it was started with.
    pub orphaned_after: Option<Duration>,
}

impl Default for LinkSettings {
    fn default() -> Self {
        Self {
            reopen_for: Duration::from_secs(10),
            answer_within: Duration::from_secs(10),
            silent_for: Duration::from_secs(60),
            ping_every: Duration::from_secs(15),
            orphaned_after: None,
        }
    }
}

/// All that opening a connection takes.
pub(super) struct Setup {
    pub(super) runtime: Arc<dyn SessionRuntime>,
    pub(super) id: SandboxId,
    pub(super) leaves: Option<Arc<dyn Leaves>>,
    pub(super) settings: LinkSettings,
}
