//! Disks that are full, and directories that cannot be written. In a mount namespace of its own, so that what is mounted
//! there is nowhere else.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use packhost_vault::{Vault, VaultError};

use crate::child::{Heard, command, role};
use crate::model::{Deed, found};
use crate::{files_are_in_order, keys, opened};

/// What takes up room until it is removed: from the beginning, and at last.
const BALLAST: [&str; 2] = ["ballast.1", "ballast.2"];

/// Starts the test again where it may mount, in a directory of its own; says whether this is the test and not the child.
fn in_namespace(test: &str) -> bool {
    if role().is_some() {
        return false;
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    let me = fs::metadata("/proc/self").expect("/proc").uid();
    let wrapper: &[&str] =
        if me == 0 { &["unshare", "--mount"] } else { &["unshare", "--mount", "--map-root-user"] };
    let (_, status) = Heard::start(command(wrapper, test, &dir.path().display().to_string())).end();
    assert!(status.success(), "see above: {status}");
    true
}

fn mount(words: &[&str], at: &Path) {
    let status = Command::new("mount").args(words).arg(at).status().expect("mount is there");
    assert!(status.success(), "{words:?}: {status}");
}

/// A small disk of its own.
fn small_disk() -> std::path::PathBuf {
    let dir = Path::new(&role().expect("in the child")).join("disk");
    fs::create_dir(&dir).expect("ours");
    mount(&["-t", "tmpfs", "-o", "size=1m,mode=700", "none"], &dir);
    fs::write(dir.join(BALLAST[0]), vec![0; 512 << 10]).expect("there is room");
    dir
}

/// Fills what is left of the disk, to the last byte.
fn fill(dir: &Path) {
    let mut file = fs::File::create(dir.join(BALLAST[1])).expect("a name");
    let mut size = 64 << 10;
    while size > 0 {
        if file.write_all(&vec![0; size]).is_err() {
            size /= 2;
        }
    }
}

fn free(dir: &Path) {
    BALLAST.iter().for_each(|ballast| fs::remove_file(dir.join(ballast)).expect("it is there"));
}

fn is_about_space(refused: &VaultError) {
    let said = refused.to_string();
    assert!(said.contains("full") || said.contains("No space left"), "{said}");
}

#[test]
fn a_full_disk_loses_nothing_and_is_said() {
    if in_namespace("disk::a_full_disk_loses_nothing_and_is_said") {
        return;
    }
    let dir = small_disk();
    let vault = opened(&dir).expect("a fresh directory");
    let kept = |number: u32| Deed::Set(number * 5).run(&vault, &format!("N{number}"));
    let mut count = 0;
    let refused = loop {
        match kept(count) {
            Ok(_) => count += 1,
            Err(error) => break error,
        }
    };
    assert!(count > 5, "the disk holds {count}");
    assert!(matches!(refused, VaultError::State(_)), "{refused:?}");
    is_about_space(&refused);
    assert_eq!(found(&vault).len() as u32, count);
    fill(&dir);
    let before = (found(&vault), fs::read(dir.join("vault.key")).expect("ours"));
    is_about_space(&vault.rotate_master().expect_err("no room for the key"));
    assert_eq!((found(&vault), fs::read(dir.join("vault.key")).expect("ours")), before);
    free(&dir);
    let fresh = opened(&dir).expect("it opens");
    assert_eq!((&found(&vault), &found(&fresh)), (&before.0, &before.0));
    Deed::Remove.run(&fresh, "N0").expect("it works again");
    assert_eq!(kept(count).expect("it works again"), 1);
    vault.rotate_master().expect("it works again");
    assert_eq!(found(&vault), found(&fresh));
    assert_eq!(found(&vault).len() as u32, count);
    files_are_in_order(&dir);
}

#[test]
fn a_first_key_that_finds_no_room_is_no_key() {
    if in_namespace("disk::a_first_key_that_finds_no_room_is_no_key") {
        return;
    }
    let dir = small_disk();
    let vault = opened(&dir).expect("a fresh directory");
    fill(&dir);
    let refused = Deed::Set(1).run(&vault, "A").expect_err("no room");
    is_about_space(&refused);
    assert!(!refused.to_string().contains("read"), "it was written: {refused}");
    assert!(keys(&dir).is_empty() && !dir.join("vault.key").exists(), "half a key was left");
    free(&dir);
    files_are_in_order(&dir);
    assert_eq!(Deed::Set(1).run(&vault, "A").expect("there is room"), 1);
    assert_eq!(found(&opened(&dir).expect("it opens")).len(), 1);
}

#[test]
fn a_directory_that_cannot_be_written_loses_nothing_and_is_said() {
    if in_namespace("disk::a_directory_that_cannot_be_written_loses_nothing_and_is_said") {
        return;
    }
    let dir = small_disk();
    fs::remove_file(dir.join(BALLAST[0])).expect("it is there");
    let vault = opened(&dir).expect("a fresh directory");
    Deed::Set(1).run(&vault, "A").expect("kept");
    let is_said = |refused: &VaultError| {
        let said = refused.to_string();
        assert!(said.contains("Read-only file system") && said.contains("vault.key"), "{said}");
    };
    // The key's directory, under a vault that is open.
    let elsewhere = dir.with_file_name("elsewhere");
    fs::create_dir(&elsewhere).expect("ours");
    let dir_text = dir.to_str().expect("text");
    mount(&["--bind", dir_text], &elsewhere);
    mount(&["-o", "remount,bind,ro"], &elsewhere);
    let apart = || {
        let database = packhost_state::Database::open(&dir).expect("writable here");
        let key = packhost_vault::KeySource::Own(elsewhere.join("vault.key"));
        Vault::open(std::sync::Arc::new(database), key).expect("tables of ours")
    };
    is_said(&apart().rotate_master().expect_err("the key cannot be written"));
    assert_eq!((found(&apart()).len(), keys(&dir).len()), (1, 1));
    // And the whole vault.
    let refused = opened(&elsewhere).expect_err("the database cannot be written").to_string();
    assert!(refused.contains("Read-only file system") && refused.contains("state.db"), "{refused}");
    Deed::Rotate(2).run(&vault, "A").expect("it is writable here");
    vault.rotate_master().expect("it is writable here");
    assert_eq!(found(&opened(&dir).expect("it opens"))["A"].number, 2);
    files_are_in_order(&dir);
}
