//! What other systems get, against their published schemas.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use packhost_audit::{
    Act, ActOutcome, Call, Contact, Entry, Event, Filter, Format, OCSF_VERSION, Outcome, Product, Recorder,
    export, query,
};
use packhost_core::ErrorCode;
use serde_json::{Value, json};

use crate::events::{call, events};
use crate::place::Place;

/// The interpreter that has the schemas: the one of `cargo xtask tools`, unless another one is named.
pub(crate) fn python() -> PathBuf {
    let own = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/venv/bin/python");
    let python = std::env::var_os("PACKHOST_TEST_PYTHON").map_or_else(own, PathBuf::from);
    assert!(
        python.is_file(),
        "{} is not there: run `cargo xtask tools`, or name an interpreter that has the packages `ocsf-json-schema` and \
         `opentelemetry-proto` in PACKHOST_TEST_PYTHON",
        python.display()
    );
    python
}

fn schemas(words: &[&str], input: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/audit/schemas.py");
    let mut command = Command::new(python());
    command.arg(script).args(words).env("PYTHONDONTWRITEBYTECODE", "1");
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    String::from_utf8(ended.stdout).unwrap()
}

/// A log with every kind of event, with as many ways to come out as there are, and with records of its own.
fn log() -> (Place, Vec<Entry>) {
    let place = Place::new();
    let log = place.open(place.settings());
    let mut all = events();
    let contact = |host: &str, decision: &str| Contact {
        host: host.into(),
        port: 443,
        decision: decision.into(),
        address: (decision != "pending").then(|| "192.0.2.7".parse().unwrap()),
        received: u64::MAX,
        sent: u64::MAX,
        at_us: 70_000,
        took_us: 30_000,
        ..Contact::default()
    };
    for code in ErrorCode::ALL {
        let contacts = ["allowed", "denied_by_rule", "denied_by_address", "pending", "newer"];
        let hosts = ["api.example.com", "192.0.2.7", "[2001:db8::1]", "xn--bcher-kva.example", "a"];
        let call = Call {
            contacts: hosts.iter().zip(contacts).map(|(host, decision)| contact(host, decision)).collect(),
            outcome: (*code).into(),
            trace: Some("4bf92f3577b34da6a3ce929d0e0e4736".into()),
            input: Some(json!({"a": [1, -1, 1.5, null, true, u64::MAX, {"b": "c"}]})),
            ..call("text", 0)
        };
        all.push(Event::Call(Box::new(call)));
    }
    all.push(Event::Call(Box::new(Call { outcome: Outcome::Other("newer".into()), ..Call::default() })));
    for verb in [
        "vault.set",
        "vault.rotate",
        "tokens.revoke",
        "policy.reload",
        "sessions.rm",
        "images.build",
        "audit.show",
        "x",
    ] {
        for outcome in [ActOutcome::Begun, ActOutcome::Done, ActOutcome::Failed("no".into())] {
            let act = Act {
                actor: "local".into(),
                verb: verb.into(),
                subject: "it".into(),
                outcome,
                ..Act::default()
            };
            all.push(Event::Act(act));
        }
    }
    all.iter().for_each(|event| log.record(event).unwrap());
    log.close().unwrap();
    let mut entries = Vec::new();
    query(&place.dir(), &Filter::default(), |entry| {
        entries.push(entry);
        std::ops::ControlFlow::Continue(())
    })
    .unwrap();
    (place, entries)
}

fn exported(entries: &[Entry], format: Format) -> Vec<Value> {
    let product = Product { version: "0.1.0".into(), instance: Some("one".into()) };
    let lines = entries.iter().flat_map(|entry| export(entry, format, &product));
    lines.map(|line| serde_json::from_str(&line).unwrap()).collect()
}

#[test]
fn ocsf_events_are_what_the_published_schema_says() {
    let (_place, entries) = log();
    let events = exported(&entries, Format::Ocsf);
    // Fields that were added since are not used: what is right for the version that is named is right for the newest.
    for version in [OCSF_VERSION, "1.8.0"] {
        let schema = |class| {
            let schema: Value = serde_json::from_str(&schemas(&["ocsf", version, class], "")).unwrap();
            jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap()
        };
        let (api, network) = (schema("api_activity"), schema("network_activity"));
        let (mut calls, mut contacts) = (0, 0);
        for event in &events {
            let validator = match event["class_uid"].as_u64() {
                Some(6003) => (calls += 1, &api).1,
                Some(4001) => (contacts += 1, &network).1,
                other => panic!("class {other:?}"),
            };
            let errors: Vec<String> = validator
                .iter_errors(event)
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert!(errors.is_empty(), "{version}: {errors:#?}\n{event:#}");
        }
        assert!(calls > 40 && contacts == 2 + 5 * ErrorCode::ALL.len(), "{calls}, {contacts}");
    }
    let mut uids: Vec<&str> = events.iter().filter_map(|event| event["metadata"]["uid"].as_str()).collect();
    uids.sort_unstable();
    uids.dedup();
    assert_eq!(uids.len(), events.len(), "every event has a name of its own");
    // The schema says no more of them than that they are numbers.
    for event in &events {
        assert_eq!(
            event["type_uid"].as_u64().unwrap(),
            event["class_uid"].as_u64().unwrap() * 100 + event["activity_id"].as_u64().unwrap()
        );
        assert!(event["time"].as_u64().unwrap() >= 1_772_357_400_000);
    }
    let contacts = events.iter().filter(|event| event["class_uid"] == 4001);
    let times = contacts.map(|event| ["start_time", "end_time", "duration"].map(|key| event[key].as_u64()));
    let times: Vec<_> = times.collect();
    let one = [1_772_357_400_070, 1_772_357_400_100, 30].map(Some);
    assert!(times.contains(&one), "{times:?}");
}

#[test]
fn otlp_lines_are_what_the_published_protocol_says() {
    let (_place, entries) = log();
    let product = Product { version: "0.1.0".into(), instance: None };
    let lines: Vec<String> = entries.iter().flat_map(|entry| export(entry, Format::Otlp, &product)).collect();
    assert_eq!(lines.len(), entries.len());
    let read = schemas(&["otlp"], &(lines.join("\n") + "\n"));
    for (said, entry) in read.lines().zip(&entries) {
        assert_eq!(said, format!("1 packhost.{} {}000", entry.kind(), entry.time().micros()));
    }
    assert_eq!(read.lines().count(), entries.len());
    let traced =
        lines.iter().filter(|line| line.contains(r#""traceId":"4bf92f3577b34da6a3ce929d0e0e4736""#)).count();
    assert_eq!(traced, ErrorCode::ALL.len());
}

#[test]
fn json_lines_are_the_records_as_they_stand() {
    let (place, entries) = log();
    let product = Product { version: "0.1.0".into(), instance: None };
    let lines: Vec<String> = entries.iter().flat_map(|entry| export(entry, Format::Json, &product)).collect();
    let log: Vec<String> = place.lines(1).iter().map(|line| line[65..].to_owned()).collect();
    assert_eq!(lines, log);
}
