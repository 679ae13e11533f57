//! Guests that try to leave the directories that they were granted.
//!
//! The hosts here run without the walls, which would hide what the runtime lets through: each of the two must hold alone,
//! and the walls have tests of their own.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use packhost_tests::guests;
use packhost_tests::host::Setup;
use packhost_tests::rpc::{Rpc, code};
use serde_json::json;

use crate::scene::{alone, connect, manifest, saw};

pub(crate) const SECRET: &str = "correct-horse-battery-staple";

/// A granted directory with a few things in it, and beside it what must stay out of reach.
pub(crate) struct Yard {
    setup: Setup,
    pub(crate) inside: PathBuf,
    outside: PathBuf,
}

impl Yard {
    /// `misbehave` has `granted` and what `below` adds to it as `/files`.
    pub(crate) fn new(below: &str, mode: &str) -> Self {
        let setup = Setup::new().args(["--walls", "off"]);
        let (inside, outside) = (setup.root().join("granted"), setup.root().join("outside"));
        fs::create_dir_all(inside.join("below")).expect("the directory is ours");
        fs::create_dir(&outside).expect("the directory is ours");
        fs::write(inside.join("inside.txt"), "inside").expect("the directory is ours");
        fs::write(outside.join("secret.txt"), SECRET).expect("the directory is ours");
        symlink("inside.txt", inside.join("within")).expect("the directory is ours");
        symlink(outside.join("secret.txt"), inside.join("absolute")).expect("the directory is ours");
        symlink("../outside", inside.join("relative")).expect("the directory is ours");
        let rule = format!("{{ host: \"{}{below}\", guest: /files, mode: {mode} }}", inside.display());
        let setup = setup.policy(&manifest("misbehave", &format!("{{ fs: [{rule}] }}")));
        Self { setup: setup.packs(guests::misbehave()), inside, outside }
    }

    pub(crate) fn connect(&self) -> Rpc {
        connect(&self.setup)
    }

    /// What is outside is as it was.
    pub(crate) fn is_untouched(&self) {
        let entries = fs::read_dir(&self.outside).expect("it is there");
        let names: Vec<_> = entries.map(|entry| entry.expect("readable").file_name()).collect();
        assert_eq!(names, ["secret.txt"]);
        let secret = fs::read_to_string(self.outside.join("secret.txt")).expect("it is there");
        assert_eq!(secret, SECRET);
    }
}

/// The guest tries something with a path; what it saw is one line.
pub(crate) fn tries(host: &mut Rpc, what: &str, path: &str, text: &str) -> String {
    let result = host.call("misbehave", json!({ "do": what, "path": path, "text": text }));
    assert!(!result.to_string().contains(SECRET), "{what} {path}: {result}");
    saw(&result).join(" ")
}

fn refused(host: &mut Rpc, what: &str, path: &str, text: &str) {
    let seen = tries(host, what, path, text);
    assert!(seen.starts_with("refused: "), "{what} {path} {text}: {seen}");
}

/// Elsewhere too: "list `/`: correctly denied".
#[test]
fn without_a_grant_there_is_no_directory() {
    let setup = alone("{}").args(["--walls", "off"]);
    let mut host = connect(&setup);
    assert_eq!(tries(&mut host, "directories", "", ""), "");
    for path in [".", "/", "/etc", "/proc/self"] {
        refused(&mut host, "list", path, "");
    }
    refused(&mut host, "read", "/etc/passwd", "");
    refused(&mut host, "write", "/tmp/packhost-tests-escaped", "x");
}

#[test]
fn a_granted_directory_is_all_that_there_is() {
    let yard = Yard::new("", "read-write");
    let mut host = yard.connect();
    assert_eq!(tries(&mut host, "directories", "", ""), "/files");
    assert_eq!(tries(&mut host, "list", ".", ""), "absolute below inside.txt relative within");
    assert_eq!(tries(&mut host, "read", "inside.txt", ""), "inside");
    assert_eq!(tries(&mut host, "read", "within", ""), "inside", "a link may lead to what is inside");
    assert_eq!(tries(&mut host, "write", "below/new.txt", "new"), "3 bytes");
    assert_eq!(fs::read_to_string(yard.inside.join("below/new.txt")).expect("it was written"), "new");

    let absolute = yard.outside.join("secret.txt").display().to_string();
    for path in [
        "../outside/secret.txt",
        "below/../../outside/secret.txt",
        "./below/./../../outside/./secret.txt",
        "/../outside/secret.txt",
        "/files/../outside/secret.txt",
        &absolute,
        "/etc/passwd",
        "/proc/self/environ",
        "/proc/self/root/etc/passwd",
    ] {
        refused(&mut host, "read", path, "");
    }
    for path in ["..", "/", "below/../..", "/proc/self/fd", "../outside"] {
        refused(&mut host, "list", path, "");
    }
    for path in ["../outside/new.txt", "/tmp/packhost-tests-escaped", &absolute] {
        refused(&mut host, "write", path, "escaped");
    }
    yard.is_untouched();
}

