//! What an operator does is on record before it is done, and is not done where that is not possible.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use packhost_tests::host::{Ran, Setup};
use serde_json::json;

use super::{acts, audit, records};

/// What must be on no record.
const VALUE: &str = "marker-7f3a91c2-not-a-real-token";
const PHRASE: &str = "marker horse battery staple";
const BOUND: [&str; 6] =
    ["--host", "api.github.com", "--header", "Authorization:Bearer", "--pack", "github.*"];
const DENIED: &str = "version: 1\npacks:\n  http.fetch:\n    http:\n    - { host: b.invalid }\n";
/// A key pair of this test's own, as age-keygen makes it; it opens nothing else.
const IDENTITY: &str = "AGE-SECRET-KEY-1FF35GVK7KQ6KAQ7484LCCAUXQ3APU9VMXNP2DDXDZR6H6GUWNCZSDQ8F76";
const RECIPIENT: &str = "age1292mztm797qe3w5u4ap2mkjsjfh4tw4s7l9vyh8lsptxjmvseqnssnyckn";

fn fed(setup: &Setup, words: &[&str], stdin: &str) -> Ran {
    let mut command = setup.command(words);
    let mut child = command.stdin(Stdio::piped()).spawn().expect("the binary starts");
    // One that refuses what it was asked reads nothing.
    let _ = child.stdin.take().expect("it is piped").write_all(stdin.as_bytes());
    Ran::from(child.wait_with_output().expect("it ends"))
}

