//! How the tests of this suite set their scene: a host with one guest, what the guest saw, and what can be seen of the
//! host's process from outside.

use std::fs;
use std::time::{Duration, Instant};

use packhost_tests::guests;
use packhost_tests::host::{Served, Setup};
use packhost_tests::http::{self, Response};
use packhost_tests::rpc::Rpc;
use serde_json::{Value, json};

/// A host with `misbehave` alone, under this entry of the manifest.
pub(crate) fn alone(entry: &str) -> Setup {
    Setup::new().policy(&manifest("misbehave", entry)).packs(guests::misbehave())
}

/// A manifest with one entry.
pub(crate) fn manifest(pack: &str, entry: &str) -> String {
    format!("version: 1\npacks:\n  {pack}: {entry}\n")
}

/// A client of that host on stdio, after the handshake.
pub(crate) fn connect(setup: &Setup) -> Rpc {
    let mut host = setup.mcp();
    host.initialize();
    host
}

/// What a guest saw.
pub(crate) fn saw(result: &Value) -> Vec<String> {
    assert_ne!(result["isError"], true, "{result}");
    let seen = result["structuredContent"]["saw"].as_array();
    seen.expect("a guest says what it saw").iter().map(|one| one.as_str().expect("text").to_owned()).collect()
}

/// The failure of a result that is one.
pub(crate) fn failure(result: &Value) -> &Value {
    assert_eq!(result["isError"], true, "{result}");
    &result["_meta"]["packhost/error"]
}

/// What the model reads of a result.
pub(crate) fn text(result: &Value) -> &str {
    result["content"][0]["text"].as_str().expect("a text block")
}

/// A call that has nothing wrong with it is answered.
pub(crate) fn still_works(host: &mut Rpc) {
    let result = host.call("misbehave", json!({ "do": "echo", "text": "still here" }));
    assert_eq!(saw(&result), ["still here"]);
}

/// The names of the tools that the client may call.
pub(crate) fn tools(host: &mut Rpc) -> Vec<String> {
    names(&host.request("tools/list", json!({})))
}

/// The names in an answer to `tools/list`.
pub(crate) fn names(listed: &Value) -> Vec<String> {
    let tools = listed["result"]["tools"].as_array().expect("a list of tools");
    tools.iter().map(|tool| tool["name"].as_str().expect("a name").to_owned()).collect()
}

/// Waits for a notification.
pub(crate) fn notified(host: &mut Rpc, method: &str) {
    if let Some(at) = host.passed.iter().position(|message| message["method"] == method) {
        host.passed.remove(at);
        return;
    }
    loop {
        let message = host.message();
        if message["method"] == method {
            return;
        }
        host.passed.push(message);
    }
}

/// Processor time that a process has used, in ticks (proc(5): 100 a second).
pub(crate) fn used(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    // The name in parentheses may hold anything; the 14th and 15th field are the 12th and 13th after it.
    let (_, fields) = stat.rsplit_once(')').expect("a name in parentheses");
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks.map(|field| field.parse::<u64>().expect("a number")).sum()
}

/// Waits until a process has used a fifth of a second more than it had. A guest that spins says nothing, so that its
/// use of the processor is all that shows that it runs.
pub(crate) fn spins(pid: u32, before: u64) {
    let since = Instant::now();
    while used(pid) < before + 20 {
        assert!(since.elapsed() < Duration::from_secs(60), "nothing spins");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The most memory that a process ever had resident, in MiB.
pub(crate) fn peak(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("proc(5) has it");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") >> 10
}

/// A request of the protocol without sessions, as it goes to an HTTP door.
pub(crate) struct Posted {
    head: Vec<(String, String)>,
    message: Value,
}

impl Posted {
    /// A request with these parameters.
    pub(crate) fn new(method: &str, mut params: Value) -> Self {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let mut head = vec![("mcp-protocol-version", "2026-07-28"), ("mcp-method", method)];
        let tool = params["name"].as_str().map(String::from);
        head.extend(tool.as_deref().map(|tool| ("mcp-name", tool)));
        let head = head.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { head, message: json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }) }
    }

    /// A call.
    pub(crate) fn call(tool: &str, input: Value) -> Self {
        Self::new("tools/call", json!({ "name": tool, "arguments": input }))
    }

    /// With a token.
    pub(crate) fn with(mut self, token: &str) -> Self {
        self.head.push(("authorization".into(), format!("Bearer {token}")));
        self
    }

    fn head(&self) -> Vec<(&str, &str)> {
        self.head.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    /// Sends it and reads the whole response.
    pub(crate) fn to(&self, served: &Served) -> Response {
        http::post(served.address, &self.head(), &self.message)
    }

    /// Sends it and leaves the response to come.
    pub(crate) fn left_open(&self, served: &Served) -> std::net::TcpStream {
        let mut head =
            vec![("content-type", "application/json"), ("accept", "application/json, text/event-stream")];
        head.extend(self.head());
        http::open(served.address, &head, "POST", "/mcp", self.message.to_string().as_bytes())
    }
}
