//! `packhost audit`: how an operator reads the record, and what is on it of what an operator does.

mod acts;
mod kept;
mod keys;
mod lost;
mod verify;

use std::io::{BufRead, BufReader};
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};

use packhost_tests::host::{Ran, Setup};
use serde_json::{Value, json};

/// A host on whose record are three acts: two tokens are made, and one is taken back.
fn recorded() -> Setup {
    let setup = Setup::new();
    for words in [["create", "ci"], ["create", "laptop"], ["revoke", "ci"]] {
        let ran = setup.run([&["tokens"], &words[..]].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    setup
}

fn audit(setup: &Setup, words: &[&str]) -> Ran {
    setup.run([&["--json", "audit"], words].concat())
}

/// The records that a query finds, as they stand in the log.
fn records(setup: &Setup, words: &[&str]) -> Vec<Value> {
    let ran = audit(setup, &[&["query"], words].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    let found = ran.json();
    let records = found["records"].as_array().expect("a list").clone();
    assert_eq!((&found["found"], &found["skipped"]), (&json!(records.len()), &json!(0)), "{found}");
    records
}

/// What was done to what, and what came of it.
fn acts(records: &[Value]) -> Vec<[&str; 3]> {
    let acts = records.iter().filter(|record| record["kind"] == "act");
    acts.map(|record| ["verb", "subject", "outcome"].map(|key| record["body"][key].as_str().expect("a text")))
        .collect()
}

/// Ends a process that would not end by itself.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn records_are_found_by_what_is_known_of_them() {
    let setup = recorded();
    let all = records(&setup, &[]);
    let done = records(&setup, &["--kind", "act", "--outcome", "done"]);
    let expected = [
        ["tokens.create", "ci", "done"],
        ["tokens.create", "laptop", "done"],
        ["tokens.revoke", "ci", "done"],
    ];
    assert_eq!(acts(&done), expected);
    assert!(all.len() > 6 && all[0]["kind"] == "segment", "{all:?}");
    let who = done[0]["body"]["actor"].as_str().expect("a name");
    for (words, count) in [
        (&["--kind", "act"][..], 6),
        (&["--kind", "act", "--caller", who], 6),
        (&["--caller", "nobody-of-this-name"], 0),
        (&["--kind", "act", "--limit", "2"], 2),
        (&["--kind", "act", "--limit", "0"], 0),
        (&["--kind", "segment", "--kind", "act"], 7),
        (&["--kind", "act", "--since", "1h"], 6),
        (&["--until", "1h"], 0),
        (&["--until", "2026-01-01"], 0),
        (&["--pack", "text.stats"], 0),
        (&["--run", "0195"], 0),
        (&["--kind", "act", "--since", done[2]["time"].as_str().expect("a time")], 1),
    ] {
        assert_eq!(records(&setup, words).len(), count, "{words:?}");
    }
    let newest = records(&setup, &["--kind", "act", "--limit", "1"]);
    assert_eq!(newest, [done[2].clone()]);
    for wrong in [&["--since", "yesterday"][..], &["--limit", "100001"], &["--limit", "many"]] {
        assert_eq!(audit(&setup, &[&["query"], wrong].concat()).code, 2, "{wrong:?}");
    }
}

#[test]
fn a_person_reads_a_line_for_each_record() {
    let setup = recorded();
    let ran = setup.run(["audit", "query", "--kind", "act", "--outcome", "done"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{ran:?}");
    for words in ["act", "done tokens.create ci by ", "scopes artifacts:read artifacts:write packs:*"] {
        assert!(lines[0].contains(words), "{words}: {}", lines[0]);
    }
    let none = setup.run(["audit", "query", "--kind", "call"]);
    assert_eq!((none.code, none.stdout.as_str()), (0, ""), "{none:?}");
    assert!(none.stderr.contains("no record fits"), "{none:?}");
    let tail = setup.run(["audit", "tail", "-n", "1", "--kind", "act"]);
    assert!(tail.stdout.lines().count() == 1 && tail.stdout.contains("done tokens.revoke ci"), "{tail:?}");
}

/// `tail --follow` of what was done, and the records that it shows.
fn follow(setup: &Setup, lines: &str) -> (Running, impl FnMut() -> Value + use<>) {
    let words = ["--json", "audit", "tail", "-n", lines, "--follow", "--kind", "act", "--outcome", "done"];
    let mut child = setup.command(words).spawn().expect("the binary starts");
    let mut stdout = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let next = move || {
        let line = stdout.next().expect("it goes on").expect("it can be read");
        serde_json::from_str::<Value>(&line).expect("a record a line")["body"].clone()
    };
    (Running(child), next)
}

#[test]
fn a_record_that_another_process_writes_is_shown_as_it_comes() {
    let setup = recorded();
    let (_running, mut next) = follow(&setup, "1");
    assert_eq!(next()["verb"], "tokens.revoke", "the newest that is there");
    for name in ["new", "newer"] {
        assert_eq!(setup.run(["tokens", "create", name]).code, 0);
        let seen = next();
        assert_eq!((&seen["verb"], &seen["subject"]), (&json!("tokens.create"), &json!(name)));
    }
}

#[test]
fn who_wants_none_of_what_is_there_sees_what_comes() {
    let setup = recorded();
    let none = audit(&setup, &["tail", "-n", "0"]);
    assert_eq!((none.code, none.stdout.as_str()), (0, ""), "{none:?}");
    let (_running, mut next) = follow(&setup, "0");
    let seen = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // When it has begun to follow is not known.
        scope.spawn(|| {
            for name in (0..1000).map(|n| format!("new-{n}")).take_while(|_| !seen.load(Ordering::Relaxed)) {
                assert_eq!(setup.run(["tokens", "create", &name]).code, 0);
            }
        });
        let first = next();
        seen.store(true, Ordering::Relaxed);
        assert!(first["subject"].as_str().is_some_and(|name| name.starts_with("new-")), "{first}");
    });
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let setup = recorded();
    for words in [&["audit", "query"][..], &["--json", "audit", "query"], &["audit", "export", "--otlp"]] {
        let mut child = setup.command(words).spawn().expect("the binary starts");
        drop(child.stdout.take());
        let ran = Ran::from(child.wait_with_output().expect("it ends"));
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{words:?}");
    }
}

#[test]
fn an_export_is_a_line_of_json_for_each_event() {
    let setup = recorded();
    let export = |words: &[&str]| -> Vec<Value> {
        let ran = setup.run([&["audit", "export", "--kind", "act"], words].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON a line")).collect()
    };
    let own = export(&["--json"]);
    assert_eq!(own, records(&setup, &["--kind", "act"]));
    assert_eq!(export(&[]), own);
    let ocsf = export(&["--ocsf", "--outcome", "done"]);
    assert_eq!(ocsf.len(), 3);
    assert!(ocsf.iter().all(|event| event["class_uid"] == 6003), "{ocsf:?}");
    let otlp = export(&["--otlp"]);
    assert!(otlp.len() == 6 && otlp.iter().all(|one| one["resourceLogs"].is_array()), "{otlp:?}");
    assert_eq!(setup.run(["audit", "export", "--ocsf", "--otlp"]).code, 2);
}

#[test]
fn who_only_reads_makes_no_record() {
    let setup = Setup::new();
    for verb in ["verify", "tail", "query", "export", "checkpoint", "keys", "begin", "rotate-key"] {
        let ran = audit(&setup, &[verb]);
        assert_eq!((ran.code, &ran.json()["error"]["code"]), (13, &json!("not_found")), "{verb}: {ran:?}");
        assert!(ran.json()["error"]["fix"].is_string(), "{verb}: {ran:?}");
    }
    assert!(!setup.state().join("audit").exists() && !setup.state().join("keys").exists());
    let state = recorded().state().display().to_string();
    let above = audit(&setup, &["query", "--dir", &state]);
    assert_eq!(above.code, 13, "its setup is gone: {above:?}");
    let other = recorded();
    let state = other.state().display().to_string();
    let above = audit(&setup, &["query", "--dir", &state]).json();
    assert!(above["error"]["fix"].as_str().is_some_and(|fix| fix.contains("/audit")), "{above}");
}
