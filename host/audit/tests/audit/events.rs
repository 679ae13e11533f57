//! The events as they stand in the log.

use packhost_audit::{
    Act, ActOutcome, Artifact, Call, Client, Contact, CredentialUse, CredentialUsed, Denial, Entry, Event,
    Filter, LARGEST, Mend, Moment, Outcome, Recorder, Session, SessionEvent, SessionUsed, Written, query,
};
use packhost_core::{Digest, ErrorCode};
use serde_json::json;

use crate::place::Place;

/// A call with something in each field, each text of this length.
pub(crate) fn call(text: &str, entries: usize) -> Call {
    let text = || text.to_owned();
    Call {
        run: text(),
        trace: Some(text()),
        parent: Some(text()),
        unsampled: true,
        caller: text(),
        door: text(),
        address: Some("203.0.113.9".parse().unwrap()),
        client: Some(Client { name: text(), version: text() }),
        protocol: Some(text()),
        pack: Some(text()),
        tool: text(),
        digest: Some(Digest::of(b"component")),
        revision: Some(text()),
        input_sha256: Some(Digest::of(b"{}")),
        output_sha256: Some(Digest::of(b"[]")),
        input: Some(json!({"text": text()})),
        mends: vec![Mend { pointer: text(), what: text() }; entries],
        grants: vec![text(); entries],
        contacts: vec![
            Contact {
                host: text(),
                port: 443,
                address: Some("2001:db8::1".parse().unwrap()),
                decision: text(),
                rule: Some(text()),
                sent: 10,
                received: u64::MAX,
                at_us: 5,
                took_us: 6,
            };
            entries
        ],
        more_contacts: 3,
        denied: vec![
            Denial {
                method: text(),
                scheme: text(),
                host: text(),
                port: 80,
                path: text(),
                reported: true
            };
            entries
        ],
        credentials: vec![CredentialUsed { name: text(), host: text() }; entries],
        session: Some(SessionUsed { id: text(), backend: text(), warm: true, reused: true, why: text() }),
        artifacts: vec![Artifact { sha256: Digest::of(b"artifact"), name: text(), size: 7 }; entries],
        started: Moment::micros_since_1970(1_772_357_400_000_250),
        queued_us: 1,
        ran_us: 2,
        total_us: 3,
        memory: 4,
        requests: 5,
        outcome: ErrorCode::EgressDenied.into(),
        cause_sha256: Some(Digest::of(b"cause")),
        cut: false,
    }
}

pub(crate) fn events() -> Vec<Event> {
    let act = Act {
        actor: "local".into(),
        verb: "vault.rotate".into(),
        subject: "API".into(),
        details: [("version".into(), "3".into())].into(),
        outcome: ActOutcome::Failed("no key".into()),
    };
    let used = CredentialUse {
        run: "r".into(),
        pack: "http.fetch".into(),
        caller: "local".into(),
        credential: "API".into(),
        version: 3,
        host: "a.test".into(),
        port: 443,
        method: "GET".into(),
        place: "header authorization".into(),
        signs: Some("jwt".into()),
    };
    let session = |event| Session {
        id: "s".into(),
        owner: "local".into(),
        backend: "process".into(),
        run: "r".into(),
        event,
        reason: "idle".into(),
    };
    let mut events = vec![
        Event::Call(Box::new(call("text", 2))),
        Event::Call(Box::default()),
        Event::Act(act),
        Event::Credential(used),
    ];
    let ways = [SessionEvent::Started, SessionEvent::Given, SessionEvent::UsedAgain, SessionEvent::Ended];
    events.extend(ways.into_iter().map(session).map(Event::Session));
    events
}

fn entries(place: &Place) -> Vec<Entry> {
    let mut entries = Vec::new();
    let filter = Filter {
        kinds: ["call", "act", "credential", "session"].map(str::to_owned).to_vec(),
        ..Filter::default()
    };
    query(&place.dir(), &filter, |entry| {
        entries.push(entry);
        std::ops::ControlFlow::Continue(())
    })
    .unwrap();
    entries
}

#[test]
fn an_event_is_read_as_it_was_recorded() {
    let place = Place::new();
    let log: std::sync::Arc<dyn Recorder> = std::sync::Arc::new(place.open(place.settings()));
    for event in events() {
        log.record(&event).unwrap();
        assert!(matches!(log.try_record(&event).unwrap(), Written::At(_)));
    }
    drop(log);
    let read: Vec<Event> = entries(&place).iter().filter_map(Entry::event).collect();
    let twice: Vec<Event> = events().into_iter().flat_map(|event| [event.clone(), event]).collect();
    assert_eq!(read, twice);
    place.verified();
}

