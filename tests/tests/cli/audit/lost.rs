//! A record that is gone: nothing goes on as if there had been none.

use std::fs;

use packhost_tests::host::Setup;
use packhost_tests::record;
use serde_json::json;

use super::{acts, audit, recorded, records};

/// How far the record is known to have gone before it was removed.
fn remove(setup: &Setup) -> u64 {
    let last = audit(setup, &["verify"]).json()["last"]["n"].as_u64().expect("a number");
    fs::remove_dir_all(setup.state().join("audit")).expect("the directory is the test's");
    last
}

#[test]
fn a_record_that_is_gone_is_told_and_nothing_is_done_without_it() {
    let setup = recorded();
    let last = remove(&setup);
    for verb in [&["mcp"][..], &["call", "text.stats"], &["tokens", "create", "x"], &["audit", "verify"]] {
        let ran = setup.run(verb);
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{verb:?}: {ran:?}");
        let far = format!("up to record {last} at least");
        for words in [far.as_str(), "restore it", "packhost audit begin"] {
            assert!(ran.stderr.contains(words), "{verb:?}: {words}: {}", ran.stderr);
        }
    }
    let verified = audit(&setup, &["verify"]).json();
    assert_eq!(verified["error"]["code"], "record_failed", "{verified}");
    assert!(!setup.state().join("audit").exists(), "no other one was begun");
}

#[test]
fn another_record_says_first_which_one_is_lost() {
    let setup = recorded();
    let there = audit(&setup, &["begin"]);
    assert_eq!((there.code, &there.json()["error"]["code"]), (10, &json!("invalid_input")), "{there:?}");
    let lost = record::all(&setup.state()).pop().expect("a checkpoint");
    let last = remove(&setup);
    assert_eq!(lost["n"], last);
    let begun = audit(&setup, &["begin"]);
    assert_eq!((begun.code, &begun.json()["lost"]["n"]), (0, &json!(last)), "{begun:?}");
    assert_eq!(setup.run(["tokens", "create", "after"]).code, 0);
    let found = records(&setup, &["--kind", "act"]);
    let dir = setup.state().join("audit").display().to_string();
    let said = [["audit.begin", &dir, "begun"], ["audit.begin", &dir, "done"]];
    assert_eq!(acts(&found)[..2], said);
    assert_eq!(found[0]["n"], 2, "only the segment is before it");
    assert_eq!(found[0]["body"]["details"]["last"], last.to_string(), "{}", found[0]);
    assert_eq!(audit(&setup, &["verify"]).code, 0);
    assert_eq!(audit(&setup, &["begin"]).code, 10, "it goes on");
}
