//! Processes that come and go beside one that stays, as the command line does beside a host.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use packhost_state::Database;
use packhost_vault::{KeySource, Vault, VaultError};

use crate::child::{Heard, command, role, say};
use crate::model::{Deed, found};
use crate::{name, opened, value};

const STAYS: &str = "beside::a_process_that_ends_takes_nothing_away_from_one_that_stays";
const FIRST: &str = "beside::processes_that_start_at_once_in_a_fresh_directory_all_start";

/// The last connection that is closed takes the write-ahead log with it; this one is not the last.
#[test]
fn a_process_that_ends_takes_nothing_away_from_one_that_stays() {
    if let Some(role) = role() {
        return stay(Path::new(&role));
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    // A database that is there, so that what stays does not make it.
    Deed::Set(0).run(&opened(dir.path()).expect("a fresh directory"), "A").expect("kept");
    let mut command = command(&[], STAYS, &dir.path().display().to_string());
    command.stdin(Stdio::piped());
    let mut child = Heard::start(command);
    let mut stdin = child.stdin();
    assert_eq!(child.line(), "opened");
    for number in 1..=3 {
        Deed::Set(number).run(&opened(dir.path()).expect("it opens"), "A").expect("kept");
        stdin.write_all(&[b'0' + u8::try_from(number).expect("small")]).expect("it listens");
        assert_eq!(child.line(), format!("{number} of A, {number} of B"));
        assert_eq!(found(&opened(dir.path()).expect("it opens"))["B"].number, number, "of the other process");
    }
    child.kill();
    let found = found(&opened(dir.path()).expect("it opens"));
    assert_eq!((found["A"].version, found["B"].version), (4, 3));
}

fn stay(dir: &Path) {
    let vault = opened(dir).expect("it opens");
    // A second one in the same process, which ends: SQLite's locks are the whole process's.
    drop(opened(dir).expect("it opens again"));
    say("opened");
    let mut number = [0];
    while std::io::stdin().read_exact(&mut number).is_ok() {
        let number = u32::from(number[0] - b'0');
        Deed::Set(number).run(&vault, "B").expect("kept");
        let found = found(&vault);
        say(&format!("{} of A, {} of B", found["A"].number, found["B"].number));
    }
}

#[test]
fn processes_that_start_at_once_in_a_fresh_directory_all_start() {
    if let Some(role) = role() {
        let (name, dir) = role.split_once(' ').expect("a name and a directory");
        let done = opened(Path::new(dir)).and_then(|vault| Deed::Set(1).run(&vault, name));
        return say(&format!("{done:?}"));
    }
    for _ in 0..20 {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let start =
            |name: &str| Heard::start(command(&[], FIRST, &format!("{name} {}", dir.path().display())));
        let children = ["A", "B", "C", "D"].map(start);
        for child in children {
            let (lines, _) = child.end();
            assert_eq!(lines, ["Ok(1)"]);
        }
        assert_eq!(found(&opened(dir.path()).expect("it opens")).len(), 4);
    }
}

/// What a reader does for its keys: the first time it says that it is at it, and waits.
const KEYS: &str =
    r#"cd "$0" && if mkdir once 2>/dev/null; then echo >reading; cat go >/dev/null; fi; cat vault.key"#;

/// A key is taken away when nothing is sealed with it any more, perhaps between somebody's look at a record and their
/// look at the keys; by then the record has another key.
#[test]
fn what_is_read_while_the_master_key_is_exchanged_opens() {
    type Read = fn(&Vault) -> Result<usize, VaultError>;
    let reads: [Read; 2] = [|vault| value(vault, &name("A")).map(|_| 1), |vault| Ok(vault.export()?.len())];
    for read in reads {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let dir = dir.path();
        let made = Command::new("mkfifo").args(["reading", "go"]).current_dir(dir).status();
        assert!(made.expect("mkfifo is there").success());
        let vault = opened(dir).expect("a fresh directory");
        Deed::Set(1).run(&vault, "A").expect("kept");
        let command = ["sh", "-c", KEYS, dir.to_str().expect("text")].map(String::from);
        let reader = Vault::open(
            Arc::new(Database::open(dir).expect("it opens")),
            KeySource::Command(command.to_vec()),
        );
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| read(&reader.expect("tables of ours")));
            fs::read(dir.join("reading")).expect("it is at it");
            vault.rotate_master().expect("exchanged");
            fs::write(dir.join("go"), "").expect("it waits");
            assert_eq!(reader.join().expect("no panic").expect("it opens"), 1);
        });
    }
}
