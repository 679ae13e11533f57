//! Traces, as a collector gets them.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use packhost_tests::host::{Served, Setup};
use packhost_tests::http::{self, Response};
use packhost_tests::record;
use packhost_tests::web::{Web, response};
use prost::Message;
use serde_json::{Value, json};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

fn collector() -> Web {
    Web::with(|_| response(200, &[("content-type", "application/x-protobuf")], b""))
}

/// All spans that a collector got, in the order in which they began.
fn spans(collector: &Web) -> Vec<Span> {
    let mut spans = Vec::new();
    for asked in collector.asked() {
        assert_eq!(asked.line, "POST /v1/traces");
        let batch = ExportTraceServiceRequest::decode(&*asked.body).expect("a request of OTLP");
        for of_resource in batch.resource_spans {
            let resource = of_resource.resource.expect("a resource");
            let named = resource.attributes.iter().find(|attribute| attribute.key == "service.name");
            assert!(named.is_some(), "{:?}", resource.attributes);
            spans.extend(of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
        }
    }
    spans.sort_by_key(|span| (span.start_time_unix_nano, u64::MAX - span.end_time_unix_nano));
    spans
}

fn attributes(span: &Span) -> BTreeMap<&str, String> {
    let shown = |value: &Any| match value {
        Any::StringValue(text) => text.clone(),
        Any::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    let value = |attribute: &opentelemetry_proto::tonic::common::v1::KeyValue| {
        attribute.value.as_ref().and_then(|value| value.value.as_ref()).map(shown).unwrap_or_default()
    };
    span.attributes.iter().map(|attribute| (attribute.key.as_str(), value(attribute))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn call(served: &Served, pack: &str, input: &Value, sampled: &str) -> Response {
    let trace = format!("00-{TRACE}-{PARENT}-{sampled}");
    let head = [("content-type", "application/json"), ("traceparent", trace.as_str())];
    let body = json!({ "input": input }).to_string();
    http::send(served.address, &head, "POST", &format!("/v1/packs/{pack}/calls"), body.as_bytes())
}

#[test]
fn a_call_and_its_requests_are_spans_of_the_trace_that_its_client_named() {
    let (collector, web) =
        (collector(), Web::with(|_| response(200, &[("content-type", "text/plain")], b"hello")));
    let rule = format!("{{ url: '{}', methods: [GET], addresses: ['127.0.0.1/32'] }}", web.origin());
    let setup = Setup::new()
        .policy(&format!("version: 1\npacks:\n  http.fetch:\n    http: [{rule}]\n"))
        .env("OTEL_EXPORTER_OTLP_HEADERS", "x-key=of-the-collector")
        .warmed();
    let served = setup.serve(&["--otlp-endpoint", &collector.origin()]);
    let answer = call(&served, "http.fetch", &json!({ "url": web.origin() }), "01");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let run = answer.message()["run"].as_str().expect("an id").to_owned();
    let denied = call(&served, "http.fetch", &json!({ "url": "http://127.0.0.1:9/" }), "01");
    assert_eq!(denied.message()["code"], "egress_denied");
    assert_eq!(call(&served, "http.fetch", &json!({ "url": web.origin() }), "00").status, 200);
    let (code, log) = served.terminate();
    assert_eq!(code, 0, "{log}");

    let spans = spans(&collector);
    assert!(spans.iter().all(|span| hex(&span.trace_id) == TRACE), "{spans:?}");
    let roots: Vec<_> = spans.iter().filter(|span| hex(&span.parent_span_id) == PARENT).collect();
    assert_eq!(roots.len(), 2, "the client does not keep the third: {spans:?}");
    let about = attributes(roots[0]);
    assert_eq!(roots[0].name, "execute_tool http.fetch");
    for (key, value) in [
        ("packhost.run", run.as_str()),
        ("gen_ai.operation.name", "execute_tool"),
        ("gen_ai.tool.name", "http.fetch"),
        ("packhost.caller", "local"),
        ("client.address", "127.0.0.1"),
        ("network.transport", "tcp"),
    ] {
        assert_eq!(about.get(key).map(String::as_str), Some(value), "{key} of {about:?}");
    }
    assert_eq!(attributes(roots[1])["error.type"], "egress_denied");
    let below =
        |parent: &Span| spans.iter().filter(|span| span.parent_span_id == parent.span_id).collect::<Vec<_>>();
    let ran = below(roots[0]).into_iter().find(|span| span.name == "run").expect("its guest ran");
    let requests = below(ran);
    assert_eq!(requests.len(), 1, "{spans:?}");
    let request = attributes(requests[0]);
    assert_eq!(request["server.port"], web.address.port().to_string(), "{request:?}");
    assert_eq!(request["packhost.egress.decision"], "allowed", "{request:?}");
    assert!(requests[0].end_time_unix_nano > requests[0].start_time_unix_nano, "{requests:?}");
    assert!(requests[0].end_time_unix_nano <= roots[0].end_time_unix_nano, "{requests:?} of {roots:?}");
    let asked = collector.asked();
    assert!(asked.iter().all(|asked| asked.header("x-key") == Some("of-the-collector")), "{asked:?}");
}

#[test]
fn a_call_over_mcp_is_named_as_the_conventions_have_it_and_by_its_run_where_it_has_no_trace() {
    let collector = collector();
    let setup = Setup::new().args(["--otlp-endpoint", &collector.origin()]).warmed();
    let mut host = setup.mcp();
    host.initialize();
    let answer = host.call("text_stats", json!({ "text": [] }));
    // Nor is it a placeholder, which nothing may carry out of the host.
    let unknown = host.request("tools/call", json!({ "name": "${vault:TOKEN}", "arguments": {} }));
    assert_eq!(unknown["error"]["code"], -32602, "{unknown}");
    host.close();
    let spans = spans(&collector);
    let names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["tools/call text_stats", "tools/call"], "what a client sends is no name");
    let about = attributes(&spans[0]);
    let run = about["packhost.run"].replace('-', "");
    assert_eq!(hex(&spans[0].trace_id), run, "{about:?}");
    assert_eq!(answer["_meta"]["packhost/run"], about["packhost.run"].as_str(), "{answer}");
    for (key, value) in [
        ("mcp.method.name", "tools/call"),
        ("mcp.protocol.version", "2025-11-25"),
        ("network.transport", "pipe"),
        ("error.type", "tool_error"),
        ("packhost.error", "invalid_input"),
    ] {
        assert_eq!(about.get(key).map(String::as_str), Some(value), "{key} of {about:?}");
    }
}

#[test]
fn a_collector_that_is_away_keeps_no_call_waiting() {
    let nowhere = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = nowhere.local_addr().expect("an address");
    drop(nowhere);
    let setup = Setup::new().warmed();
    let served = setup.serve(&["--otlp-endpoint", &format!("http://{address}")]);
    assert_eq!(call(&served, "text.stats", &json!({ "text": "a" }), "01").status, 200);
    assert_eq!(record::of_kind(&setup.state(), "call").len(), 1, "the record does not depend on it");
    let (code, log) = served.terminate();
    assert_eq!(code, 0, "{log}");
    assert!(log.contains("traces did not reach the collector"), "{log}");
}

#[test]
fn a_collector_in_the_clear_on_another_machine_is_refused() {
    let setup = Setup::new();
    for (url, said) in [
        ("http://collector.example.com:4318", "is not https"),
        ("ftp://collector.example.com", "is not the URL of a collector"),
        ("https://me:secret@collector.example.com", "is not the URL of a collector"),
    ] {
        let refused = setup.run(["--otlp-endpoint", url, "call", "text.stats", r#"{"text":"a"}"#]);
        assert_eq!(refused.code, 1, "{refused:?}");
        assert!(
            refused.stderr.contains("--otlp-endpoint") && refused.stderr.contains(said),
            "{}",
            refused.stderr
        );
        assert!(!refused.stderr.contains("secret"), "{}", refused.stderr);
    }
}
