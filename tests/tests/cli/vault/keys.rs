//! The master key: where it comes from, and how it is exchanged.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use packhost_tests::host::{Ran, Setup};
use serde_json::json;

use super::{BOUND, VALUE, code, fed, kept, message, names, vault};

/// 32 bytes in base64.
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const OTHER: &str = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";

fn file(setup: &Setup, name: &str, text: &str, mode: u32) -> PathBuf {
    let path = setup.root().join(name);
    fs::write(&path, text).expect("the directory is the test's");
    fs::set_permissions(&path, Permissions::from_mode(mode)).expect("the file is the test's");
    path
}

/// Sets a credential with the master key from this source, and has it opened again.
fn works(setup: &Setup, source: &str, variables: &[(&str, &str)]) -> Ran {
    let with = |words: &[&str]| {
        let mut command = setup.command([&["--json", "--vault-key", source, "vault"], words].concat());
        command.envs(variables.iter().copied());
        command
    };
    let done = fed(with(&[&["set", "A"], &BOUND[..]].concat()), VALUE.as_bytes());
    if done.code != 0 {
        return done;
    }
    // Only what was opened can be sealed anew.
    fed(with(&[&["bind", "A"], &BOUND[..]].concat()), b"")
}

#[test]
fn a_key_of_the_hosts_own_is_made_on_first_use() {
    let setup = Setup::new();
    assert_eq!(names(&setup), Vec::<String>::new());
    let key = setup.state().join("vault.key");
    assert!(!key.exists(), "nothing needed it");
    let setup = kept("A");
    for private in ["vault.key", "state.db"] {
        let mode = fs::metadata(setup.state().join(private)).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{private}");
    }
    fs::remove_file(setup.state().join("vault.key")).expect("it is there");
    let ran = fed(setup.command(["--json", "vault", "rotate", "A"]), b"another-value");
    assert_eq!(code(&ran), (1, json!("vault_failed")), "{ran:?}");
}

#[test]
fn it_comes_from_wherever_the_operator_says() {
    let text = format!("# the key\n{KEY}\n");
    let setup = Setup::new();
    let key = file(&setup, "operator.key", &text, 0o600).display().to_string();
    for source in [format!("file:{key}"), format!("command:cat '{key}'")] {
        let ran = works(&setup, &source, &[]);
        assert_eq!(ran.code, 0, "{source}: {ran:?}");
    }
    assert_eq!(works(&setup, "env:THE_KEY", &[("THE_KEY", KEY)]).code, 0);
    // As systemd has it for a service that does not run as root: the group's bits are the mask of a list.
    file(&setup, "vault-key", &text, 0o440);
    let directory = setup.root().display().to_string();
    for source in ["systemd", "systemd:vault-key"] {
        let ran = works(&setup, source, &[("CREDENTIALS_DIRECTORY", &directory)]);
        assert_eq!(ran.code, 0, "{source}: {ran:?}");
    }
    let named = Setup::new().env("PACKHOST_VAULT_KEY", "env:THE_KEY").env("THE_KEY", KEY);
    assert_eq!(fed(named.command([&["vault", "set", "A"], &BOUND[..]].concat()), VALUE.as_bytes()).code, 0);
    assert!(!named.state().join("vault.key").exists(), "the variable names another source");
    let own = works(&named, "own", &[]);
    assert_eq!(code(&own), (1, json!("vault_failed")), "what is said is stronger than the variable: {own:?}");
}

#[test]
fn a_key_that_is_not_there_or_not_private_or_another_is_said_so() {
    let setup = Setup::new();
    let at = |name: &str, text: &str, mode| format!("file:{}", file(&setup, name, text, mode).display());
    let good = at("good.key", KEY, 0o600);
    assert_eq!(works(&setup, &good, &[]).code, 0);
    for (source, words) in [
        (at("open.key", KEY, 0o644), "chmod 600"),
        (at("wrong.key", "no key at all\n", 0o600), "line 1 is not 32 bytes in base64"),
        (at("empty.key", "", 0o600), "no key in it"),
        (format!("{}.missing", good), "No such file"),
        ("env:NO_SUCH_VARIABLE_IS_SET".into(), "not set"),
        ("systemd".into(), "CREDENTIALS_DIRECTORY"),
        ("command:false".into(), "ended with"),
    ] {
        let ran = works(&setup, &source, &[]);
        assert_eq!(code(&ran), (1, json!("vault_failed")), "{source}: {ran:?}");
        assert!(message(&ran).contains(words), "{source}: {ran:?}");
    }
    let other = format!("file:{}", file(&setup, "other.key", OTHER, 0o600).display());
    let bind = [&["--json", "--vault-key", &other, "vault", "bind", "A"], &BOUND[..]].concat();
    let ran = setup.run(bind);
    assert!(message(&ran).contains("is this the right key?"), "{ran:?}");
}

/// Two credentials of which this key opens the second alone.
fn half_open(setup: &Setup) -> String {
    let at = |name: &str, key: &str| format!("file:{}", file(setup, name, key, 0o600).display());
    let (key, other) = (at("good.key", KEY), at("other.key", OTHER));
    for (name, source) in [("A", &key), ("B", &other)] {
        let set = [&["--vault-key", source, "vault", "set", name], &BOUND[..]].concat();
        assert_eq!(fed(setup.command(set), VALUE.as_bytes()).code, 0);
    }
    other
}

