//! A secret that goes through the host is found nowhere but at the server that it is for.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use packhost_redact::Redactor;
use packhost_tests::host::{Ran, Setup};
use packhost_tests::web::{Asked, Web, response};
use serde_json::json;

mod agreement;
mod leaks;
mod served;

/// With characters that every encoding treats in its own way.
const MARKER: &str = "marker-7f3a91c2/+&=\"not<a>real%token";

/// Sends back what it was sent, in every way that it knows.
fn echo(asked: &Asked) -> Vec<u8> {
    let secret = asked.header("authorization").unwrap_or("none").to_owned();
    let value = secret.strip_prefix("Bearer ").unwrap_or(&secret);
    let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
    let percent: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let unicode: String = value.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect();
    let html: String = value.chars().map(|c| format!("&#{};", u32::from(c))).collect();
    let body = format!(
        "<p>{} {value} {} {} {} {hex} {percent} {unicode} {html} {}</p>",
        asked.line,
        json!(value),
        STANDARD.encode(&secret),
        STANDARD.encode(format!("x{secret}")),
        STANDARD.encode(format!("xx{secret}")),
    );
    let content = [("content-type", "text/html"), ("x-echo", secret.as_str())];
    match asked.line.contains("/fail") {
        true => response(500, &content, body.as_bytes()),
        false => response(200, &content, body.as_bytes()),
    }
}

fn manifest(origin: &str) -> String {
    let rule = format!(
        "[{{url: '{origin}', methods: [GET, POST], addresses: ['127.0.0.1/32'], credentials: [TOKEN, OTHER]}}]"
    );
    let config = format!("{{api: '{origin}', credential: TOKEN}}");
    format!(
        "version: 1\npacks:\n  http.fetch: {{http: {rule}}}\n  web.scrape: {{http: {rule}}}\n  \
         github.list_issues: {{http: {rule}, config: {config}}}\n  github.create_issue: {{http: {rule}, config: {config}}}\n  \
         email.send: {{http: {rule}, config: {config}}}\n"
    )
}

fn set(setup: &Setup, name: &str, port: u16) -> Ran {
    let binding = json!({
        "hosts": ["127.0.0.1"], "ports": [port], "plain": true, "packs": ["http.fetch", "github.*", "email.send"],
        "places": [{ "header": { "name": "authorization", "scheme": "Bearer" } }, { "query": { "name": "key" } }],
    });
    let mut command = setup.command(["vault", "set", name, "--bind", &binding.to_string()]);
    let mut child = command.stdin(Stdio::piped()).spawn().expect("the binary starts");
    child.stdin.take().expect("it is piped").write_all(MARKER.as_bytes()).expect("it reads");
    Ran::from(child.wait_with_output().expect("it ends"))
}

/// Every byte in the files below a directory.
fn bytes_below(directory: &Path, into: &mut Vec<u8>) {
    for entry in fs::read_dir(directory).expect("it is there").map_while(Result::ok) {
        match entry.path() {
            path if path.is_dir() => bytes_below(&path, into),
            path => into.extend(fs::read(path).unwrap_or_default()),
        }
    }
}

/// Finds the marker in any encoding.
fn finder() -> Redactor {
    Redactor::new([("marker", MARKER.as_bytes())]).expect("a value")
}

/// That the search would find what the server had, and that the server had it so often.
fn control(web: &Web, times: usize) {
    let asked = web.asked();
    let sent = asked.iter().filter(|one| one.header("authorization").is_some()).count();
    assert!(sent >= times, "the secret was on its way {sent} times");
    let control: Vec<u8> = asked.iter().flat_map(echo).collect();
    assert!(finder().finds(&control), "the search finds what the server had");
}

/// That no file of the host's holds the marker.
fn nothing_is_kept(setup: &Setup) {
    let mut kept = Vec::new();
    bytes_below(setup.root(), &mut kept);
    assert!(kept.len() > 100_000 && !finder().finds(&kept), "a file holds the secret");
}
