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
use serde_json::{Value, json};

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

#[test]
fn no_byte_that_the_host_writes_holds_a_secret() {
    let web = Web::with(echo);
    let setup = Setup::new().policy(&manifest(&web.origin())).args(["--log", "trace"]).warmed();
    let ran = set(&setup, "TOKEN", web.address.port());
    assert_eq!(ran.code, 0, "{ran:?}");
    let finder = Redactor::new([("marker", MARKER.as_bytes())]).expect("a value");
    let sent = |asked: &[Asked]| asked.iter().filter(|one| one.header("authorization").is_some()).count();

    let (origin, with) = (web.origin(), json!({ "authorization": "Bearer ${vault:TOKEN}" }));
    let fetch = |path: &str, headers: &Value| json!({ "url": format!("{origin}{path}"), "headers": headers });
    let mut written = format!("{ran:?}").into_bytes();
    for (pack, input, code) in [
        ("http.fetch", fetch("/", &with), 0),
        ("http.fetch", fetch("/fail", &with), 0),
        ("http.fetch", fetch("/?key=${vault:TOKEN}", &json!({})), 0),
        ("http.fetch", fetch("/?key=%24%7Bvault%3ATOKEN%7D", &with), 0),
        ("http.fetch", fetch("/", &json!({ "x-other": "${vault:TOKEN}" })), 16),
        ("http.fetch", fetch("/?other=${vault:TOKEN}", &json!({})), 16),
        ("http.fetch", fetch("/", &json!({ "user-agent": "a ${vault:TOKEN}" })), 16),
        ("http.fetch", fetch("/", &json!({ "authorization": "Bearer ${vault:OTHER}" })), 17),
        ("http.fetch", fetch("/", &json!({ "authorization": "Bearer ${vault:NOT_GRANTED}" })), 16),
        ("web.scrape", json!({ "url": format!("{origin}/?key=${{vault:TOKEN}}") }), 16),
        ("github.list_issues", json!({ "repo": "a/b" }), 25),
        ("github.create_issue", json!({ "repo": "a/fail", "title": "x" }), 25),
        (
            "email.send",
            json!({ "to": "a@example.com", "from": "b@example.com", "subject": "s", "text": "t" }),
            25,
        ),
    ] {
        for json in [true, false] {
            let words = [pack, &input.to_string()];
            let ran = setup
                .run(["--json", "call"].into_iter().filter(|word| json || *word != "--json").chain(words));
            assert_eq!(ran.code, code, "{pack} {input}: {ran:?}");
            written.extend(format!("{ran:?}").into_bytes());
            written.extend_from_slice(ran.stdout.as_bytes());
            written.extend_from_slice(ran.stderr.as_bytes());
        }
    }
    assert!(sent(&web.asked()) >= 10, "the secret was on its way too rarely");
    let control: Vec<u8> = web.asked().iter().flat_map(echo).collect();
    assert!(finder.finds(&control), "the search finds what the server had");

    assert!(!finder.finds(&written), "an answer or the log holds the secret");
    assert!(
        String::from_utf8_lossy(&written).contains("[redacted:TOKEN]"),
        "nothing came back to be taken out"
    );
    let mut kept = Vec::new();
    bytes_below(setup.root(), &mut kept);
    assert!(kept.len() > 100_000 && !finder.finds(&kept), "a file holds the secret");
}

#[test]
fn a_credential_is_denied_by_each_of_those_who_must_agree() {
    let web = Web::with(echo);
    let setup = Setup::new().policy(&manifest(&web.origin())).warmed();
    assert_eq!(set(&setup, "OTHER", web.address.port() ^ 1).code, 0);
    let call = |header: &str| {
        let input = json!({ "url": web.origin(), "headers": { "authorization": header } });
        let ran = setup.run(["--json", "call", "http.fetch", &input.to_string()]);
        let error = ran.json()["error"].clone();
        (
            ran.code,
            format!(
                "{} {}",
                error["message"].as_str().unwrap_or_default(),
                error["fix"].as_str().unwrap_or_default()
            ),
        )
    };
    let (code, said) = call("Bearer ${vault:OTHER}");
    assert_eq!(code, 16, "bound to another port: {said}");
    assert!(
        said.contains("may not be used for this host and port") && said.contains("packhost vault bind OTHER"),
        "{said}"
    );
    let (code, said) = call("Bearer ${vault:TOKEN}");
    assert!(code == 17 && said.contains("packhost vault set TOKEN"), "{code} {said}");
    let (code, said) = call("Bearer ${vault:ELSE}");
    assert!(code == 16 && said.contains("add ELSE to `credentials`"), "{code} {said}");
    assert_eq!(web.asked().len(), 0, "nothing was sent");
}
