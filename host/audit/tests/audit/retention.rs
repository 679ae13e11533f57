//! What is removed because it is old or much, and what still verifies.

use std::fs;
use std::time::Duration;

use packhost_audit::{Retention, Settings, What, verify};
use serde_json::json;

use crate::place::Place;

/// A log whose segments are an hour apart.
fn hours(place: &Place, segments: u64) -> packhost_audit::Log {
    let log = place.open(place.settings());
    for hour in 0..segments {
        for n in 0..3 {
            log.append("test", &json!({"hour": hour, "n": n})).unwrap();
        }
        place.clock.advance(3600);
        log.roll().unwrap();
    }
    log
}

#[test]
fn what_is_too_old_goes_and_the_rest_still_verifies_from_a_named_start() {
    let place = Place::new();
    let log = hours(&place, 5);
    let kept = log.checkpoint().unwrap();
    place.clock.advance(3600);
    let old = Retention { age: Some(Duration::from_secs(2 * 3600 + 1)), bytes: None };
    let removed = log.retain(old).unwrap();
    assert_eq!(
        removed.iter().map(|sealed| (sealed.segment, sealed.first, sealed.last)).collect::<Vec<_>>(),
        [(1, 1, 5), (2, 6, 10)]
    );
    assert_eq!(log.retain(old).unwrap(), []);
    assert_eq!(place.segments(), [3, 4, 5, 6]);
    log.append("test", &json!({})).unwrap();
    log.close().unwrap();
    let report = verify(&place.dir(), &place.keys(), &[kept]).unwrap();
    assert!(report.is_intact(), "{:#?}", report.findings);
    assert_eq!((report.first, report.removed.map(|removed| removed.n)), (Some(11), Some(10)));
    assert_eq!(place.kinds()["removed"], 2);
    // More of it later, and after another start.
    let log = place.open(place.settings());
    place.clock.advance(24 * 3600);
    assert_eq!(log.retain(old).unwrap(), [], "one reading of the clock is not enough");
    log.roll().unwrap();
    place.clock.advance(3600);
    assert_eq!(log.retain(old).unwrap().len(), 3);
    log.close().unwrap();
    assert_eq!(place.segments(), [6, 7]);
    assert_eq!(place.verified().removed.unwrap().n, 25);
}

#[test]
fn a_clock_that_is_wrong_for_a_moment_removes_nothing() {
    let place = Place::new();
    let age = Duration::from_secs(30 * 24 * 3600);
    let years = 2 * 365 * 24 * 3600;
    drop(hours(&place, 5));
    let retention = Retention { age: Some(age), bytes: None };
    let kept = || Settings { segment_age: Some(age / 12), retention, ..place.settings() };
    // A machine that starts years ahead: the first record closes the segment, and more are closed.
    place.clock.advance(years);
    let log = place.open(kept());
    for _ in 0..3 {
        log.append("test", &json!({})).unwrap();
        log.roll().unwrap();
        assert_eq!(log.retain(retention).unwrap(), []);
        place.clock.advance(600);
    }
    log.close().unwrap();
    // Then it has its time, while records still say the other one; and starts like that once more.
    let days = 7 * 24 * 3600;
    for (back, on) in [(years, years + days), (0, 0)] {
        place.clock.back(back);
        let log = place.open(kept());
        log.append("test", &json!({})).unwrap();
        log.append("test", &json!({})).unwrap();
        assert_eq!(log.retain(retention).unwrap(), []);
        log.close().unwrap();
        place.clock.advance(on);
    }
    assert_eq!(place.verified().first, Some(1));
    // A clock that stays there is believed.
    let log = place.open(place.settings());
    log.roll().unwrap();
    place.clock.advance(3599);
    assert_eq!(log.retain(retention).unwrap(), []);
    place.clock.advance(1);
    assert_eq!(log.retain(retention).unwrap().first().map(|sealed| sealed.segment), Some(1));
    log.close().unwrap();
    place.verified();
}

#[test]
fn the_oldest_go_while_there_is_too_much() {
    let place = Place::new();
    let log = hours(&place, 6);
    let sizes: Vec<u64> =
        place.segments().iter().map(|n| place.read(&format!("{n:08}.log")).len() as u64).collect();
    let most = sizes[2..].iter().sum::<u64>();
    assert_eq!(log.retain(Retention { age: None, bytes: Some(most) }).unwrap().len(), 2);
    assert_eq!(log.retain(Retention::default()).unwrap(), []);
    log.close().unwrap();
    place.verified();
}

