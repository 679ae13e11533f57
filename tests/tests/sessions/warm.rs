//! Sandboxes that stand ready before a call needs one.

use packhost_tests::host::Setup;
use serde_json::{Value, json};

use crate::programs::wait_until;
use crate::{answer, connect, text};

const WORKSPACE: &str = "    workspace: true\n";

/// One pack, which counts the files where it works and leaves one more.
fn policy(warm: u32, rest: &str) -> String {
    format!(
        r#"
version: 1
packs:
  room.look:
    command:
      run: [sh, -c, "cat > /dev/null; printf '{{\"files\": %s}}' $(ls -A | wc -l); touch seen"]
      description: Counts files.
      input: {{ type: object, properties: {{ workspace: {{ type: string }} }}, additionalProperties: false }}
    session:
      on: [process]
      files: {{ read_write: [/tmp], read_only: [/usr, /lib, /lib64, /bin] }}
      warm: {warm}
{rest}"#
    )
}

fn setup(warm: u32, rest: &str) -> Setup {
    Setup::new().policy(&policy(warm, rest))
}

fn rows(setup: &Setup) -> Vec<Value> {
    let listed = setup.run(["--json", "sessions", "ls"]).json();
    listed["sessions"].as_array().cloned().unwrap_or_default()
}

/// The sandboxes that are nobody's yet.
fn ready(setup: &Setup) -> Vec<String> {
    let rows = rows(setup).into_iter().filter(|row| row["owner"].is_null() && row["state"] == "running");
    rows.map(|row| text(&row, "id").to_owned()).collect()
}

/// Waits until so many stand ready, and none of those that stood ready before.
fn until_ready(setup: &Setup, many: usize, before: &[String]) -> Vec<String> {
    let all = || ready(setup);
    let fresh = || all().iter().filter(|id| !before.contains(id)).count() == many && all().len() == many;
    wait_until("sandboxes stand ready", &fresh);
    all()
}

fn meta(result: &Value) -> &Value {
    &result["_meta"]["packhost/session"]
}

#[test]
fn a_call_without_a_workspace_gets_what_stood_ready_and_another_takes_its_place() {
    let setup = setup(1, WORKSPACE);
    let mut rpc = connect(&setup);
    let first_ready = until_ready(&setup, 1, &[]);
    let shown = setup.run(["sessions", "ls"]).stdout;
    assert!(shown.contains(" ready ") && shown.contains(" - "), "{shown}");
    let first = rpc.call("room_look", json!({}));
    assert_eq!((meta(&first)["warm"].clone(), meta(&first)["reused"].clone()), (json!(true), json!(false)));
    assert_eq!(meta(&first)["id"], json!(first_ready[0]), "{first}");
    assert_eq!(answer(first.clone())["files"], 0);
    let owned = |row: &Value| row["id"] == json!(first_ready[0]) && row["owner"] == "local";
    assert!(rows(&setup).iter().any(owned), "it is the caller's now");
    // Another one is made, in another workspace.
    let second_ready = until_ready(&setup, 1, &first_ready);
    let second = rpc.call("room_look", json!({}));
    assert_eq!((&meta(&second)["warm"], &meta(&second)["id"]), (&json!(true), &json!(second_ready[0])));
    assert_eq!(answer(second)["files"], 0);
    // And what was given is the caller's like any other.
    let row = rows(&setup).into_iter().find(|row| owned(row)).expect("it is kept");
    let again = rpc.call("room_look", json!({ "workspace": text(&row, "workspace") }));
    assert_eq!((&meta(&again)["reused"], &meta(&again)["warm"]), (&json!(true), &json!(false)));
    assert_eq!(meta(&again)["id"], json!(first_ready[0]));
    assert_eq!(answer(again)["files"], 1);
    let (code, _, log) = rpc.close();
    assert_eq!(code, 0, "{log}");
    assert_eq!(rows(&setup), [] as [Value; 0], "{log}");
    let workspaces = setup.run(["--json", "workspaces", "ls"]).json();
    let left = workspaces["workspaces"].as_array().cloned().unwrap_or_default();
    assert_eq!(left.len(), 2, "the caller's two, and none that was reserved: {workspaces}");
    assert!(left.iter().all(|one| one["owner"] == "local"), "{workspaces}");
}

#[test]
fn a_pack_without_workspaces_finds_one_ready_too() {
    let setup = setup(1, "");
    let mut rpc = connect(&setup);
    let first_ready = until_ready(&setup, 1, &[]);
    let first = rpc.call("room_look", json!({}));
    assert_eq!(
        (&meta(&first)["warm"], &meta(&first)["id"]),
        (&json!(true), &json!(first_ready[0])),
        "{first}"
    );
    until_ready(&setup, 1, &first_ready);
    let second = rpc.call("room_look", json!({}));
    assert_eq!((&meta(&second)["reused"], &meta(&second)["id"]), (&json!(true), &json!(first_ready[0])));
}

#[test]
fn an_edit_of_the_entry_ends_what_stood_ready() {
    let setup = setup(1, WORKSPACE);
    let mut rpc = connect(&setup);
    let before = until_ready(&setup, 1, &[]);
    let write = |text: &str| std::fs::write(setup.policy_file(), text).expect("the file is ours");
    write(&policy(2, &format!("{WORKSPACE}    limits: {{ disk: 8MiB }}\n")));
    let after = until_ready(&setup, 2, &before);
    assert_eq!(meta(&rpc.call("room_look", json!({})))["warm"], true);
    // The limits stay; there is to be one less.
    write(&policy(1, &format!("{WORKSPACE}    limits: {{ disk: 8MiB }}\n")));
    wait_until("one stands ready", &|| ready(&setup).len() == 1);
    write(&policy(0, WORKSPACE));
    wait_until("none stands ready", &|| ready(&setup).is_empty());
    let cold = rpc.call("room_look", json!({}));
    assert_eq!(meta(&cold)["warm"], false, "{cold}");
    assert!(!after.contains(&text(meta(&cold), "id").to_owned()));
}

#[test]
fn one_that_died_is_replaced() {
    let setup = setup(1, WORKSPACE);
    let mut rpc = connect(&setup);
    let dead = until_ready(&setup, 1, &[]);
    assert_eq!(setup.run(["sessions", "rm", &dead[0]]).code, 0);
    let made = until_ready(&setup, 1, &dead);
    let called = rpc.call("room_look", json!({}));
    assert_eq!((&meta(&called)["warm"], &meta(&called)["id"]), (&json!(true), &json!(made[0])), "{called}");
}

#[test]
fn a_command_that_makes_one_call_keeps_nothing_ready() {
    let setup = setup(2, WORKSPACE);
    let called = setup.run(["--json", "call", "room.look", "{}"]).json();
    assert_eq!(called["session"]["warm"], false, "{called}");
    assert_eq!(rows(&setup), [] as [Value; 0]);
}