#[test]
fn what_a_key_opens_is_said_for_each_credential() {
    let setup = Setup::new();
    let other = half_open(&setup);
    let verify = |words: &[&str]| setup.run([words, &["--vault-key", &other, "vault", "verify"]].concat());
    let said = verify(&["--json"]);
    assert_eq!((said.code, &said.json()["good"]), (1, &json!(false)), "{said:?}");
    let rows = said.json()["credentials"].as_array().expect("a list").clone();
    let found: Vec<_> = rows.iter().map(|row| (&row["name"], &row["finding"])).collect();
    assert_eq!(found, [(&json!("A"), &json!("key_missing")), (&json!("B"), &json!("opens"))], "{said:?}");
    let text = verify(&[]);
    assert_eq!(text.code, 1, "{text:?}");
    for words in ["no key   A", "is this the right key?", "opens    B"] {
        assert!(text.stdout.contains(words), "{words}: {}", text.stdout);
    }
    let whole = vault(&kept("A"), &["verify"]);
    assert_eq!((whole.code, &whole.json()["good"]), (0, &json!(true)), "{whole:?}");
    let empty = Setup::new().run(["vault", "verify"]);
    assert_eq!((empty.code, empty.stdout.trim()), (0, "no credentials"));
}

#[test]
fn a_host_says_at_its_start_what_the_key_does_not_open() {
    let setup = Setup::new();
    let other = half_open(&setup);
    let setup = setup.args(["--vault-key", &other]).warmed();
    let log = setup.serve(&[]).log();
    assert!(log.contains("does not open A, which") && log.contains("packhost vault verify"), "{log}");
    // The end of stdin is the end of it.
    let mcp = setup.run(["mcp"]);
    assert!(mcp.code == 0 && mcp.stderr.contains("does not open A, which"), "{mcp:?}");
    let whole = kept("A").warmed().serve(&[]).log();
    assert!(!whole.contains("does not open"), "{whole}");
}

#[test]
fn a_source_that_is_none_is_a_wrong_command_line() {
    let setup = Setup::new();
    for source in ["", "nonsense", "file:", "systemd:../shadow", "env:", "command:", "command:'"] {
        let ran = setup.run(["--json", "--vault-key", source, "vault", "list"]);
        assert_eq!(code(&ran), (2, json!("wrong_command_line")), "{source:?}");
    }
}

#[test]
fn the_master_key_is_exchanged() {
    let setup = kept("A");
    let before = vault(&setup, &["show", "A"]).json();
    let rotated = vault(&setup, &["rotate", "--master"]).json();
    let after = vault(&setup, &["show", "A"]).json();
    assert_eq!(rotated, json!({ "master_key": after["master_key"], "sealed_anew": 1 }));
    assert_ne!(before["master_key"], after["master_key"]);
    assert_eq!(before["version"], after["version"], "the value is the same");
    assert_eq!(vault(&setup, &[&["bind", "A"], &BOUND[..]].concat()).code, 0, "it can be opened");
}

#[test]
fn a_key_of_the_operators_is_exchanged_by_the_operator() {
    let setup = Setup::new();
    let source = |text: &str| format!("file:{}", file(&setup, "operator.key", text, 0o600).display());
    let rotate = |source: &str| setup.run(["--json", "--vault-key", source, "vault", "rotate", "--master"]);
    assert_eq!(works(&setup, &source(KEY), &[]).code, 0);
    let alone = rotate(&source(KEY));
    assert_eq!(code(&alone), (1, json!("vault_failed")), "{alone:?}");
    let done = rotate(&source(&format!("{OTHER}\n{KEY}\n")));
    assert_eq!((done.code, &done.json()["sealed_anew"]), (0, &json!(1)), "{done:?}");
    assert_eq!(works(&setup, &source(OTHER), &[]).code, 0, "the old one can go");
}

#[test]
fn an_agent_starts_a_host_with_the_same_source() {
    let setup = Setup::new();
    let said = setup.run(["--json", "--vault-key", "file:key", "connect", "generic"]).json();
    let words = said["stdio"]["args"].as_array().expect("arguments");
    let at = words.iter().position(|word| word == "--vault-key").expect("it is handed on");
    let word = words[at + 1].as_str().expect("a word");
    assert!(word.starts_with("file:/") && word.ends_with("/key"), "{word}: from whatever directory");
}

#[test]
fn without_a_home_or_a_session_the_key_comes_from_the_environment() {
    let setup = Setup::new();
    let bare = |words: &[&str]| {
        let mut command = setup.command([&["--json", "--vault-key", "env:THE_KEY", "vault"], words].concat());
        command.env_clear().env("THE_KEY", KEY);
        command
    };
    assert_eq!(fed(bare(&[&["set", "A"], &BOUND[..]].concat()), VALUE.as_bytes()).code, 0);
    let opened = fed(bare(&[&["bind", "A"], &BOUND[..]].concat()), b"");
    assert_eq!(opened.code, 0, "{opened:?}");
}

#[test]
fn no_manifest_grants_the_file_of_the_master_key() {
    let setup = Setup::new();
    fs::create_dir(setup.root().join("keys")).expect("the directory is the test's");
    let key = file(&setup, "keys/master", KEY, 0o600);
    let dir = setup.root().join("keys");
    let rule = format!("{{ host: '{}', guest: /k }}", dir.display());
    let setup = setup.policy(&format!("version: 1\npacks:\n  fs.read:\n    fs: [{rule}]\n"));
    let source = format!("file:{}", key.display());
    let refused = setup.run(["--vault-key", &source, "policy", "check"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("is the host's own"), "{}", refused.stderr);
    let mut by_systemd = setup.command(["policy", "check"]);
    by_systemd.env("CREDENTIALS_DIRECTORY", &dir);
    let refused = fed(by_systemd, b"");
    assert!(refused.code == 1 && refused.stderr.contains("is the host's own"), "{refused:?}");
    assert_eq!(setup.run(["policy", "check"]).code, 0, "otherwise it is a directory like any other");
}
