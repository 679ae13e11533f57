//! Guests that answer what they may not, or break: that call alone ends, with the right code, and the agent learns
//! nothing of the inside.

use packhost_tests::rpc::code;
use serde_json::{Value, json};

use crate::scene::{alone, connect, failure, saw, still_works, text};

/// Elsewhere: "3 MB result passed straight to the model context".
#[test]
fn an_answer_is_no_larger_than_its_limit() {
    let setup = alone("{}");
    let mut host = connect(&setup);
    let fits = host.call("misbehave", json!({ "do": "answer", "amount": 500_000 }));
    assert_eq!(saw(&fits)[0].len(), 500_000);
    for (what, amount) in [("answer", 3 << 20), ("answer_block", 3 << 20), ("answer_blocks", 100_000)] {
        let ended = host.call("misbehave", json!({ "do": what, "amount": amount }));
        assert_eq!(code(&ended), "resource_exhausted", "{what}: {}", text(&ended));
        assert!(ended.to_string().len() < 2_000, "{what}: the refusal is short");
    }
    still_works(&mut host);
}

#[test]
fn an_answer_that_is_not_what_was_promised_reaches_nobody() {
    let setup = alone("{}");
    let mut host = connect(&setup);
    for what in ["answer_malformed", "answer_other", "answer_nothing"] {
        let ended = host.call("misbehave", json!({ "do": what }));
        assert_eq!(code(&ended), "invalid_output", "{what}: {ended}");
        assert!(ended.get("structuredContent").is_none(), "{what}: {ended}");
    }
    let other = host.call("misbehave", json!({ "do": "answer_other" }));
    assert_eq!(failure(&other)["pointer"], "/saw", "{other}");
    // The runtime does not let it out of the guest, so that there is no answer to judge.
    let garbled = host.call("misbehave", json!({ "do": "answer_not_utf8" }));
    assert_eq!(code(&garbled), "handler_failed", "{garbled}");
    still_works(&mut host);
}

#[test]
fn the_words_of_a_failure_are_few() {
    let setup = alone("{}");
    let mut host = connect(&setup);
    let ended = host.call("misbehave", json!({ "do": "fail", "amount": 500_000 }));
    assert_eq!(code(&ended), "handler_failed");
    let message = failure(&ended)["message"].as_str().expect("a failure has a message");
    assert!(message.starts_with("xxx") && message.chars().count() <= 2_001, "{}", message.len());
    assert!(ended.to_string().len() < 6_000, "nor does it come by another way");
}

/// What an agent has no use for and an attacker has.
fn tells_nothing_of_the_inside(result: &Value) {
    let told = result.to_string();
    for inside in
        ["backtrace", "0x", "wasm trap", ".rs", "unreachable", "<unknown>", "/tmp", "/proc", "exit status"]
    {
        assert!(!told.contains(inside), "{inside}: {told}");
    }
}

/// Elsewhere: "trap: raw wasm backtrace text to the model".
#[test]
fn a_guest_that_breaks_ends_its_call_alone_and_without_a_backtrace() {
    let setup = alone("{}");
    let mut host = connect(&setup);
    for what in ["panic", "trap", "out_of_bounds", "exit"] {
        let ended = host.call("misbehave", json!({ "do": what, "text": "words of a panic", "amount": 3 }));
        assert_eq!(code(&ended), "handler_failed", "{what}: {ended}");
        tells_nothing_of_the_inside(&ended);
        assert!(!ended.to_string().contains("words of a panic"), "{what}: {ended}");
        still_works(&mut host);
    }
    let overflow = host.call("misbehave", json!({ "do": "recurse" }));
    tells_nothing_of_the_inside(&overflow);
    let garbled = host.call("misbehave", json!({ "do": "answer_not_utf8" }));
    tells_nothing_of_the_inside(&garbled);

    let (_, _, log) = host.close();
    assert!(log.contains("wasm backtrace"), "the operator is told: {log}");
    assert!(log.contains("misbehave::"), "with the names of functions: {log}");
}

/// An exit that says that all is well is no answer either.
#[test]
fn a_guest_that_leaves_with_success_has_not_answered() {
    let setup = alone("{}");
    let mut host = connect(&setup);
    let ended = host.call("misbehave", json!({ "do": "exit", "amount": 0 }));
    assert_eq!(code(&ended), "handler_failed", "{ended}");
    still_works(&mut host);
}
