//! Step 2: a place to run in. So many calls at once of one pack, of one caller and in all; so many may wait.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use packhost_core::{Caller, ErrorCode, Failure, PackName};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Progressed, trap};
use crate::call::Call;
use crate::catalog::Tool;
use crate::engine::Inner;
use crate::runtime::Stop;

/// From so many callers on, those of whom no call runs or waits are forgotten.
const MANY: usize = 1024;

/// Who may run now.
pub(crate) struct Admission {
    all: Arc<Semaphore>,
    waiting: AtomicU32,
    queue: u32,
    per_caller: u32,
    callers: Mutex<HashMap<Caller, Arc<Semaphore>>>,
    packs: Mutex<HashMap<PackName, (u32, Arc<Semaphore>)>>,
    closed: AtomicBool,
}

/// A place to run in; free again when dropped.
pub(crate) struct Place(#[expect(dead_code, reason = "held, not read")] [OwnedSemaphorePermit; 3]);

impl Admission {
    pub(crate) fn new(calls: u32, queue: u32, per_caller: u32) -> Self {
        Self {
            all: Arc::new(Semaphore::new(calls as usize)),
            waiting: AtomicU32::new(0),
            queue,
            per_caller,
            callers: Mutex::default(),
            packs: Mutex::default(),
            closed: AtomicBool::new(false),
        }
    }

    /// From now on nobody is let in.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    fn caller(&self, caller: &Caller) -> Arc<Semaphore> {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(places) = callers.get(caller) {
            return Arc::clone(places);
        }
        if callers.len() >= MANY {
            // A call that runs or waits holds on to them.
            callers.retain(|_, places| Arc::strong_count(places) > 1);
        }
        let places = Arc::new(Semaphore::new(self.per_caller as usize));
        callers.insert(caller.clone(), Arc::clone(&places));
        places
    }

    fn pack(&self, pack: &PackName, limit: u32) -> Arc<Semaphore> {
        let mut packs = self.packs.lock().unwrap_or_else(PoisonError::into_inner);
        match packs.get(pack) {
            Some((known, places)) if *known == limit => Arc::clone(places),
            // The limit was edited: calls under the old one finish in the old places.
            _ => {
                let places = Arc::new(Semaphore::new(limit as usize));
                packs.insert(pack.clone(), (limit, Arc::clone(&places)));
                places
            }
        }
    }

    async fn place(&self, caller: &Caller, tool: &Tool) -> Result<Place, Failure> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Failure::new(ErrorCode::Cancelled, "The host is shutting down."));
        }
        // A call that waits must hold nothing that another caller could use: first what is the caller's own, then what
        // is the pack's, then what is everybody's.
        let places = [
            self.caller(caller),
            self.pack(&tool.pack.name, tool.entry.limits.concurrency),
            Arc::clone(&self.all),
        ];
        let mut now = places.iter().map(|place| Arc::clone(place).try_acquire_owned());
        if let (Some(Ok(caller)), Some(Ok(pack)), Some(Ok(all))) = (now.next(), now.next(), now.next()) {
            return Ok(Place([caller, pack, all]));
        }
        let _waiting = self.wait()?;
        let [caller, pack, all] = places;
        Ok(Place([acquire(caller).await?, acquire(pack).await?, acquire(all).await?]))
    }

    /// A place in the queue, if there is one.
    fn wait(&self) -> Result<Waiting<'_>, Failure> {
        let waiting = Waiting(&self.waiting);
        if self.waiting.fetch_add(1, Ordering::AcqRel) < self.queue {
            return Ok(waiting);
        }
        let message = "Too many calls are waiting already.";
        Err(Failure::new(ErrorCode::RateLimited, message)
            .retry_after(Duration::from_secs(1))
            .fix("Wait a moment, then make the same call again."))
    }
}

struct Waiting<'a>(&'a AtomicU32);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

async fn acquire(places: Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Failure> {
    // Never closed: shutting down is said by `closed`.
    places
        .acquire_owned()
        .await
        .map_err(|error| Failure::new(ErrorCode::Internal, "No place to run.").cause(error))
}

/// Waits for a place, at most as long as the call itself may take.
pub(super) async fn admit(
    engine: &Inner,
    call: &Call,
    tool: &Tool,
    stop: &Stop,
    so_far: &mut Progressed,
) -> Result<Place, Failure> {
    let since = Instant::now();
    let patience = tool.entry.limits.time;
    let place = tokio::select! {
        // In this order, because the timer costs more than a place that is free.
        biased;
        place = engine.admission.place(call.caller(), tool) => place,
        () = stop.stopped() => Err(trap::stopped(stop.reason(), tool)),
        () = tokio::time::sleep(patience) => {
            Err(Failure::new(ErrorCode::RateLimited, "No place to run became free in time.")
                .retry_after(patience)
                .fix("Wait, then make the same call again."))
        }
    };
    so_far.usage.queued = since.elapsed();
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_without_calls_are_forgotten_and_those_with_one_keep_their_places() {
        let admission = Admission::new(1, 1, 2);
        let busy = Caller::token("busy");
        let running = admission.caller(&busy).try_acquire_owned().expect("there is room");
        for n in 0..10 * MANY {
            drop(admission.caller(&Caller::token(&n.to_string())));
        }
        assert!(admission.callers.lock().expect("not poisoned").len() <= MANY);
        assert_eq!(admission.caller(&busy).available_permits(), 1, "a call of it runs");
        drop(running);
    }
}
