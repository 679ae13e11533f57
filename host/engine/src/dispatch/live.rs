//! The calls that run now, so that an edit of the manifest or a shutdown can stop them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use packhost_core::{Caller, PackName, RunId};
use tokio::sync::Notify;

use crate::call::{Call, Door};
use crate::catalog::Tool;
use crate::runtime::{Stop, StopReason};

/// The calls that run now.
#[derive(Default)]
pub(crate) struct LiveCalls {
    calls: Mutex<HashMap<RunId, Known>>,
    left: Notify,
}

/// A call that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveCall {
    /// Which call.
    pub run: RunId,
    /// The pack.
    pub pack: PackName,
    /// On whose behalf.
    pub caller: Caller,
    /// The door that it came through.
    pub door: Door,
    /// When it came, in milliseconds since 1970.
    pub since_ms: u64,
    /// It waits for a place, and does not run yet.
    pub waits: bool,
}

struct Known {
    about: LiveCall,
    /// That of its component, which several tools may share.
    component: PackName,
    stop: Arc<Stop>,
}

/// While this lives, the call is known to run.
pub(crate) struct Live<'a> {
    calls: &'a LiveCalls,
    run: RunId,
}

impl LiveCalls {
    fn lock(&self) -> MutexGuard<'_, HashMap<RunId, Known>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn enter(&self, call: &Call, tool: &Tool, stop: &Arc<Stop>) -> Live<'_> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let about = LiveCall {
            run: call.run,
            pack: tool.name.clone(),
            caller: call.caller().clone(),
            door: call.door,
            since_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
            waits: true,
        };
        let known = Known { about, component: tool.pack.name.clone(), stop: Arc::clone(stop) };
        self.lock().insert(call.run, known);
        Live { calls: self, run: call.run }
    }

    /// Stops the calls of these packs.
    pub(crate) fn revoke(&self, packs: &[PackName]) {
        for known in self.lock().values() {
            if packs.contains(&known.component) {
                known.stop.stop(StopReason::Revoked);
            }
        }
    }

    /// All of them, the oldest first.
    pub(crate) fn list(&self) -> Vec<LiveCall> {
        let mut calls: Vec<LiveCall> = self.lock().values().map(|known| known.about.clone()).collect();
        calls.sort_by_key(|call| call.run);
        calls
    }

    /// Stops every call.
    pub(crate) fn shut_down(&self) {
        for known in self.lock().values() {
            known.stop.stop(StopReason::Shutdown);
        }
    }

    /// Ready when no call runs.
    pub(crate) async fn none(&self) {
        loop {
            let left = self.left.notified();
            tokio::pin!(left);
            left.as_mut().enable();
            if self.lock().is_empty() {
                return;
            }
            left.await;
        }
    }
}

impl Live<'_> {
    /// It has its place.
    pub(crate) fn runs(&self) {
        if let Some(known) = self.calls.lock().get_mut(&self.run) {
            known.about.waits = false;
        }
    }
}

impl Drop for Live<'_> {
    fn drop(&mut self) {
        let empty = {
            let mut calls = self.calls.lock();
            calls.remove(&self.run);
            calls.is_empty()
        };
        if empty {
            self.calls.left.notify_waiters();
        }
    }
}
