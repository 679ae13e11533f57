//! `packhost vault export` and `import`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use packhost_tests::host::{Ran, Setup};
use serde_json::json;

use super::{BOUND, VALUE, code, fed, github, kept, message, names, set, vault};

/// Key pairs of these tests' own, as age-keygen makes them; they open nothing else.
const IDENTITY: &str = "AGE-SECRET-KEY-1FF35GVK7KQ6KAQ7484LCCAUXQ3APU9VMXNP2DDXDZR6H6GUWNCZSDQ8F76";
const RECIPIENT: &str = "age1292mztm797qe3w5u4ap2mkjsjfh4tw4s7l9vyh8lsptxjmvseqnssnyckn";
const STRANGER: &str = "AGE-SECRET-KEY-18LT4Z5S708NWRDSW9JQUEWDYJ6MPVHRWP0UR8FMD3MX47H3NJNUSV4Y8MA";
const PHRASE: &str = "correct horse battery";

/// Two credentials and the file of an identity.
fn two() -> (Setup, String) {
    let setup = kept("B");
    assert_eq!(
        set(&setup, "A", "another-value-of-it", &["--host", "a.example", "--body", "--pack", "web.*"]).code,
        0
    );
    let identity = setup.root().join("identity").display().to_string();
    fs::write(&identity, format!("# a key of the test's own\n{IDENTITY}\n"))
        .expect("the directory is the test's");
    (setup, identity)
}

fn at(setup: &Setup, name: &str) -> String {
    setup.root().join(name).display().to_string()
}

fn stripped(setup: &Setup) -> Vec<(String, serde_json::Value)> {
    let listed = vault(setup, &["list"]).json();
    let rows = listed["credentials"].as_array().expect("a list").iter();
    rows.map(|row| (row["name"].to_string(), row["bindings"].clone())).collect()
}

#[test]
fn an_export_for_a_key_comes_into_another_vault() {
    let (here, identity) = two();
    let file = at(&here, "vault.age");
    let exported = vault(&here, &["export", "--to", &file, "--recipient", RECIPIENT]);
    assert_eq!((exported.code, exported.json()), (0, json!({ "to": file, "credentials": ["A", "B"] })));
    let bytes = fs::read(&file).expect("it was made");
    assert!(bytes.starts_with(b"age-encryption.org/v1\n"));
    assert!(!String::from_utf8_lossy(&bytes).contains("marker"));
    assert_eq!(fs::metadata(&file).expect("it is there").permissions().mode() & 0o777, 0o600);
    let there = Setup::new();
    let imported = vault(&there, &["import", &file, "--identity", &identity]);
    let came = |name: &str| json!({ "name": name, "version": 1, "replaced": false });
    assert_eq!((imported.code, imported.json()), (0, json!({ "credentials": [came("A"), came("B")] })));
    assert_eq!(stripped(&here), stripped(&there));
    assert!(!there.state().join("state.db-journal").exists());
    // What came out of the other vault is the value: exported again and for a stream, it is the same once more.
    let again = there.command(["--json", "vault", "export", "--to", "-", "--recipient", RECIPIENT]).output();
    let Output { status, stdout, stderr } = again.expect("the binary starts");
    assert!(status.success() && stdout.starts_with(b"age-encryption.org/v1\n"), "stdout is the file alone");
    let said: serde_json::Value = serde_json::from_slice(&stderr).expect("what was done is on stderr");
    assert_eq!(said, json!({ "to": null, "credentials": ["A", "B"] }));
    let third = Setup::new();
    let import = ["--json", "vault", "import", "-", "--identity", &identity];
    let ran = fed(third.command(import), &stdout);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(stripped(&third), stripped(&here));
    assert_eq!(third.run([&["vault", "bind", "A"], &BOUND[..]].concat()).code, 0, "it can be opened");
}

#[test]
fn an_import_replaces_what_is_there_only_where_that_is_said() {
    let (here, identity) = two();
    let file = at(&here, "vault.age");
    assert_eq!(vault(&here, &["export", "--to", &file, "--recipient", RECIPIENT]).code, 0);
    let there = Setup::new();
    assert_eq!(
        set(&there, "B", "what-is-here-already", &["--host", "b.example", "--body", "--pack", "b"]).code,
        0
    );
    let import = ["import", &file, "--identity", &identity];
    let refused = vault(&there, &import);
    assert_eq!(code(&refused), (10, json!("invalid_input")));
    assert!(
        message(&refused).contains("B is already here") && message(&refused).contains("--replace"),
        "{refused:?}"
    );
    assert_eq!(names(&there), ["B"], "all or nothing");
    let done = vault(&there, &[&import[..], &["--replace"]].concat()).json();
    let b = json!({ "name": "B", "version": 2, "replaced": true });
    assert_eq!(done["credentials"][1], b, "{done}");
    assert_eq!(vault(&there, &["show", "B"]).json()["bindings"], json!([github()]));
}

