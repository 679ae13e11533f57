//! What is not JSON, or barely, at the HTTP door: every file of JSONTestSuite's `test_parsing`, as the body of a request
//! and inside of a call.

use packhost_tests::host::Setup;
use packhost_tests::http::{self, Response};
use serde_json::json;

use crate::corpus::{Sample, Trying, corpus, is_list_or_object};
use crate::wire::{self, call};

/// What a JSON-RPC server says about a body that is no JSON, and about one that is and is no request.
const NO_JSON: i32 = -32700;
const NO_REQUEST: i32 = -32600;

/// The code of a refusal, which is a JSON-RPC error under 400.
fn refused(name: &str, response: &Response) -> i64 {
    assert_eq!(response.status, 400, "{name}: {}", response.text());
    let message = response.message();
    assert_eq!(message["jsonrpc"], "2.0", "{name}: {message}");
    message["error"]["code"].as_i64().unwrap_or_else(|| panic!("{name}: {message}"))
}

/// Bytes that are not UTF-8 are refused either way: a body of them may be told that it is no request.
fn is_no_json(name: &str, bytes: &[u8], code: i64) {
    let expected =
        code == i64::from(NO_JSON) || str::from_utf8(bytes).is_err() && code == i64::from(NO_REQUEST);
    assert!(expected, "{name} was taken for JSON: {code}");
}

#[test]
fn a_body_that_is_not_json_is_told_so_and_one_that_is_is_no_request() {
    let Some(samples) = corpus() else { return };
    let setup = Setup::new().warmed();
    let served = setup.serve(&[]);
    let message = call("json_query", &json!({}));
    let head = wire::headers(&message);
    for Sample { name, bytes } in &samples {
        let _trying = Trying(name);
        let code = refused(name, &http::send(served.address, &head, "POST", "/mcp", bytes));
        match name.split('_').next() {
            Some("y") => assert_eq!(code, i64::from(NO_REQUEST), "{name}"),
            Some("n") => is_no_json(name, bytes, code),
            _ => {}
        }
    }
    assert_eq!(wire::send(served.address, &[], &call("text_stats", &json!({ "text": "a" }))).status, 200);
    let (code, log) = served.terminate();
    assert_eq!(code, 0, "{log}");
    assert!(!log.contains("panicked"), "{log}");
}

#[test]
fn a_call_is_made_with_json_and_never_with_anything_else() {
    let Some(samples) = corpus() else { return };
    let setup = Setup::new().warmed();
    let served = setup.serve(&[]);
    let message = call("json_query", &json!({ "query": ".", "json": "SAMPLE" }));
    let head = wire::headers(&message);
    let message = message.to_string();
    let (before, after) = message.split_once("\"SAMPLE\"").expect("it is in the message");
    for Sample { name, bytes } in &samples {
        let _trying = Trying(name);
        let body = [before.as_bytes(), bytes, after.as_bytes()].concat();
        let response = http::send(served.address, &head, "POST", "/mcp", &body);
        match name.split('_').next() {
            Some("y") => {
                assert_eq!(response.status, 200, "{name}: {}", response.text());
                let result = &response.message()["result"];
                assert!(result.is_object(), "{name}: {}", response.text());
                if is_list_or_object(bytes) {
                    assert_eq!(result["structuredContent"]["count"], 1, "{name}: {result}");
                }
            }
            Some("n") => is_no_json(name, &body, refused(name, &response)),
            _ => assert!(matches!(response.status, 200 | 400), "{name}: {}", response.text()),
        }
    }
    let (code, log) = served.terminate();
    assert_eq!(code, 0, "{log}");
    assert!(!log.contains("panicked"), "{log}");
}
