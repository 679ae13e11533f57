//! Fifty callers at once, over MCP and the HTTP API, with packs that compute, read, write and fail: what the host holds
//! stays flat.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use packhost_tests::host::Setup;
use packhost_tests::http::{self, KeptOpen};
use serde_json::{Value, json};

const CALLERS: usize = 50;
/// Threads that have the callers' connections, each an equal share.
const THREADS: usize = 10;
/// Calls of each caller before it is looked for the first time, and after that.
const BEFORE: usize = 30;
const AFTER: usize = 120;
/// What allocators may hold on to between two looks, in bytes.
const SLACK: u64 = 16 << 20;

/// What a host holds.
#[derive(Debug)]
struct Held {
    resident: u64,
    descriptors: u64,
    database: u64,
}

impl Held {
    fn by(address: SocketAddr, watch: &str, state: &Path) -> Self {
        let bearer = format!("Bearer {watch}");
        let metrics = http::send(address, &[("authorization", &bearer)], "GET", "/metrics", b"").text();
        let gauge = |name: &str| {
            let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in {metrics}"))
        };
        assert_eq!(gauge("packhost_calls_in_flight"), 0, "{metrics}");
        let file = |name: &str| fs::metadata(state.join(name)).map_or(0, |about| about.len());
        Self {
            resident: gauge("process_resident_memory_bytes"),
            descriptors: gauge("process_open_fds"),
            database: file("state.db") + file("state.db-wal"),
        }
    }
}

/// A caller, its connection, and how it calls.
struct Caller {
    bearer: String,
    connection: KeptOpen,
    number: usize,
}

impl Caller {
    fn call(&mut self, turn: usize) {
        let (number, kind) = (self.number, turn % 5);
        let path = format!("load/{number}.txt");
        let (pack, input, outcome) = match kind {
            0 => ("text.stats", json!({ "text": "to be or not to be" }), None),
            1 => {
                ("json.query", json!({ "query": "map(.a) | add", "json": [{ "a": turn }, { "a": 1 }] }), None)
            }
            2 => ("fs.write", json!({ "path": path, "content": turn.to_string() }), None),
            3 => ("fs.read", json!({ "path": path }), None),
            _ => ("json.query", json!({ "query": "map(", "json": [] }), Some("invalid_input")),
        };
        let said =
            if turn.is_multiple_of(2) { self.over_mcp(pack, input) } else { self.over_http(pack, input) };
        match (kind, outcome) {
            (_, Some(code)) => assert!(said.to_string().contains(code), "{said}"),
            (3, None) => assert!(said.to_string().contains(&(turn - 1).to_string()), "its own file: {said}"),
            (_, None) => assert!(!said.to_string().contains("packhost:error"), "{said}"),
        }
    }

    fn over_http(&mut self, pack: &str, input: Value) -> Value {
        let head = [("content-type", "application/json"), ("authorization", self.bearer.as_str())];
        let body = json!({ "input": input }).to_string();
        let path = format!("/v1/packs/{pack}/calls");
        self.connection.send(&head, "POST", &path, body.as_bytes()).message()
    }

    fn over_mcp(&mut self, pack: &str, input: Value) -> Value {
        let params = json!({
            "name": pack.replace('.', "_"), "arguments": input,
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": { "name": "load", "version": "1" },
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        });
        let name = params["name"].as_str().unwrap_or_default().to_owned();
        let head = [
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", "tools/call"),
            ("mcp-name", &name),
            ("authorization", &self.bearer),
        ];
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        self.connection.send(&head, "POST", "/mcp", message.to_string().as_bytes()).message()
    }
}

fn token(setup: &Setup, name: &str, scope: &str) -> String {
    let made = setup.run(["tokens", "create", name, "--scope", scope]);
    assert_eq!(made.code, 0, "{made:?}");
    made.stdout.trim().to_owned()
}

fn all_call(callers: &mut [Caller], times: usize) {
    std::thread::scope(|scope| {
        for share in callers.chunks_mut(CALLERS / THREADS) {
            scope.spawn(move || (0..times).for_each(|turn| share.iter_mut().for_each(|one| one.call(turn))));
        }
    });
}

#[test]
fn fifty_callers_leave_a_host_as_large_as_it_was() {
    let setup = Setup::new().warmed();
    let watch = token(&setup, "watch", "audit:read");
    let tokens: Vec<_> = (0..CALLERS).map(|n| token(&setup, &format!("caller-{n}"), "packs:*")).collect();
    let served = setup.serve(&[]);
    let open = |(number, token): (usize, &String)| {
        let (bearer, connection) = (format!("Bearer {token}"), KeptOpen::to(served.address));
        Caller { bearer, connection, number }
    };
    let mut callers: Vec<_> = tokens.iter().enumerate().map(open).collect();
    all_call(&mut callers, BEFORE);
    let before = Held::by(served.address, &watch, &setup.state());
    all_call(&mut callers, AFTER);
    let after = Held::by(served.address, &watch, &setup.state());
    let both = format!("{before:?}, {after:?}");
    assert!(after.resident <= before.resident + before.resident / 10 + SLACK, "memory grows: {both}");
    assert!(after.descriptors <= before.descriptors, "descriptors leak: {both}");
    assert!(after.database <= before.database, "the database grows: {both}");
    let made = (CALLERS * (BEFORE + AFTER)) as u64;
    let recorded = packhost_tests::record::of_kind(&setup.state(), "call");
    assert_eq!(recorded.len() as u64, made, "every call is on record");
    let (code, log) = served.terminate();
    assert_eq!(code, 0, "{log}");
    assert_eq!(setup.run(["audit", "verify"]).code, 0);
}
