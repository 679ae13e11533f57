//! How long a sandbox lives, whose it is, and what an operator sees of it.

use packhost_tests::host::wait_until;
use packhost_tests::record;
use serde_json::json;

use crate::{answer, connect, failure, host, meta, text};

#[test]
fn the_next_call_in_the_same_workspace_finds_the_same_sandbox() {
    let setup = host();
    let mut rpc = connect(&setup);
    let first = rpc.call("cmd_run", json!({ "command": "echo left > /tmp/left" }));
    assert_eq!(meta(&first)["reused"], false, "{first}");
    let workspace = text(&first["structuredContent"], "workspace").to_owned();
    let second = rpc.call("cmd_run", json!({ "command": "cat /tmp/left", "workspace": workspace }));
    assert_eq!(meta(&second)["reused"], true, "{second}");
    assert_eq!(meta(&second)["id"], meta(&first)["id"]);
    assert_eq!(text(&answer(second), "stdout"), "left\n");
    let other = rpc.call("cmd_run", json!({ "command": "cat /tmp/left" }));
    assert_eq!(meta(&other)["reused"], false, "another workspace has another sandbox");
}

#[test]
fn an_operator_looks_into_a_sandbox_and_ends_it() {
    let setup = host();
    let mut rpc = connect(&setup);
    let made = rpc.call("cmd_run", json!({ "command": "echo here > /tmp/here" }));
    let id = text(meta(&made), "id").to_owned();
    let listed = setup.run(["--json", "sessions", "ls"]).json();
    let row = &listed["sessions"][0];
    assert_eq!(row["id"], json!(id), "{listed}");
    assert_eq!((row["owner"].as_str(), row["pack"].as_str()), (Some("local"), Some("cmd.run")));
    assert_eq!(row["state"], "running", "{listed}");
    let shown = setup.run(["--json", "sessions", "show", &id]).json();
    assert_eq!(shown["programs"], json!([]), "{shown}");
    let ran = setup.run(["sessions", "exec", &id, "sh", "-c", "cat /tmp/here; exit 7"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (7, "here\n"), "{ran:?}");
    let (reader, writer) = std::io::pipe().expect("pipes can be had");
    drop(reader);
    let unread = setup.command(["sessions", "exec", &id, "yes"]).stdout(writer).output();
    let unread = unread.expect("the binary starts");
    assert_eq!(unread.status.code(), Some(137), "what writes for nobody is killed: {unread:?}");
    assert_eq!(setup.run(["sessions", "logs", &id]).code, 0);
    assert_eq!(setup.run(["sessions", "rm", &id]).code, 0);
    assert_eq!(setup.run(["--json", "sessions", "ls"]).json()["sessions"], json!([]));
    assert_eq!(setup.run(["sessions", "show", &id]).code, 13);
    let workspace = text(&made["structuredContent"], "workspace");
    let again = rpc.call("cmd_run", json!({ "command": "echo works", "workspace": workspace }));
    assert_eq!(text(&answer(again), "stdout"), "works\n");
}

#[test]
fn what_an_operator_does_to_a_sandbox_is_on_record() {
    let setup = host();
    let mut rpc = connect(&setup);
    let made = rpc.call("cmd_run", json!({ "command": "true" }));
    let (id, workspace) = (text(meta(&made), "id"), text(&made["structuredContent"], "workspace"));
    assert_eq!(setup.run(["sessions", "exec", id, "sh", "-c", "exit 7", "an-argument"]).code, 7);
    assert_eq!(setup.run(["sessions", "rm", "--all"]).code, 0);
    assert_eq!(setup.run(["workspaces", "rm", workspace]).code, 0);
    let found = setup.run(["--json", "audit", "query", "--kind", "act"]);
    let records = found.json()["records"].as_array().expect("a list").clone();
    // That the host serves is on record as well.
    let records: Vec<_> = records.into_iter().filter(|record| record["body"]["verb"] != "host.mcp").collect();
    let acts: Vec<[&str; 3]> = records
        .iter()
        .map(|record| ["verb", "subject", "outcome"].map(|key| text(&record["body"], key)))
        .collect();
    let twice = |verb, subject| [[verb, subject, "begun"], [verb, subject, "done"]];
    let expected =
        [twice("sessions.exec", id), twice("sessions.rm", id), twice("workspaces.rm", workspace)].concat();
    assert_eq!(acts, expected);
    assert_eq!(text(&records[1]["body"]["details"], "program"), "sh");
    assert_eq!(text(&records[1]["body"]["details"], "exit"), "7");
    assert!(!found.stdout.contains("an-argument"), "arguments may be secrets: {}", found.stdout);
}

#[test]
fn nothing_is_left_when_the_host_ends() {
    let setup = host();
    let mut rpc = connect(&setup);
    let made = rpc.call("cmd_run", json!({ "command": "true" }));
    let id = text(meta(&made), "id").to_owned();
    let mounted = || std::fs::read_to_string("/proc/mounts").unwrap_or_default().contains(&id);
    assert!(!mounted(), "what a sandbox mounts is in no other namespace");
    let (code, _, _) = rpc.close();
    assert_eq!(code, 0);
    assert_eq!(setup.run(["--json", "sessions", "ls"]).json()["sessions"], json!([]));
}

#[test]
fn the_life_of_a_sandbox_is_on_record() {
    let setup = host();
    let mut rpc = connect(&setup);
    let made = rpc.call("cmd_run", json!({ "command": "true" }));
    let (id, workspace) =
        (meta(&made)["id"].clone(), text(&made["structuredContent"], "workspace").to_owned());
    rpc.call("cmd_run", json!({ "command": "true", "workspace": workspace }));
    let call = record::of_kind(&setup.state(), "call").pop().expect("it is on record");
    let used = ["id", "backend", "warm", "reused"].map(|key| call["session"][key].clone());
    assert_eq!(used, [id.clone(), json!("process"), json!(false), json!(true)], "{call}");
    let granted = call["grants"].to_string();
    assert!(granted.contains("session (") && granted.contains("workspace ("), "{call}");
    rpc.close();
    let happened = record::of_kind(&setup.state(), "session");
    let ours: Vec<_> = happened.iter().filter(|one| one["id"] == id).collect();
    let events: Vec<_> = ours.iter().map(|one| &one["event"]).collect();
    assert_eq!(events, ["started", "used again", "ended"], "{happened:?}");
    assert_eq!((&ours[0]["owner"], &ours[0]["backend"]), (&json!("local"), &json!("process")));
    let runs = [made["_meta"]["packhost/run"].clone(), call["run"].clone(), json!(null)];
    assert_eq!([0, 1, 2].map(|index| ours[index]["run"].clone()), runs, "{happened:?}");
}

#[test]
fn a_sandbox_that_is_killed_ends_its_call_with_a_reason_and_the_next_one_works() {
    let setup = host();
    let mut rpc = connect(&setup);
    let made = rpc.call("cmd_run", json!({ "command": "true" }));
    let workspace = text(&made["structuredContent"], "workspace").to_owned();
    let id = text(meta(&made), "id").to_owned();
    let call = rpc.start("cmd_run", json!({ "command": "sleep 4343", "workspace": workspace }));
    wait_until("the program runs", &|| {
        let shown = setup.run(["--json", "sessions", "show", &id]);
        shown.code == 0 && shown.json()["programs"].as_array().is_some_and(|programs| !programs.is_empty())
    });
    assert_eq!(setup.run(["sessions", "rm", &id]).code, 0);
    let ended = rpc.answer(call)["result"].clone();
    assert_eq!(failure(&ended)["code"], "session_unavailable", "{ended}");
    let next = rpc.call("cmd_run", json!({ "command": "echo works", "workspace": workspace }));
    assert_eq!(text(&answer(next), "stdout"), "works\n");
}

#[test]
fn what_a_killed_host_leaves_is_found_by_its_id_and_ends() {
    let setup = host();
    let mut rpc = connect(&setup);
    let made = rpc.call("cmd_run", json!({ "command": "true" }));
    let id = text(meta(&made), "id").to_owned();
    let pid = rpc.pid().to_string();
    assert!(
        std::process::Command::new("kill").args(["-KILL", &pid]).status().expect("kill is there").success()
    );
    let listed = setup.run(["--json", "sessions", "ls"]).json();
    assert_eq!(listed["sessions"][0]["id"], json!(id), "it goes on without its host: {listed}");
    assert_eq!(setup.run(["sessions", "rm", "--all"]).code, 0);
    assert_eq!(setup.run(["--json", "sessions", "ls"]).json()["sessions"], json!([]));
}
