//! What is found, in which order, and how new records are waited for.

use std::ops::ControlFlow;
use std::time::Duration;

use packhost_audit::{
    Act, ActOutcome, Call, Event, Filter, Follow, Moment, Outcome, Recorder, Session, query,
};
use packhost_core::ErrorCode;
use serde_json::json;

use crate::place::{Place, small};

/// Ten calls, an act and a session, a minute apart, over several segments.
fn log(place: &Place) {
    let log = place.open(packhost_audit::Settings { segment_bytes: 2_000, ..place.settings() });
    for n in 0..10u64 {
        let call = Call {
            run: format!("run-{n}"),
            caller: if n % 2 == 0 { "local".into() } else { "token:ci".into() },
            pack: Some(if n < 5 { "http.fetch".into() } else { "text.stats".into() }),
            outcome: if n == 7 { ErrorCode::EgressDenied.into() } else { Outcome::Ok },
            ..Call::default()
        };
        log.record(&Event::Call(Box::new(call))).unwrap();
        place.clock.advance(60);
    }
    let act =
        Act { actor: "local".into(), verb: "vault.set".into(), outcome: ActOutcome::Done, ..Act::default() };
    log.record(&Event::Act(act)).unwrap();
    let session = Session { id: "s".into(), owner: "token:ci".into(), ..Session::default() };
    log.record(&Event::Session(session)).unwrap();
    log.close().unwrap();
}

/// What a filter lets through, as the runs and kinds.
fn found(place: &Place, filter: &Filter) -> Vec<String> {
    let mut found = Vec::new();
    let queried = query(&place.dir(), filter, |entry| {
        let run = entry.body::<Call>().map(|call| call.run).unwrap_or_default();
        found.push(if entry.kind() == "call" { run } else { entry.kind().to_owned() });
        ControlFlow::Continue(())
    });
    assert_eq!(queried.unwrap().found, found.len() as u64);
    found
}

#[test]
fn every_part_of_a_filter_counts_and_the_newest_is_last() {
    let place = Place::new();
    log(&place);
    assert!(place.segments().len() > 2);
    let of = |filter: Filter| found(&place, &filter);
    let calls = || Filter { kinds: vec!["call".into()], ..Filter::default() };
    assert_eq!(of(calls()).len(), 10);
    assert_eq!(of(Filter { limit: Some(3), ..calls() }), ["run-7", "run-8", "run-9"]);
    assert_eq!(of(Filter { limit: Some(7), ..calls() })[0], "run-3");
    assert_eq!(of(Filter { limit: Some(1_000), ..calls() }).len(), 10);
    assert!(of(Filter { limit: Some(0), ..calls() }).is_empty());
    assert_eq!(
        of(Filter { kinds: vec!["act".into(), "session".into()], ..Filter::default() }),
        ["act", "session"]
    );
    assert_eq!(of(Filter { pack: Some("http.fetch".into()), ..Filter::default() }).len(), 5);
    assert_eq!(of(Filter { outcome: Some("egress_denied".into()), ..Filter::default() }), ["run-7"]);
    assert_eq!(of(Filter { run: Some("run-4".into()), ..Filter::default() }), ["run-4"]);
    let ci = Filter { caller: Some("token:ci".into()), ..Filter::default() };
    assert_eq!(of(ci.clone()), ["run-1", "run-3", "run-5", "run-7", "run-9", "session"]);
    assert_eq!(of(Filter { pack: Some("http.fetch".into()), ..ci }), ["run-1", "run-3"]);
    let at = |text: &str| Some(text.parse::<Moment>().unwrap());
    let between = Filter {
        from: at("2026-03-01T09:32:00.000000Z"),
        until: at("2026-03-01T09:34:00.000000Z"),
        ..calls()
    };
    assert_eq!(of(between.clone()), ["run-2", "run-3"]);
    assert_eq!(of(Filter { limit: Some(5), ..between.clone() }), ["run-2", "run-3"]);
    assert_eq!(of(Filter { limit: Some(1), ..between }), ["run-3"]);
    // Enough is enough.
    let mut seen = 0;
    query(&place.dir(), &calls(), |_| {
        seen += 1;
        if seen == 4 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .unwrap();
    assert_eq!(seen, 4);
}

#[test]
fn what_is_no_record_is_passed_over_and_counted() {
    let place = Place::new();
    log(&place);
    let mut files = place.files();
    let (name, bytes) = files.iter_mut().find(|(name, _)| name.ends_with(".log")).unwrap();
    let name = name.clone();
    bytes.splice(0..0, b"garbage\n\n\xff\xfe\n".iter().copied());
    bytes.splice(0..0, [vec![b'x'; 300_000], b"\n".to_vec()].concat());
    let changed = bytes.clone();
    std::fs::write(place.dir().join(name), changed).unwrap();
    let all = query(&place.dir(), &Filter::default(), |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(all.skipped, 4);
    assert_eq!(found(&place, &Filter { kinds: vec!["call".into()], ..Filter::default() }).len(), 10);
    let mut follow = Follow::after(&place.dir(), Filter::default(), 0).unwrap();
    let mut followed = 0;
    while follow.next(Duration::ZERO).unwrap().is_some() {
        followed += 1;
    }
    assert_eq!(followed, all.found);
}

#[test]
fn new_records_are_waited_for_across_segments_and_processes() {
    let place = Place::new();
    let log = place.open(small());
    log.append("test", &json!({"n": "old"})).unwrap();
    let old = query(&place.dir(), &Filter::default(), |_| ControlFlow::Continue(())).unwrap();
    let filter = Filter { kinds: vec!["test".into()], ..Filter::default() };
    let mut follow = Follow::after(&place.dir(), filter, old.last.unwrap().n).unwrap();
    assert_eq!(follow.next(Duration::ZERO).unwrap(), None);
    let seen = std::thread::scope(|scope| {
        let waiting = scope.spawn(move || {
            let next = |_| follow.next(Duration::from_secs(60)).unwrap().expect("a record within a minute");
            (0..200)
                .map(next)
                .map(|entry| entry.body::<serde_json::Value>().unwrap()["n"].clone())
                .collect::<Vec<_>>()
        });
        let other = place.open(small());
        for n in 0..200 {
            [&log, &other][n % 2].append("test", &json!({"n": n})).unwrap();
        }
        waiting.join().unwrap()
    });
    assert!(place.segments().len() > 5);
    assert_eq!(seen, (0..200).map(serde_json::Value::from).collect::<Vec<_>>());
}
