//! Where the host keeps things, and that the binary needs nothing beside itself.

use std::path::Path;
use std::process::Command;

use packhost_tests::host::{Ran, Setup, binary};

const XDG: [&str; 4] = ["XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"];

fn at_home(mut command: Command, home: &Path) -> Ran {
    for variable in XDG {
        command.env_remove(variable);
    }
    Ran::from(command.env("HOME", home).output().expect("the binary starts"))
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("it is there");
    entries.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn with_state_everything_is_in_one_directory() {
    let setup = Setup::new().warmed();
    let home = setup.root().join("home");
    std::fs::create_dir(&home).expect("the directory is the test's");
    for words in [
        &["call", "text.stats", "{\"text\": \"a\"}"][..],
        &["call", "fs.write", "{\"path\": \"a.txt\", \"content\": \"a\"}"],
        &["packs", "list"],
        &["policy", "check"],
        &["doctor"],
        &["connect", "generic"],
        &["demo"],
        &["mcp"],
    ] {
        let ran = at_home(setup.command(words), &home);
        assert_eq!(ran.code, 0, "{words:?}: {ran:?}");
        assert_eq!(names(&home), Vec::<String>::new(), "{words:?} wrote into the home directory");
    }
    let written = setup.state().join("files/a.txt");
    assert_eq!(std::fs::read_to_string(written).expect("it is in the state directory"), "a");
}

#[test]
fn without_state_it_keeps_to_the_xdg_directories() {
    let setup = Setup::new();
    let home = setup.root().join("home");
    std::fs::create_dir(&home).expect("the directory is the test's");
    let mut command = Command::new(binary());
    command.args(["--json", "call", "text.stats", "{\"text\": \"a\"}"]).env_remove("PACKHOST_STATE");
    let ran = at_home(command, &home);
    assert_eq!(ran.code, 0, "{ran:?}");
    for kept in [".local/state/packhost/compiled.key", ".cache/packhost", ".config/packhost/policies"] {
        assert!(home.join(kept).exists(), "{kept} is not there");
    }
}

#[test]
fn the_binary_alone_serves_its_packs() {
    let setup = Setup::new().warmed();
    let elsewhere = setup.root().join("elsewhere");
    std::fs::create_dir(&elsewhere).expect("the directory is the test's");
    let copy = elsewhere.join("packhost");
    std::fs::copy(binary(), &copy).expect("the directory is the test's");
    let run = |words: &[&str]| {
        let mut command = Command::new(&copy);
        command.env_clear().current_dir(&elsewhere).arg("--json").args(words);
        Ran::from(command.output().expect("the binary starts"))
    };
    let state = setup.state().display().to_string();
    let listed = run(&["--state", &state, "packs", "list"]).json();
    assert_eq!(listed["packs"].as_array().map(Vec::len), Some(24), "{listed}");
    let called = run(&["--state", &state, "call", "text.stats", "{\"text\": \"a b\"}"]);
    assert_eq!((called.code, &called.json()["output"]["words"]), (0, &serde_json::json!(2)));
    let homeless = run(&["packs", "list"]);
    assert_eq!(homeless.code, 1, "{homeless:?}");
    let message = homeless.json()["error"]["message"].clone();
    assert!(message.as_str().is_some_and(|text| text.contains("--state")), "it says what to do: {message}");
    assert_eq!(names(&elsewhere), ["packhost"]);
}

#[test]
fn an_answer_that_cannot_be_written_is_an_error_and_a_lost_message_is_none() {
    let setup = Setup::new();
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    for words in [&["packs", "list"][..], &["--json", "packs", "list"], &["tokens", "create", "ci"]] {
        let ran = Ran::from(setup.command(words).stdout(full()).output().expect("the binary starts"));
        let says = ran.stderr.contains("error: stdout: No space left on device");
        assert!(ran.code == 1 && says && !ran.stderr.contains("panicked"), "{words:?}: {ran:?}");
    }
    let ran = setup.command(["packs", "show", "no.such"]).stderr(full()).output();
    assert_eq!(Ran::from(ran.expect("the binary starts")).code, 13);
}
