//! Every single system call on the vault's files that can fail, fails once, and once the process dies there: the first
//! one, the second one, until the work is done before it comes to that.
//!
//! strace does it: it counts the calls of one kind on these files alone, and has the N-th fail or kill.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::ExitStatus;

use crate::child::{Heard, command, role, say};
use crate::model::{Deed, Kept, found};
use crate::{FILES, files_are_in_order, keys, opened};

/// What writes, and what makes it last; and what opens, where more than reading goes on.
const CALLS: &str = "pwrite64 write fsync fdatasync ftruncate rename linkat unlink openat";
const FAULTS: [&str; 2] = ["error=EIO", "signal=SIGKILL"];
/// No deed takes as many calls of a kind.
const MOST: usize = 60;

/// What the child does, on a vault that holds [`before`], or on none.
const DEEDS: [(&str, Option<Deed>); 6] = [
    ("first", Some(Deed::Set(15))),
    ("over", Some(Deed::Set(15))),
    ("rotate", Some(Deed::Rotate(16))),
    ("bind", Some(Deed::Bind)),
    ("remove", Some(Deed::Remove)),
    ("exchange", None),
];

#[test]
fn a_first_write_that_fails_anywhere_leaves_a_vault_that_works() {
    every_call("inject::a_first_write_that_fails_anywhere_leaves_a_vault_that_works", &["first"]);
}

#[test]
fn a_change_that_fails_anywhere_is_there_as_a_whole_or_not_at_all() {
    let test = "inject::a_change_that_fails_anywhere_is_there_as_a_whole_or_not_at_all";
    every_call(test, &["over", "rotate", "bind", "remove"]);
}

#[test]
fn an_exchange_of_the_master_key_that_fails_anywhere_loses_nothing() {
    every_call("inject::an_exchange_of_the_master_key_that_fails_anywhere_loses_nothing", &["exchange"]);
}

fn every_call(test: &str, deeds: &[&str]) {
    if let Some(role) = role() {
        return child(&role);
    }
    let prepared = tempfile::tempdir().expect("a temporary directory");
    prepare(prepared.path());
    let mut fired = BTreeMap::new();
    for deed in deeds {
        for call in CALLS.split(' ') {
            for fault in FAULTS {
                let reached = (1..=MOST).find(|count| {
                    let inject = format!("inject={call}:{fault}:when={count}");
                    !once(test, deed, &inject, prepared.path())
                });
                let reached = reached.unwrap_or_else(|| panic!("{deed}: there is no end of {call}"));
                *fired.entry((call, fault)).or_insert(0) += reached - 1;
            }
        }
    }
    for needed in ["pwrite64", "fsync", "openat"] {
        for fault in FAULTS {
            assert!(fired[&(needed, fault)] > 0, "{needed} never came to fail: {fired:?}");
        }
    }
    eprintln!("faults: {fired:?}");
}

/// A vault of three credentials.
fn prepare(dir: &Path) {
    let vault = opened(dir).expect("a fresh directory");
    for (name, number) in [("A", 1), ("B", 2), ("C", 5)] {
        Deed::Set(number).run(&vault, name).expect("kept");
    }
}

/// Whether the fault came to pass.
fn once(test: &str, deed: &str, inject: &str, prepared: &Path) -> bool {
    let place = tempfile::tempdir().expect("a temporary directory");
    let dir = place.path().join("vault");
    fs::create_dir(&dir).expect("ours");
    if deed != "first" {
        for file in fs::read_dir(prepared).expect("ours") {
            let file = file.expect("ours");
            fs::copy(file.path(), dir.join(file.file_name())).expect("ours");
        }
    }
    let log = place.path().join("log");
    let (said, status) = under_strace(test, &format!("{deed} {}", dir.display()), inject, &log);
    let log = fs::read_to_string(&log).expect("strace writes it");
    // strace ends as its child did.
    let fired = log.contains("INJECTED") || (status.signal() == Some(9) || status.code() == Some(137));
    assert!(fired || said == "did", "{deed}: {said} without a fault\n{log}");
    let _trying = Trying(format!("{deed}, {inject}: {said}\n{log}"));
    judge(deed, said == "did", &dir);
    fired
}

/// Says what it was that went wrong.
struct Trying(String);

impl Drop for Trying {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.0);
        }
    }
}

/// What the child says in the end, and how it ends.
fn under_strace(test: &str, role: &str, inject: &str, log: &Path) -> (String, ExitStatus) {
    let (_, dir) = role.split_once(' ').expect("a deed and a directory");
    let dir = fs::canonicalize(dir).expect("ours");
    let mut words = vec!["strace".to_owned(), "-f".into(), "-qq".into()];
    words.extend(["-o".into(), log.display().to_string()]);
    words.extend(["-e".into(), format!("trace={}", CALLS.replace(' ', ",")), "-e".into(), inject.into()]);
    for path in FILES.iter().map(|file| dir.join(file)).chain([dir.clone()]) {
        words.extend(["-P".into(), path.display().to_string()]);
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (lines, status) = Heard::start(command(&words, test, role)).end();
    (lines.last().cloned().unwrap_or_else(|| "nothing".into()), status)
}

fn child(role: &str) {
    let (deed, dir) = role.split_once(' ').expect("a deed and a directory");
    let done = opened(Path::new(dir)).and_then(|vault| match deed_of(deed) {
        Some(deed) => deed.run(&vault, "A").map(drop),
        None => vault.rotate_master().map(drop),
    });
    say(&done.map_or_else(|error| format!("failed: {error}"), |()| "did".into()));
}

fn deed_of(word: &str) -> Option<Deed> {
    DEEDS.iter().find(|(name, _)| *name == word).expect("a deed").1
}

fn judge(deed: &str, done: bool, dir: &Path) {
    let kept = |number, version| Kept { number, version };
    let all = [("A", kept(1, 1)), ("B", kept(2, 1)), ("C", kept(5, 1))];
    let before: BTreeMap<String, Kept> = match deed {
        "first" => BTreeMap::new(),
        _ => all.map(|(name, kept)| (name.to_owned(), kept)).into(),
    };
    let mut after = before.clone();
    if let Some(deed) = deed_of(deed) {
        let old = after.remove("A");
        after.extend(deed.after(old).map(|kept| ("A".to_owned(), kept)));
    }
    files_are_in_order(dir);
    let vault = opened(dir).expect("it opens again");
    let found = found(&vault);
    assert!(found == after || (!done && found == before), "{found:?}");
    drop(vault);
    works(dir, found);
}

/// Whatever happened, the next write and the next exchange are as ever.
fn works(dir: &Path, mut model: BTreeMap<String, Kept>) {
    let vault = opened(dir).expect("it opens");
    let deed = Deed::Set(99);
    deed.run(&vault, "D").expect("it works again");
    model.extend(deed.after(None).map(|kept| ("D".to_owned(), kept)));
    vault.rotate_master().expect("it works again");
    drop(vault);
    assert_eq!(found(&opened(dir).expect("it opens")), model);
    assert_eq!(keys(dir).len(), 1, "keys that nothing is sealed with were kept");
    files_are_in_order(dir);
    assert!(!dir.join("vault.key.new").exists());
}
