//! The keys that the record is signed with, and the one after them.

use std::fs;

use serde_json::json;

use super::{acts, audit, recorded, records};

#[test]
fn a_new_key_signs_from_now_on_and_the_old_one_vouches_for_it() {
    let setup = recorded();
    let before = audit(&setup, &["keys"]).json()["keys"].clone();
    assert_eq!(before.as_array().map(Vec::len), Some(1), "{before}");
    let rotated = audit(&setup, &["rotate-key"]);
    assert_eq!((rotated.code, &rotated.json()["was"]), (0, &before[0]["id"]), "{rotated:?}");
    let after = audit(&setup, &["keys"]).json()["keys"].clone();
    let current: Vec<_> = after.as_array().expect("a list").iter().map(|key| &key["current"]).collect();
    assert_eq!(current, [&json!(false), &json!(true)], "{after}");
    assert_eq!(after[1]["id"], rotated.json()["key_id"]);
    let private = |index: usize| {
        let id = after[index]["id"].as_str().expect("an id").to_owned();
        setup.state().join(format!("keys/{id}.key")).exists()
    };
    assert_eq!((private(0), private(1)), (false, true), "the private half of the old one is gone");

    assert_eq!(setup.run(["tokens", "revoke", "laptop"]).code, 0);
    let known = before[0]["key"].as_str().expect("base64");
    let report = audit(&setup, &["verify", "--trust", known]).json();
    assert_eq!((&report["intact"], &report["proven"]["key_id"]), (&json!(true), &after[1]["id"]), "{report}");
    let done = records(&setup, &["--kind", "act", "--outcome", "done"]);
    let (old, new) = (before[0]["id"].as_str().expect("an id"), &after[1]["id"]);
    assert_eq!(acts(&done)[3], ["audit.rotate_key", old, "done"]);
    assert_eq!(done[3]["body"]["details"]["key"], *new);
}

#[test]
fn a_record_whose_keys_are_gone_says_which_files_are_missing() {
    let setup = recorded();
    let id = audit(&setup, &["keys"]).json()["keys"][0]["id"].as_str().expect("an id").to_owned();
    let keys = setup.state().join("keys");
    fs::rename(&keys, setup.root().join("moved")).expect("the directory is the test's");
    for verb in [&["mcp"][..], &["call", "text.stats"], &["tokens", "create", "x"], &["artifacts", "ls"]] {
        let ran = setup.run(verb);
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{verb:?}: {ran:?}");
        let (public, private) = (keys.join("public"), keys.join(format!("{id}.key")));
        for words in [public.display().to_string(), private.display().to_string(), "Restore them".into()] {
            assert!(ran.stderr.contains(&words), "{verb:?}: {words}: {}", ran.stderr);
        }
        assert!(!keys.exists(), "{verb:?}: no others are made");
    }
    fs::rename(setup.root().join("moved"), &keys).expect("the directory is the test's");
    assert_eq!(setup.run(["tokens", "create", "x"]).code, 0);
}

#[test]
fn what_keys_prints_is_what_the_state_has_and_no_private_half() {
    let setup = recorded();
    let printed = setup.run(["audit", "keys"]);
    let file = fs::read_to_string(setup.state().join("keys/public")).expect("it is there");
    assert_eq!((printed.code, printed.stdout), (0, file));
}
