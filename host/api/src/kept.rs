//! Calls that are kept for their callers: those that were started to be fetched later, and those that have an
//! idempotency key.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use packhost_core::{Caller, Digest, ErrorCode, Identity, RunId};

use crate::job::Job;
use crate::key::Key;
use crate::problem::Problem;
use crate::reply::Reply;

/// What is kept, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Calls of one caller.
    pub(crate) calls_each: usize,
    /// Calls in all.
    pub(crate) calls: usize,
    /// Bytes of answers of one caller; also the most that one answer may have.
    pub(crate) bytes_each: usize,
    /// Bytes of answers in all.
    pub(crate) bytes: usize,
    /// How long an answer is there after its call has ended.
    pub(crate) lifetime: Duration,
}

impl Bounds {
    pub(crate) const DEFAULT: Self = Self {
        calls_each: 256,
        calls: 8192,
        bytes_each: 16 << 20,
        bytes: 256 << 20,
        lifetime: Duration::from_secs(3600),
    };
}

/// What a request with an idempotency key finds.
pub(crate) enum Claim {
    /// Nothing: its call is kept from now on, and may start.
    New,
    /// An earlier request with this key and the same body.
    Same(Arc<Job>),
}

/// The kept calls of everybody.
pub(crate) struct Kept {
    bounds: Bounds,
    shelf: Mutex<Shelf>,
}

/// Run ids sort by time, so the first in the map is the oldest.
#[derive(Default)]
struct Shelf {
    jobs: BTreeMap<RunId, Held>,
    keys: HashMap<(Caller, Key), RunId>,
}

struct Held {
    job: Arc<Job>,
    key: Option<(Key, Digest)>,
    /// Whether it is kept for nothing but its key.
    keyed_only: bool,
}

impl Kept {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self { bounds, shelf: Mutex::default() }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.forget(|held| held.job.ended_at().is_some_and(|at| at.elapsed() >= self.bounds.lifetime));
        shelf
    }

    /// Keeps a call, under its key where it has one.
    ///
    /// # Errors
    /// Where the key was used for another request, or so many calls of this caller run that no other can be kept.
    pub(crate) fn claim(
        &self,
        job: &Arc<Job>,
        key: Option<(Key, Digest)>,
        keyed_only: bool,
    ) -> Result<Claim, Problem> {
        let mut shelf = self.shelf();
        if let Some((key, print)) = &key
            && let Some(earlier) = shelf.of_key(&job.caller, key)
        {
            return match &earlier.key {
                Some((_, known)) if known == print => Ok(Claim::Same(Arc::clone(&earlier.job))),
                _ => Err(reused()),
            };
        }
        shelf.make_room(&job.caller, self.bounds)?;
        if let Some((key, _)) = &key {
            shelf.keys.insert((job.caller.clone(), key.clone()), job.run);
        }
        shelf.jobs.insert(job.run, Held { job: Arc::clone(job), key, keyed_only });
        Ok(Claim::New)
    }

    /// The call, if it is there for this caller.
    pub(crate) fn find(&self, identity: &Identity, run: &str) -> Option<Arc<Job>> {
        let run = RunId::recorded(run)?;
        let shelf = self.shelf();
        shelf.jobs.get(&run).filter(|held| held.job.is_for(identity)).map(|held| Arc::clone(&held.job))
    }

    /// All calls that are there for this caller, the newest first.
    pub(crate) fn of(&self, identity: &Identity) -> Vec<Arc<Job>> {
        let shelf = self.shelf();
        let own = shelf.jobs.values().rev().filter(|held| held.job.is_for(identity));
        own.map(|held| Arc::clone(&held.job)).collect()
    }

    /// Forgets a call, with its key.
    pub(crate) fn remove(&self, run: RunId) {
        self.shelf().remove(run);
    }

    /// The reply as it can be kept, where the call is.
    pub(crate) fn fitting(&self, job: &Job, reply: Reply) -> Reply {
        let (size, most) = (reply.body.len(), self.bounds.bytes_each);
        let kept = size > most && self.shelf().jobs.contains_key(&job.run);
        if kept { Reply::too_large(job.run, size, most) } else { reply }
    }

    /// The call has its reply. Older ones make room for it; one that never ran leaves its key free.
    pub(crate) fn ended(&self, job: &Job) {
        let mut shelf = self.shelf();
        let ran = job.reply().is_some_and(|reply| reply.ran);
        if let Some(held) = shelf.jobs.get_mut(&job.run)
            && !ran
        {
            let (key, only) = (held.key.take(), held.keyed_only);
            if let Some((key, _)) = key {
                shelf.keys.remove(&(job.caller.clone(), key));
            }
            if only {
                shelf.jobs.remove(&job.run);
            }
        }
        let Bounds { bytes_each, bytes, .. } = self.bounds;
        shelf.shrink(bytes_each, job.run, |held| held.job.caller == job.caller);
        shelf.shrink(bytes, job.run, |_| true);
    }
}

