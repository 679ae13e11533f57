//! What an operator does, on record: that it is about to be done, and what came of it.

use std::fmt::Display;
use std::sync::Arc;

use packhost_audit::{ActOutcome, Event, Log, Recorder, Settings};

use super::actor::actor;
use crate::dirs::Dirs;
use crate::exit::Error;

/// How many names a detail lists.
const NAMES: usize = 64;

/// Something that an operator is about to do. No secret goes in.
#[derive(Debug, Clone)]
pub(crate) struct Act(packhost_audit::Act);

impl Act {
    /// A verb of words joined by a dot, and what it is done to: a name, an id, a file.
    pub(crate) fn new(verb: &str, subject: impl Display) -> Self {
        let (actor, details) = actor().clone();
        Self(packhost_audit::Act {
            actor,
            verb: verb.into(),
            subject: subject.to_string(),
            details,
            outcome: ActOutcome::Begun,
        })
    }

    /// With more about it.
    #[must_use]
    pub(crate) fn with(mut self, key: &str, value: impl Display) -> Self {
        self.0.details.insert(key.into(), value.to_string());
        self
    }

    /// With some names, the first of them where there are very many.
    #[must_use]
    pub(crate) fn with_names<T: Display>(self, key: &str, names: impl IntoIterator<Item = T>) -> Self {
        let names: Vec<String> = names.into_iter().map(|name| name.to_string()).collect();
        let more = names.len().saturating_sub(NAMES);
        let listed = names[..names.len() - more].join(", ");
        match (names.len(), more) {
            (0, _) => self,
            (_, 0) => self.with(key, listed),
            (_, more) => self.with(key, format!("{listed} and {more} more")),
        }
    }

    /// Puts it on record that this is about to be done.
    ///
    /// # Errors
    /// When that cannot be written. Then it must not be done.
    pub(crate) fn begin(self, recorder: Arc<dyn Recorder>) -> Result<Begun, Error> {
        recorder.record(&Event::Act(self.0.clone())).map_err(Error::Unrecorded)?;
        Ok(Begun { recorder, act: self })
    }
}

/// An act that is on record as begun.
#[must_use]
pub(crate) struct Begun {
    recorder: Arc<dyn Recorder>,
    act: Act,
}

impl Begun {
    /// Puts on record what came of it, and hands that back. What cannot be put on record any more was done all the same, and
    /// stays on record as begun.
    ///
    /// Of an error the code is on record and not the sentence, which may have words of somebody else.
    pub(crate) fn end<T>(self, done: Result<T, Error>) -> Result<T, Error> {
        self.end_with(done, |act, _| act)
    }

    /// The same, with more about what was done.
    pub(crate) fn end_with<T>(
        self,
        done: Result<T, Error>,
        more: impl FnOnce(Act, &T) -> Act,
    ) -> Result<T, Error> {
        let (mut act, outcome) = match &done {
            Ok(done) => (more(self.act, done), ActOutcome::Done),
            // The program of somebody who looked into a sandbox: that was done, whatever it ended with.
            Err(Error::Exited(code)) => (self.act.with("exit", code), ActOutcome::Done),
            Err(error) => (self.act, ActOutcome::Failed(error.code().into())),
        };
        act.0.outcome = outcome;
        if let Err(error) = self.recorder.record(&Event::Act(act.0)) {
            tracing::error!(target: "packhost", "what came of it is not on record: {error}");
        }
        done
    }
}

/// The record, for those who do something.
pub(crate) struct Acts(Arc<Log>);

impl Acts {
    /// Opens the record, and makes it where it is missing. As [`open`](super::open).
    pub(crate) fn open(dirs: &Dirs) -> Result<Self, Error> {
        match super::open(dirs) {
            Ok(log) => Ok(Self(log)),
            Err(Error::Record(error)) => Err(Error::Unrecorded(error)),
            Err(error) => Err(error),
        }
    }

