//! The thread that makes records last: one wait for the disk for all that was appended meanwhile, and then the notes of how
//! far the log has come.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::directory::LOCK;
use super::ends::{Head, write_synced};
use super::lock::Held;
use super::state::{State, Way};
use super::tail::Tail;
use super::writer::{Writer, json};
use super::{Durability, PATIENCE, Position};
use crate::error::AuditError;

/// How long after a failure the disk is tried again, and retention for the first time.
const AGAIN: Duration = Duration::from_secs(1);
/// How often the time until retention is tried again is doubled: it is more than an hour then.
const DOUBLED: u32 = 12;
/// How often the lock is tried at once, before it is waited for.
const AT_ONCE: u32 = 64;
/// The longest pause between two tries at the lock.
const PAUSE: Duration = Duration::from_millis(5);

/// What those who append and the thread share.
pub(super) struct Shared {
    writer: Mutex<Writer>,
    durability: Durability,
    checkpoint_age: Duration,
    /// Something was appended that the thread has not looked at.
    dirty: AtomicBool,
    state: Mutex<State>,
    /// For the thread: there is something to do.
    wake: Condvar,
    /// For those who wait for the disk.
    done: Condvar,
}

/// The kind of the record that says that the disk had not confirmed earlier ones.
pub(super) const UNSYNCED: &str = "unsynced";

/// Its body.
#[derive(serde::Serialize)]
struct Unsynced {
    /// The last record that was confirmed before.
    after: u64,
    why: String,
}

impl Shared {
    pub(super) fn new(writer: Writer) -> Self {
        let (durability, checkpoint_age) = (writer.settings.durability, writer.settings.checkpoint_age);
        Self {
            writer: Mutex::new(writer),
            durability,
            checkpoint_age,
            dirty: AtomicBool::new(false),
            state: Mutex::default(),
            wake: Condvar::new(),
            done: Condvar::new(),
        }
    }

    pub(super) fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something at the end of the log while no other process is there. `None` where one is: after a few tries, or if
    /// `wait`, after [`PATIENCE`].
    pub(super) fn held<T>(
        &self,
        wait: bool,
        work: impl FnOnce(&mut Writer, &Held) -> Result<T, AuditError>,
    ) -> Result<Option<T>, AuditError> {
        let (mut tries, mut pause) = (0, Duration::from_micros(50));
        let since = Instant::now();
        loop {
            {
                let mut writer = self.writer();
                if let Some(held) = writer.try_hold()? {
                    return work(&mut writer, &held).map(Some);
                }
            }
            tries += 1;
            if tries < AT_ONCE {
                std::thread::yield_now();
            } else if !wait || since.elapsed() > PATIENCE {
                return Ok(None);
            } else {
                // flock(2) knows no time limit; whoever has the lock has it for microseconds.
                std::thread::sleep(pause);
                pause = (pause * 2).min(PAUSE);
            }
        }
    }

    /// Says that a record was appended, and waits for the disk where that is wanted.
    pub(super) fn appended(&self, position: Position) -> Result<(), AuditError> {
        let each = self.durability == Durability::Each;
        if !self.dirty.swap(true, Ordering::AcqRel) || each {
            let mut state = self.state();
            let now = Instant::now();
            state.since.get_or_insert(now);
            state.uncovered.get_or_insert(now);
            self.wake.notify_one();
        }
        if each { self.wait(position.n, |state| &mut state.disk) } else { Ok(()) }
    }

    /// Waits until everything up to a record is on the disk, and in `head` and `synced`.
    pub(super) fn noted(&self, n: u64) -> Result<(), AuditError> {
        self.state().since.get_or_insert(Instant::now());
        self.wait(n, |state| &mut state.notes)
    }

