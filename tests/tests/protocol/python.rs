//! The Python client (PyPI `mcp`) against the host: `client.py` makes the calls, and what it prints is looked at here.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use packhost_tests::host::Ran;
use serde_json::{Value, json};

use crate::wire::{STATELESS, misbehaving};

/// The interpreter that has the client: the one of `cargo xtask tools`, unless another one is named.
fn python() -> PathBuf {
    let own = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/venv/bin/python");
    let python = std::env::var_os("PACKHOST_TEST_PYTHON").map_or_else(own, PathBuf::from);
    assert!(
        python.is_file(),
        "{} is not there: run `cargo xtask tools`, or name an interpreter that has the package `mcp` in \
         PACKHOST_TEST_PYTHON",
        python.display()
    );
    python
}

fn client(mode: &str, server: impl IntoIterator<Item = OsString>) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/protocol/client.py");
    let mut command = Command::new(python());
    command.arg(script).arg(mode).args(server);
    command.env("NO_PROXY", "127.0.0.1").env("PYTHONDONTWRITEBYTECODE", "1");
    let ran = Ran::from(command.output().expect("Python starts"));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran.json()
}

fn over_http(mode: &str) -> Value {
    let setup = misbehaving("time: 30s");
    let served = setup.serve(&[]);
    client(mode, [OsString::from(&served.url)])
}

fn over_stdio(mode: &str) -> Value {
    let setup = misbehaving("time: 30s");
    let host = setup.command(["mcp"]);
    let words = std::iter::once(host.get_program()).chain(host.get_args());
    client(mode, words.map(OsString::from).collect::<Vec<_>>())
}

fn it_got_along(said: &Value, version: &str) {
    assert_eq!((&said["version"], &said["server"]), (&json!(version), &json!("packhost")));
    let tools = said["tools"].as_array().expect("tools");
    let names: Vec<&str> = tools.iter().filter_map(|tool| tool["name"].as_str()).collect();
    assert_eq!(names, ["misbehave", "text_stats"]);
    for schema in ["inputSchema", "outputSchema"] {
        assert!(tools.iter().all(|tool| tool[schema]["type"] == "object"), "{schema}: {tools:?}");
    }

    let answer = &said["answer"];
    assert_eq!(answer["structuredContent"]["words"], 3, "{answer}");
    let text = answer["content"][0]["text"].as_str().expect("text beside the data");
    assert_eq!(serde_json::from_str::<Value>(text).expect("JSON"), answer["structuredContent"]);
    assert_eq!(answer["_meta"]["packhost/mends"], json!([]));

    let refusal = &said["refusal"];
    assert_eq!(refusal["isError"], true, "{refusal}");
    assert_eq!(refusal["_meta"]["packhost/error"]["code"], "invalid_input", "{refusal}");
    assert_eq!(said["unknown"]["code"], -32602, "{}", said["unknown"]);

    assert_eq!(said["worked"]["structuredContent"]["saw"], json!(["3 reports"]));
    let progress = json!([[1.0, 3.0, "working"], [2.0, 3.0, "working"], [3.0, 3.0, "working"]]);
    assert_eq!(said["progress"], progress);
}

#[test]
fn over_http_it_finds_the_newest_version() {
    it_got_along(&over_http("auto"), STATELESS);
}

#[test]
fn over_http_it_may_be_older() {
    it_got_along(&over_http("legacy"), "2025-11-25");
}

#[test]
fn over_stdio_it_finds_the_newest_version() {
    it_got_along(&over_stdio("auto"), STATELESS);
}

#[test]
fn over_stdio_it_may_be_older() {
    it_got_along(&over_stdio("legacy"), "2025-11-25");
}
