//! A directory with a log and a ring of keys.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use packhost_audit::{
    Act, AuditError, Entry, Event, Filter, Follow, Log, Position, Report, Settings, verify,
};
use packhost_keyring::{Keyring, PublicKeys};
use tempfile::TempDir;

/// 2026-03-01T09:30:00Z.
const START: u64 = 1_772_357_400;

pub(crate) struct Place {
    root: PathBuf,
    /// Removed in the end.
    _temporary: Option<TempDir>,
    /// Whose keys are used.
    ring: PathBuf,
    pub(crate) clock: Arc<Clock>,
}

/// A clock that stands still until it is moved.
pub(crate) struct Clock(AtomicU64);

impl Clock {
    pub(crate) fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(crate) fn back(&self, seconds: u64) {
        self.0.fetch_sub(seconds, Ordering::SeqCst);
    }

    pub(crate) fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.0.load(Ordering::SeqCst))
    }
}

/// Small segments with a checkpoint every five records.
pub(crate) fn small() -> Settings {
    Settings { checkpoint_records: 5, segment_bytes: 4096, ..Settings::default() }
}

impl Place {
    pub(crate) fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let place = Self::at(temporary.path());
        Self { _temporary: Some(temporary), ..place }
    }

    /// In a directory that is somebody else's.
    pub(crate) fn at(root: &Path) -> Self {
        let clock = Arc::new(Clock(AtomicU64::new(START)));
        Self { root: root.to_owned(), _temporary: None, ring: root.join("keys"), clock }
    }

    /// Another directory, and the same keys.
    pub(crate) fn with_keys_of(other: &Self) -> Self {
        let place = Self::new();
        fs::DirBuilder::new().mode(0o700).create(&place.ring).unwrap();
        for entry in fs::read_dir(&other.ring).unwrap() {
            let name = entry.unwrap().file_name();
            // That the other one has a log is not to be known here.
            if name != "last" {
                fs::copy(other.ring.join(&name), place.ring.join(&name)).unwrap();
            }
        }
        place
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.root.clone()
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.root.join("audit")
    }

    pub(crate) fn ring(&self) -> Arc<Keyring> {
        Arc::new(Keyring::open(&self.ring).unwrap())
    }

    pub(crate) fn keys(&self) -> PublicKeys {
        PublicKeys::read(&self.ring).unwrap()
    }

    /// The usual settings, with this place's clock.
    pub(crate) fn settings(&self) -> Settings {
        let clock = Arc::clone(&self.clock);
        Settings { clock: Arc::new(move || clock.now()), ..Settings::default() }
    }

    pub(crate) fn try_open(&self, settings: Settings) -> Result<Log, AuditError> {
        Log::open(self.dir(), self.ring(), settings)
    }

    /// Begins another log in place of one that is lost.
    pub(crate) fn begin(&self) -> Result<Log, AuditError> {
        let first = Act { verb: "audit.begin".into(), subject: "audit".into(), ..Act::default() };
        Log::begin(self.dir(), self.ring(), self.settings(), &Event::Act(first))
    }

    pub(crate) fn open(&self, settings: Settings) -> Log {
        self.try_open(settings).unwrap()
    }

    /// What a verification says, which has to find nothing.
    pub(crate) fn verified(&self) -> Report {
        let report = verify(&self.dir(), &self.keys(), &[]).unwrap();
        assert!(report.is_intact(), "{:#?}", report.findings);
        report
    }

    /// The log opens, verifies, and has all of these records, once the fault is over.
    pub(crate) fn holds(&self, written: &[(u64, String)], what: &str) {
        let after = self.try_open(small()).unwrap_or_else(|error| panic!("{error}: {what}"));
        after
            .append("test", &serde_json::json!({"after": true}))
            .unwrap_or_else(|error| panic!("{error}: {what}"));
        after.close().unwrap_or_else(|error| panic!("{error}: {what}"));
        let report = verify(&self.dir(), &self.keys(), &[]).unwrap();
        assert!(report.is_intact(), "{:#?}: {what}", report.findings);
        let mut there = BTreeMap::new();
        for line in self.segments().into_iter().flat_map(|segment| self.lines(segment)) {
            let json: serde_json::Value = serde_json::from_str(&line[65..]).unwrap();
            there.insert(json["n"].as_u64().unwrap(), line[..64].to_owned());
        }
        let removed = report.removed.map_or(0, |removed| removed.n);
        for (n, hash) in written.iter().filter(|(n, _)| *n > removed) {
            assert_eq!(there.get(n), Some(hash), "record {n}: {what}");
        }
    }

    /// All files of the log but the lock.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let names =
            fs::read_dir(self.dir()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name != "lock").map(|name| (name.clone(), self.read(&name))).collect()
    }

    /// Puts these in place of those that are there.
    pub(crate) fn put(&self, files: &BTreeMap<String, Vec<u8>>) {
        let here = self.files();
        for name in here.keys().filter(|name| !files.contains_key(*name)) {
            fs::remove_file(self.dir().join(name)).unwrap();
        }
        for (name, bytes) in files.iter().filter(|(name, bytes)| here.get(*name) != Some(*bytes)) {
            fs::write(self.dir().join(name), bytes).unwrap();
        }
    }

    /// The same, and what the ring remembers goes, which may be newer.
    pub(crate) fn restore(&self, files: &BTreeMap<String, Vec<u8>>) {
        self.put(files);
        fs::remove_file(self.ring.join("last")).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.dir().join(name)).unwrap()
    }

    pub(crate) fn segments(&self) -> Vec<u64> {
        let files = self.files();
        files.keys().filter_map(|name| name.strip_suffix(".log")?.parse().ok()).collect()
    }

    pub(crate) fn lines(&self, segment: u64) -> Vec<String> {
        let text = String::from_utf8(self.read(&format!("{segment:08}.log"))).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// The records from the first one on, and those that are to come.
    pub(crate) fn follow(&self) -> Watch {
        Watch(Follow::after(&self.dir(), Filter::default(), 0).unwrap())
    }

    /// How many records of each kind there are.
    pub(crate) fn kinds(&self) -> BTreeMap<String, usize> {
        let mut kinds = BTreeMap::new();
        for line in self.segments().into_iter().flat_map(|segment| self.lines(segment)) {
            let json: serde_json::Value = serde_json::from_str(&line[65..]).unwrap();
            *kinds.entry(json["kind"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        kinds
    }
}

/// Waits for records.
pub(crate) struct Watch(Follow);

impl Watch {
    pub(crate) fn next(&mut self) -> Entry {
        self.0.next(Duration::from_secs(60)).unwrap().expect("a record within a minute")
    }

    pub(crate) fn next_of(&mut self, kind: &str) -> Position {
        loop {
            let entry = self.next();
            if entry.kind() == kind {
                return entry.position();
            }
        }
    }
}