#[test]
fn no_link_leads_out() {
    let yard = Yard::new("", "read-write");
    let mut host = yard.connect();
    // Links that somebody else put there.
    refused(&mut host, "read", "absolute", "");
    refused(&mut host, "read", "relative/secret.txt", "");
    refused(&mut host, "list", "relative", "");
    refused(&mut host, "write", "absolute", "escaped");
    refused(&mut host, "write", "relative/new.txt", "escaped");
    // Links that the guest makes: whether one may be made does not matter, but that it leads nowhere.
    let secret = yard.outside.join("secret.txt").display().to_string();
    for (link, target) in
        [("up", "../outside/secret.txt"), ("far", secret.as_str()), ("self", "/proc/self/environ")]
    {
        tries(&mut host, "symlink", link, target);
        refused(&mut host, "read", link, "");
        tries(&mut host, "write", link, "escaped");
    }
    tries(&mut host, "symlink", "below/parent", "..");
    refused(&mut host, "read", "below/parent/../outside/secret.txt", "");
    // A second name for what is outside.
    for target in ["../outside/secret.txt", "relative/secret.txt", secret.as_str()] {
        refused(&mut host, "hardlink", "mine", target);
        refused(&mut host, "rename", target, "mine");
    }
    tries(&mut host, "hardlink", "copied", "absolute");
    refused(&mut host, "read", "copied", "");
    for target in ["../outside/taken.txt", "relative/taken.txt", "/tmp/packhost-tests-taken"] {
        refused(&mut host, "rename", "inside.txt", target);
        refused(&mut host, "hardlink", target, "inside.txt");
    }
    yard.is_untouched();
    assert_eq!(fs::read_to_string(yard.inside.join("inside.txt")).expect("it stayed"), "inside");
}

#[test]
fn a_read_only_directory_is_not_written_to() {
    let yard = Yard::new("", "read-only");
    let mut host = yard.connect();
    assert_eq!(tries(&mut host, "read", "inside.txt", ""), "inside");
    refused(&mut host, "write", "new.txt", "new");
    refused(&mut host, "write", "inside.txt", "changed");
    refused(&mut host, "symlink", "link", "inside.txt");
    refused(&mut host, "hardlink", "second", "inside.txt");
    refused(&mut host, "rename", "inside.txt", "renamed.txt");
    for act in ["truncate", "resize", "touch", "unlink"] {
        refused(&mut host, act, "inside.txt", "");
    }
    refused(&mut host, "make_directory", "new", "");
    refused(&mut host, "remove_directory", "below", "");
    assert_eq!(tries(&mut host, "list", ".", ""), "absolute below inside.txt relative within");
    assert_eq!(tries(&mut host, "read", "inside.txt", ""), "inside");
}

/// The input chooses a directory below the granted one. A guest may have made a link of that name.
#[test]
fn a_directory_that_the_input_names_is_no_way_out() {
    let yard = Yard::new("/${input.text}", "read-write");
    let mut host = yard.connect();
    assert_eq!(tries(&mut host, "write", "new.txt", "below"), "5 bytes");
    assert_eq!(tries(&mut host, "list", ".", "below"), "new.txt");
    for link in ["relative", "absolute"] {
        let result = host.call("misbehave", json!({ "do": "list", "path": ".", "text": link }));
        assert_eq!(code(&result), "capability_denied", "{link}: {result}");
    }
    for name in ["..", "../outside", "below/../../outside", "/etc", ".", ""] {
        refused(&mut host, "list", ".", name);
    }
    yard.is_untouched();
}
