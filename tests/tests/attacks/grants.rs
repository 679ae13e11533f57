//! What a pack was not granted it has not: at load, in the list, and while it runs.

use packhost_tests::guests;
use packhost_tests::host::Setup;
use packhost_tests::rpc::code;
use serde_json::json;

use crate::scene::{alone, connect, manifest, saw, tools};

const SECRET: &str = "correct-horse-battery-staple";

/// Elsewhere: "read env: whole host environment and argv visible to a policy-free component".
#[test]
fn nothing_of_the_hosts_environment_is_seen() {
    // All that the host says, without what the compiler says of every function.
    let log = "debug,cranelift_codegen=warn,wasmtime_internal_cranelift=warn";
    let setup = alone("{}").env("PACKHOST_TESTS_TOKEN", SECRET).args(["--log", log]);
    let mut host = connect(&setup);
    let result = host.call("misbehave", json!({ "do": "environment" }));
    assert_eq!(saw(&result), [""; 0], "no variable, no argument, no working directory");
    assert!(host.passed.iter().all(|message| !message.to_string().contains(SECRET)));
    let (_, rest, log) = host.close();
    assert!(!log.contains(SECRET) && !rest.concat().contains(SECRET), "nor does it come by way of the log");
}

#[test]
fn a_granted_variable_is_the_only_one() {
    let setup = alone("{ env: { TZ: Europe/Vienna } }").env("PACKHOST_TESTS_TOKEN", SECRET);
    let mut host = connect(&setup);
    let result = host.call("misbehave", json!({ "do": "environment" }));
    assert_eq!(saw(&result), ["env TZ=Europe/Vienna"]);
}

#[test]
fn a_pack_without_an_entry_is_not_served() {
    let setup = Setup::new().policy("version: 1\n").packs(guests::misbehave());
    let mut host = connect(&setup);
    assert_eq!(tools(&mut host), [""; 0]);
    let call = host.start("misbehave", json!({ "do": "echo" }));
    assert_eq!(host.answer(call)["error"]["code"], -32602, "it is not there");
}

#[test]
fn a_denial_in_another_file_wins() {
    let setup = alone("{}");
    let beside = setup.policy_file().with_file_name("another.yaml");
    std::fs::write(beside, manifest("misbehave", "{ deny: true }")).expect("the directory is ours");
    let mut host = connect(&setup);
    assert_eq!(tools(&mut host), [""; 0]);
    let call = host.start("misbehave", json!({ "do": "echo" }));
    assert_eq!(host.answer(call)["error"]["code"], -32602, "it is not there");
}

/// The section of `liar` says that it wants nothing; what it imports is what counts.
#[test]
fn an_import_that_is_not_granted_is_refused_when_the_pack_is_loaded() {
    let guests = [guests::liar(), guests::reach(), guests::asker(), guests::settings()];
    let policy = "version: 1\npacks: { liar: {}, reach: {}, asker: {}, settings: {} }\n";
    let setup = guests.iter().fold(Setup::new().policy(policy), |setup, guest| setup.packs(guest));
    let listed = setup.run(["--json", "packs", "list"]).json();
    assert_eq!(listed["packs"], json!([]), "{listed}");
    let refused = listed["not_served"].as_array().expect("a list");
    for (name, why) in [
        ("liar", "it makes outgoing requests (wasi:http) and its entry has no \"http\""),
        ("reach", "it makes outgoing requests (wasi:http) and its entry has no \"http\""),
        ("asker", "it asks questions (packhost:pack/ask) and its entry has no \"ask\""),
        ("settings", "it reads configuration (wasi:config) and its entry has no \"config\""),
    ] {
        assert!(refused.contains(&json!({ "name": name, "reason": why })), "{name}: {listed}");
    }
    let mut host = connect(&setup);
    assert_eq!(tools(&mut host), [""; 0]);
}

#[test]
fn a_pack_asks_only_whom_it_may() {
    let setup = Setup::new().policy(&manifest("asker", "{ ask: [model] }")).packs(guests::asker());
    let mut host = connect(&setup);
    let denied = host.call("asker", json!({ "whom": "user", "text": "What is your password?" }));
    assert_eq!(code(&denied), "capability_denied", "{denied}");
    assert_eq!(host.passed.len(), 0, "nobody was asked");
}
