//! The same sources give the same component, wherever they lie.

use std::fs;
use std::path::{Path, PathBuf};

use packhost_core::Digest;
use packhost_package::nested;

/// What a copy needs: the packs, and the contract that they are generated from.
const PARTS: [&str; 2] = ["packs-wasm", "wit"];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("it is there")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("writable");
    for entry in fs::read_dir(from).expect("readable") {
        let entry = entry.expect("readable");
        let (name, kind) = (entry.file_name(), entry.file_type().expect("it has one"));
        if kind.is_dir() && name != "target" {
            copy(&entry.path(), &to.join(name));
        } else if kind.is_file() {
            fs::copy(entry.path(), to.join(name)).expect("writable");
        }
    }
}

fn digest(root: &Path, target: &Path) -> Digest {
    let built = nested::build_into(&root.join("packs-wasm"), &["-p", "text-stats"], target);
    let built = built.expect("it builds");
    let pack = built.iter().find(|built| built.name == "text_stats").expect("it is built");
    Digest::of(&pack.bytes)
}

#[test]
fn a_pack_has_the_same_digest_from_two_folders() {
    let elsewhere = tempfile::tempdir().expect("a directory");
    let other = elsewhere.path().join("a folder of another name");
    for part in PARTS {
        copy(&repository().join(part), &other.join(part));
    }
    let targets = ["one", "two"].map(|name| elsewhere.path().join(name));
    let here = std::thread::scope(|scope| {
        let here = scope.spawn(|| digest(&repository(), &targets[0]));
        let there = digest(&other, &targets[1]);
        (here.join().expect("no panic"), there)
    });
    assert_eq!(here.0, here.1);
}