#[test]
fn the_log_removes_what_it_is_told_to_when_a_segment_is_closed() {
    let place = Place::new();
    let retention = Retention { age: None, bytes: Some(12_000) };
    let log = place.open(Settings { segment_bytes: 4_096, retention, ..place.settings() });
    let mut watch = place.follow();
    for n in 0..200 {
        log.append("test", &json!({"n": n, "x": "y".repeat(100)})).unwrap();
    }
    // The thread does it.
    watch.next_of("removed");
    log.close().unwrap();
    let report = place.verified();
    assert!(report.first > Some(1));
}

#[test]
fn what_could_not_be_removed_is_removed_once_it_can_be() {
    let place = Place::new();
    let retention = Retention { age: None, bytes: Some(1) };
    let log = place.open(Settings { retention, ..place.settings() });
    // Where it says what it removes nothing can be written.
    let sealed = place.dir().join("sealed");
    fs::create_dir(&sealed).unwrap();
    let mut watch = place.follow();
    log.append("test", &json!({})).unwrap();
    log.roll().unwrap();
    // The thread takes one thing after the other: it has failed before the second of these is done.
    for _ in 0..2 {
        log.append("test", &json!({})).unwrap();
        log.sync().unwrap();
    }
    assert!(place.dir().join("00000001.log").exists());
    fs::remove_dir(&sealed).unwrap();
    watch.next_of("removed");
    log.close().unwrap();
    assert_eq!(place.segments(), [2]);
    place.verified();
}

#[test]
fn nothing_but_what_retention_removed_may_be_missing() {
    let place = Place::new();
    let log = hours(&place, 5);
    place.clock.advance(3600);
    log.retain(Retention { age: Some(Duration::from_secs(2 * 3600 + 1)), bytes: None }).unwrap();
    log.close().unwrap();
    let whole = place.files();
    let found = || verify(&place.dir(), &place.keys(), &[]).unwrap().findings;
    for segment in [3, 4, 5] {
        fs::remove_file(place.dir().join(format!("{segment:08}.log"))).unwrap();
        let missing = found();
        assert!(
            missing
                .iter()
                .any(|finding| finding.what == What::Segment && finding.file == format!("{segment:08}.log")),
            "{missing:#?}"
        );
        place.put(&whole);
    }
    // A line less in what says what was removed, and none at all.
    let sealed = String::from_utf8(whole["sealed"].clone()).unwrap();
    let first = format!("{}\n", sealed.lines().next().unwrap());
    for left in [first.as_str(), ""] {
        fs::write(place.dir().join("sealed"), left).unwrap();
        assert!(!found().is_empty());
    }
    place.put(&whole);
    // What is removed of another log.
    let other = Place::with_keys_of(&place);
    let log = hours(&other, 5);
    other.clock.advance(3601);
    log.retain(Retention { age: Some(Duration::from_secs(2 * 3600 + 1)), bytes: None }).unwrap();
    log.close().unwrap();
    fs::write(place.dir().join("sealed"), other.read("sealed")).unwrap();
    assert!(!found().is_empty());
    place.put(&whole);
    place.verified();
}

#[test]
fn a_segment_that_was_changed_at_its_end_is_not_removed() {
    let place = Place::new();
    let log = hours(&place, 3);
    let mut bytes = place.read("00000001.log");
    let last = bytes.len() - 10;
    bytes[last] ^= 1;
    fs::write(place.dir().join("00000001.log"), bytes).unwrap();
    let refused = log.retain(Retention { age: None, bytes: Some(1) }).unwrap_err();
    assert!(refused.to_string().contains("00000001.log"), "{refused}");
    assert_eq!(place.segments(), [1, 2, 3, 4]);
}

#[test]
fn another_process_goes_on_when_the_segment_that_it_has_open_is_removed() {
    let place = Place::new();
    let (one, two) = (place.open(place.settings()), place.open(place.settings()));
    one.append("test", &json!({})).unwrap();
    two.append("test", &json!({})).unwrap();
    for _ in 0..3 {
        two.append("test", &json!({})).unwrap();
        two.roll().unwrap();
    }
    two.retain(Retention { age: None, bytes: Some(1) }).unwrap();
    assert_eq!(place.segments(), [4]);
    let at = one.append("test", &json!({})).unwrap();
    assert_eq!(two.append("test", &json!({})).unwrap().n, at.n + 1);
    drop((one, two));
    place.verified();
}
