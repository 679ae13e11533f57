//! Callers at the HTTP door: so many calls at once, and each caller sees its own.

use std::fs;

use packhost_tests::guests;
use packhost_tests::host::Setup;
use serde_json::json;

use crate::scene::{Posted, alone, failure, names, saw, spins, used};

/// One guest that spins takes the only place there is: of the pack, of the host, of the caller. Nobody may wait.
#[test]
fn calls_at_once_are_bounded_and_so_is_the_queue() {
    for (entry, bounds) in [
        ("{ limits: { time: 10m, concurrency: 1 } }", ["--queue", "0", "--calls", "8"]),
        ("{ limits: { time: 10m } }", ["--queue", "0", "--calls", "1"]),
        ("{ limits: { time: 10m } }", ["--queue", "0", "--calls-per-caller", "1"]),
    ] {
        let setup = alone(entry);
        let served = setup.serve(&bounds);
        let echo = Posted::call("misbehave", json!({ "do": "echo", "text": "my turn" }));
        assert_eq!(saw(&echo.to(&served).message()["result"]), ["my turn"]);
        let before = used(served.pid());
        let _spinning = Posted::call("misbehave", json!({ "do": "spin" })).left_open(&served);
        spins(served.pid(), before);
        let refused = echo.to(&served).message();
        let refusal = failure(&refused["result"]);
        assert_eq!(refusal["code"], "rate_limited", "{bounds:?}: {refused}");
        assert_eq!(refusal["retry"], true, "{bounds:?}: {refused}");
    }
}

#[test]
fn a_caller_sees_and_calls_only_its_own() {
    const OPS: &str = "operators-own-token-0123456789";
    const CI: &str = "another-token-of-a-build-98765";
    let policy = "version: 1\npacks:\n  misbehave: { callers: [\"token:ops\"] }\n  same.name: { callers: [\"token:ci\"] }\n";
    let setup = Setup::new().policy(policy).packs(guests::misbehave()).packs(guests::same_dot());
    let tokens = setup.root().join("tokens");
    fs::write(&tokens, format!("ops {OPS}\nci {CI}\n")).expect("the directory is ours");
    let served = setup.serve(&["--tokens", &tokens.display().to_string()]);

    for (token, own, input, others) in [
        (OPS, "misbehave", json!({ "do": "echo", "text": "same.name" }), "same_name"),
        (CI, "same_name", json!({}), "misbehave"),
    ] {
        let listed = Posted::new("tools/list", json!({})).with(token).to(&served).message();
        assert_eq!(names(&listed), [own]);
        let called = Posted::call(own, input).with(token).to(&served).message();
        assert_eq!(saw(&called["result"]), ["same.name"], "{called}");
        let refused = Posted::call(others, json!({ "do": "echo" })).with(token).to(&served).message();
        assert_eq!(refused["error"]["code"], -32602, "it is as if it were not there: {refused}");
    }
    let stranger = Posted::new("tools/list", json!({})).to(&served);
    assert_eq!(stranger.status, 401);
}
