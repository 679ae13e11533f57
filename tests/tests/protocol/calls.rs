//! `tools/call`, message by message, over stdio.

use packhost_tests::host::Setup;
use packhost_tests::rpc::{Rpc, code, result};
use serde_json::{Value, json};

use crate::wire::misbehaving;

fn started(setup: &Setup) -> Rpc {
    let mut host = setup.mcp();
    host.initialize();
    host
}

#[test]
fn the_data_of_an_answer_is_its_text_too() {
    let setup = Setup::new().warmed();
    let mut host = started(&setup);
    let answer = host.call("text_stats", json!({ "text": "one two three" }));
    assert_eq!(answer["isError"], false, "{answer}");
    assert_eq!(answer["structuredContent"]["words"], 3);
    let content = answer["content"].as_array().expect("blocks");
    assert_eq!(content.len(), 1, "{answer}");
    let text: Value = serde_json::from_str(content[0]["text"].as_str().expect("text")).expect("JSON");
    assert_eq!(text, answer["structuredContent"]);
}

#[test]
fn a_result_says_which_call_it_was_and_what_it_took() {
    let setup = Setup::new().warmed();
    let mut host = started(&setup);
    let [first, second] =
        [(); 2].map(|()| host.call("text_stats", json!({ "text": "one" }))["_meta"].clone());
    assert_ne!(first["packhost/run"], second["packhost/run"]);
    assert_eq!(first["packhost/revision"], second["packhost/revision"]);
    assert_eq!(first["packhost/revision"].as_str().map(str::len), Some(12), "{first}");
    assert_eq!(first["packhost/mends"], json!([]));
    assert!(first["packhost/usage"]["memory"].as_u64().is_some_and(|bytes| bytes > 0), "{first}");
    assert!(first["packhost/usage"]["ran_us"].is_u64(), "{first}");
}

#[test]
fn what_was_mended_is_said() {
    let setup = Setup::new().warmed();
    let mut host = started(&setup);
    let answer = host.call("text_stats", json!({ "text": 5 }));
    assert_eq!(answer["isError"], false, "{answer}");
    let mends = json!([{ "pointer": "/text", "kind": "to_string", "from": 5, "to": "5" }]);
    assert_eq!(answer["_meta"]["packhost/mends"], mends);
    // An object as text is what small models send; rmcp itself would refuse it.
    let answer = host.call("text_stats", json!("{\"text\": \"a b\"}"));
    assert_eq!(answer["structuredContent"]["words"], 2, "{answer}");
    assert_eq!(answer["_meta"]["packhost/mends"][0]["kind"], "from_json", "{answer}");
}

#[test]
fn a_refusal_has_an_input_that_works() {
    let setup = Setup::new().warmed();
    let mut host = started(&setup);
    let refused = host.call("text_stats", json!({ "txet": ["a"] }));
    assert_eq!(code(&refused), "invalid_input");
    assert!(
        refused.get("structuredContent").is_none(),
        "clients hold it against the output schema: {refused}"
    );
    let error = &refused["_meta"]["packhost/error"];
    for said in ["message", "pointer", "expected", "got"] {
        assert!(error[said].is_string(), "{said} is missing: {error}");
    }
    let text = refused["content"][0]["text"].as_str().expect("text");
    assert!(text.starts_with("invalid_input: ") && text.contains(&error["example"].to_string()), "{text}");
    let again = host.call("text_stats", error["example"].clone());
    assert_eq!(again["isError"], false, "{again}");
}

#[test]
fn a_tool_that_is_not_there_is_an_error_of_the_protocol() {
    let setup = Setup::new().warmed();
    let mut host = started(&setup);
    for name in ["no_such_tool", "", "misbehave", "../text_stats"] {
        let answer = host.request("tools/call", json!({ "name": name, "arguments": {} }));
        assert_eq!(answer["error"]["code"], -32602, "{name}: {answer}");
        assert_eq!(answer["error"]["data"]["code"], "not_found", "{name}: {answer}");
    }
    // Both names of a pack lead to it.
    assert_eq!(host.call("text.stats", json!({ "text": "a" }))["isError"], false);
}

#[test]
fn progress_arrives_before_the_answer() {
    let setup = misbehaving("time: 30s");
    let mut host = started(&setup);
    let params = |token: Option<&str>| {
        let mut params = json!({ "name": "misbehave", "arguments": { "do": "progress", "amount": 3 } });
        if let Some(token) = token {
            params["_meta"] = json!({ "progressToken": token });
        }
        params
    };
    let answer = result(host.request("tools/call", params(Some("how far"))));
    assert_eq!(answer["structuredContent"]["saw"], json!(["3 reports"]));
    let told: Vec<Value> =
        host.passed.drain(..).filter(|note| note["method"] == "notifications/progress").collect();
    let done: Vec<f64> = told.iter().filter_map(|note| note["params"]["progress"].as_f64()).collect();
    assert_eq!(done, [1.0, 2.0, 3.0]);
    for note in &told {
        let params = &note["params"];
        assert_eq!(params["progressToken"], "how far");
        assert_eq!((params["total"].as_f64(), params["message"].as_str()), (Some(3.0), Some("working")));
    }
    result(host.request("tools/call", params(None)));
    assert!(host.passed.iter().all(|note| note["method"] != "notifications/progress"), "nobody asked for it");
}
