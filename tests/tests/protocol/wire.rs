//! Requests of 2026-07-28 over HTTP, as they go over the wire; and the guest that most of these tests call.

use std::net::{SocketAddr, TcpStream};

use packhost_tests::guests;
use packhost_tests::host::Setup;
use packhost_tests::http::{self, Response};
use serde_json::{Value, json};

/// The protocol's version without a handshake.
pub(crate) const STATELESS: &str = "2026-07-28";

/// A request with what the version wants in its `_meta`.
pub(crate) fn message(method: &str, mut params: Value) -> Value {
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = STATELESS.into();
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })
}

/// The headers that go with it. They repeat what the message says.
pub(crate) fn headers(message: &Value) -> Vec<(&str, &str)> {
    let mut headers = vec![
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("mcp-protocol-version", STATELESS),
        ("mcp-method", message["method"].as_str().expect("a method")),
    ];
    headers.extend(message["params"]["name"].as_str().map(|name| ("mcp-name", name)));
    headers
}

/// A call, without waiting for its answer.
pub(crate) fn open(address: SocketAddr, tool: &str, input: &Value) -> TcpStream {
    let message = call(tool, input);
    http::open(address, &headers(&message), "POST", "/mcp", message.to_string().as_bytes())
}

/// The message of a call.
pub(crate) fn call(tool: &str, input: &Value) -> Value {
    message("tools/call", json!({ "name": tool, "arguments": input }))
}

/// A request and its response; `more` headers come besides the usual ones.
pub(crate) fn send(address: SocketAddr, more: &[(&str, &str)], message: &Value) -> Response {
    let mut all = headers(message);
    all.extend(more);
    http::send(address, &all, "POST", "/mcp", message.to_string().as_bytes())
}

/// A host with the pack `misbehave` and `text.stats`, and these limits for the first.
pub(crate) fn misbehaving(limits: &str) -> Setup {
    let packs = format!("misbehave: {{ limits: {{ {limits} }} }}\n  text.stats: {{}}");
    Setup::new().policy(&format!("version: 1\npacks:\n  {packs}\n")).packs(guests::misbehave()).warmed()
}
