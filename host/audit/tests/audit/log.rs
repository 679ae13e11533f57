//! What is appended, how it is chained, and what verifies.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use packhost_audit::{
    AuditError, Durability, LARGEST, Log, Retention, Settings, What, Written, verify, verify_with_ring,
};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::place::{Place, small};

#[test]
fn what_was_appended_is_one_chain_that_verifies() {
    let place = Place::new();
    let log = place.open(Settings::default());
    let first = log.append("test", &json!({"a": 1})).unwrap();
    assert_eq!(first.n, 2, "the first record is that of the segment");
    for n in 3..=50 {
        assert_eq!(log.append("test", &json!({"a": n})).unwrap().n, n);
    }
    log.close().unwrap();
    assert!(matches!(log.append("test", &json!({})), Err(AuditError::Closed)));
    assert!(matches!(log.checkpoint(), Err(AuditError::Closed)));
    assert!(matches!(log.roll(), Err(AuditError::Closed)));
    log.sync().unwrap();
    log.close().unwrap();
    let report = place.verified();
    assert_eq!((report.first, report.records, report.segments, report.checkpoints), (Some(1), 51, 1, 1));
    assert_eq!(report.proven.unwrap().n, 51, "the head covers the checkpoint's own record");
    let lines = place.lines(1);
    assert!(
        lines[1].contains(r#""n":2,"time":""#) && lines[1].ends_with(r#"Z","kind":"test","body":{"a":1}}"#),
        "{}",
        lines[1]
    );
}

#[test]
fn a_log_goes_on_where_it_ended() {
    let place = Place::new();
    for round in 0..5u64 {
        let log = place.open(Settings::default());
        log.append("test", &json!({"round": round})).unwrap();
    }
    // Opened and closed without a record, it does not change.
    let before = place.files();
    drop(place.open(Settings::default()));
    assert_eq!(place.files(), before);
    let report = place.verified();
    assert_eq!((report.records, report.checkpoints), (11, 5));
}

#[test]
fn segments_are_closed_by_a_checkpoint_and_begin_with_the_hash_before() {
    let place = Place::new();
    let log = place.open(small());
    for n in 0..60 {
        log.append("test", &json!({"n": n})).unwrap();
    }
    log.close().unwrap();
    let report = place.verified();
    assert!(report.segments > 4 && report.checkpoints > 10, "{report:?}");
    for segment in 1..report.segments {
        let lines = place.lines(segment);
        assert!(lines[0].contains(r#""kind":"segment""#), "{}", lines[0]);
        assert!(lines.last().unwrap().ends_with(r#","closes":true}}"#), "{lines:?}");
        assert!(place.read(&format!("{segment:08}.log")).len() < 4096, "no larger than it may be");
        let hash = &lines.last().unwrap()[..64];
        assert!(place.lines(segment + 1)[0].contains(&format!(r#""previous":"{hash}""#)));
    }
    // One that is larger than a segment may be has its own.
    let log = place.open(small());
    log.append("test", &json!({"long": "x".repeat(10_000)})).unwrap();
    log.append("test", &json!({})).unwrap();
    log.close().unwrap();
    place.verified();
}

#[test]
fn a_segment_is_closed_when_it_is_old_or_when_it_is_asked_for() {
    let place = Place::new();
    let settings = Settings { segment_age: Some(Duration::from_secs(3600)), ..place.settings() };
    let log = place.open(settings);
    log.append("test", &json!({})).unwrap();
    place.clock.advance(3599);
    log.append("test", &json!({})).unwrap();
    assert_eq!(place.segments(), [1]);
    place.clock.advance(2);
    log.append("test", &json!({})).unwrap();
    assert_eq!(place.segments(), [1, 2]);
    log.roll().unwrap();
    log.roll().unwrap();
    assert_eq!(place.segments(), [1, 2, 3], "one without records is not closed");
    log.close().unwrap();
    place.verified();
}

#[test]
fn a_checkpoint_comes_with_so_many_records_or_so_much_time() {
    let place = Place::new();
    let log = place.open(Settings { checkpoint_records: 10, ..place.settings() });
    for _ in 0..35 {
        log.append("test", &json!({})).unwrap();
    }
    assert_eq!(place.kinds()["checkpoint"], 3);
    drop(log);
    let place = Place::new();
    let brief = Duration::from_millis(1);
    let log = place.open(Settings {
        checkpoint_age: brief,
        durability: Durability::Within(brief),
        ..place.settings()
    });
    log.append("test", &json!({})).unwrap();
    // It is the next record that is appended, by the log itself.
    let mut watch = place.follow();
    let next = watch.next_of("checkpoint");
    assert_eq!(next.n, 3);
    drop(log);
    assert_eq!(place.kinds()["checkpoint"], 1, "nothing new, no other checkpoint");
    place.verified();
}

#[test]
fn a_kept_checkpoint_proves_what_was_before_it() {
    let place = Place::new();
    let log = place.open(place.settings());
    log.append("test", &json!({})).unwrap();
    let kept = log.checkpoint().unwrap();
    log.append("test", &json!({})).unwrap();
    log.close().unwrap();
    let keys = place.keys();
    let report = verify(&place.dir(), &keys, std::slice::from_ref(&kept)).unwrap();
    assert!(report.is_intact(), "{:?}", report.findings);
    assert_eq!(report.kept, [kept.n]);
    // Another log under the same key, as long as this one.
    let again = Place::with_keys_of(&place);
    let log = again.open(again.settings());
    for _ in 0..9 {
        log.append("test", &json!({})).unwrap();
    }
    log.close().unwrap();
    let report = verify(&again.dir(), &keys, &[kept]).unwrap();
    assert_eq!(
        report.findings.iter().map(|finding| finding.file.as_str()).collect::<Vec<_>>(),
        ["kept checkpoint"]
    );
}

#[test]
fn what_is_no_record_is_refused_and_nothing_is_written() {
    let place = Place::new();
    let log = place.open(place.settings());
    let before = log.append("test", &json!({})).unwrap().n;
    for kind in
        ["", "Test", "te st", "te\"st", "segment", "checkpoint", "recovered", "removed", "unsynced", "é"]
    {
        assert!(matches!(log.append(kind, &json!({})), Err(AuditError::Kind(_))), "{kind}");
    }
    for body in [json!([1]), json!("x"), json!(null), json!(1)] {
        assert!(matches!(log.append("test", &body), Err(AuditError::Body(_))), "{body}");
    }
    // The line of a record with an empty text.
    let empty = place.lines(1)[1].len() + 1 + r#""t":"""#.len();
    let most = LARGEST - empty;
    let refused = log.append("test", &json!({"t": "x".repeat(most + 1)})).unwrap_err();
    assert!(
        matches!(refused, AuditError::TooLarge { size, max: LARGEST } if size == LARGEST + 1),
        "{refused}"
    );
    assert_eq!(log.append("test", &json!({"t": "x".repeat(most)})).unwrap().n, before + 1);
    assert!(matches!(log.try_append("test", &json!({})).unwrap(), Written::At(at) if at.n == before + 2));
    log.close().unwrap();
    place.verified();
}

#[test]
fn each_record_is_on_the_disk_when_that_is_wanted() {
    let place = Place::new();
    let log = Arc::new(place.open(Settings { durability: Durability::Each, ..place.settings() }));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..20 {
                    let at = log.append("test", &json!({})).unwrap();
                    let _ = at;
                }
            });
        }
    });
    log.sync().unwrap();
    let synced = String::from_utf8(place.read("synced")).unwrap();
    assert!(synced.starts_with(&format!("{:020} ", 161)), "{synced}");
    log.close().unwrap();
    place.verified();
}

#[test]
fn a_directory_that_others_may_use_is_not_used() {
    let place = Place::new();
    drop(place.open(place.settings()));
    let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(place.dir()), 0o700);
    for name in place.files().keys() {
        assert_eq!(mode(place.dir().join(name)), 0o600, "{name}");
    }
    std::fs::set_permissions(place.dir(), std::fs::Permissions::from_mode(0o750)).unwrap();
    assert!(matches!(place.try_open(place.settings()), Err(AuditError::Exposed { mode: 0o750, .. })));
}

#[test]
fn a_log_that_lost_what_was_on_the_disk_is_not_written_to() {
    let place = Place::new();
    let log = place.open(small());
    for n in 0..30 {
        log.append("test", &json!({"n": n})).unwrap();
    }
    log.close().unwrap();
    let whole = place.files();
    let last = format!("{:08}.log", place.segments().last().unwrap());
    let cut = |name: &str, left: usize| {
        let mut files: BTreeMap<String, Vec<u8>> = whole.clone();
        files.get_mut(name).unwrap().truncate(left);
        files
    };
    let without = |name: &str| {
        let mut files = whole.clone();
        files.remove(name);
        files
    };
    let flipped = |name: &str, byte: usize| {
        let mut files = whole.clone();
        files.get_mut(name).unwrap()[byte] ^= 1;
        files
    };
    let size = whole[&last].len();
    for (what, files) in [
        ("a byte less", cut(&last, size - 1)),
        ("half of it", cut(&last, size / 2)),
        ("nothing in it", cut(&last, 0)),
        ("no last segment", without(&last)),
        ("no synced", without("synced")),
        ("another synced", flipped("synced", 30)),
        ("another head", flipped("head", 30)),
        ("the last record is another", flipped(&last, size - 20)),
    ] {
        place.put(&files);
        let refused = place.try_open(small()).expect_err(what);
        assert!(
            matches!(refused, AuditError::Truncated { .. } | AuditError::Damaged { .. }),
            "{what}: {refused}"
        );
        assert!(refused.to_string().contains("packhost audit verify"), "{refused}");
        assert_eq!(place.files(), files, "{what}: nothing was changed");
    }
    place.put(&whole);
    drop(place.open(small()));
    place.verified();
}

#[test]
fn a_log_that_is_gone_is_missed_and_begun_again_on_request_alone() {
    let place = Place::new();
    drop(place.open(place.settings()));
    let lost = |checkpoint: u64| {
        let refused = place.try_open(place.settings()).unwrap_err();
        assert!(
            matches!(&refused, AuditError::Lost { last, .. } if last.n == checkpoint),
            "{checkpoint}: {refused}"
        );
        assert!(refused.to_string().contains("packhost audit begin"), "{refused}");
        assert_eq!(refused.to_string().contains("up to record 4 at least"), checkpoint == 4, "{refused}");
    };
    // Before anything was signed for.
    std::fs::remove_dir_all(place.dir()).unwrap();
    lost(0);
    assert!(!place.dir().exists(), "nothing is made in its place");
    let begin = || place.begin().unwrap();
    begin().append("test", &json!({})).unwrap();
    place.verified();
    let whole = place.files();
    // Emptied is as good as gone; a part of it is another matter.
    place.put(&BTreeMap::new());
    lost(4);
    place.put(&whole);
    drop(place.open(place.settings()));
    std::fs::remove_dir_all(place.dir()).unwrap();
    lost(4);
    begin().append("test", &json!({})).unwrap();
    drop(place.open(place.settings()));
    place.verified();
}

#[test]
fn a_log_that_an_older_host_began_is_missed_as_well() {
    let place = Place::new();
    place.open(place.settings()).append("test", &json!({})).unwrap();
    std::fs::remove_file(place.root().join("keys/last")).unwrap();
    drop(place.open(place.settings()));
    std::fs::remove_dir_all(place.dir()).unwrap();
    let refused = place.try_open(place.settings()).unwrap_err();
    assert!(matches!(&refused, AuditError::Lost { last, .. } if last.n == 3), "{refused}");
}

#[test]
fn a_log_that_has_not_what_the_ring_remembers_is_not_written_to() {
    let fill = |place: &Place, records: usize| {
        let log = place.open(place.settings());
        for _ in 0..records {
            log.append("test", &json!({})).unwrap();
        }
        log.close().unwrap();
        place.files()
    };
    let place = Place::new();
    let earlier = fill(&place, 3);
    let other = Place::with_keys_of(&place);
    let whole = fill(&place, 4);
    let last = place.verified().last.unwrap().n;
    let other = fill(&other, 8);
    let ring = place.root().join("keys");
    let found = || {
        let report = verify_with_ring(&place.dir(), &ring, &place.keys(), &[]).unwrap();
        report.findings.into_iter().map(|finding| (finding.what, finding.n)).collect::<Vec<_>>()
    };
    assert_eq!(found(), []);
    let genesis = Sha256::digest(b"packhost audit log 1\n");
    let genesis: String = genesis.iter().map(|byte| format!("{byte:02x}")).collect();
    let nothing = format!("{:020} {genesis}\n", 0);
    let nothing = BTreeMap::from([("synced".to_owned(), nothing.into_bytes())]);
    for (files, what, n) in [
        (&earlier, What::Truncated, earlier_end(&earlier) + 1),
        (&nothing, What::Truncated, 1),
        (&other, What::Last, last),
    ] {
        place.put(files);
        let refused = place.try_open(place.settings()).unwrap_err();
        let is_short = matches!(refused, AuditError::Truncated { n, .. } if n == last);
        assert!(is_short || matches!(refused, AuditError::Damaged { .. }) && what == What::Last, "{refused}");
        assert_eq!(&place.files(), files, "nothing was changed");
        assert_eq!(found(), [(what, Some(n))]);
    }
    place.put(&whole);
    // Of another key, which says nothing of the log.
    let text = std::fs::read_to_string(ring.join("last")).unwrap();
    std::fs::write(ring.join("last"), text.replace(&format!(r#""n":{last},"#), r#""n":2,"#)).unwrap();
    assert_eq!(found(), [(What::Last, Some(2))]);
    // Cut off by a power cut, or removed: it is as if it had never been.
    std::fs::write(ring.join("last"), "").unwrap();
    assert_eq!(found(), []);
    place.restore(&earlier);
    drop(place.open(place.settings()));
    assert_eq!(found(), []);
}

/// The record that was last on the disk.
fn earlier_end(files: &BTreeMap<String, Vec<u8>>) -> u64 {
    std::str::from_utf8(&files["synced"][..20]).unwrap().parse().unwrap()
}

#[test]
fn a_log_without_its_keys_is_told_which_are_missing_and_gets_no_others() {
    let (place, other) = (Place::new(), Place::new());
    let ring = place.root().join("keys");
    let keyring = || Log::keyring(&place.dir(), ring.clone());
    let id = keyring().unwrap().current().unwrap().id();
    // Before there is a log, they are as good as none.
    std::fs::remove_dir_all(&ring).unwrap();
    assert_ne!(keyring().unwrap().current().unwrap().id(), id);
    place.open(place.settings()).append("test", &json!({})).unwrap();
    let id = keyring().unwrap().current().unwrap().id();
    std::fs::rename(&ring, place.root().join("moved")).unwrap();
    let refused = keyring().unwrap_err();
    assert!(
        matches!(&refused, AuditError::Keyless { signer: Some(signer), .. } if *signer == id),
        "{refused}"
    );
    for words in [format!("{}/public", ring.display()), format!("{}/{id}.key", ring.display())] {
        assert!(refused.to_string().contains(&words), "{words}: {refused}");
    }
    assert!(!ring.exists(), "no others are made");
    drop(other.open(other.settings()));
    std::fs::rename(other.root().join("keys"), &ring).unwrap();
    let refused = place.try_open(place.settings()).unwrap_err();
    assert!(matches!(&refused, AuditError::Stranger { signer, .. } if *signer == id), "{refused}");
}

#[test]
fn a_log_that_is_taken_away_while_it_is_open_takes_no_records() {
    let place = Place::new();
    let log = place.open(place.settings());
    log.append("test", &json!({})).unwrap();
    std::fs::remove_file(place.dir().join("00000001.log")).unwrap();
    assert!(matches!(log.append("test", &json!({})), Err(AuditError::Truncated { .. })));
    drop(log);
    let place = Place::new();
    let log = place.open(place.settings());
    log.append("test", &json!({})).unwrap();
    let mut files = place.files();
    files.get_mut("00000001.log").unwrap().truncate(10);
    place.put(&files);
    assert!(matches!(log.append("test", &json!({})), Err(AuditError::Truncated { .. })));
}

#[test]
fn a_log_that_is_moved_away_while_it_is_open_takes_no_records_and_leaves_the_next_one_alone() {
    for is_moved in [true, false] {
        let place = Place::new();
        let away = place.root().join("away");
        // It has much to note in the end.
        let never = Durability::Within(Duration::from_secs(3600));
        let log = place.open(Settings { durability: never, checkpoint_records: 5, ..place.settings() });
        for _ in 0..20 {
            log.append("test", &json!({})).unwrap();
        }
        if is_moved {
            std::fs::rename(place.dir(), &away).unwrap();
        } else {
            std::fs::remove_dir_all(place.dir()).unwrap();
        }
        let refused = log.append("test", &json!({})).unwrap_err();
        assert!(matches!(refused, AuditError::Moved { .. }), "{refused}");
        let next = place.begin().unwrap();
        next.append("test", &json!({})).unwrap();
        assert!(matches!(log.append("test", &json!({})), Err(AuditError::Moved { .. })));
        log.checkpoint().unwrap_err();
        log.roll().unwrap_err();
        log.retain(Retention { age: None, bytes: Some(1) }).unwrap_err();
        log.sync().unwrap_err();
        log.close().unwrap_err();
        next.append("test", &json!({})).unwrap();
        next.close().unwrap();
        place.open(place.settings()).append("test", &json!({})).unwrap();
        assert_eq!(place.verified().records, 7);
        assert!(!is_moved || !std::fs::exists(away.join("00000002.log")).unwrap());
    }
}
