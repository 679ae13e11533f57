//! The master key: where it comes from, and how it is exchanged.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use packhost_vault::{Finding, KeySource, VaultError};

use crate::{Scene, Tried, github, name, secret};

/// 32 bytes in base64.
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const OTHER: &str = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";

fn file(scene: &Scene, text: &str) -> KeySource {
    let path = scene.path().join("operator.key");
    fs::write(&path, text).expect("ours");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("ours");
    KeySource::File(path)
}

#[test]
fn a_key_of_our_own_is_made_when_it_is_first_needed() {
    let scene = Scene::new();
    let vault = scene.vault();
    assert!(vault.list().expect("readable").is_empty());
    assert!(!scene.key_file().exists(), "nothing needed it");
    vault.set(&name("A"), &secret(), &[]).expect("kept");
    let mode = fs::metadata(scene.key_file()).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_key_that_is_gone_is_not_made_anew_over_what_it_sealed() {
    let scene = Scene::new();
    scene.vault().set(&name("A"), &secret(), &[github()]).expect("kept");
    fs::remove_file(scene.key_file()).expect("it is there");
    let vault = scene.vault();
    assert!(matches!(vault.open_for(&name("A"), &Tried::good().of()), Err(VaultError::Key { .. })));
    assert!(matches!(vault.set(&name("B"), &secret(), &[]), Err(VaultError::Key { .. })));
    assert!(!scene.key_file().exists());
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let scene = Scene::new();
    scene.vault().set(&name("A"), &secret(), &[github()]).expect("kept");
    for mode in [0o640, 0o604, 0o660] {
        fs::set_permissions(scene.key_file(), Permissions::from_mode(mode)).expect("ours");
        let refused = scene.vault().open_for(&name("A"), &Tried::good().of()).expect_err("exposed");
        assert!(matches!(refused, VaultError::Exposed { .. }), "{refused}");
    }
}

#[test]
fn a_key_comes_from_a_file_or_a_command_as_well() {
    let scene = Scene::new();
    let sources = [
        file(&scene, &format!("# the key\n\n{KEY}\n")),
        KeySource::Command(["printf", "%s\n", KEY].map(String::from).to_vec()),
    ];
    scene.with(sources[0].clone()).set(&name("A"), &secret(), &[github()]).expect("kept");
    for source in sources {
        let opened = scene.with(source).open_for(&name("A"), &Tried::good().of());
        assert_eq!(opened.expect("the same key").value, secret());
    }
    let wrong = scene.with(file(&scene, OTHER)).open_for(&name("A"), &Tried::good().of());
    assert!(matches!(wrong, Err(VaultError::KeyMissing { .. })), "{wrong:?}");
}

#[test]
fn every_credential_is_said_to_open_or_not() {
    let scene = Scene::new();
    let found = |source: KeySource| -> Vec<_> {
        let found = scene.with(source).verify().expect("looked at").into_iter();
        found.map(|one| (one.name.to_string(), one.finding)).collect()
    };
    let all = |findings: [Finding; 3]| {
        ["A", "B", "C"].map(String::from).into_iter().zip(findings).collect::<Vec<_>>()
    };
    assert_eq!(found(scene.own()), [], "nothing needs a key");
    assert!(!scene.key_file().exists());
    for (one, key) in [("A", KEY), ("B", KEY), ("C", OTHER)] {
        scene.with(file(&scene, key)).set(&name(one), &secret(), &[github()]).expect("kept");
    }
    let both = file(&scene, &format!("{OTHER}\n{KEY}\n"));
    assert_eq!(found(both.clone()), all([Finding::Opens; 3]));
    scene.tamper("UPDATE credentials SET sealed = zeroblob(length(sealed)) WHERE name = 'B'");
    assert_eq!(found(both), all([Finding::Opens, Finding::Damaged, Finding::Opens]));
    assert_eq!(found(file(&scene, OTHER)), all([Finding::KeyMissing, Finding::KeyMissing, Finding::Opens]));
    let none = scene.vault().verify();
    assert!(matches!(none, Err(VaultError::Key { .. })), "{none:?}");
}

#[test]
fn what_is_no_key_is_refused_and_not_repeated() {
    let scene = Scene::new();
    let failing = KeySource::Command(vec!["false".into()]);
    let missing = KeySource::Command(vec!["/nowhere/program".into()]);
    let unset = KeySource::Env("PACKHOST_TESTS_HAVE_NO_SUCH_VARIABLE".into());
    let bad = ["", "# nothing\n", "short", "AAEC", "not base64 at all, but thirty-two bytes or more"];
    let files = bad.map(|text| file(&scene, text));
    for (source, text) in files.into_iter().zip(bad) {
        fs::write(scene.path().join("operator.key"), text).expect("ours");
        let refused = scene.with(source).set(&name("A"), &secret(), &[]).expect_err(text);
        assert!(matches!(refused, VaultError::Key { .. }), "{refused}");
        assert!(text.len() < 4 || !refused.to_string().contains(text), "{refused}");
    }
    for source in [failing, missing, unset] {
        let refused = scene.with(source).set(&name("A"), &secret(), &[]);
        assert!(matches!(refused, Err(VaultError::Key { .. })), "{refused:?}");
    }
}

#[test]
fn keys_behind_more_than_64_kib_are_not_taken_for_absent_ones() {
    let scene = Scene::new();
    scene.with(file(&scene, OTHER)).set(&name("A"), &secret(), &[github()]).expect("kept");
    let long = format!("{KEY}\n{}{OTHER}\n", "# a comment\n".repeat(6000));
    let from_file = file(&scene, &long);
    let KeySource::File(path) = &from_file else { panic!("a file") };
    let said = KeySource::Command(vec!["cat".into(), path.display().to_string()]);
    for source in [from_file, said] {
        let refused = scene.with(source).open_for(&name("A"), &Tried::good().of());
        assert!(
            matches!(&refused, Err(VaultError::Key { why, .. }) if why.contains("64 KiB")),
            "{refused:?}"
        );
    }
}

#[test]
fn the_master_key_is_exchanged_while_others_use_the_vault() {
    let scene = Scene::new();
    let (operator, host) = (scene.vault(), scene.vault());
    for one in ["A", "B", "C"] {
        operator.set(&name(one), &secret(), &[github()]).expect("kept");
    }
    assert_eq!(host.open_for(&name("A"), &Tried::good().of()).expect("bound").value, secret());
    let before = fs::read_to_string(scene.key_file()).expect("ours");
    let (id, count) = operator.rotate_master().expect("rotated");
    assert_eq!(count, 3);
    let after = fs::read_to_string(scene.key_file()).expect("ours");
    assert_eq!((after.lines().count(), after.contains(before.trim())), (1, false), "the old key is gone");
    assert!(operator.list().expect("readable").iter().all(|about| about.master_key == id));
    assert!(operator.list().expect("readable").iter().all(|about| about.version == 1), "no value changed");
    for vault in [&host, &operator, &scene.vault()] {
        assert_eq!(vault.open_for(&name("B"), &Tried::good().of()).expect("bound").value, secret());
    }
    host.set(&name("D"), &secret(), &[]).expect("kept");
    assert_eq!(host.about(&name("D")).expect("it is there").master_key, id, "not with the key that it knew");
}

/// Cut off after the new key was written and before anything was sealed with it.
#[test]
fn a_rotation_that_was_cut_off_can_be_made_again() {
    let scene = Scene::new();
    scene.vault().set(&name("A"), &secret(), &[github()]).expect("kept");
    let old = fs::read_to_string(scene.key_file()).expect("ours");
    fs::write(scene.key_file(), format!("{OTHER}\n{old}")).expect("ours");
    assert_eq!(
        scene.vault().open_for(&name("A"), &Tried::good().of()).expect("the old key is there").value,
        secret()
    );
    scene.vault().rotate_master().expect("rotated");
    let after = fs::read_to_string(scene.key_file()).expect("ours");
    assert!(!after.contains(OTHER) && !after.contains(old.trim()), "neither seals anything any more");
    assert_eq!(scene.vault().open_for(&name("A"), &Tried::good().of()).expect("bound").value, secret());
}

#[test]
fn a_rotation_that_fails_leaves_the_keys_as_they_were() {
    let scene = Scene::new();
    scene.vault().set(&name("A"), &secret(), &[github()]).expect("kept");
    let before = fs::read_to_string(scene.key_file()).expect("ours");
    scene.tamper("UPDATE credentials SET version = 2");
    for _ in 0..3 {
        let refused = scene.vault().rotate_master();
        assert!(matches!(refused, Err(VaultError::Damaged(_))), "{refused:?}");
    }
    assert_eq!(fs::read_to_string(scene.key_file()).expect("ours"), before);
}

#[test]
fn a_key_of_the_operators_is_exchanged_by_the_operator() {
    let scene = Scene::new();
    scene.with(file(&scene, KEY)).set(&name("A"), &secret(), &[github()]).expect("kept");
    let refused = scene.with(file(&scene, KEY)).rotate_master();
    assert!(matches!(refused, Err(VaultError::NotOurs(_))), "{refused:?}");
    let both = file(&scene, &format!("{OTHER}\n{KEY}\n"));
    let (_, count) = scene.with(both).rotate_master().expect("rotated");
    assert_eq!(count, 1);
    let opened = scene.with(file(&scene, OTHER)).open_for(&name("A"), &Tried::good().of());
    assert_eq!(opened.expect("the new key alone").value, secret());
}
