//! The sessions of clients of 2025-11-25 and older: how many there are, and whose.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use packhost_core::Caller;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{SessionId, SessionManager};
use tokio::sync::Mutex;

use crate::Settings;

/// rmcp's sessions, with a bound and with owners: a session's id alone opens nobody else's session.
pub(crate) struct Sessions {
    held: Arc<LocalSessionManager>,
    known: Mutex<HashMap<SessionId, Known>>,
    max: usize,
    grace: Duration,
}

struct Known {
    /// None until `initialize` has been answered.
    owner: Option<Caller>,
    used: Instant,
}

impl Sessions {
    pub(crate) fn new(settings: &Settings) -> Self {
        let mut held = LocalSessionManager::default();
        held.session_config.keep_alive = Some(settings.session_idle);
        let (max, grace) = (settings.max_sessions, settings.session_grace);
        Self { held: Arc::new(held), known: Mutex::default(), max, grace }
    }

    /// What rmcp keeps them in.
    pub(crate) fn held(&self) -> Arc<LocalSessionManager> {
        Arc::clone(&self.held)
    }

    /// Whether there is room for one more. Many clients leave without a word, so the session that was unused for the
    /// longest makes room, unless it was used just now.
    pub(crate) async fn room(&self) -> bool {
        let live: Vec<_> = self.held.sessions.read().await.keys().cloned().collect();
        if live.len() < self.max {
            return true;
        }
        let mut known = self.known.lock().await;
        known.retain(|id, _| live.contains(id));
        for id in live {
            known.entry(id).or_insert_with(|| Known { owner: None, used: Instant::now() });
        }
        let Some((id, last)) = known.iter().min_by_key(|(_, session)| session.used) else { return false };
        if last.used.elapsed() < self.grace {
            return false;
        }
        let id = Arc::clone(id);
        known.remove(&id);
        drop(known);
        tracing::info!("the longest unused of {} sessions makes room for another", self.max);
        self.held.close_session(&id).await.is_ok()
    }

    /// Whether this caller may use the session. One that nobody owns is not there; rmcp says so.
    pub(crate) async fn open_to(&self, id: &str, caller: &Caller) -> bool {
        let mut known = self.known.lock().await;
        let Some(session) = known.get_mut(id) else { return true };
        session.used = Instant::now();
        session.owner.as_ref().is_none_or(|owner| owner == caller)
    }

    /// A new session is this caller's. Sessions that have ended are forgotten.
    pub(crate) async fn own(&self, id: &str, caller: &Caller) {
        let live = self.held.sessions.read().await;
        let mut known = self.known.lock().await;
        known.retain(|id, _| live.contains_key(id));
        known.insert(id.into(), Known { owner: Some(caller.clone()), used: Instant::now() });
    }
}