impl Shelf {
    fn of_key(&self, caller: &Caller, key: &Key) -> Option<&Held> {
        self.jobs.get(self.keys.get(&(caller.clone(), key.clone()))?)
    }

    fn remove(&mut self, run: RunId) {
        if let Some(Held { job, key: Some((key, _)), .. }) = self.jobs.remove(&run) {
            self.keys.remove(&(job.caller.clone(), key));
        }
    }

    fn forget(&mut self, which: impl Fn(&Held) -> bool) {
        let gone: Vec<_> = self.jobs.iter().filter(|(_, held)| which(held)).map(|(run, _)| *run).collect();
        for run in gone {
            self.remove(run);
        }
    }

    fn make_room(&mut self, caller: &Caller, bounds: Bounds) -> Result<(), Problem> {
        let own = |held: &Held| held.job.caller == *caller;
        if self.jobs.values().filter(|held| own(held)).count() >= bounds.calls_each {
            self.drop_oldest(own)?;
        }
        if self.jobs.len() >= bounds.calls {
            self.drop_oldest(|_| true)?;
        }
        Ok(())
    }

    /// Forgets the oldest of those that have ended.
    fn drop_oldest(&mut self, which: impl Fn(&Held) -> bool) -> Result<(), Problem> {
        let ended = self.jobs.iter().find(|(_, held)| which(held) && held.job.ended_at().is_some());
        let oldest = ended.map(|(run, _)| *run).ok_or_else(|| {
            Problem::new(ErrorCode::RateLimited, "Too many calls run that are kept.")
                .retry_after(Duration::from_secs(1))
                .fix("Wait until one of them has ended, or end one: DELETE /v1/calls/{run}.")
        })?;
        self.remove(oldest);
        Ok(())
    }

    /// Forgets old answers until those that are left, and this newest one, have no more than so many bytes.
    fn shrink(&mut self, most: usize, newest: RunId, which: impl Fn(&Held) -> bool) {
        let mut size: usize = self.jobs.values().filter(|held| which(held)).map(|held| held.job.size()).sum();
        while size > most {
            let old = self
                .jobs
                .iter()
                .find(|(run, held)| **run != newest && which(held) && held.job.ended_at().is_some());
            let Some((run, held)) = old else { return };
            let (run, freed) = (*run, held.job.size());
            self.remove(run);
            size -= freed;
        }
    }
}

fn reused() -> Problem {
    Problem::new(ErrorCode::InvalidInput, "This Idempotency-Key was used for another request.")
        .status(StatusCode::UNPROCESSABLE_ENTITY)
        .fix("Send a key of its own with each request, and the same body with the same key.")
}

#[cfg(test)]
mod tests {
    use packhost_engine::Peer;

    use super::*;

