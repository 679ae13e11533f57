//! Calls do not meet: what one leaves behind, the next does not find.

use packhost_tests::guests;
use packhost_tests::host::Setup;
use packhost_tests::web::Web;
use serde_json::{Value, json};

use crate::scene::{alone, connect, manifest, saw};

fn memory(result: &Value) -> u64 {
    result["_meta"]["packhost/usage"]["memory"].as_u64().expect("a call says what it used")
}

/// An instance that was used again would still have the memory and the handles of the call before: memory never shrinks.
#[test]
fn every_call_has_an_instance_of_its_own() {
    let setup = alone("{}");
    let mut host = connect(&setup);
    let large = host.call("misbehave", json!({ "do": "grab", "amount": 48 << 20 }));
    assert_eq!(saw(&large), ["48 MiB"]);
    assert!(memory(&large) > 48 << 20, "{large}");
    let small = host.call("misbehave", json!({ "do": "echo" }));
    assert!(memory(&small) < 8 << 20, "{small}");
    // More than one call may hold, were they kept.
    for _ in 0..4 {
        let held = host.call("misbehave", json!({ "do": "handles", "amount": 25 }));
        assert_eq!(saw(&held), ["25 handles"]);
    }
}

/// Elsewhere, pages that an instance had written in many places were handed to the next with what they held.
#[test]
fn what_an_instance_wrote_is_not_there_for_the_next() {
    let setup = alone("{}");
    let mut host = connect(&setup);
    let mut act = |what: &str| saw(&host.call("misbehave", json!({ "do": what, "amount": 200 })));
    for _ in 0..8 {
        assert_eq!(act("mark"), ["200 marks"]);
        for _ in 0..3 {
            assert_eq!(act("find_marks"), ["0 marks"]);
        }
    }
}

#[test]
fn every_call_has_a_budget_of_its_own() {
    let web = Web::answering(Vec::new());
    let rule = format!("{{ host: \"127.0.0.1\", scheme: http, ports: [{}] }}", web.address.port());
    let policy = manifest("reach", &format!("{{ http: [{rule}], limits: {{ requests: 3 }} }}"));
    let setup = Setup::new().policy(&policy).packs(guests::reach());
    let mut host = connect(&setup);
    for calls in 1..=2 {
        let result = host.call("reach", json!({ "url": web.origin(), "times": 3 }));
        assert_eq!(result["structuredContent"]["status"], 404, "{result}");
        assert_eq!(result["_meta"]["packhost/usage"]["requests"], 3, "{result}");
        assert_eq!(web.asked().len(), 3 * calls);
    }
}
