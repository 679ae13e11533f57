//! Several threads and processes that append to one log, and what is left when they are killed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use packhost_audit::{Durability, Filter, Follow, Settings, Written, verify};
use serde_json::json;

use crate::child::{Said, exe, role, say, start};
use crate::place::{Place, small};

const THREADS: usize = 16;
const EACH: usize = 60;
const TOGETHER: &str = "many::sixteen_threads_of_two_processes_make_one_chain";

#[test]
fn sixteen_threads_of_two_processes_make_one_chain() {
    if let Some(root) = role() {
        return append_all(Path::new(&root));
    }
    let place = Place::new();
    let root = place.root().display().to_string();
    // Both start without a directory and without a key.
    let mut children = [0, 1].map(|_| start(&mut Command::new(exe()), TOGETHER, &root));
    let said = children.each_mut().map(|child| {
        let said = Said::heard(child);
        assert!(child.wait().unwrap().success());
        said
    });
    let written: BTreeMap<u64, String> = said.iter().flat_map(Said::written).collect();
    assert_eq!(written.len(), 2 * THREADS * EACH, "no number twice");
    let report = place.verified();
    assert!(report.segments > 2 && report.torn.is_none(), "{report:?}");
    place.holds(&written.into_iter().collect::<Vec<_>>(), "two processes");
}

fn append_all(root: &Path) {
    let place = Place::at(root);
    let log = place.open(Settings { segment_bytes: 100_000, ..small() });
    let barrier = Barrier::new(THREADS);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (log, barrier) = (&log, &barrier);
            scope.spawn(move || {
                barrier.wait();
                for n in 0..EACH {
                    let body = json!({"process": std::process::id(), "thread": thread, "n": n});
                    let position = log.append("test", &body).unwrap();
                    say(&format!("wrote {} {}", position.n, position.hash));
                }
            });
        }
    });
    log.close().unwrap();
}

const KILLED: &str = "many::what_was_acknowledged_outlives_any_kill";

/// How often writers are killed: `PACKHOST_AUDIT_ROUNDS`, or 200.
fn rounds() -> u64 {
    std::env::var("PACKHOST_AUDIT_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(200)
}

#[test]
fn what_was_acknowledged_outlives_any_kill() {
    if let Some(root) = role() {
        return append_until_killed(Path::new(&root));
    }
    let place = Place::new();
    place.open(small()).append("test", &json!({})).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let reader = {
        let (dir, keys, stop) = (place.dir(), place.keys(), Arc::clone(&stop));
        std::thread::spawn(move || {
            let mut looks = 0u64;
            while !stop.load(Ordering::Relaxed) {
                let report = verify(&dir, &keys, &[]).unwrap();
                assert!(report.is_intact(), "while others write: {:#?}", report.findings);
                looks += 1;
            }
            looks
        })
    };
    let root = place.root().display().to_string();
    let mut written: BTreeMap<u64, String> = BTreeMap::new();
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..rounds() {
        let mut children = [0, 1].map(|_| start(&mut Command::new(exe()), KILLED, &root));
        // Killed once so many more records are there, each at a time of its own.
        let mut watch = Follow::after(&place.dir(), Filter::default(), last(&place)).unwrap();
        for child in &mut children {
            for _ in 0..random.u32(0..40) {
                watch.next(Duration::from_secs(60)).unwrap().expect("a record within a minute");
            }
            for _ in 0..random.u32(0..20_000) {
                std::hint::spin_loop();
            }
            child.kill().unwrap();
        }
        for child in &mut children {
            written.extend(Said::heard(child).written());
            child.wait().unwrap();
        }
    }
    stop.store(true, Ordering::Relaxed);
    assert!(reader.join().unwrap() > 0);
    assert!(written.len() as u64 > rounds(), "{} records", written.len());
    place.holds(&written.into_iter().collect::<Vec<_>>(), "killed writers");
}

/// The last record that is there.
fn last(place: &Place) -> u64 {
    let all =
        packhost_audit::query(&place.dir(), &Filter::default(), |_| std::ops::ControlFlow::Continue(()));
    all.unwrap().last.unwrap().n
}

fn append_until_killed(root: &Path) {
    let place = Place::at(root);
    let brief = Duration::from_millis(1);
    let log =
        place.open(Settings { segment_bytes: 20_000, durability: Durability::Within(brief), ..small() });
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let log = &log;
            scope.spawn(move || {
                for n in 0u64.. {
                    let position = log.append("test", &json!({"thread": thread, "n": n})).unwrap();
                    say(&format!("wrote {} {}", position.n, position.hash));
                }
            });
        }
    });
}

#[test]
fn who_may_not_wait_is_told_that_another_process_writes() {
    let place = Place::new();
    let log = place.open(place.settings());
    log.append("test", &json!({})).unwrap();
    let lock = std::fs::File::open(place.dir().join("lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    assert_eq!(log.try_append("test", &json!({})).unwrap(), Written::Busy);
    // Whoever may wait waits until it is let go.
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| log.append("test", &json!({})).unwrap().n);
        assert_eq!(log.try_append("test", &json!({})).unwrap(), Written::Busy);
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::Unlock).unwrap();
        assert_eq!(waiting.join().unwrap(), 3);
    });
}

#[test]
fn who_waits_too_long_is_told_and_nothing_is_written() {
    let place = Place::new();
    let log = place.open(place.settings());
    log.append("test", &json!({})).unwrap();
    let lock = std::fs::File::open(place.dir().join("lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let refused = log.append("test", &json!({})).unwrap_err();
    assert!(matches!(refused, packhost_audit::AuditError::Locked { .. }), "{refused}");
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::Unlock).unwrap();
    assert_eq!(log.append("test", &json!({})).unwrap().n, 3);
}

#[test]
fn two_logs_of_one_process_take_turns() {
    let place = Place::new();
    let logs = [place.open(small()), place.open(small())];
    let mut numbers = BTreeSet::new();
    for n in 0..40 {
        numbers.insert(logs[n % 2].append("test", &json!({"n": n})).unwrap().n);
    }
    assert_eq!(numbers.len(), 40);
    drop(logs);
    place.verified();
}