#[test]
fn a_passphrase_comes_from_stdin_and_only_the_right_one_opens() {
    let (here, identity) = two();
    let file = at(&here, "vault.age");
    let export = ["--json", "vault", "export", "--to", &file, "--passphrase"];
    let short = fed(here.command(export), b"too short\n");
    assert_eq!(code(&short), (1, json!("command_failed")), "{short:?}");
    let made = fed(here.command(export), format!("{PHRASE}\n").as_bytes());
    assert_eq!(made.code, 0, "{made:?}");
    let there = Setup::new();
    let import = ["--json", "vault", "import", &file, "--passphrase"];
    let wrong = fed(there.command(import), b"wrong horse battery\n");
    assert_eq!(code(&wrong), (10, json!("invalid_input")));
    assert!(message(&wrong).contains("does not open"), "{wrong:?}");
    let other = vault(&there, &["import", &file, "--identity", &identity]);
    assert!(message(&other).contains("--passphrase"), "it says what opens it: {other:?}");
    assert_eq!(names(&there), Vec::<String>::new());
    let right = fed(there.command(import), PHRASE.as_bytes());
    assert_eq!(right.code, 0, "{right:?}");
    assert_eq!(stripped(&there), stripped(&here));
    for ran in [&short, &made, &wrong, &other, &right] {
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(!said.contains("battery") && !said.contains("marker"), "{ran:?}");
    }
}

#[test]
fn what_is_no_export_is_refused_and_nothing_is_kept() {
    let (here, identity) = two();
    let file = at(&here, "vault.age");
    assert_eq!(vault(&here, &["export", "--to", &file, "--recipient", RECIPIENT]).code, 0);
    let whole = fs::read(&file).expect("it was made");
    let mut changed = whole.clone();
    *changed.last_mut().expect("it is not empty") ^= 1;
    let there = Setup::new();
    for bytes in [&b""[..], b"nonsense", VALUE.as_bytes(), &whole[..whole.len() - 1], &whole[..40], &changed]
    {
        let ran = fed(there.command(["--json", "vault", "import", "-", "--identity", &identity]), bytes);
        assert_eq!(code(&ran), (10, json!("invalid_input")), "{ran:?}");
    }
    let stranger = at(&here, "stranger");
    fs::write(&stranger, STRANGER).expect("the directory is the test's");
    let ran = vault(&there, &["import", &file, "--identity", &stranger]);
    assert!(ran.code == 10 && message(&ran).contains("does not open"), "{ran:?}");
    fs::write(&stranger, "no identity\n").expect("the directory is the test's");
    let ran = vault(&there, &["import", &file, "--identity", &stranger]);
    assert_eq!(code(&ran), (1, json!("file_failed")), "{ran:?}");
    assert_eq!(names(&there), Vec::<String>::new());
}

#[test]
fn a_file_that_is_there_is_not_overwritten() {
    let (here, _) = two();
    let file = at(&here, "vault.age");
    fs::write(&file, "precious").expect("the directory is the test's");
    let ran = vault(&here, &["export", "--to", &file, "--recipient", RECIPIENT]);
    assert_eq!(code(&ran), (1, json!("command_failed")), "{ran:?}");
    assert_eq!(fs::read_to_string(&file).expect("it is there"), "precious");
}

#[test]
fn an_export_says_for_whom_and_an_import_with_what() {
    let (here, identity) = two();
    let file = at(&here, "vault.age");
    for words in [
        &["export", "--to", &file][..],
        &["export", "--recipient", RECIPIENT],
        &["export", "--to", &file, "--recipient", "age1nonsense"],
        &["export", "--to", &file, "--recipient", RECIPIENT, "--passphrase"],
        &["import", &file],
        &["import", &file, "--identity", &identity, "--passphrase"],
        &["rotate"],
        &["rotate", "A", "--master"],
    ] {
        let ran: Ran = vault(&here, words);
        assert_eq!(code(&ran), (2, json!("wrong_command_line")), "{words:?}: {ran:?}");
    }
    assert!(!fs::exists(&file).expect("readable"));
}
