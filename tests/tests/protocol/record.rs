//! What of a call is on record, and that it is there before the answer.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use packhost_core::Digest;
use packhost_tests::guests;
use packhost_tests::host::Setup;
use packhost_tests::http::{self, post};
use packhost_tests::record;
use packhost_tests::rpc::{Rpc, code, result};
use packhost_tests::web::{Web, response};
use serde_json::{Value, json};

/// The record of the last call.
fn last(setup: &Setup) -> Value {
    record::of_kind(&setup.state(), "call").pop().expect("a call is on record")
}

fn sha256(text: &str) -> String {
    Digest::of(text.as_bytes()).to_string()
}

#[test]
fn a_call_is_on_record_when_its_answer_is_there() {
    let setup = Setup::new().warmed();
    let mut host = setup.mcp();
    host.initialize();
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let call = json!({
        "name": "text_stats", "arguments": { "text": 5 },
        "_meta": { "traceparent": format!("00-{trace}-b7ad6b7169203331-01") },
    });
    let answer = result(host.request("tools/call", call));
    let on_record = last(&setup);
    for (key, value) in [
        ("run", answer["_meta"]["packhost/run"].clone()),
        ("revision", answer["_meta"]["packhost/revision"].clone()),
        ("trace", json!(trace)),
        ("parent", json!("b7ad6b7169203331")),
        ("caller", json!("local")),
        ("door", json!("stdio")),
        ("client", json!({ "name": "test", "version": "1" })),
        ("protocol", json!("2025-11-25")),
        ("pack", json!("text.stats")),
        ("tool", json!("text_stats")),
        ("input_sha256", json!(sha256(r#"{"text":5}"#))),
        ("output_sha256", json!(sha256(&answer["structuredContent"].to_string()))),
        ("mends", json!([{ "pointer": "/text", "what": "to_string" }])),
        ("outcome", json!("ok")),
    ] {
        assert_eq!(on_record[key], value, "{key} of {on_record}");
    }
    assert!(on_record["digest"].as_str().is_some_and(|digest| digest.starts_with("sha256:")), "{on_record}");
    assert!(on_record["memory"].as_u64().is_some_and(|bytes| bytes > 0), "{on_record}");
    assert!(on_record.get("input").is_none(), "nobody asked for it: {on_record}");
}

#[test]
fn a_call_that_fails_is_on_record_too() {
    let setup = Setup::new().warmed();
    let mut host = setup.mcp();
    host.initialize();
    host.call("text_stats", json!({ "txet": [] }));
    assert_eq!(last(&setup)["outcome"], "invalid_input");
    let unknown = "no_such_tool".repeat(100_000);
    host.request("tools/call", json!({ "name": unknown, "arguments": {} }));
    let on_record = last(&setup);
    assert_eq!(on_record["outcome"], "not_found", "{on_record}");
    assert_eq!(on_record["tool"].as_str().map(str::len), Some(128), "what a client sends is cut");
    assert!(on_record.get("pack").is_none() && on_record.get("cut").is_none(), "{on_record}");
}

#[test]
fn a_caller_over_http_is_on_record_by_its_name() {
    let setup = Setup::new().warmed();
    let tokens = setup.root().join("tokens");
    fs::write(&tokens, format!("laptop {}\n", "a".repeat(64))).expect("the directory is ours");
    let host = setup.serve(&["--tokens", &tokens.display().to_string()]);
    let authorization = format!("Bearer {}", "a".repeat(64));
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "raw", "version": "2" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let params = json!({ "name": "text_stats", "arguments": { "text": "a" }, "_meta": meta });
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    let head = [
        ("authorization", authorization.as_str()),
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "text_stats"),
    ];
    let answer = post(host.address, &head, &message);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let on_record = last(&setup);
    for (key, value) in [
        ("caller", json!("token:laptop")),
        ("address", json!("127.0.0.1")),
        ("door", json!("http")),
        ("protocol", json!("2026-07-28")),
        ("client", json!({ "name": "raw", "version": "2" })),
        ("outcome", json!("ok")),
    ] {
        assert_eq!(on_record[key], value, "{key} of {on_record}");
    }
}

#[test]
fn where_a_caller_is_only_a_trusted_proxy_says() {
    let setup = Setup::new().warmed();
    let tokens = setup.root().join("tokens");
    fs::write(&tokens, format!("laptop {}\n", "a".repeat(64))).expect("the directory is ours");
    let tokens = tokens.display().to_string();
    let authorization = format!("Bearer {}", "a".repeat(64));
    let input = json!({ "input": { "text": "a" } }).to_string();
    // What the client sent itself stands before what the proxy has added.
    let forwarded = "10.0.0.9, 203.0.113.9";
    let head = [
        ("authorization", authorization.as_str()),
        ("content-type", "application/json"),
        ("x-forwarded-for", forwarded),
    ];
    for (trusted, expected) in [("127.0.0.0/8", "203.0.113.9"), ("192.0.2.0/24", "127.0.0.1")] {
        let host = setup.serve(&["--tokens", &tokens, "--trusted-proxy", trusted]);
        let path = "/v1/packs/text.stats/calls";
        let answer = http::send(host.address, &head, "POST", path, input.as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(last(&setup)["address"], expected, "{trusted}");
    }
    let refused = setup.run(["serve", "--trusted-proxy", "127.0.0.0/8"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    let said = &refused.stderr;
    assert!(said.contains("as the local user") && said.contains("packhost tokens create"), "{said}");
}

#[test]
fn what_was_contacted_and_what_was_denied_are_on_record_with_the_rules() {
    let web = Web::with(|_| response(200, &[("content-type", "text/plain")], b"hello"));
    let rule =
        format!("{{ url: '{}', methods: [GET], paths: [/open], addresses: ['127.0.0.1/32'] }}", web.origin());
    let setup =
        Setup::new().policy(&format!("version: 1\npacks:\n  http.fetch:\n    http: [{rule}]\n")).warmed();
    let mut host = setup.mcp();
    host.initialize();
    let port = web.address.port();
    host.call("http_fetch", json!({ "url": format!("{}/open", web.origin()) }));
    let allowed = last(&setup);
    let contact = &allowed["contacts"][0];
    assert_eq!((&contact["host"], &contact["port"]), (&json!("127.0.0.1"), &json!(port)), "{allowed}");
    assert_eq!(
        (&contact["decision"], &contact["address"]),
        (&json!("allowed"), &json!("127.0.0.1")),
        "{allowed}"
    );
    assert_eq!(
        allowed["grants"],
        json!([format!("http ({}:4)", setup.policy_file().display())]),
        "{allowed}"
    );
    host.call("http_fetch", json!({ "url": format!("{}/closed?x=y", web.origin()) }));
    let denied = last(&setup);
    assert_eq!(denied["contacts"][0]["decision"], "denied_by_rule", "{denied}");
    let asked =
        json!([{ "method": "GET", "scheme": "http", "host": "127.0.0.1", "port": port, "path": "/closed" }]);
    assert_eq!((&denied["denied"], &denied["outcome"]), (&asked, &json!("egress_denied")), "{denied}");
    assert!(denied.get("grants").is_none(), "no rule was used: {denied}");
}

#[test]
fn a_host_that_serves_is_on_record_from_its_start_to_its_end_in_good_order() {
    let setup = Setup::new().policy("version: 1\npacks:\n  text.stats: {}\n").warmed();
    let newest = || record::of_kind(&setup.state(), "act").pop().expect("an act is on record");
    let is = |act: &Value, verb: &str, place: &str, outcome: &str| {
        let said = ["verb", "subject", "outcome"].map(|key| act[key].as_str().unwrap_or_default());
        assert_eq!(said, [verb, place, outcome], "{act}");
        assert!(act["details"]["version"].is_string(), "{act}");
        assert_eq!(act["details"]["revision"].as_str().map(str::len), Some(12), "{act}");
    };
    let served = setup.serve(&[]);
    let url = served.url.clone();
    is(&newest(), "host.serve", &url, "begun");
    let (code, log) = served.terminate();
    assert_eq!(code, 0, "{log}");
    is(&newest(), "host.serve", &url, "done");
    let served = setup.serve(&[]);
    let url = served.url.clone();
    let (code, log) = served.interrupt();
    assert_eq!(code, 0, "{log}");
    is(&newest(), "host.serve", &url, "done");
    // The end of stdin is the end of it.
    let mcp = setup.run(["mcp"]);
    assert_eq!(mcp.code, 0, "{mcp:?}");
    is(&newest(), "host.mcp", "stdio", "done");
    let killed = setup.serve(&[]);
    let url = killed.url.clone();
    killed.log();
    is(&newest(), "host.serve", &url, "begun");
    for format in ["--ocsf", "--otlp"] {
        let exported = setup.run(["audit", "export", format]);
        let of_host = exported.stdout.lines().filter(|line| line.contains("\"host.serve\"")).count();
        assert_eq!(of_host, 5, "{exported:?}");
    }
    let host = newest()["actor"].clone();
    assert_eq!(setup.run(["tokens", "create", "laptop"]).code, 0);
    assert_eq!(newest()["actor"], host, "behind its walls a host has the name that its user has before them");
}

#[test]
fn an_input_is_on_record_where_the_operator_wants_it() {
    let setup = Setup::new().policy("version: 1\npacks:\n  text.stats: { record_input: true }\n").warmed();
    let mut host = setup.mcp();
    host.initialize();
    host.call("text_stats", json!({ "text": "kept" }));
    assert_eq!(last(&setup)["input"], json!({ "text": "kept" }));
}

/// A host whose record is on a disk of this many KiB, in a mount namespace of its own.
fn on_a_small_disk(setup: &Setup, kib: u32) -> Rpc {
    let audit = setup.state().join("audit");
    fs::create_dir_all(&audit).expect("the state directory is ours");
    let host = setup.command(["mcp"]);
    let mount = format!("mount -t tmpfs -o mode=0700,size={kib}k none {} && exec \"$@\"", shown(&audit));
    let mut command = std::process::Command::new("unshare");
    command.args(["--mount", "sh", "-c", &mount, "sh"]).arg(host.get_program()).args(host.get_args());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Rpc::new(command.spawn().expect("unshare of util-linux"))
}

fn shown(path: &Path) -> String {
    format!("'{}'", path.display())
}

/// Calls until there is no answer any more; how many there were.
fn until_the_disk_is_full(host: &mut Rpc) -> u32 {
    for calls in 0..1000 {
        let answer = host.call("text_stats", json!({ "text": "a" }));
        if answer["isError"] == true {
            assert_eq!(code(&answer), "internal", "{answer}");
            let said = answer["content"][0]["text"].as_str().unwrap_or_default();
            assert!(
                said.contains("cannot be put on record") && said.contains("Tell the operator"),
                "{answer}"
            );
            assert!(
                answer.get("structuredContent").is_none_or(|data| data.get("words").is_none()),
                "{answer}"
            );
            return calls;
        }
    }
    panic!("the disk is never full")
}

#[test]
fn a_call_that_cannot_be_recorded_has_no_answer() {
    let setup = Setup::new().warmed();
    let mut host = on_a_small_disk(&setup, 128);
    host.initialize();
    assert!(until_the_disk_is_full(&mut host) > 10, "some fit");
}

#[test]
fn what_a_call_has_made_that_cannot_be_recorded_is_not_there() {
    let policy = "version: 1\npacks:\n  text.stats: {}\n  maker: { artifacts: true }\n";
    let setup = Setup::new().policy(policy).packs(guests::maker()).warmed();
    let mut host = on_a_small_disk(&setup, 128);
    host.initialize();
    let made = host.call("maker", json!({ "name": "before", "size": 5 }));
    assert_eq!(made["isError"], false, "{made}");
    let there = || setup.run(["--json", "artifacts", "ls"]).json()["artifacts"].clone();
    let before = there();
    assert_eq!(before.as_array().map(Vec::len), Some(2), "it and what is signed for it: {before}");
    until_the_disk_is_full(&mut host);
    let made = host.call("maker", json!({ "name": "after", "size": 5 }));
    assert_eq!((made["isError"].as_bool(), code(&made)), (Some(true), "internal"), "{made}");
    assert_eq!(there(), before);
}

#[test]
fn a_credential_whose_use_cannot_be_recorded_does_not_leave() {
    let web = Web::with(|_| response(200, &[("content-type", "text/plain")], b"hello"));
    let rule = format!(
        "{{ url: '{}', methods: [GET], addresses: ['127.0.0.1/32'], credentials: [TOKEN] }}",
        web.origin()
    );
    let policy = format!("version: 1\npacks:\n  text.stats: {{}}\n  http.fetch:\n    http: [{rule}]\n");
    let setup = Setup::new().policy(&policy).warmed();
    kept(&setup, web.address.port());
    for begun in ["audit", "keys"] {
        fs::remove_dir_all(setup.state().join(begun)).expect("the credential is on record");
    }
    let mut host = on_a_small_disk(&setup, 128);
    host.initialize();
    let with = json!({ "url": web.origin(), "headers": { "authorization": "Bearer ${vault:TOKEN}" } });
    let answer = host.call("http_fetch", with.clone());
    assert_eq!((answer["isError"].as_bool(), web.asked().len()), (Some(false), 1), "{answer}");
    until_the_disk_is_full(&mut host);
    // A use takes less room than a call: a few may still fit, and their calls have no answer.
    let stays = (0..100).any(|_| {
        let left = web.asked().len();
        let answer = host.call("http_fetch", with.clone());
        assert_eq!(answer["isError"], true, "{answer}");
        web.asked().len() == left
    });
    assert!(stays, "it leaves without being on record");
}

/// Keeps a credential for one port of loopback.
fn kept(setup: &Setup, port: u16) {
    use std::io::Write;
    let binding = json!({
        "hosts": ["127.0.0.1"], "ports": [port], "plain": true, "packs": ["http.fetch"],
        "places": [{ "header": { "name": "authorization", "scheme": "Bearer" } }],
    });
    let mut command = setup.command(["vault", "set", "TOKEN", "--bind", &binding.to_string()]);
    let mut child = command.stdin(Stdio::piped()).spawn().expect("the binary starts");
    child.stdin.take().expect("it is piped").write_all(b"a value of some length").expect("it reads");
    assert!(child.wait().expect("it ends").success());
}

#[test]
fn the_use_of_a_credential_is_on_record_when_it_arrives() {
    let setup = Setup::new();
    let state = setup.state();
    let web = Web::with(move |_| {
        let uses = record::of_kind(&state, "credential");
        response(200, &[("content-type", "application/json")], json!(uses).to_string().as_bytes())
    });
    let rule = format!(
        "{{ url: '{}', methods: [GET], addresses: ['127.0.0.1/32'], credentials: [TOKEN] }}",
        web.origin()
    );
    let setup = setup.policy(&format!("version: 1\npacks:\n  http.fetch:\n    http: [{rule}]\n")).warmed();
    kept(&setup, web.address.port());
    let mut host = setup.mcp();
    host.initialize();
    let with = json!({ "url": web.origin(), "headers": { "authorization": "Bearer ${vault:TOKEN}" } });
    let answer = host.call("http_fetch", with);
    let body = answer["structuredContent"]["body"].as_str().expect("a body");
    let uses: Value = serde_json::from_str(body).expect("what the server saw");
    let seen = json!([{
        "run": answer["_meta"]["packhost/run"], "pack": "http.fetch", "caller": "local", "credential": "TOKEN", "version": 1,
        "host": "127.0.0.1", "port": web.address.port(), "method": "GET", "place": "header authorization after Bearer",
    }]);
    assert_eq!(uses, seen, "{answer}");
    assert_eq!(last(&setup)["credentials"], json!([{ "name": "TOKEN", "host": "127.0.0.1" }]));
}

#[test]
fn a_caller_for_whom_the_entry_is_narrowed_has_less_than_the_others() {
    let web = Web::with(|_| response(200, &[("content-type", "text/plain")], b"hello"));
    let rule = format!(
        "{{ url: '{}', methods: [GET], addresses: ['127.0.0.1/32'], credentials: [TOKEN] }}",
        web.origin()
    );
    let policy = format!(
        "version: 1\npacks:\n  http.fetch:\n    http: [{rule}]\n    narrow:\n      \
         - {{ callers: ['group:guests'], credentials: [] }}\n      - {{ callers: ['token:ci'], limits: {{ requests: 0 }} }}\n"
    );
    let setup = Setup::new().policy(&policy).warmed();
    kept(&setup, web.address.port());
    let tokens = [("ada", &[][..]), ("guest", &["--group", "guests"]), ("ci", &[])].map(|(name, options)| {
        let made = setup.run(["--json", "tokens", "create", name].iter().chain(options));
        made.json()["token"].as_str().expect("the token").to_owned()
    });
    let host = setup.serve(&[]);
    let input = json!({ "input": {
        "url": web.origin(), "headers": { "authorization": "Bearer ${vault:TOKEN}" },
    }});
    let called = tokens.map(|token| {
        let authorization = format!("Bearer {token}");
        let head = [("authorization", authorization.as_str()), ("content-type", "application/json")];
        let path = "/v1/packs/http.fetch/calls";
        let answer = http::send(host.address, &head, "POST", path, input.to_string().as_bytes());
        (answer.status, answer.message()["code"].as_str().unwrap_or_default().to_owned(), last(&setup))
    });
    let [(ada, ..), (guest, refused, of_guest), (ci, spent, of_ci)] = called;
    assert_eq!(ada, 200);
    assert_eq!((guest, refused.as_str()), (403, "credential_denied"), "{of_guest}");
    assert_eq!((ci, spent.as_str()), (507, "resource_exhausted"), "{of_ci}");
    assert_eq!(web.asked().len(), 1, "nothing of the others has left");
    let explained = setup.run(["policy", "explain", "http.fetch"]).stdout;
    assert!(explained.contains("use no credentials, when called by group:guests"), "{explained}");
}
