//! The operator decides: what is taken away stops, what is broken changes nothing, and nobody else has a say.

use std::collections::BTreeSet;
use std::fs;

use packhost_tests::guests;
use packhost_tests::host::Setup;
use packhost_tests::rpc::{Rpc, code, result};
use serde_json::{Value, json};

use crate::scene::{alone, connect, manifest, notified, spins, still_works, tools, used};

const CHANGED: &str = "notifications/tools/list_changed";

fn edit(setup: &Setup, text: &str) {
    fs::write(setup.policy_file(), text).expect("the directory is ours");
}

/// The revision of the manifest that a call runs under.
fn revision(host: &mut Rpc) -> Value {
    let result = host.call("misbehave", json!({ "do": "echo" }));
    assert!(result["_meta"]["packhost/revision"].is_string(), "{result}");
    result["_meta"]["packhost/revision"].clone()
}

#[test]
fn a_denial_stops_what_runs_and_what_waits() {
    let setup = alone("{ limits: { time: 10m, concurrency: 2 } }");
    let mut host = connect(&setup);
    still_works(&mut host);
    let before = used(host.pid());
    let asleep = host.start("misbehave", json!({ "do": "sleep", "amount": 600_000 }));
    let spinning = host.start("misbehave", json!({ "do": "spin" }));
    spins(host.pid(), before);
    let waiting = host.start("misbehave", json!({ "do": "echo" }));
    host.request("ping", json!({}));
    edit(&setup, &manifest("misbehave", "{ deny: true }"));
    for call in [asleep, spinning, waiting] {
        let ended = result(host.answer(call));
        assert_eq!(code(&ended), "capability_denied", "{ended}");
    }
    notified(&mut host, CHANGED);
    assert_eq!(tools(&mut host), [""; 0]);
    let call = host.start("misbehave", json!({ "do": "echo" }));
    assert_eq!(host.answer(call)["error"]["code"], -32602, "it is not there any more");
}

#[test]
fn an_edit_that_only_gives_stops_nobody() {
    let setup = alone("{ callers: [local], limits: { time: 10m } }");
    let mut host = connect(&setup);
    let old = revision(&mut host);
    let before = used(host.pid());
    let spinning = host.start("misbehave", json!({ "do": "spin" }));
    let asleep = host.start("misbehave", json!({ "do": "sleep", "amount": 3_000 }));
    spins(host.pid(), before);
    edit(&setup, &manifest("misbehave", "{ env: { TZ: UTC }, ask: [user], limits: { time: 10m } }"));
    host.logged("is in force");
    let ended = result(host.answer(asleep));
    assert_eq!(ended["structuredContent"]["saw"], json!(["slept"]), "{ended}");
    assert_eq!(ended["_meta"]["packhost/revision"], old, "the one that it started under");
    assert_ne!(revision(&mut host), old);
    host.cancel(spinning);
    still_works(&mut host);
}

#[test]
fn an_edit_takes_effect_as_a_whole() {
    let setup = Setup::new()
        .policy(&manifest("misbehave", "{}"))
        .packs(guests::misbehave())
        .packs(guests::same_dot());
    let mut host = connect(&setup);
    assert_eq!(tools(&mut host), ["misbehave"]);
    edit(&setup, &manifest("same.name", "{}"));
    notified(&mut host, CHANGED);
    assert_eq!(tools(&mut host), ["same_name"]);
    let answered = host.call("same_name", json!({}));
    assert_eq!(answered["structuredContent"]["saw"], json!(["same.name"]), "{answered}");
}

#[test]
fn a_broken_edit_keeps_the_rules_that_are_in_force() {
    let setup = alone("{}");
    let mut host = connect(&setup);
    let before = revision(&mut host);
    edit(&setup, &manifest("misbehave", "{ surprise: true }"));
    host.logged("surprise");
    host.logged("kept revision");
    assert_eq!(revision(&mut host), before);

    edit(&setup, "version: 1\npacks: { misbehave: { limits: { time: 5s ");
    host.logged("kept revision");
    assert_eq!(revision(&mut host), before);

    fs::remove_file(setup.policy_file()).expect("the directory is ours");
    host.logged("every manifest file is gone");
    assert_eq!(revision(&mut host), before);

    edit(&setup, &manifest("misbehave", "{ limits: { time: 5s } }"));
    notified(&mut host, CHANGED);
    assert_ne!(revision(&mut host), before);
}

/// Elsewhere: "`grant-network-permission`, `load-component` and the like are exposed to the agent by default".
#[test]
fn no_tool_grants_loads_or_configures_anything() {
    let setup = Setup::new()
        .policy("version: 1\nextends: shipped\npacks: { misbehave: {} }\n")
        .packs(guests::misbehave());
    let listed = setup.run(["--json", "packs", "list"]).json();
    let packs = listed["packs"].as_array().expect("a list");
    let packs: BTreeSet<&str> = packs.iter().map(|pack| pack["tool"].as_str().expect("a name")).collect();
    let mut host = connect(&setup);
    let served = tools(&mut host);
    assert_eq!(served.iter().map(String::as_str).collect::<BTreeSet<_>>(), packs, "every tool is a pack");
    assert!(packs.len() > 1, "the shipped packs are among them");
    for tool in ["load-component", "unload-component", "grant-network-permission", "packs", "policy"] {
        let call = host.start(tool, json!({}));
        assert_eq!(host.answer(call)["error"]["code"], -32602, "{tool}");
    }
    for method in ["packs/load", "policy/set", "packhost/reload"] {
        assert_eq!(host.request(method, json!({}))["error"]["code"], -32601, "{method}");
    }
}