    const BOUNDS: Bounds =
        Bounds { calls_each: 2, calls: 3, bytes_each: 100, bytes: 150, lifetime: Duration::from_secs(3600) };

    fn job(caller: &str) -> Arc<Job> {
        Job::new(Caller::token(caller), "a.b".into(), "a.b".parse().ok(), Peer::default())
    }

    /// A call that has come to an answer of so many bytes.
    fn ended(kept: &Kept, caller: &str, size: usize) -> Arc<Job> {
        let job = job(caller);
        assert!(kept.claim(&job, None, false).is_ok(), "there is room");
        job.end(kept.fitting(&job, Reply::sized(size)));
        kept.ended(&job);
        job
    }

    fn is_there(kept: &Kept, job: &Job) -> bool {
        kept.find(&Identity::of(job.caller.clone()), &job.run.to_string()).is_some()
    }

    #[test]
    fn the_oldest_makes_room_among_its_callers_own() {
        let kept = Kept::new(BOUNDS);
        let others = ended(&kept, "other", 1);
        let own: Vec<_> = (0..3).map(|_| ended(&kept, "own", 1)).collect();
        assert!(!is_there(&kept, &own[0]) && is_there(&kept, &own[1]) && is_there(&kept, &own[2]));
        assert!(is_there(&kept, &others));
        let third = ended(&kept, "third", 1);
        assert!(!is_there(&kept, &others), "in all there may be three");
        assert!(is_there(&kept, &third));
    }

    #[test]
    fn calls_that_run_make_no_room() {
        let kept = Kept::new(BOUNDS);
        let running: Vec<_> = (0..2).map(|_| job("own")).collect();
        for job in &running {
            assert!(kept.claim(job, None, false).is_ok());
        }
        assert!(kept.claim(&job("own"), None, false).is_err());
        assert!(kept.claim(&job("other"), None, false).is_ok());
        assert!(kept.claim(&job("third"), None, false).is_err());
        kept.remove(running[0].run);
        assert!(kept.claim(&job("own"), None, false).is_ok());
    }

    #[test]
    fn answers_have_so_many_bytes() {
        let kept = Kept::new(BOUNDS);
        let (first, second) = (ended(&kept, "own", 60), ended(&kept, "own", 60));
        assert!(!is_there(&kept, &first) && is_there(&kept, &second), "of one caller a hundred");
        let others = ended(&kept, "other", 100);
        assert!(!is_there(&kept, &second) && is_there(&kept, &others), "in all a hundred and fifty");
        let large = ended(&kept, "other", 101);
        let reply = large.reply().expect("it has ended");
        assert_eq!(reply.status.as_u16(), ErrorCode::ResourceExhausted.http_status());
    }

    #[test]
    fn an_answer_has_its_time() {
        let kept = Kept::new(Bounds { lifetime: Duration::ZERO, ..BOUNDS });
        let running = job("own");
        assert!(kept.claim(&running, None, false).is_ok());
        assert!(is_there(&kept, &running), "a call that runs has all the time that it needs");
        assert!(!is_there(&kept, &ended(&kept, "own", 1)));
    }

    #[test]
    fn a_key_goes_with_its_call() {
        let kept = Kept::new(BOUNDS);
        let key = || {
            let mut headers = axum::http::HeaderMap::new();
            headers.insert(crate::key::IDEMPOTENCY_KEY, axum::http::HeaderValue::from_static("a"));
            Key::of(&headers).ok().flatten().map(|key| (key, Digest::of(b"body")))
        };
        let first = job("own");
        assert!(matches!(kept.claim(&first, key(), true), Ok(Claim::New)));
        assert!(
            matches!(kept.claim(&job("own"), key(), true), Ok(Claim::Same(same)) if same.run == first.run)
        );
        kept.remove(first.run);
        assert!(matches!(kept.claim(&job("own"), key(), true), Ok(Claim::New)));
        assert_eq!(kept.shelf().keys.len(), 1);
    }
}
