//! What the HTTP door lets in: names and origins, tokens, sizes, and messages that are none.

use packhost_tests::host::{Served, Setup};
use packhost_tests::http::{self, Response};
use serde_json::{Value, json};

use crate::wire::{self, call};

const SECRET: &str = "secret-of-the-pipeline-1f9b";
const UNKNOWN: &str = "secret-of-somebody-else-77aa";

fn counting() -> Value {
    call("text_stats", &json!({ "text": "a" }))
}

fn serving(setup: &Setup) -> Served {
    setup.serve(&[])
}

#[test]
fn only_known_hosts_and_origins_are_served() {
    let setup = Setup::new().warmed();
    let served = setup.serve(&["--allow-host", "packs.example", "--allow-origin", "https://app.example"]);
    for (header, value, status) in [
        ("host", "localhost:9", 200),
        ("host", "[::1]", 200),
        ("host", "packs.example", 200),
        ("host", "evil.example", 403),
        ("host", "localhost.evil.example", 403),
        ("host", "packs.example.evil.example", 403),
        ("origin", "http://localhost:6274", 200),
        ("origin", "https://app.example", 200),
        ("origin", "http://app.example", 403),
        ("origin", "https://evil.example", 403),
        ("origin", "null", 403),
    ] {
        let answered = wire::send(served.address, &[(header, value)], &counting());
        assert_eq!(answered.status, status, "{header}: {value}: {}", answered.text());
    }
}

#[test]
fn a_body_of_more_than_four_mebibytes_is_too_large() {
    let setup = Setup::new().warmed();
    let served = serving(&setup);
    let message = counting();
    let head = wire::headers(&message);
    let large = vec![b' '; (4 << 20) + 1];
    assert_eq!(http::send(served.address, &head, "POST", "/mcp", &large).status, 413);
    let fits = wire::send(served.address, &[], &call("text_stats", &json!({ "text": " ".repeat(2 << 20) })));
    assert_eq!(fits.status, 200);
    assert_eq!(fits.message()["result"]["structuredContent"]["bytes"], 2 << 20);
}

#[test]
fn a_body_that_is_no_message_is_told_so() {
    let setup = Setup::new().warmed();
    let served = serving(&setup);
    let message = counting();
    let head = wire::headers(&message);
    let bodies: [(&[u8], i32); 9] = [
        (b"", -32700),
        (b"{", -32700),
        (b"nonsense", -32700),
        (b"{\"jsonrpc\": \"2.0\", \"id\": 1,}", -32700),
        (b"\xff\xfe\x00", -32700),
        (b"{\"jsonrpc\": \"2.0\", \"method\": \"\xff\"}", -32600),
        (b"[]", -32600),
        (b"7", -32600),
        (b"{\"jsonrpc\": \"1.0\", \"id\": 1, \"method\": \"ping\"}", -32600),
    ];
    for (body, code) in bodies {
        let refused = http::send(served.address, &head, "POST", "/mcp", body);
        let shown = String::from_utf8_lossy(body);
        assert_eq!(refused.status, 400, "{shown}: {}", refused.text());
        let message = refused.message();
        assert_eq!(
            (&message["jsonrpc"], &message["error"]["code"]),
            (&json!("2.0"), &json!(code)),
            "{shown}"
        );
    }
    assert_eq!(wire::send(served.address, &[], &counting()).status, 200, "it still serves");
}

#[test]
fn headers_that_say_something_else_than_the_message_are_refused() {
    let setup = Setup::new().warmed();
    let served = serving(&setup);
    let message = counting();
    let with = |name: &str, value: Option<&str>| -> Response {
        let mut head = wire::headers(&message);
        head.retain(|(known, _)| *known != name);
        head.extend(value.map(|value| (name, value)));
        http::send(served.address, &head, "POST", "/mcp", message.to_string().as_bytes())
    };
    for (name, value) in [
        ("mcp-method", Some("tools/list")),
        ("mcp-method", None),
        ("mcp-name", Some("json_query")),
        ("mcp-name", None),
        ("mcp-protocol-version", Some("2025-11-25")),
        ("mcp-protocol-version", None),
    ] {
        let refused = with(name, value);
        assert_eq!(refused.status, 400, "{name}: {value:?}: {}", refused.text());
        assert_eq!(refused.message()["error"]["code"], -32020, "{name}: {value:?}");
    }
    assert_eq!(with("mcp-name", Some("text_stats")).status, 200);
}

