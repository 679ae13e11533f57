//! What was built is what a sandbox needs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use packhost_supervisor_binary::{DIGEST, SUPERVISOR};
use sha2::{Digest as _, Sha256};

/// In every sandbox's memory, and in the host's binary.
const LARGEST: usize = 4 << 20;

#[test]
fn the_digest_is_that_of_the_bytes() {
    let hex: String = Sha256::digest(SUPERVISOR).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(DIGEST, format!("sha256:{hex}"));
}

#[test]
fn the_program_is_static_and_small() {
    assert!(SUPERVISOR.starts_with(b"\x7fELF"));
    assert!(SUPERVISOR.len() < LARGEST, "{} bytes", SUPERVISOR.len());
    // A program that needs a loader names it in a segment of this type (PT_INTERP, elf(5)).
    let number = |at: usize, size: usize| {
        SUPERVISOR[at..at + size].iter().rev().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte))
    };
    let (table, size, count) = (number(32, 8), number(54, 2), number(56, 2));
    assert!((0..count).all(|segment| number(table + segment * size, 4) != 3));
}

#[test]
fn no_path_of_the_machine_that_built_it_is_in_it() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/");
    let home = std::env::var("HOME").expect("HOME") + "/.cargo/";
    for path in [root, &home] {
        assert!(!SUPERVISOR.windows(path.len()).any(|window| window == path.as_bytes()), "{path}");
    }
}

#[test]
fn it_runs_and_says_how_it_is_used() {
    let directory = tempfile::tempdir().expect("a directory");
    let program = directory.path().join("supervisor");
    fs::write(&program, SUPERVISOR).expect("ours");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("ours");
    let output = Command::new(&program).env_clear().arg("no-such-verb").output().expect("it runs");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("serve"), "{output:?}");
}
