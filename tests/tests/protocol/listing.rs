//! `tools/list`: what a client, and the model behind it, sees of each shipped pack.

use std::path::Path;

use packhost_tests::host::Setup;
use packhost_tests::rpc::{Rpc, result};
use serde_json::{Value, json};

use crate::wire;

/// The packs in `packs-wasm/`: those folders that have cases, by the names that the packs have.
fn shipped() -> Vec<String> {
    let packs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packs-wasm");
    let folders = std::fs::read_dir(packs).expect("the packs are beside the tests");
    let folders = folders.map(|entry| entry.expect("readable").path());
    let mut names: Vec<String> = folders
        .filter(|folder| folder.join("cases").is_dir())
        .map(|folder| {
            folder.file_name().expect("a name").to_string_lossy().replacen('-', ".", 1).replace('-', "_")
        })
        .collect();
    names.sort();
    assert!(names.len() > 10, "the packs are gone");
    names
}

fn tools(host: &mut Rpc) -> Vec<Value> {
    let listed = result(host.request("tools/list", json!({})));
    listed["tools"].as_array().expect("a list").clone()
}

/// The bytes of the list as the host wrote them.
fn written(host: &mut Rpc) -> String {
    let id = host.ask("tools/list", json!({}));
    let line = host.next_line();
    let (head, list) = line.split_once("\"result\":").expect("an answer");
    assert!(head.contains(&format!("\"id\":{id}")), "{head}");
    list.to_owned()
}

#[test]
fn the_list_is_the_same_bytes_every_time() {
    let setup = Setup::new().warmed();
    let mut host = setup.mcp();
    host.initialize();
    let first = written(&mut host);
    assert_eq!(written(&mut host), first, "the same process");
    let another = Setup::new().warmed();
    let mut host = another.mcp();
    host.initialize();
    assert_eq!(written(&mut host), first, "another process, with a state of its own");
}

#[test]
fn both_doors_list_the_same_tools() {
    let setup = Setup::new().warmed();
    let mut host = setup.mcp();
    host.initialize();
    let served = setup.serve(&[]);
    let listed = wire::send(served.address, &[], &wire::message("tools/list", json!({})));
    assert_eq!(listed.status, 200);
    let listed = result(listed.message());
    assert_eq!(listed["tools"], Value::Array(tools(&mut host)));
    assert!(listed["ttlMs"].is_u64() && listed["cacheScope"].is_string(), "{listed}");
    assert_eq!(served.started["tools"], listed["tools"].as_array().expect("a list").len());
}

#[test]
fn every_shipped_pack_is_a_tool_under_a_name_that_every_client_takes() {
    let setup = Setup::new().warmed();
    let mut host = setup.mcp();
    host.initialize();
    let tools = tools(&mut host);
    let packs: Vec<&str> =
        tools.iter().filter_map(|tool| tool["_meta"]["packhost/pack"]["name"].as_str()).collect();
    assert_eq!(packs, shipped(), "all of them, sorted by the pack's name");
    for (tool, pack) in tools.iter().zip(&packs) {
        let name = tool["name"].as_str().expect("a name");
        assert_eq!(name, pack.replace('.', "_"));
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        assert!((1..=64).contains(&name.len()) && name.bytes().all(fits), "{name}");
        assert!(tool["_meta"]["packhost/pack"]["version"].is_string(), "{tool}");
    }
}

#[test]
fn every_shipped_pack_says_what_a_model_needs() {
    let setup = Setup::new().warmed();
    let mut host = setup.mcp();
    host.initialize();
    for tool in tools(&mut host) {
        let name = &tool["name"];
        for words in ["title", "description"] {
            assert!(tool[words].as_str().is_some_and(|text| !text.trim().is_empty()), "{name}: {words}");
        }
        let input = &tool["inputSchema"];
        assert_eq!(input["type"], "object", "{name}");
        let examples = input["examples"].as_array().expect("an input schema has examples");
        assert!(!examples.is_empty() && examples.iter().all(Value::is_object), "{name}: {examples:?}");
        let properties = input["properties"].as_object().expect("an input has properties");
        for (property, schema) in properties {
            assert!(schema["description"].is_string(), "{name} does not say what {property} is");
        }
        assert_eq!(tool["outputSchema"]["type"], "object", "{name}");
        for hint in ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"] {
            assert!(tool["annotations"][hint].is_boolean(), "{name}: {hint}");
        }
    }
}

#[test]
fn hints_follow_what_a_pack_is_granted() {
    let setup = Setup::new().warmed();
    let mut host = setup.mcp();
    host.initialize();
    let tools = tools(&mut host);
    let hints = |name: &str| {
        let tool = tools.iter().find(|tool| tool["name"] == name).expect("it is shipped");
        let hint = |hint: &str| tool["annotations"][hint].as_bool().expect("a hint");
        (hint("readOnlyHint"), hint("openWorldHint"))
    };
    assert_eq!(hints("text_stats"), (true, false), "it has nothing");
    assert_eq!(hints("web_scrape"), (true, true), "it may send GET");
    assert_eq!(hints("fs_write"), (false, false), "it may write");
}