#[test]
fn with_tokens_only_their_holders_are_answered() {
    let setup = Setup::new().warmed();
    let file = setup.root().join("tokens");
    std::fs::write(&file, format!("# who token\nci {SECRET}\n")).expect("the directory is the test's");
    let log = "warn,packhost=trace,rmcp=trace,hyper=trace,axum=trace,tower=trace";
    let setup = setup.args(["--log", log]);
    let served = setup.serve(&["--tokens", &file.display().to_string()]);
    let (bearer, unknown_token) = (format!("Bearer {SECRET}"), format!("Bearer {UNKNOWN}"));
    let asked = |head: &[(&str, &str)]| wire::send(served.address, head, &counting());
    let (known, unknown) =
        (asked(&[("authorization", &*bearer)]), asked(&[("authorization", &*unknown_token)]));
    assert_eq!(known.status, 200, "{}", known.text());
    assert_eq!(known.message()["result"]["isError"], false);
    assert_eq!(unknown.status, 401);
    let challenge = unknown.header("www-authenticate").expect("a challenge");
    assert!(challenge.starts_with("Bearer ") && challenge.contains("invalid_token"), "{challenge}");
    for head in [&[][..], &[("authorization", "Basic Y2k6Y2k=")], &[("authorization", SECRET)]] {
        let stranger = asked(head);
        assert_eq!(stranger.status, 401, "{head:?}");
        assert!(
            stranger.header("www-authenticate").is_some_and(|said| said.starts_with("Bearer ")),
            "{head:?}"
        );
    }
    assert_eq!(http::send(served.address, &[], "GET", "/healthz", b"").status, 200, "no token for this");
    let (code, log) = served.terminate();
    assert_eq!(code, 0, "{log}");
    assert!(log.contains("token:ci"), "the record names the caller: {log}");
    assert!(!log.contains(SECRET) && !log.contains(UNKNOWN), "a token is in the log");
}

#[test]
fn the_file_of_tokens_is_granted_to_no_pack() {
    let setup = Setup::new();
    let place = setup.root().join("shared");
    std::fs::create_dir(&place).expect("the directory is the test's");
    let file = place.join("tokens");
    std::fs::write(&file, format!("ci {SECRET}\n")).expect("the directory is the test's");
    let rule = format!("{{ host: {}, guest: /shared }}", place.display());
    let setup = setup.policy(&format!("version: 1\npacks: {{ fs.read: {{ fs: [{rule}] }} }}"));
    assert_eq!(setup.run(["packs", "list"]).code, 0, "without tokens the directory may be granted");
    let refused = setup.run(["serve", "--listen", "127.0.0.1:0", "--tokens", &file.display().to_string()]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("policy.yaml:2"), "{}", refused.stderr);
}

#[test]
fn without_a_token_it_listens_on_loopback_only() {
    let setup = Setup::new();
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let refused = setup.run(["serve", "--listen", address]);
        assert_eq!(refused.code, 1, "{refused:?}");
        for help in ["--tokens", "openssl rand -hex 32", "127.0.0.1"] {
            assert!(refused.stderr.contains(help), "{help} is not in {}", refused.stderr);
        }
        let refused = setup.run(["--json", "serve", "--listen", address]);
        assert_eq!((refused.code, &refused.json()["error"]["code"]), (1, &json!("command_failed")));
    }
}

#[test]
fn there_is_one_path_for_the_protocol_and_one_for_health() {
    let setup = Setup::new().warmed();
    let served = serving(&setup);
    let get = |path: &str| http::send(served.address, &[], "GET", path, b"");
    let health = get("/healthz");
    assert_eq!((health.status, health.text().as_str()), (200, "ok\n"));
    for path in ["/", "/mcp/", "/mcp/tools", "/metrics/x", "/../mcp", "/healthz/x"] {
        assert_eq!(get(path).status, 404, "{path}");
    }
    let message = counting();
    let elsewhere =
        http::send(served.address, &wire::headers(&message), "POST", "/", message.to_string().as_bytes());
    assert_eq!(elsewhere.status, 404);
}
