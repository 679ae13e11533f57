//! Compiled components are code that the host maps and runs: what it did not write itself, it compiles again.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use packhost_tests::guests;
use packhost_tests::host::Setup;
use serde_json::{Value, json};

/// Two components, so that the compiled form of one can be put in the place of the other.
fn setup() -> Setup {
    let policy = "version: 1\npacks: { plain: {}, same.name: {} }\n";
    Setup::new().policy(policy).packs(guests::plain()).packs(guests::same_dot())
}

/// Has one call answered by a host of its own, which has to answer right whatever is in the cache. What the host logged.
fn call(setup: &Setup, pack: &str, input: &str, output: &Value) -> String {
    let ran = setup.run(["--json", "call", pack, input]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(&ran.json()["output"], output, "{ran:?}");
    ran.stderr
}

fn call_one(setup: &Setup) -> String {
    call(setup, "plain.add", "{\"a\": 20, \"b\": 22}", &json!({ "result": 42 }))
}

fn call_other(setup: &Setup) -> String {
    call(setup, "same.name", "{}", &json!({ "saw": ["same.name"] }))
}

/// The compiled components in a cache.
fn compiled(cache: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(cache).expect("the host made it");
    let files = entries.map(|entry| entry.expect("readable").path());
    files.filter(|file| file.extension().is_some_and(|extension| extension == "cwasm")).collect()
}

/// A compiled component and what vouches for it, and the same of another component.
struct Kept {
    code: PathBuf,
    mac: PathBuf,
    other: PathBuf,
    other_mac: PathBuf,
}

impl Kept {
    /// Has both compiled.
    fn of(setup: &Setup) -> Self {
        let cache = setup.state().join("cache");
        call_one(setup);
        let [code]: [PathBuf; 1] = compiled(&cache).try_into().expect("one was compiled");
        call_other(setup);
        let other = compiled(&cache).into_iter().find(|file| *file != code).expect("a second was compiled");
        let mac = |code: &Path| PathBuf::from(format!("{}.mac", code.display()));
        Self { mac: mac(&code), other_mac: mac(&other), code, other }
    }
}

fn bytes(file: &Path) -> Vec<u8> {
    fs::read(file).expect("it is there")
}

fn write(file: &Path, bytes: &[u8]) {
    fs::write(file, bytes).expect("the file is ours");
}

fn swap(one: &Path, other: &Path) {
    let (first, second) = (bytes(one), bytes(other));
    write(one, &second);
    write(other, &first);
}

/// What somebody does to the files of the cache.
type Tamper = fn(&Kept);

#[test]
fn a_compiled_component_that_was_tampered_with_is_compiled_again() {
    let setup = setup();
    let kept = Kept::of(&setup);
    let tampers: [(&str, Tamper); 8] = [
        ("one bit is another", |kept| {
            let mut code = bytes(&kept.code);
            let middle = code.len() / 2;
            code[middle] ^= 1;
            write(&kept.code, &code);
        }),
        ("the end is missing", |kept| {
            let code = bytes(&kept.code);
            write(&kept.code, &code[..code.len() - 1]);
        }),
        ("another MAC", |kept| write(&kept.mac, &[0; 32])),
        ("no MAC", |kept| fs::remove_file(&kept.mac).expect("the file is ours")),
        ("the other's code with the other's MAC", |kept| {
            write(&kept.code, &bytes(&kept.other));
            write(&kept.mac, &bytes(&kept.other_mac));
        }),
        ("others may read it", |kept| {
            fs::set_permissions(&kept.code, Permissions::from_mode(0o644)).expect("the file is ours");
        }),
        ("it has a second name", |kept| {
            fs::hard_link(&kept.code, kept.code.with_extension("second")).expect("the directory is ours");
        }),
        ("it is a link", |kept| {
            let real = kept.code.with_extension("real");
            fs::rename(&kept.code, &real).expect("the directory is ours");
            symlink(real, &kept.code).expect("the directory is ours");
        }),
    ];
    for (what, tamper) in tampers {
        tamper(&kept);
        let log = call_one(&setup);
        assert!(log.contains("compiling it again"), "{what}: {log:?}");
        // What was compiled again is kept: nothing is said of it the next time.
        let log = call_one(&setup);
        assert!(!log.contains("compil"), "after {what}: {log:?}");
    }
}

#[test]
fn two_compiled_components_in_each_others_place_are_both_compiled_again() {
    let setup = setup();
    let kept = Kept::of(&setup);
    swap(&kept.code, &kept.other);
    swap(&kept.mac, &kept.other_mac);
    for log in [call_one(&setup), call_other(&setup)] {
        assert!(log.contains("compiling it again"), "{log:?}");
    }
}

#[test]
fn a_cache_that_is_not_the_hosts_alone_is_not_used() {
    let setup = setup();
    call_one(&setup);
    let (cache, key) = (setup.state().join("cache"), setup.state().join("compiled.key"));
    let mode =
        |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");

    for (path, open, closed) in [(&cache, 0o770, 0o700), (&key, 0o640, 0o600)] {
        mode(path, open);
        let log = call_one(&setup);
        assert!(log.contains("no cache of compiled components"), "{}: {log:?}", path.display());
        mode(path, closed);
        let log = call_one(&setup);
        assert!(!log.contains("compil"), "it is as it was: {log:?}");
    }

    // Everything in it is in order, but anybody could lead the link elsewhere.
    let elsewhere = setup.root().join("elsewhere");
    fs::rename(&cache, &elsewhere).expect("the directory is ours");
    symlink(&elsewhere, &cache).expect("the directory is ours");
    let log = call_one(&setup);
    assert!(log.contains("no cache of compiled components"), "{log:?}");
    assert!(log.contains("is not a plain directory"), "{log:?}");
}
