//! One call, as egress sees it.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::budget::{Allowance, Budget, Spent};
use crate::contact::{ContactLog, Contacts};
use crate::rules::Rules;

/// Who sends: the rules of a call, what it may spend, and the two ways in which it ends early. Cheap to clone; all
/// clones are the same call.
#[derive(Clone)]
pub struct CallEgress {
    pub(crate) inner: Arc<Call>,
}

pub(crate) struct Call {
    pub(crate) rules: Arc<dyn Rules>,
    pub(crate) budget: Budget,
    pub(crate) log: ContactLog,
    pub(crate) revoked: CancellationToken,
    pub(crate) cancelled: CancellationToken,
}

impl CallEgress {
    /// A call that nothing ends early; see [`ending`](Self::ending).
    pub fn new(rules: Arc<dyn Rules>, allowance: Allowance) -> Self {
        Self::ending(rules, allowance, CancellationToken::new(), CancellationToken::new())
    }

    /// A call that ends when `revoked` (the grant was withdrawn) or `cancelled` (the call is over) fires: requests
    /// under way are cut off at once, the next request and the next piece of a body fail.
    pub fn ending(
        rules: Arc<dyn Rules>,
        allowance: Allowance,
        revoked: CancellationToken,
        cancelled: CancellationToken,
    ) -> Self {
        let budget = Budget::new(allowance);
        Self { inner: Arc::new(Call { rules, budget, log: ContactLog::default(), revoked, cancelled }) }
    }

    /// What the call tried to reach so far. Bytes of a request that is under way grow until its body has ended.
    pub fn contacts(&self) -> Contacts {
        self.inner.log.snapshot()
    }

    /// What the call has spent so far.
    pub fn spent(&self) -> Spent {
        self.inner.budget.spent()
    }
}

impl std::fmt::Debug for CallEgress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallEgress").field("spent", &self.spent()).finish_non_exhaustive()
    }
}
