//! Logs that were written in any way, and changed in any way.

use std::time::Duration;

use packhost_audit::{Filter, Log, Retention, Settings, query, verify};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::json;

use crate::place::{Place, small};

/// Something that is done with a log.
#[derive(Debug, Clone)]
enum Deed {
    /// A record of about so many bytes, by one of two who have it open.
    Append(bool, usize),
    Checkpoint(bool),
    Roll(bool),
    Retain(bool, u64),
    Reopen(bool),
    Rotate,
    Clock(i64),
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        8 => (any::<bool>(), prop_oneof![0..200usize, 0..5_000usize]).prop_map(|(who, size)| Deed::Append(who, size)),
        1 => any::<bool>().prop_map(Deed::Checkpoint),
        1 => any::<bool>().prop_map(Deed::Roll),
        1 => (any::<bool>(), 0..20_000u64).prop_map(|(who, bytes)| Deed::Retain(who, bytes)),
        1 => any::<bool>().prop_map(Deed::Reopen),
        1 => Just(Deed::Rotate),
        1 => (-5_000..5_000i64).prop_map(Deed::Clock),
    ]
}

/// Does all of it, and says which records were acknowledged.
fn done(place: &Place, deeds: &[Deed]) -> Vec<(u64, String)> {
    let settings = || Settings { segment_bytes: 6_000, checkpoint_records: 7, ..place.settings() };
    let mut logs = [place.open(settings()), place.open(settings())];
    let mut written = Vec::new();
    for deed in deeds {
        let of = |logs: &[Log; 2], who: &bool| -> usize { usize::from(*who).min(logs.len() - 1) };
        match deed {
            Deed::Append(who, size) => {
                let position = logs[of(&logs, who)].append("test", &json!({"x": "y".repeat(*size)})).unwrap();
                written.push((position.n, position.hash.to_string()));
            }
            Deed::Checkpoint(who) => drop(logs[of(&logs, who)].checkpoint().unwrap()),
            Deed::Roll(who) => logs[of(&logs, who)].roll().unwrap(),
            Deed::Retain(who, bytes) => {
                let keep = Retention { bytes: Some(*bytes), age: Some(Duration::from_secs(8_000)) };
                drop(logs[of(&logs, who)].retain(keep).unwrap());
            }
            Deed::Reopen(who) => logs[usize::from(*who)] = place.open(settings()),
            Deed::Rotate => drop(place.ring().rotate().unwrap()),
            Deed::Clock(seconds) if *seconds < 0 => place.clock.back(seconds.unsigned_abs()),
            Deed::Clock(seconds) => place.clock.advance(seconds.unsigned_abs()),
        }
    }
    written
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_done_with_a_log_it_is_one_chain_with_all_of_it(deeds in proptest::collection::vec(deed(), 0..40)) {
        let place = Place::new();
        let written = done(&place, &deeds);
        place.holds(&written, "any deeds");
    }

    #[test]
    fn whatever_is_changed_in_a_log_is_found(
        deeds in proptest::collection::vec(deed(), 1..20),
        which in any::<Index>(),
        from in any::<Index>(),
        length in 0..300usize,
        put in proptest::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..80),
    ) {
        let place = Place::new();
        done(&place, &deeds);
        let files = place.files();
        let (name, bytes) = files.iter().nth(which.index(files.len())).unwrap();
        let from = from.index(bytes.len() + 1);
        let mut changed = bytes.clone();
        changed.splice(from..(from + length).min(bytes.len()), put.iter().copied());
        std::fs::write(place.dir().join(name), &changed).unwrap();
        let report = verify(&place.dir(), &place.keys(), &[]).unwrap();
        // What only stands behind the last record without an end of a line is no record.
        prop_assert!(changed == *bytes || !report.is_intact() || report.torn.is_some(), "{name} from {from}: {put:?}");
        let found = query(&place.dir(), &Filter::default(), |_| std::ops::ControlFlow::Continue(())).unwrap();
        prop_assert_eq!(found.found, report.records);
    }

    #[test]
    fn no_bytes_make_a_reader_panic(
        segments in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..2_000), 0..3),
        beside in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 3),
    ) {
        let place = Place::new();
        drop(place.open(small()));
        for (number, bytes) in segments.iter().enumerate() {
            std::fs::write(place.dir().join(format!("{:08}.log", number + 1)), bytes).unwrap();
        }
        for (name, bytes) in ["head", "synced", "sealed"].iter().zip(&beside) {
            std::fs::write(place.dir().join(name), bytes).unwrap();
        }
        let _ = verify(&place.dir(), &place.keys(), &[]).unwrap();
        let _ = query(&place.dir(), &Filter::default(), |_| std::ops::ControlFlow::Continue(())).unwrap();
        prop_assert!(place.try_open(small()).is_err());
    }
}
