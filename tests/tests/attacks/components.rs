//! Files that are no components, or components that must not be served: the host starts, says why, and serves the rest.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use packhost_tests::guests;
use packhost_tests::host::Setup;
use serde_json::Value;

use crate::scene::{connect, still_works, tools};

/// `\0asm`, and the version of the binary format that is a component's.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
const MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// Why the file of that name, or the pack in it, is not served.
fn why<'a>(listed: &'a Value, name: &str) -> &'a str {
    let refused = listed["not_served"].as_array().expect("a list");
    let named = refused.iter().find(|one| one["name"].as_str().is_some_and(|it| it.starts_with(name)));
    named.unwrap_or_else(|| panic!("{name} is not among {listed}"))["reason"].as_str().expect("a sentence")
}

fn served(listed: &Value) -> Vec<&str> {
    let packs = listed["packs"].as_array().expect("a list");
    packs.iter().map(|pack| pack["name"].as_str().expect("a name")).collect()
}

/// A directory with these files and `misbehave`, which is a good component.
fn among(setup: &Setup, fill: impl FnOnce(&Path)) -> std::path::PathBuf {
    let dir = setup.root().join("components");
    fs::create_dir(&dir).expect("the directory is ours");
    fs::copy(guests::misbehave(), dir.join("misbehave.wasm")).expect("the directory is ours");
    fill(&dir);
    dir
}

#[test]
fn what_is_no_component_is_named_and_the_rest_is_served() {
    let setup = Setup::new().policy("version: 1\npacks: { misbehave: {} }\n");
    let good = fs::read(guests::misbehave()).expect("the build made it");
    let dir = among(&setup, |dir| {
        let write =
            |name: &str, bytes: &[u8]| fs::write(dir.join(name), bytes).expect("the directory is ours");
        write("empty.wasm", b"");
        write("script.wasm", b"#!/bin/sh\necho owned\n");
        write("module.wasm", MODULE);
        write("half.wasm", &good[..good.len() / 2]);
        write("zeros.wasm", &[COMPONENT, &[0; 1 << 16]].concat());
        let mut large = File::create(dir.join("large.wasm")).expect("the directory is ours");
        large.write_all(COMPONENT).expect("the file is ours");
        // Sparse: nobody has to write 200 MB.
        large.set_len(200 << 20).expect("the file is ours");
    });
    let setup = setup.packs(&dir);
    let listed = setup.run(["--json", "packs", "list"]);
    assert_eq!(listed.code, 0, "{listed:?}");
    let listed = listed.json();
    assert_eq!(served(&listed), ["misbehave"]);
    for (name, reason) in [
        ("empty ", "not WebAssembly"),
        ("script ", "not WebAssembly"),
        ("module ", "a core WebAssembly module, not a component"),
        ("half ", "a broken component"),
        ("zeros ", "a broken component"),
        ("large ", "a component may have 67108864"),
    ] {
        let why = why(&listed, name);
        assert!(why.contains(reason), "{name}: {why}");
    }
    let mut host = connect(&setup);
    assert_eq!(tools(&mut host), ["misbehave"]);
    still_works(&mut host);
}

/// Elsewhere: "two components with one tool name make that tool fail at call time".
#[test]
fn two_packs_of_one_tool_name_are_both_refused() {
    let setup = Setup::new().policy("version: 1\npacks: { misbehave: {}, same.name: {}, same_name: {} }\n");
    let dir = among(&setup, |dir| {
        for twin in [guests::same_dot(), guests::same_underscore()] {
            fs::copy(twin, dir.join(twin.file_name().expect("a file has a name"))).expect("it is ours");
        }
    });
    let setup = setup.packs(&dir);
    let listed = setup.run(["--json", "packs", "list"]).json();
    assert_eq!(served(&listed), ["misbehave"]);
    for twin in ["same.name (", "same_name ("] {
        assert!(why(&listed, twin).contains("another pack is also called same_name"), "{listed}");
    }
    let mut host = connect(&setup);
    assert_eq!(tools(&mut host), ["misbehave"]);
}

/// A file that takes the name of another pack does not take its place.
#[test]
fn a_second_component_of_one_name_is_not_preferred() {
    let setup = Setup::new().policy("version: 1\npacks: { misbehave: {}, same.name: {} }\n");
    let dir = among(&setup, |dir| {
        fs::copy(guests::same_dot(), dir.join("one.wasm")).expect("the directory is ours");
        fs::copy(guests::same_dot(), dir.join("two.wasm")).expect("the directory is ours");
    });
    let listed = setup.packs(&dir).run(["--json", "packs", "list"]).json();
    assert_eq!(served(&listed), ["misbehave"], "neither of two is served: {listed}");
    assert!(why(&listed, "same.name (").contains("another pack is also called same_name"), "{listed}");
}
