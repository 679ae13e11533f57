//! What is kept, what is known of it, and what a changed record is worth.

use packhost_vault::{Unbound, VaultError};

use crate::{Scene, Tried, VALUE, github, name, secret};

#[test]
fn a_value_is_there_for_its_use_and_in_the_next_process() {
    let scene = Scene::new();
    assert_eq!(scene.vault().set(&name("GITHUB_TOKEN"), &secret(), &[github()]).expect("kept"), 1);
    let opened = scene.vault().open_for(&name("GITHUB_TOKEN"), &Tried::good().of()).expect("bound");
    assert_eq!((opened.value, opened.signing), (secret(), None));
    let missing = scene.vault().open_for(&name("OTHER"), &Tried::good().of());
    assert!(matches!(missing, Err(VaultError::NotFound(_))), "{missing:?}");
}

#[test]
fn without_a_binding_it_is_of_no_use() {
    let scene = Scene::new();
    scene.vault().set(&name("A"), &secret(), &[]).expect("kept");
    let refused = scene.vault().open_for(&name("A"), &Tried::good().of()).expect_err("bound to nothing");
    assert!(matches!(refused, VaultError::Unbound { why: Unbound::Nowhere, .. }), "{refused}");
    assert_eq!(refused.to_string(), "the credential A may not be used at all: it is bound to nothing");
}

#[test]
fn each_change_is_a_version() {
    let scene = Scene::new();
    let vault = scene.vault();
    assert_eq!(vault.set(&name("A"), &secret(), &[github()]).expect("kept"), 1);
    let other = packhost_vault::Secret::new(b"another-value").expect("a good value");
    assert_eq!(vault.rotate(&name("A"), &other).expect("kept"), 2);
    assert_eq!(vault.open_for(&name("A"), &Tried::good().of()).expect("as bound as before").value, other);
    assert_eq!(vault.bind(&name("A"), &[]).expect("kept"), 3);
    assert!(vault.open_for(&name("A"), &Tried::good().of()).is_err());
    let about = vault.about(&name("A")).expect("it is there");
    assert_eq!((about.version, about.bindings.len()), (3, 0));
    vault.remove(&name("A")).expect("it was there");
    assert!(matches!(vault.remove(&name("A")), Err(VaultError::NotFound(_))));
    assert!(vault.list().expect("readable").is_empty());
}

#[test]
fn a_record_that_was_changed_does_not_open() {
    for changed in [
        "UPDATE credentials SET name = 'B'",
        "UPDATE credentials SET version = 2",
        "UPDATE credentials SET bindings = replace(bindings, 'api.github.com', 'evil.example')",
        "UPDATE credentials SET bindings = bindings || ' '",
        "UPDATE credentials SET sealed = zeroblob(length(sealed))",
        "UPDATE credentials SET sealed = x''",
        "UPDATE credentials SET wrapped = substr(wrapped, 1, 20)",
    ] {
        let scene = Scene::new();
        scene.vault().set(&name("A"), &secret(), &[github()]).expect("kept");
        scene.tamper(changed);
        let is = name(if changed.contains("'B'") { "B" } else { "A" });
        let refused = scene.vault().open_for(&is, &Tried::good().of());
        assert!(matches!(refused, Err(VaultError::Damaged(_))), "{changed}: {refused:?}");
        // Nor can it be made good again without the value.
        assert!(matches!(scene.vault().bind(&is, &[github()]), Err(VaultError::Damaged(_))), "{changed}");
        assert!(matches!(scene.vault().rotate(&is, &secret()), Err(VaultError::Damaged(_))), "{changed}");
    }
}

#[test]
fn the_values_of_two_credentials_cannot_be_exchanged() {
    let scene = Scene::new();
    for one in ["A", "B"] {
        scene.vault().set(&name(one), &secret(), &[github()]).expect("kept");
    }
    scene.tamper(
        "UPDATE credentials SET (wrapped, sealed) = (SELECT wrapped, sealed FROM credentials WHERE name = 'A') \
         WHERE name = 'B'",
    );
    let refused = scene.vault().open_for(&name("B"), &Tried::good().of());
    assert!(matches!(refused, Err(VaultError::Damaged(_))), "{refused:?}");
}

#[test]
fn the_value_is_nowhere_to_be_read() {
    let scene = Scene::new();
    let vault = scene.vault();
    vault.set(&name("A"), &secret(), &[github()]).expect("kept");
    let opened = vault.open_for(&name("A"), &Tried::good().of()).expect("bound");
    let said = format!("{vault:?} {opened:?} {:?}", vault.list().expect("readable"));
    assert!(!said.contains(VALUE), "{said}");
    let mut searched = 0;
    for entry in std::fs::read_dir(scene.path()).expect("ours") {
        let bytes = std::fs::read(entry.expect("ours").path()).expect("ours");
        assert!(!bytes.windows(VALUE.len()).any(|window| window == VALUE.as_bytes()));
        // The same search finds what is there to be found.
        searched += usize::from(bytes.windows(14).any(|window| window == b"api.github.com"));
    }
    assert!(searched > 0, "the database was not searched");
}
