//! `packhost audit verify`: that the record is what the host wrote, or where it is not.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use packhost_tests::host::Setup;
use serde_json::json;

use super::{audit, recorded, records};

fn segment(setup: &Setup) -> PathBuf {
    setup.state().join("audit/00000001.log")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the directory is the test's");
    for entry in fs::read_dir(from).expect("the host made it") {
        let file = entry.expect("readable").path();
        fs::copy(&file, to.join(file.file_name().expect("a name"))).expect("the directory is the test's");
    }
}

#[test]
fn a_record_that_nobody_touched_is_proven_to_its_end() {
    let setup = recorded();
    let ran = audit(&setup, &["verify"]);
    let report = ran.json();
    assert_eq!((ran.code, &report["intact"], &report["findings"]), (0, &json!(true), &json!([])), "{ran:?}");
    assert_eq!(report["records"], records(&setup, &[]).len());
    assert_eq!(report["proven"]["n"], report["last"]["n"], "{report}");
    let text = setup.run(["audit", "verify"]);
    assert_eq!(text.code, 0, "{text:?}");
    for words in ["ok", "nothing is changed", "proven     up to record", "kept elsewhere"] {
        assert!(text.stdout.contains(words), "{words}: {}", text.stdout);
    }
}

#[test]
fn one_flipped_byte_is_found_with_file_line_byte_and_record() {
    let setup = recorded();
    let good = fs::read(segment(&setup)).expect("it is there");
    let at = good.windows(13).position(|window| window == b"tokens.create").expect("it is on record");
    let mut bad = good.clone();
    bad[at] ^= 1;
    fs::write(segment(&setup), &bad).expect("the file is the test's");
    let start = good[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let line = good[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
    let ran = audit(&setup, &["verify"]);
    let report = ran.json();
    assert_eq!((ran.code, &report["intact"]), (1, &json!(false)), "{report}");
    let finding = &report["findings"][0];
    assert_eq!(report["findings"].as_array().map(Vec::len), Some(1), "{report}");
    assert_eq!((&finding["what"], &finding["file"]), (&json!("changed"), &json!("00000001.log")), "{report}");
    assert_eq!(
        (&finding["line"], &finding["byte"], &finding["n"]),
        (&json!(line), &json!(start), &json!(line))
    );
    let text = setup.run(["audit", "verify"]);
    assert_eq!(text.code, 1);
    let place = format!("00000001.log:{line}, byte {start}, record {line}");
    for words in ["changed", &place, "expected", "1 thing is not as this host wrote it"] {
        assert!(text.stdout.contains(words), "{words}: {}", text.stdout);
    }
    fs::write(segment(&setup), &good).expect("the file is the test's");
    assert_eq!(audit(&setup, &["verify"]).code, 0);
}

#[test]
fn a_copy_is_verified_elsewhere_with_the_public_keys_alone() {
    let (setup, elsewhere) = (recorded(), Setup::new());
    let at = |name: &str| elsewhere.root().join(name);
    copy(&setup.state().join("audit"), &at("copy"));
    let keys = setup.run(["audit", "keys"]).stdout;
    fs::write(at("keys"), &keys).expect("the directory is the test's");
    let path = |name: &str| at(name).display().to_string();
    let verify = |words: &[&str]| audit(&elsewhere, &[&["verify", "--dir", &path("copy")], words].concat());
    let without = verify(&[]);
    assert_eq!(without.code, 13, "it has no keys of its own: {without:?}");
    let first = audit(&setup, &["keys"]).json()["keys"][0]["key"].as_str().expect("base64").to_owned();
    for words in [&["--keys", &path("keys")][..], &["--keys", &path("keys"), "--trust", &first]] {
        let ran = verify(words);
        assert_eq!((ran.code, &ran.json()["intact"]), (0, &json!(true)), "{words:?}: {ran:?}");
    }
    let other = audit(&recorded(), &["keys"]).json()["keys"][0]["key"].as_str().expect("base64").to_owned();
    assert_eq!(verify(&["--keys", &path("keys"), "--trust", &other]).code, 1, "another host's key");
    assert_eq!(verify(&["--keys", &path("copy/00000001.log")]).code, 1, "no keys at all");
    fs::write(at("keys"), recorded().run(["audit", "keys"]).stdout).expect("the directory is the test's");
    let foreign = verify(&["--keys", &path("keys")]).json();
    assert_eq!((&foreign["intact"], &foreign["proven"]), (&json!(false), &json!(null)), "{foreign}");
}

#[test]
fn a_record_that_was_put_back_to_an_earlier_time_is_found_by_a_checkpoint_that_was_kept() {
    let setup = recorded();
    let (log, earlier) = (setup.state().join("audit"), setup.root().join("earlier"));
    copy(&log, &earlier);
    assert_eq!(setup.run(["tokens", "create", "later"]).code, 0);
    let kept = setup.root().join("kept.json");
    for global in [&["--json"][..], &[]] {
        let checkpoint = setup.run([global, &["audit", "checkpoint"]].concat());
        assert_eq!((checkpoint.code, checkpoint.stdout.lines().count()), (0, 1), "{checkpoint:?}");
        fs::write(&kept, &checkpoint.stdout).expect("the directory is the test's");
    }
    let path = kept.display().to_string();
    let with = |setup: &Setup| audit(setup, &["verify", "--checkpoint", &path]);
    let holds = with(&setup).json();
    assert_eq!(holds["intact"], true, "{holds}");
    assert_eq!(holds["kept"].as_array().map(Vec::len), Some(1), "{holds}");

    fs::remove_dir_all(&log).expect("the directory is the test's");
    copy(&earlier, &log);
    fs::set_permissions(&log, fs::Permissions::from_mode(0o700)).expect("the directory is the test's");
    let older = audit(&setup, &["verify"]);
    let finding = &older.json()["findings"][0];
    assert_eq!((older.code, &finding["what"]), (1, &json!("truncated")), "{older:?}");
    assert!(
        finding["expected"].as_str().is_some_and(|said| said.ends_with("which keys/last has")),
        "{older:?}"
    );
    let refused = setup.run(["tokens", "create", "later"]);
    assert!(refused.code == 1 && refused.stderr.contains("audit verify"), "{refused:?}");
    // Who removes what the keys know as well is found by what was kept.
    fs::remove_file(setup.state().join("keys/last")).expect("it is there");
    assert_eq!(audit(&setup, &["verify"]).code, 0, "it was whole then");
    let found = with(&setup);
    assert_eq!(found.code, 1, "{found:?}");
    assert!(!found.json()["findings"].as_array().expect("a list").is_empty(), "{found:?}");
    fs::write(&kept, "{}\n").expect("the directory is the test's");
    assert_eq!(with(&setup).code, 10, "no checkpoint at all");
}