#[test]
fn what_a_newer_host_wrote_is_read() {
    let call: Call = serde_json::from_str(
        r#"{"run":"r","outcome":"a_new_code","whatever":[1],"started":"2026-03-01T09:30:00.000250Z"}"#,
    )
    .unwrap();
    assert_eq!((call.run.as_str(), call.outcome.clone()), ("r", Outcome::Other("a_new_code".into())));
    assert_eq!(serde_json::to_value(&call).unwrap()["outcome"], "a_new_code");
    let act: Act = serde_json::from_str(r#"{"verb":"x","outcome":"halfway"}"#).unwrap();
    assert_eq!(act.outcome, ActOutcome::Other("halfway".into()));
    let session: Session = serde_json::from_str(r#"{"id":"s","event":"frozen"}"#).unwrap();
    assert_eq!(session.event, SessionEvent::Other("frozen".into()));
    for code in ErrorCode::ALL {
        let outcome: Outcome = serde_json::from_value(json!(code.as_str())).unwrap();
        assert_eq!(outcome, Outcome::Failed(*code));
    }
}

#[test]
fn an_event_that_is_too_large_is_shortened_and_says_so() {
    let place = Place::new();
    let log = place.open(place.settings());
    // What takes most room in JSON.
    let call = call(&"\u{1f}".repeat(5_000), 300);
    log.record(&Event::Call(Box::new(call.clone()))).unwrap();
    let act = Act {
        subject: "\u{1f}".repeat(LARGEST),
        details: (0..9_000).map(|n| (format!("{n}{}", "é".repeat(99)), "\u{1}".repeat(999))).collect(),
        ..Act::default()
    };
    log.record(&Event::Act(act)).unwrap();
    let place_of = "\u{2}".repeat(LARGEST);
    log.record(&Event::Credential(CredentialUse { place: place_of.clone(), ..CredentialUse::default() }))
        .unwrap();
    log.record(&Event::Session(Session { reason: place_of, ..Session::default() })).unwrap();
    log.close().unwrap();
    let entries = entries(&place);
    let Some(Event::Call(read)) = entries[0].event() else { panic!("a call") };
    assert!(read.cut && read.input.is_none() && entries[0].json().len() > LARGEST / 2);
    assert_eq!((read.contacts.len(), read.more_contacts), (16, 3 + 300 - 16));
    assert_eq!((read.outcome, read.memory), (call.outcome, call.memory));
    assert!(read.run.ends_with('…') && read.run.len() <= 128);
    assert_eq!(entries.len(), 4);
    place.verified();
}

#[test]
fn a_large_input_takes_nothing_with_it_of_what_the_call_has_done() {
    let place = Place::new();
    let log = place.open(place.settings());
    let mut made = call("text", 30);
    made.input = Some(json!({ "text": "x".repeat(LARGEST) }));
    log.record(&Event::Call(Box::new(made.clone()))).unwrap();
    log.close().unwrap();
    let Some(Event::Call(read)) = entries(&place)[0].event() else { panic!("a call") };
    assert_eq!(*read, Call { input: None, cut: true, ..made });
}

#[test]
fn of_a_host_that_is_cut_the_end_is_on_record() {
    let host = format!("{}.collects.example", ["a".repeat(60).as_str(); 3].join("."));
    let mut made = call("text", 1);
    (made.contacts[0].host, made.denied[0].host) = (host.clone(), host.clone());
    made.credentials[0].host.clone_from(&host);
    let Event::Call(cut) = Event::Call(Box::new(made)).shortened() else { panic!("a call") };
    for shown in [&cut.contacts[0].host, &cut.denied[0].host, &cut.credentials[0].host] {
        assert!(shown.starts_with('…') && shown.ends_with("a.collects.example"), "{shown}");
        assert!(shown.len() <= 128, "{shown}");
    }
    let Event::Credential(cut) =
        Event::Credential(CredentialUse { host, ..CredentialUse::default() }).shortened()
    else {
        panic!("a use")
    };
    assert!(cut.host.starts_with('…') && cut.host.ends_with("a.collects.example"), "{}", cut.host);
}