    /// Begins another record in place of one that is lost, with this act.
    pub(crate) fn anew(dirs: &Dirs, act: Act) -> Result<Begun, Error> {
        let keyring = Arc::new(super::keyring(dirs)?);
        let first = Event::Act(act.0.clone());
        let begun = Log::begin(super::log_dir(dirs), keyring, Settings::default(), &first);
        Ok(Begun { recorder: Arc::new(begun.map_err(Error::Unrecorded)?), act })
    }

    /// Puts it on record, and on the disk, that this is about to be done.
    ///
    /// # Errors
    /// When that cannot be written. Then it must not be done.
    pub(crate) fn begin(&self, act: Act) -> Result<Begun, Error> {
        let recorder: Arc<dyn Recorder> = Arc::<Log>::clone(&self.0);
        let begun = act.begin(recorder)?;
        // What is done may outlive a power cut; so does the record of it.
        self.0.sync().map_err(Error::Unrecorded)?;
        Ok(begun)
    }

    /// Does something that is on record.
    pub(crate) fn record<T>(&self, act: Act, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        self.begin(act)?.end(work())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use packhost_audit::{AuditError, Written};

    use super::*;

    /// Takes so many records and no more.
    struct Few(Mutex<(usize, Vec<packhost_audit::Act>)>);

    impl Recorder for Few {
        fn record(&self, event: &Event) -> Result<(), AuditError> {
            let Event::Act(act) = event else { panic!("no act") };
            let mut few = self.0.lock().expect("nobody panicked");
            if few.0 == 0 {
                return Err(AuditError::Closed);
            }
            few.0 -= 1;
            few.1.push(act.clone());
            Ok(())
        }

        fn try_record(&self, _: &Event) -> Result<Written, AuditError> {
            Err(AuditError::Closed)
        }
    }

    fn few(records: usize) -> Arc<Few> {
        Arc::new(Few(Mutex::new((records, Vec::new()))))
    }

    fn taken(few: &Few) -> Vec<(String, Option<String>)> {
        let acts = few.0.lock().expect("nobody panicked").1.clone();
        acts.iter().map(|act| (act.outcome.to_string(), act.details.get("n").cloned())).collect()
    }

    fn act() -> Act {
        Act::new("tokens.create", "ci")
    }

    #[test]
    fn an_act_is_on_record_before_it_is_done_and_after() {
        let recorder = few(9);
        let begun = act().begin(Arc::<Few>::clone(&recorder)).expect("on record");
        assert_eq!(taken(&recorder), [("begun".into(), None)]);
        begun.end_with(Ok(4), |act, n| act.with("n", n)).expect("it is handed back");
        assert_eq!(taken(&recorder)[1], ("done".into(), Some("4".into())));
    }

    #[test]
    fn an_error_is_on_record_by_its_code_and_handed_back() {
        let recorder = few(9);
        for (error, outcome) in [
            (Error::failed("the word of somebody else"), "failed: command_failed"),
            (Error::Interrupted, "failed: interrupted"),
            (Error::Exited(3), "done"),
        ] {
            let said = error.to_string();
            let begun = act().begin(Arc::<Few>::clone(&recorder)).expect("on record");
            let ended: Result<(), Error> = begun.end(Err(error));
            assert_eq!(ended.expect_err("it is handed back").to_string(), said);
            assert_eq!(taken(&recorder).last().expect("on record").0, outcome);
        }
    }

    #[test]
    fn what_cannot_be_put_on_record_is_refused_before_and_told_after() {
        assert!(matches!(act().begin(few(0)), Err(Error::Unrecorded(_))));
        let begun = act().begin(few(1)).expect("on record");
        assert_eq!(begun.end(Ok(7)).expect("it was done"), 7);
    }

    #[test]
    fn very_many_names_are_cut() {
        let value = |count: usize| act().with_names("names", 0..count).0.details.get("names").cloned();
        assert_eq!(value(0), None);
        assert_eq!(value(3).as_deref(), Some("0, 1, 2"));
        assert!(value(NAMES).is_some_and(|names| names.ends_with(", 63")));
        assert!(value(1000).is_some_and(|names| names.ends_with(", 63 and 936 more")));
    }
}