    /// Waits until it has come to this record.
    fn wait(&self, n: u64, way: impl Fn(&mut State) -> &mut Way) -> Result<(), AuditError> {
        let mut state = self.state();
        let failures = way(&mut state).failures;
        let wanted = &mut way(&mut state).wanted;
        *wanted = n.max(*wanted);
        self.wake.notify_one();
        while way(&mut state).come < n {
            if state.ended {
                return Err(AuditError::Closed);
            }
            if way(&mut state).failures > failures {
                let why = way(&mut state).why.clone();
                drop(state);
                let path = self.writer().path();
                return Err(AuditError::Unsynced { path, why });
            }
            state = self.done.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }

    /// Has the thread try the disk again, after it failed where the thread has not seen it.
    pub(super) fn retry(&self) {
        self.state().since.get_or_insert(Instant::now());
        self.wake.notify_one();
    }

    /// Has the thread end, once everything is on the disk and under a checkpoint.
    pub(super) fn stop(&self) {
        self.state().stop = true;
        self.wake.notify_one();
    }

    /// The thread. Nobody waits for one that is no more, whatever ended it.
    pub(super) fn to_the_end(&self) -> Result<(), AuditError> {
        let _ended = Ended(self);
        self.run()
    }

    fn run(&self) -> Result<(), AuditError> {
        loop {
            let (stop, uncovered) = self.pause();
            let covered = if uncovered || stop { self.cover(stop) } else { Ok(()) };
            let synced = self.sync();
            let retained = self.retain();
            if stop {
                return covered.and(synced).and(retained);
            }
            if let Err(error) = retained {
                tracing::error!(target: "packhost::audit", %error, "what the audit log is to keep no more is not removed yet");
            }
            for error in [covered, synced].into_iter().filter_map(Result::err) {
                tracing::error!(target: "packhost::audit", %error, "the audit log is not as durable as it should be");
            }
        }
    }

    /// Waits until there is something to do: whether to end, and whether a checkpoint is due.
    fn pause(&self) -> (bool, bool) {
        let mut state = self.state();
        loop {
            let now = Instant::now();
            let sync = state.since.map(|since| match self.durability {
                _ if state.disk.is_urgent() || state.notes.is_urgent() => now,
                Durability::Each => since,
                Durability::Within(time) => since + time,
            });
            let checkpoint = state.uncovered.map(|since| since + self.checkpoint_age);
            let due = [sync, checkpoint, state.retain].into_iter().flatten().min();
            let uncovered = checkpoint.is_some_and(|time| time <= now);
            match due {
                _ if state.stop => return (true, uncovered),
                Some(due) if due <= now => return (false, uncovered),
                Some(due) => {
                    let waited = self.wake.wait_timeout(state, due - now);
                    state = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
                None => state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// Writes a checkpoint, if there is something of this process that none covers.
    fn cover(&self, last: bool) -> Result<(), AuditError> {
        let now = Instant::now();
        self.state().uncovered = None;
        let lock = self.writer().directory.file(LOCK);
        let done = self.held(true, |writer, held| {
            writer.closed |= last;
            if writer.uncovered {
                writer.catch_up(held)?;
                if writer.tail.uncovered() > 0 {
                    writer.checkpoint(held)?;
                }
            }
            Ok(())
        });
        self.writer().closed |= last;
        let done = done.and_then(|done| done.ok_or(AuditError::Locked { path: lock }));
        let mut state = self.state();
        state.since.get_or_insert(now);
        if done.is_err() {
            state.uncovered.get_or_insert(now);
        }
        done
    }

    /// Has the disk confirm what was appended, and notes how far that is.
    fn sync(&self) -> Result<(), AuditError> {
        // In this order: what is appended from here on either is seen below or sets one of both again.
        self.state().since = None;
        self.dirty.store(false, Ordering::Release);
        let (file, path, tail, failed) = {
            let writer = self.writer();
            (writer.file.clone(), writer.path(), writer.tail.clone(), writer.unsynced.clone())
        };
        if let Err(error) = file.sync_data() {
            let why = error.to_string();
            self.writer().unsynced = Some(why.clone());
            let mut state = self.state();
            state.disk.failed(why.clone());
            state.since = Some(Instant::now() + AGAIN);
            self.done.notify_all();
            return Err(AuditError::Unsynced { path, why });
        }
        if let Some(why) = failed {
            self.confirmed_again(why)?;
        }
        self.state().disk.came(tail.last.n);
        self.done.notify_all();
        self.note(&tail)
    }

    /// Notes in `head` and `synced` how far the log is on the disk.
    fn note(&self, tail: &Tail) -> Result<(), AuditError> {
        let (directory, keyring) = {
            let writer = self.writer();
            (writer.directory.clone(), writer.keyring.clone())
        };
        let known = self.state().head;
        let newer = tail.mark.filter(|mark| mark.position.n > known);
        let head = newer.map_or(Ok(()), |mark| Head::advance(&directory, &keyring, mark));
        let noted = head.and_then(|()| write_synced(&directory, tail.last));
        let mut state = self.state();
        match &noted {
            Ok(()) => {
                state.notes.came(tail.last.n);
                state.head = newer.map_or(known, |mark| mark.position.n);
            }
            Err(error) => {
                state.notes.failed(error.to_string());
                state.since = Some(Instant::now() + AGAIN);
            }
        }
        self.done.notify_all();
        noted
    }

    /// The disk had failed and works again. Whether it has what was written before, nobody knows: that goes on record.
    fn confirmed_again(&self, why: String) -> Result<(), AuditError> {
        let after = self.state().disk.come;
        self.held(true, |writer, held| {
            writer.unsynced = None;
            writer.append(held, UNSYNCED, &json(&Unsynced { after, why })?)
        })?;
        self.state().since.get_or_insert(Instant::now());
        Ok(())
    }

    /// Removes what is older than it is kept, after a segment was closed, and again after that failed.
    fn retain(&self) -> Result<(), AuditError> {
        let (rolled, retention, lock) = {
            let mut writer = self.writer();
            let rolled = std::mem::take(&mut writer.rolled);
            (rolled, writer.settings.retention, writer.directory.file(LOCK))
        };
        let is_due = rolled || self.state().retain.is_some_and(|time| time <= Instant::now());
        if !is_due || retention == super::Retention::default() {
            return Ok(());
        }
        let done = self.held(true, |writer, held| super::retention::retain(writer, held, retention));
        let done = done.and_then(|done| done.map(drop).ok_or(AuditError::Locked { path: lock }));
        let mut state = self.state();
        if done.is_ok() {
            (state.retain, state.refused) = (None, 0);
        } else {
            state.retain = Some(Instant::now() + AGAIN * 2u32.pow(state.refused.min(DOUBLED)));
            state.refused += 1;
        }
        done
    }
}

/// Says that the thread has ended.
struct Ended<'a>(&'a Shared);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.writer().closed = true;
        self.0.state().ended = true;
        self.0.done.notify_all();
    }
}
