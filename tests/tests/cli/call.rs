//! `packhost call`: where the input comes from, what comes out, and the exit codes.

use std::io::Write;
use std::process::Stdio;

use packhost_tests::guests;
use packhost_tests::host::{Ran, Setup};
use serde_json::{Value, json};

fn fed(setup: &Setup, words: &[&str], stdin: &str) -> Ran {
    let mut child = setup.command(words).stdin(Stdio::piped()).spawn().expect("the binary starts");
    child.stdin.take().expect("it is piped").write_all(stdin.as_bytes()).expect("it reads");
    Ran::from(child.wait_with_output().expect("it ends"))
}

#[test]
fn the_input_is_json_a_file_or_what_comes_on_stdin() {
    let setup = Setup::new().warmed();
    let input = "{\"text\": \"one two\"}";
    let file = setup.root().join("input.json");
    std::fs::write(&file, input).expect("the directory is the test's");
    let file = format!("@{}", file.display());
    for ran in [
        setup.run(["--json", "call", "text.stats", input]),
        setup.run(["call", "text_stats", input, "--json"]),
        setup.run(["--json", "call", "text.stats", &file]),
        fed(&setup, &["--json", "call", "text.stats", "-"], input),
    ] {
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(ran.json()["output"]["words"], 2, "{ran:?}");
    }
}

#[test]
fn a_program_gets_one_envelope() {
    let setup = Setup::new().warmed();
    let said = setup.run(["--json", "call", "text.stats", "{\"text\": 7}"]).json();
    assert_eq!(said["pack"], "text.stats");
    assert_eq!(said["run"].as_str().map(str::len), Some(36), "{said}");
    assert_eq!(said["revision"].as_str().map(str::len), Some(12), "{said}");
    let mend = json!({ "pointer": "/text", "kind": "to_string", "from": 7, "to": "7" });
    assert_eq!(said["mends"], json!([mend]));
    assert!(said["usage"]["memory"].as_u64().is_some_and(|bytes| bytes > 0), "{said}");
    let text = said["content"][0]["text"].as_str().expect("a text block");
    assert_eq!(serde_json::from_str::<Value>(text).expect("JSON"), said["output"]);
    assert!(said.get("error").is_none(), "{said}");
}

#[test]
fn a_person_gets_the_data_and_is_told_what_was_mended() {
    let setup = Setup::new().warmed();
    let ran = setup.run(["call", "text.stats", "{\"text\": 7}"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.json()["words"], 1, "stdout is the data alone");
    assert!(ran.stderr.contains("mended: \"text\" was a number; read as \"7\""), "{}", ran.stderr);
}

#[test]
fn a_wrong_input_is_10_and_comes_with_one_that_works() {
    let setup = Setup::new().warmed();
    let ran = setup.run(["--json", "call", "text.stats", "{\"text\": [\"a\"]}"]);
    let said = ran.json();
    assert_eq!((ran.code, &said["error"]["code"]), (10, &json!("invalid_input")), "{said}");
    assert_eq!(said["error"]["pointer"], "/text", "{said}");
    assert_eq!(said["pack"], "text.stats", "{said}");
    assert!(said.get("output").is_none(), "{said}");
    let example = said["error"]["example"].to_string();
    assert_eq!(setup.run(["call", "text.stats", &example]).code, 0, "{example}");
    let ran = setup.run(["call", "text.stats"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (10, ""));
    for words in ["invalid_input: ", "for example: {"] {
        assert!(ran.stderr.contains(words), "{words} is not in {}", ran.stderr);
    }
    let ran = setup.run(["--json", "call", "text.stats", "{\"text\": }"]);
    assert_eq!((ran.code, &ran.json()["error"]["code"]), (10, &json!("invalid_input")), "it is not JSON");
}

#[test]
fn a_pack_that_is_not_there_or_not_served_is_13_and_says_why() {
    let setup = Setup::new().policy("version: 1\npacks: { text.stats: {} }\n");
    let missing = setup.run(["--json", "call", "no.such"]);
    assert_eq!((missing.code, &missing.json()["error"]["code"]), (13, &json!("not_found")));
    let refused = setup.run(["--json", "call", "http.fetch"]);
    let said = refused.json();
    assert_eq!(
        (refused.code, &said["error"]["code"], &said["pack"]),
        (13, &json!("not_found"), &Value::Null)
    );
    let message = said["error"]["message"].as_str().expect("a message");
    assert!(message.contains("http.fetch is not served: the manifest has no entry for it"), "{message}");
}

#[test]
fn denials_are_14_and_15_and_say_what_was_denied() {
    let setup = Setup::new().warmed();
    let outside = setup.run(["call", "fs.read", "{\"path\": \"../../etc/passwd\"}"]);
    assert_eq!((outside.code, outside.stdout.as_str()), (14, ""), "{outside:?}");
    assert!(outside.stderr.contains("capability_denied: "), "{}", outside.stderr);
    let metadata =
        setup.run(["call", "http.fetch", "{\"url\": \"http://169.254.169.254/latest/meta-data\"}"]);
    assert_eq!((metadata.code, metadata.stdout.as_str()), (15, ""), "{metadata:?}");
    assert!(metadata.stderr.contains("egress_denied: "), "{}", metadata.stderr);
    assert!(metadata.stderr.contains("169.254.169.254"), "{}", metadata.stderr);
}

#[test]
fn a_call_that_takes_too_long_is_22() {
    let policy = "version: 1\npacks: { misbehave: { limits: { time: 300ms } } }\n";
    let setup = Setup::new().policy(policy).packs(guests::misbehave());
    let ran = setup.run(["call", "misbehave", "{\"do\": \"spin\"}"]);
    assert_eq!(ran.code, 22, "{ran:?}");
    assert!(
        ran.stderr.contains("timeout: misbehave took longer than the 300ms it may take."),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_wrong_command_line_is_2() {
    let setup = Setup::new();
    for words in [
        &[][..],
        &["nonsense"],
        &["call"],
        &["call", "text.stats", "{}", "{}"],
        &["packs"],
        &["--walls", "high", "doctor"],
        &["serve", "--listen", "here"],
    ] {
        let ran = setup.run(words);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{words:?}: {ran:?}");
        assert!(ran.stderr.contains("Usage: packhost") || ran.stderr.contains("error: "), "{}", ran.stderr);
    }
    let said = setup.run(["--json", "nonsense"]);
    assert_eq!((said.code, &said.json()["error"]["code"]), (2, &json!("wrong_command_line")));
    assert_eq!(setup.run(["--help"]).code, 0);
    assert!(setup.run(["--version"]).stdout.starts_with("packhost "));
}

#[test]
fn what_is_no_call_and_no_command_line_is_1() {
    let setup = Setup::new();
    let missing = setup.root().join("missing").display().to_string();
    let input = setup.run(["--json", "call", "text.stats", &format!("@{missing}")]);
    assert_eq!((input.code, &input.json()["error"]["code"]), (1, &json!("file_failed")));
    let policy = setup.run(["--json", "--policy", &missing, "packs", "list"]);
    assert_eq!((policy.code, &policy.json()["error"]["code"]), (1, &json!("file_failed")));
    let ran = setup.run(["--policy", &missing, "packs", "list"]);
    assert!(ran.stderr.contains(&missing), "it says which file: {}", ran.stderr);
}
