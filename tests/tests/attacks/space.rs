//! Guests that take memory, stack and what the host holds for them.

use packhost_tests::rpc::code;
use serde_json::json;

use crate::scene::{alone, connect, peak, saw, still_works, text};

/// Elsewhere: "allocate 3 GB: allowed, no default limit".
#[test]
fn three_gigabytes_are_not_to_be_had() {
    let setup = alone("{}");
    let mut host = connect(&setup);
    let ended = host.call("misbehave", json!({ "do": "grab", "amount": 3_u64 << 30 }));
    assert_eq!(code(&ended), "resource_exhausted", "{ended}");
    let used = ended["_meta"]["packhost/usage"]["memory"].as_u64().expect("a call says what it used");
    assert!(used <= 64 << 20, "it had {used} bytes");
    let peak = peak(host.pid());
    assert!(peak < 600, "the host had {peak} MiB resident");
    still_works(&mut host);
}

#[test]
fn a_stack_without_end_ends_the_call_alone() {
    let setup = alone("{}");
    let mut host = connect(&setup);
    let ended = host.call("misbehave", json!({ "do": "recurse" }));
    assert_eq!(code(&ended), "resource_exhausted", "{ended}");
    still_works(&mut host);
    let (_, _, log) = host.close();
    assert!(log.contains("misbehave::burn::recurse"), "the operator is told which function it was: {log}");
}

#[test]
fn handles_and_random_bytes_are_bounded() {
    let setup = alone("{}");
    let mut host = connect(&setup);
    for (what, fits, too_many) in [("handles", 20, 10_000), ("random", 1_000, 1_u64 << 30)] {
        let result = host.call("misbehave", json!({ "do": what, "amount": fits }));
        assert!(saw(&result)[0].starts_with(&fits.to_string()), "{result}");
        let ended = host.call("misbehave", json!({ "do": what, "amount": too_many }));
        assert_eq!(code(&ended), "resource_exhausted", "{what}: {ended}");
    }
}

#[test]
fn what_one_call_into_the_host_carries_is_bounded() {
    // Memory and output have room for it, so that nothing else is in the way.
    let setup = alone("{ limits: { memory: 256MiB, output: 64MiB, hostcall: 1MiB } }");
    let mut host = connect(&setup);
    let fits = host.call("misbehave", json!({ "do": "answer_block", "amount": 500_000 }));
    assert_eq!(text(&fits).len(), 500_000);
    let ended = host.call("misbehave", json!({ "do": "answer_block", "amount": 2 << 20 }));
    assert_eq!(code(&ended), "resource_exhausted", "{ended}");
}