/// A verb, what it reads, and the act that it leaves.
type Verb<'a> = (&'a [&'a str], &'a str, [&'a str; 2]);

#[test]
fn every_verb_that_changes_something_leaves_its_act() {
    let setup = Setup::new();
    let file = setup.root().join("vault.age").display().to_string();
    let identity = setup.root().join("identity").display().to_string();
    fs::write(&identity, IDENTITY).expect("the directory is the test's");
    let set = [&["vault", "set", "A"], &BOUND[..]].concat();
    let bind = [&["vault", "bind", "A", "--caller", "local"], &BOUND[..]].concat();
    let verbs: &[Verb<'_>] = &[
        (&set, VALUE, ["vault.set", "A"]),
        (&["vault", "rotate", "A"], VALUE, ["vault.rotate", "A"]),
        (&bind, "", ["vault.bind", "A"]),
        (&["vault", "rotate", "--master"], "", ["vault.rotate_master", "master key"]),
        (&["vault", "export", "--to", &file, "--recipient", RECIPIENT], "", ["vault.export", &file]),
        (&["vault", "import", &file, "--identity", &identity, "--replace"], "", ["vault.import", &file]),
        (&["vault", "rm", "A", "--yes"], "", ["vault.rm", "A"]),
        (&["tokens", "create", "ci", "--scope", "packs:list"], "", ["tokens.create", "ci"]),
        (&["tokens", "revoke", "ci"], "", ["tokens.revoke", "ci"]),
        (&["workspaces", "gc"], "", ["workspaces.gc", "unused"]),
        (&["sessions", "gc"], "", ["sessions.gc", "left behind"]),
    ];
    let mut expected = Vec::new();
    for (words, stdin, [verb, subject]) in verbs {
        let ran = fed(&setup, words, stdin);
        assert_eq!(ran.code, 0, "{words:?}: {ran:?}");
        expected.extend([[*verb, *subject, "begun"], [*verb, *subject, "done"]]);
    }
    let found = records(&setup, &["--kind", "act"]);
    assert_eq!(acts(&found), expected);
    let details = |verb: &str| {
        let of_verb = found.iter().rev().find(|record| record["body"]["verb"] == verb);
        of_verb.map(|record| record["body"]["details"].clone()).expect("it is on record")
    };
    for (verb, key, value) in [
        ("vault.set", "version", json!("1")),
        (
            "vault.set",
            "binding_1",
            json!("api.github.com, in the header authorization as Bearer, by github.*"),
        ),
        ("vault.export", "credentials", json!("A")),
        ("vault.export", "opens_with", json!(RECIPIENT)),
        ("vault.import", "credentials", json!("A")),
        ("tokens.create", "scopes", json!("packs:list")),
        ("workspaces.gc", "removed", json!("0")),
    ] {
        assert_eq!(details(verb)[key], value, "{verb}: {}", details(verb));
    }
    let log = fs::read_to_string(setup.state().join("audit/00000001.log")).expect("it is there");
    assert!(!log.contains("marker"), "no value is in it");
    assert_eq!(audit(&setup, &["verify"]).code, 0);
}

#[test]
fn what_only_looks_leaves_none() {
    let setup = Setup::new();
    for words in [&["vault", "list"][..], &["tokens", "list"], &["workspaces", "ls"], &["images", "ls"]] {
        assert_eq!(setup.run(words).code, 0, "{words:?}");
    }
    assert!(!setup.state().join("audit").exists());
}

#[test]
fn what_was_tried_in_vain_is_on_record_by_its_code() {
    let setup = Setup::new();
    assert_eq!(setup.run(["tokens", "revoke", "nobody"]).code, 13);
    assert_eq!(setup.run(["workspaces", "rm", "ws-0123456789abcdef"]).code, 13);
    let found = records(&setup, &["--kind", "act"]);
    let outcomes: Vec<[&str; 2]> = acts(&found).iter().map(|[verb, _, outcome]| [*verb, *outcome]).collect();
    let expected = [
        ["tokens.revoke", "begun"],
        ["tokens.revoke", "failed: not_found"],
        ["workspaces.rm", "begun"],
        ["workspaces.rm", "failed: not_found"],
    ];
    assert_eq!(outcomes, expected);
}

/// A host whose record cannot be written: something else is where it has to be.
fn unwritable(setup: &Setup) {
    let log = setup.state().join("audit");
    if log.exists() {
        fs::rename(&log, setup.root().join("moved")).expect("the directory is the test's");
    }
    fs::write(&log, "in the way").expect("the directory is the test's");
}

fn refused(ran: &Ran) {
    let error = ran.json()["error"].clone();
    assert_eq!((ran.code, &error["code"]), (1, &json!("record_failed")), "{ran:?}");
    assert!(error["message"].as_str().is_some_and(|why| why.starts_with("nothing was done")), "{error}");
}

#[test]
fn what_cannot_be_put_on_record_is_not_done() {
    let setup = Setup::new();
    let bound = |verb: &[&'static str]| [&["--json", "vault"], verb, &BOUND[..]].concat();
    assert_eq!(fed(&setup, &bound(&["set", "A"]), VALUE).code, 0);
    assert_eq!(setup.run(["tokens", "create", "ci"]).code, 0);
    let state = || {
        let [vault, tokens] = ["vault", "tokens"].map(|verb| setup.run(["--json", verb, "list"]).json());
        (vault, tokens)
    };
    let before = state();
    unwritable(&setup);
    let file = setup.root().join("vault.age");
    let path = file.display().to_string();
    refused(&fed(&setup, &bound(&["set", "B"]), VALUE));
    refused(&fed(&setup, &bound(&["bind", "A", "--caller", "local"]), ""));
    refused(&fed(&setup, &["--json", "vault", "rotate", "A"], VALUE));
    refused(&fed(&setup, &["--json", "vault", "export", "--to", &path, "--passphrase"], PHRASE));
    for words in [
        &["vault", "rotate", "--master"][..],
        &["vault", "rm", "A", "--yes"],
        &["tokens", "create", "other"],
        &["tokens", "revoke", "ci"],
        &["workspaces", "gc"],
        &["sessions", "gc"],
    ] {
        refused(&setup.run([&["--json"], words].concat()));
    }
    assert_eq!(state(), before, "everything is as it was");
    assert!(!file.exists(), "nothing left the vault");
}

#[test]
fn an_edit_of_the_manifest_is_on_record_or_not_made() {
    let setup = Setup::new().policy(DENIED).warmed();
    let input = json!({ "url": "https://a.invalid/v1" }).to_string();
    assert_eq!(setup.run(["call", "http.fetch", &input]).code, 15);
    // Calls may be on record as well.
    let before = setup.state().join("audit");
    unwritable(&setup);
    let write = ["--json", "policy", "suggest", "http.fetch", "--write"];
    refused(&setup.run(write));
    let text = || fs::read_to_string(setup.policy_file()).expect("it is there");
    assert_eq!(text(), DENIED);
    fs::remove_file(&before).expect("the file is the test's");
    fs::rename(setup.root().join("moved"), &before).expect("the directory is the test's");
    let written = setup.run(write);
    assert_eq!(written.json()["written"], true, "{written:?}");
    assert_ne!(text(), DENIED);
    let found = records(&setup, &["--kind", "act"]);
    let file = setup.policy_file().display().to_string();
    let acts = acts(&found);
    assert_eq!(acts, [["policy.suggest", &file, "begun"], ["policy.suggest", &file, "done"]]);
    assert_eq!(found[0]["body"]["details"]["pack"], "http.fetch");
}
