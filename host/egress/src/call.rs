//! One call, as egress sees it.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::account::Account;
use crate::budget::{Allowance, Budget, Spent};
use crate::contact::{ContactLog, Contacts};
use crate::credential::{Credentials, NoCredentials, Used};
use crate::proxy::SessionCa;
use crate::rules::Rules;

/// Connections of a call that has no account.
const MOST_CONNECTIONS: u32 = 1024;

/// Who sends: the rules of a call, what it may spend, and the two ways in which it ends early. Cheap to clone; all
/// clones are the same call.
#[derive(Clone)]
pub struct CallEgress {
    pub(crate) inner: Arc<Call>,
    /// Signs for the hosts whose tunnels end here.
    pub(crate) authority: Option<Arc<SessionCa>>,
}

pub(crate) struct Call {
    pub(crate) account: Account,
    /// What it sends is the host's, and no pack's.
    pub(crate) own: bool,
    pub(crate) rules: Arc<dyn Rules>,
    pub(crate) credentials: Arc<dyn Credentials>,
    pub(crate) used: Used,
    pub(crate) budget: Budget,
    pub(crate) log: ContactLog,
    pub(crate) revoked: CancellationToken,
    pub(crate) cancelled: CancellationToken,
}

impl CallEgress {
    /// A call without credentials that nothing ends early.
    pub fn new(rules: Arc<dyn Rules>, allowance: Allowance) -> Self {
        Self::with(rules, allowance, Holding::default(), Ending::default())
    }

    /// A call with credentials to put into its requests, and with what ends it early. It shares no connection with another.
    pub fn with(rules: Arc<dyn Rules>, allowance: Allowance, holding: Holding, ending: Ending) -> Self {
        let connections = u32::try_from(allowance.open).unwrap_or(u32::MAX).clamp(1, MOST_CONNECTIONS);
        let account = Account::apart(connections, Duration::ZERO);
        Self::of(account, rules, allowance, holding, ending)
    }

    /// A call of an account, with whose other calls it shares connections and the requests of a minute.
    pub fn of(
        account: Account,
        rules: Arc<dyn Rules>,
        allowance: Allowance,
        holding: Holding,
        ending: Ending,
    ) -> Self {
        Self::sent_by(false, account, rules, allowance, holding, ending)
    }

    /// Something that the host itself sends. It asks its rules and has its addresses checked as any other, and no credential
    /// goes into it: what looks like a placeholder in it is content, and what looks like a secret is a signature of the host's.
    pub fn own(account: Account, rules: Arc<dyn Rules>, allowance: Allowance) -> Self {
        Self::sent_by(true, account, rules, allowance, Holding::default(), Ending::default())
    }

    fn sent_by(
        own: bool,
        account: Account,
        rules: Arc<dyn Rules>,
        allowance: Allowance,
        holding: Holding,
        ending: Ending,
    ) -> Self {
        let Holding { credentials, used } = holding;
        // Its own end is nobody else's.
        let (revoked, cancelled) = (ending.revoked, ending.cancelled.child_token());
        let (budget, log) = (Budget::new(allowance), ContactLog::default());
        let inner = Call { account, own, rules, credentials, used, budget, log, revoked, cancelled };
        Self { inner: Arc::new(inner), authority: None }
    }

    /// The same call, whose proxied tunnels end at the host where its rules say so
    /// ([`Rules::terminates`](crate::Rules::terminates)).
    #[must_use]
    pub fn terminating(mut self, authority: Arc<SessionCa>) -> Self {
        self.authority = Some(authority);
        self
    }

    /// Ends the call: what is under way is cut off, and nothing leaves any more, whoever asks. What is in [`contacts`](Self::contacts)
    /// from here on is all that has left.
    pub fn end(&self) {
        self.inner.cancelled.cancel();
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

/// The credentials that a call may ask for.
#[derive(Clone)]
pub struct Holding {
    /// Who holds them.
    pub credentials: Arc<dyn Credentials>,
    /// Where those are noted that the call has used.
    pub used: Used,
}

impl Default for Holding {
    /// None.
    fn default() -> Self {
        Self { credentials: Arc::new(NoCredentials), used: Used::default() }
    }
}

/// What ends a call early: whoever waits for a response or for a piece of its body gets an error at once, and the next request
/// and the next piece fail. A body that nobody asks is cut off when it is dropped.
#[derive(Debug, Clone, Default)]
pub struct Ending {
    /// The grant was withdrawn.
    pub revoked: CancellationToken,
    /// The call is over.
    pub cancelled: CancellationToken,
}

impl std::fmt::Debug for CallEgress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallEgress").field("spent", &self.spent()).finish_non_exhaustive()
    }
}
