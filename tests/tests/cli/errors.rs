//! The closed set of errors: every code, what it maps to, and how it is raised from outside. A failure is the same over
//! MCP and on the command line.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use packhost_core::ErrorCode::{self, *};
use packhost_tests::guests;
use packhost_tests::host::Setup;
use packhost_tests::rpc::code;
use packhost_tests::web::{Web, response};
use serde_json::{Value, json};

/// A code, its exit code, its HTTP status, whether a retry can help, and what raises it.
struct Row(ErrorCode, u8, u16, bool, Raised);

enum Raised {
    /// A call that ends with it, at both doors.
    Call(fn() -> Scene),
    /// A call that ends with it on the command line. A host that serves finds out before, and lists no such tool.
    CallOfOne(fn() -> Scene),
    /// What happens to a call from outside: Ctrl-C (`interrupt`), and the end of a host that serves.
    Outside,
    /// Nothing yet: what would raise it comes with credentials, sessions and artifacts. Nor can a host be broken from
    /// outside, where that is not a bug.
    Nothing,
}

struct Scene {
    setup: Setup,
    pack: &'static str,
    input: Value,
}

const TABLE: [Row; 17] = [
    Row(InvalidInput, 10, 400, false, Raised::Call(|| shipped("text.stats", json!({})))),
    Row(InvalidOutput, 11, 502, false, Raised::Call(|| misbehaving("", json!({ "do": "answer_other" })))),
    Row(SchemaMismatch, 12, 500, false, Raised::CallOfOne(unknown_import)),
    Row(NotFound, 13, 404, false, Raised::Call(|| shipped("fs.read", json!({ "path": "nothing.txt" })))),
    Row(CapabilityDenied, 14, 403, false, Raised::Call(|| shipped("fs.read", json!({ "path": "../a" })))),
    Row(EgressDenied, 15, 403, false, Raised::Call(|| shipped("http.fetch", json!({ "url": METADATA })))),
    Row(CredentialDenied, 16, 403, false, Raised::Nothing),
    Row(CredentialInvalid, 17, 502, false, Raised::Nothing),
    Row(AuthFailed, 18, 401, false, Raised::Call(|| scraping(401))),
    // A full queue raises it too: the suite `protocol` fills one.
    Row(RateLimited, 19, 429, true, Raised::Call(|| scraping(429))),
    Row(SessionUnavailable, 20, 503, true, Raised::Call(without_docker)),
    Row(ResourceExhausted, 21, 507, false, Raised::Call(too_much)),
    Row(Timeout, 22, 504, true, Raised::Call(|| misbehaving("time: 300ms", json!({ "do": "spin" })))),
    Row(Cancelled, 23, 499, true, Raised::Outside),
    Row(ArtifactFailed, 24, 500, true, Raised::Nothing),
    Row(HandlerFailed, 25, 422, false, Raised::Call(failing)),
    Row(Internal, 26, 500, true, Raised::Nothing),
];

/// How long a test waits for a compilation.
const PATIENCE: Duration = Duration::from_secs(60);

const METADATA: &str = "http://169.254.169.254/latest/meta-data";

fn shipped(pack: &'static str, input: Value) -> Scene {
    Scene { setup: Setup::new().warmed(), pack, input }
}

/// A sandbox that only an engine could make, where there is none.
fn without_docker() -> Scene {
    let policy = "version: 1\npacks:\n  cmd.run:\n    session: { on: [docker], image: packhost/python }\n    workspace: true\n";
    let setup = Setup::new().policy(policy).env("DOCKER_HOST", "unix:///nonexistent");
    Scene { setup, pack: "cmd.run", input: json!({ "command": "true" }) }
}

fn policy(limits: &str) -> String {
    format!("version: 1\npacks: {{ misbehave: {{ limits: {{ {limits} }} }} }}\n")
}

fn misbehaving(limits: &str, input: Value) -> Scene {
    let setup = Setup::new().policy(&policy(limits)).packs(guests::misbehave());
    Scene { setup, pack: "misbehave", input }
}

fn too_much() -> Scene {
    misbehaving("output: 4KiB", json!({ "do": "answer", "amount": 5000 }))
}

