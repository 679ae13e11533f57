//! Packs that run programs, through the built binary: on this machine as it is, with its own python3 and no daemon; and in
//! containers of a Docker Engine, from an image that is built here.

mod api;
mod artifacts;
mod commands;
mod console;
mod docker;
mod life;
mod programs;
mod traffic;
mod warm;
mod workspaces;

use packhost_tests::host::Setup;
use packhost_tests::rpc::Rpc;
use serde_json::{Value, json};

/// A host with the manifest that ships.
fn host() -> Setup {
    Setup::new().warmed()
}

/// A client of it on stdio, after the handshake.
fn connect(setup: &Setup) -> Rpc {
    let mut rpc = setup.mcp();
    rpc.initialize();
    rpc
}

/// Runs a shell command in the sandbox of `cmd.run`, and gives what came of it.
fn shell(rpc: &mut Rpc, command: &str) -> Value {
    answer(rpc.call("cmd_run", json!({ "command": command })))
}

/// What is said of the sandbox of a call.
fn meta(result: &Value) -> &Value {
    &result["_meta"]["packhost/session"]
}

/// The data of an answer.
fn answer(result: Value) -> Value {
    assert_ne!(result["isError"], true, "{result}");
    result["structuredContent"].clone()
}

/// The failure of a result that is one.
fn failure(result: &Value) -> &Value {
    assert_eq!(result["isError"], true, "{result}");
    &result["_meta"]["packhost/error"]
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no text \"{key}\" in {value}"))
}
