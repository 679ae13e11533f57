//! Workspaces: what calls share, and what callers do not.

use packhost_tests::http;
use serde_json::{Value, json};

use crate::{answer, connect, failure, host, shell, text};

#[test]
fn one_workspace_is_shared_by_programs_and_by_the_file_packs() {
    let setup = host();
    let mut rpc = connect(&setup);
    let made = answer(rpc.call("python_run", json!({ "code": "open('a.txt', 'w').write('from python')" })));
    let workspace = text(&made, "workspace").to_owned();
    let read = answer(rpc.call("fs_read", json!({ "path": "a.txt", "workspace": workspace })));
    assert_eq!(text(&read, "content"), "from python");
    let written = json!({ "path": "b/c.txt", "content": "from a component", "workspace": workspace });
    answer(rpc.call("fs_write", written));
    let command = "cat b/c.txt; echo ' and a shell' >> b/c.txt; mkdir d; mv a.txt d/";
    let seen = answer(rpc.call("cmd_run", json!({ "command": command, "workspace": workspace })));
    assert_eq!(text(&seen, "stdout"), "from a component");
    assert_eq!(text(&seen, "workspace"), workspace);
    let again = answer(rpc.call("fs_read", json!({ "path": "b/c.txt", "workspace": workspace })));
    assert_eq!(text(&again, "content"), "from a component and a shell\n");
    let listed = answer(rpc.call("fs_list", json!({ "workspace": workspace })));
    assert_eq!(listed["files"], json!(["b/c.txt", "d/a.txt"]), "{listed}");
}

#[test]
fn a_workspace_that_is_full_is_still_read_and_can_be_emptied() {
    let setup = host();
    let mut rpc = connect(&setup);
    let workspace = text(&shell(&mut rpc, "echo kept > kept"), "workspace").to_owned();
    let mut call = |tool: &str, mut input: Value| {
        input["workspace"] = json!(workspace);
        rpc.call(tool, input)
    };
    let fill = "head -c 200M /dev/zero > a; head -c 200M /dev/zero > b; sleep 60";
    let full = call("cmd_run", json!({ "command": fill }));
    assert_eq!(failure(&full)["code"], "resource_exhausted", "{full}");
    let written = call("fs_write", json!({ "path": "c", "content": "c" }));
    assert_eq!(failure(&written)["code"], "resource_exhausted", "{written}");
    assert_eq!(text(&answer(call("fs_read", json!({ "path": "kept" }))), "content"), "kept\n");
    answer(call("fs_delete", json!({ "path": "a" })));
    answer(call("fs_write", json!({ "path": "c", "content": "c" })));
}

#[test]
fn the_file_packs_start_no_sandbox() {
    let setup = host();
    let mut rpc = connect(&setup);
    let made = answer(rpc.call("cmd_run", json!({ "command": "echo x > x" })));
    let read = rpc.call("fs_read", json!({ "path": "x", "workspace": text(&made, "workspace") }));
    assert!(read["_meta"].get("packhost/session").is_none(), "{read}");
}

#[test]
fn without_a_workspace_each_call_has_a_new_one() {
    let setup = host();
    let mut rpc = connect(&setup);
    let first = shell(&mut rpc, "echo 1 > kept; ls");
    let second = shell(&mut rpc, "ls");
    assert_ne!(first["workspace"], second["workspace"]);
    assert_eq!(text(&second, "stdout"), "");
}

#[test]
fn a_workspace_is_nobodys_but_its_callers() {
    let setup = host();
    let tokens = setup.root().join("tokens");
    let (ada, bob) = ("a".repeat(32), "b".repeat(32));
    std::fs::write(&tokens, format!("ada {ada}\nbob {bob}\n")).expect("the directory is ours");
    let served = setup.serve(&["--tokens", &tokens.display().to_string()]);
    let call = |token: &str, tool: &str, input: Value| {
        let bearer = format!("Bearer {token}");
        let head = [
            ("authorization", bearer.as_str()),
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", "tools/call"),
            ("mcp-name", tool),
        ];
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let params = json!({ "name": tool, "arguments": input, "_meta": meta });
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        http::post(served.address, &head, &message).message()["result"].clone()
    };
    let made = answer(call(&ada, "cmd_run", json!({ "command": "echo secret > s" })));
    let workspace = text(&made, "workspace");
    for tool_and_input in [
        ("cmd_run", json!({ "command": "cat s", "workspace": workspace })),
        ("fs_read", json!({ "path": "s", "workspace": workspace })),
        ("fs_read", json!({ "path": "s", "workspace": "../../etc" })),
    ] {
        let foreign = call(&bob, tool_and_input.0, tool_and_input.1);
        assert_eq!(failure(&foreign)["code"], "not_found", "{foreign}");
        assert!(!foreign.to_string().contains("secret"), "{foreign}");
    }
    let own = answer(call(&ada, "fs_read", json!({ "path": "s", "workspace": workspace })));
    assert_eq!(text(&own, "content"), "secret\n");
}

#[test]
fn a_link_that_a_program_has_made_leads_a_component_nowhere() {
    let setup = host();
    let mut rpc = connect(&setup);
    let made =
        shell(&mut rpc, "ln -s /etc/shadow s; ln -s / root; ln -s ../../../../../../etc/shadow up; echo ok");
    let workspace = text(&made, "workspace").to_owned();
    for path in ["s", "root/etc/shadow", "up", "/workspace/root/etc/shadow"] {
        let read = rpc.call("fs_read", json!({ "path": path, "workspace": workspace }));
        assert_eq!(read["isError"], true, "{path}: {read}");
    }
    let put = json!({ "code": "1", "workspace": workspace, "files": [{ "path": "root/tmp/escaped", "content": "x" }] });
    let written = rpc.call("python_run", put);
    assert_eq!(written["isError"], true, "{written}");
    assert!(!std::path::Path::new("/tmp/escaped").exists());
}

#[test]
fn an_operator_lists_and_removes_workspaces() {
    let setup = host();
    let mut rpc = connect(&setup);
    let made = shell(&mut rpc, "head -c 100000 /dev/zero > zeros");
    let name = text(&made, "workspace");
    let listed = setup.run(["--json", "workspaces", "ls"]).json();
    let row = &listed["workspaces"][0];
    assert_eq!((row["name"].as_str(), row["owner"].as_str()), (Some(name), Some("local")), "{listed}");
    assert!(row["bytes"].as_u64().is_some_and(|bytes| bytes >= 100_000), "{listed}");
    assert_eq!(setup.run(["workspaces", "rm", name]).code, 0);
    let gone = rpc.call("cmd_run", json!({ "command": "ls", "workspace": name }));
    assert_eq!(failure(&gone)["code"], "not_found");
    assert_eq!(setup.run(["workspaces", "rm", name]).code, 13);
    assert_eq!(setup.run(["workspaces", "rm", "../x"]).code, 2);
}