fn failing() -> Scene {
    misbehaving("", json!({ "do": "fail", "amount": 9 }))
}

/// A server that answers with this status, once for each door and form.
fn scraping(status: u16) -> Scene {
    let web = Web::answering(vec![response(status, &[("content-type", "text/html")], b"no"); 3]);
    let rule = "{ url: \"${input.url}\", methods: [GET], addresses: [\"127.0.0.1/32\"] }";
    let policy =
        format!("version: 1\npacks: {{ web.scrape: {{ http: [{rule}], limits: {{ memory: 128MiB }} }} }}\n");
    let setup = Setup::new().policy(&policy).warmed();
    Scene { setup, pack: "web.scrape", input: json!({ "url": format!("{}/page", web.origin()) }) }
}

/// A pack that imports an interface that the host has, and from it a function that it has not.
fn unknown_import() -> Scene {
    let setup = Setup::new().policy(&policy(""));
    let (known, unknown) = (b"get-random-bytes", b"get-random-bytez");
    let mut bytes = std::fs::read(guests::misbehave()).expect("the build wrote it");
    let places: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(known)).collect();
    assert!(!places.is_empty(), "the guest asks for random bytes");
    for at in places {
        bytes[at..at + known.len()].copy_from_slice(unknown);
    }
    let file: PathBuf = setup.root().join("misbehave.wasm");
    std::fs::write(&file, bytes).expect("the directory is the test's");
    Scene { setup: setup.packs(&file), pack: "misbehave", input: json!({ "do": "echo" }) }
}

/// The call on the command line, for a program and for a person: the error as data.
fn on_the_command_line(scene: &Scene, Row(code, exit, ..): &Row) -> Value {
    let input = scene.input.to_string();
    let ran = scene.setup.run(["--json", "call", scene.pack, &input]);
    let error = ran.json()["error"].clone();
    assert_eq!((ran.code, &error["code"]), (i32::from(*exit), &json!(code.as_str())), "{ran:?}");
    let ran = scene.setup.run(["call", scene.pack, &input]);
    assert_eq!((ran.code, ran.stdout.as_str()), (i32::from(*exit), ""), "{code}: {ran:?}");
    let said = format!("{code}: {}", error["message"].as_str().expect("a message"));
    assert!(ran.stderr.contains(&said), "{said} is not in {}", ran.stderr);
    error
}

#[test]
fn the_table_has_every_code() {
    let codes: Vec<ErrorCode> = TABLE.iter().map(|row| row.0).collect();
    assert_eq!(codes, ErrorCode::ALL);
    for Row(code, exit, status, retry, _) in TABLE {
        assert_eq!((code.exit(), code.http_status(), code.retry_can_help()), (exit, status, retry), "{code}");
    }
}

#[test]
fn a_failure_is_the_same_at_both_doors() {
    for row in &TABLE {
        let (name, Raised::Call(scene)) = (row.0, &row.4) else { continue };
        let scene = scene();
        let over_mcp = {
            let mut host = scene.setup.mcp();
            host.initialize();
            host.call(&scene.pack.replace('.', "_"), scene.input.clone())
        };
        assert_eq!(code(&over_mcp), name.as_str());
        let error = &over_mcp["_meta"]["packhost/error"];
        assert_eq!(error["retry"], row.3, "{error}");
        let text = over_mcp["content"][0]["text"].as_str().expect("text for the model");
        let said = format!("{name}: {}", error["message"].as_str().expect("a message"));
        assert!(text.starts_with(&said), "{text}");
        assert_eq!(on_the_command_line(&scene, row), *error, "{name}");
    }
}

#[test]
fn a_pack_that_cannot_be_loaded_is_an_error_of_one_call_and_no_tool_of_a_host() {
    for row in &TABLE {
        let Raised::CallOfOne(scene) = &row.4 else { continue };
        let scene = scene();
        on_the_command_line(&scene, row);
        let mut host = scene.setup.mcp();
        host.initialize();
        // It is listed until it was loaded, which takes as long as a compilation.
        let since = Instant::now();
        while host.request("tools/list", json!({}))["result"]["tools"] != json!([]) {
            assert!(since.elapsed() < PATIENCE, "it is still listed");
        }
    }
}
