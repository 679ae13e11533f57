//! Components that know nothing of packhost are held to the same.

use packhost_tests::guests;
use packhost_tests::host::Setup;
use packhost_tests::rpc::code;
use serde_json::json;

use crate::scene::{connect, failure, manifest, tools};

fn plain() -> Setup {
    Setup::new().policy(&manifest("plain", "{}")).packs(guests::plain())
}

/// Elsewhere: "tool name with the version inside, `u32` is a number without bounds, an option is required, no
/// `additionalProperties: false`, no annotations".
#[test]
fn a_function_is_described_as_exactly_as_its_types_are() {
    let setup = plain();
    let mut host = connect(&setup);
    let listed = host.request("tools/list", json!({}));
    let listed = listed["result"]["tools"].as_array().expect("a list of tools");
    assert!(listed.iter().all(|tool| !tool["name"].to_string().contains("1_2")), "no version in a name");
    let count = listed.iter().find(|tool| tool["name"] == "plain_words_count").expect("a tool of it");
    let bounded = json!({ "type": ["integer", "null"], "minimum": 0, "maximum": u32::MAX });
    let input = json!({
        "type": "object",
        "properties": { "text": { "type": "string" }, "min-length": bounded },
        "required": ["text"],
        "additionalProperties": false,
    });
    assert_eq!(count["inputSchema"], input, "{count}");
    assert_eq!(count["annotations"]["readOnlyHint"], true, "{count}");
    assert_eq!(count["annotations"]["openWorldHint"], false, "{count}");
    // A resource does not outlive a call.
    assert!(listed.iter().all(|tool| !tool["name"].to_string().contains("machine")), "{listed:?}");
}

#[test]
fn a_number_beyond_its_type_is_refused_with_its_place() {
    let setup = plain();
    let mut host = connect(&setup);
    for (tool, input, place) in [
        ("plain_words_count", json!({ "text": "a b", "min-length": 1_u64 << 32 }), "/min-length"),
        ("plain_words_count", json!({ "text": "a b", "min-length": -1 }), "/min-length"),
        ("plain_add", json!({ "a": 1_u64 << 31, "b": 1 }), "/a"),
        ("plain_add", json!({ "a": 1, "b": 1.5 }), "/b"),
    ] {
        let refused = host.call(tool, input);
        assert_eq!(code(&refused), "invalid_input", "{refused}");
        let failure = failure(&refused);
        assert_eq!(failure["pointer"], place, "{refused}");
        // The example that is shown works as it stands.
        let mended = host.call(tool, failure["example"].clone());
        assert_ne!(mended["isError"], true, "{mended}");
    }
}

/// Elsewhere: "`Err(..)` result: `isError: false`".
#[test]
fn an_error_of_a_function_is_an_error() {
    let setup = plain();
    let mut host = connect(&setup);
    let divided = host.call("plain_divide", json!({ "dividend": 1, "divisor": 2 }));
    assert_eq!(divided["structuredContent"], json!({ "result": 0.5 }), "{divided}");
    let failed = host.call("plain_divide", json!({ "dividend": 1, "divisor": 0 }));
    assert_eq!(code(&failed), "handler_failed", "{failed}");
    assert_eq!(failure(&failed)["details"], "the divisor is zero", "{failed}");
    let crashed = host.call("plain_crash", json!({}));
    assert_eq!(code(&crashed), "handler_failed", "{crashed}");
    assert!(!crashed.to_string().contains("backtrace"), "{crashed}");
}

#[test]
fn an_async_component_is_answered_and_stopped_like_any_other() {
    let policy = manifest("plain-async", "{ limits: { time: 500ms } }");
    let setup = Setup::new().policy(&policy).packs(guests::plain_async());
    let mut host = connect(&setup);
    let all = ["plain-async_add", "plain-async_add-later", "plain-async_spin"];
    assert_eq!(tools(&mut host), all);
    let later = |milliseconds: u32| json!({ "a": 20, "b": 22, "milliseconds": milliseconds });
    let added = host.call("plain-async_add", json!({ "a": 20, "b": 22 }));
    assert_eq!(added["structuredContent"], json!({ "result": 42 }), "{added}");
    let waited = host.call("plain-async_add-later", later(1));
    assert_eq!(waited["structuredContent"], json!({ "result": 42 }), "{waited}");
    let spun = host.call("plain-async_spin", json!({}));
    assert_eq!(code(&spun), "timeout", "{spun}");
    let slept = host.call("plain-async_add-later", later(600_000));
    assert_eq!(code(&slept), "timeout", "{slept}");
    let added = host.call("plain-async_add", json!({ "a": 20, "b": 22 }));
    assert_eq!(added["structuredContent"], json!({ "result": 42 }), "{added}");
}
