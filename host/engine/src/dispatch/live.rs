//! The calls that run now, so that an edit of the manifest or a shutdown can stop them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use packhost_core::{PackName, RunId};
use tokio::sync::Notify;

use crate::call::Call;
use crate::catalog::Tool;
use crate::runtime::{Stop, StopReason};

/// The calls that run now.
#[derive(Default)]
pub(crate) struct LiveCalls {
    calls: Mutex<HashMap<RunId, (PackName, Arc<Stop>)>>,
    left: Notify,
}

/// While this lives, the call is known to run.
pub(crate) struct Live<'a> {
    calls: &'a LiveCalls,
    run: RunId,
}

impl LiveCalls {
    fn lock(&self) -> MutexGuard<'_, HashMap<RunId, (PackName, Arc<Stop>)>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn enter(&self, call: &Call, tool: &Tool, stop: &Arc<Stop>) -> Live<'_> {
        self.lock().insert(call.run, (tool.pack.name.clone(), Arc::clone(stop)));
        Live { calls: self, run: call.run }
    }

    /// Stops the calls of these packs.
    pub(crate) fn revoke(&self, packs: &[PackName]) {
        for (pack, stop) in self.lock().values() {
            if packs.contains(pack) {
                stop.stop(StopReason::Revoked);
            }
        }
    }

    /// Stops every call.
    pub(crate) fn shut_down(&self) {
        for (_, stop) in self.lock().values() {
            stop.stop(StopReason::Shutdown);
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
