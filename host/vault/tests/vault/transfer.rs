//! Credentials from one vault to another.

use packhost_vault::{Arrived, Carried, VaultError};

use crate::{Scene, Tried, github, name, secret};

fn carried(names: &[&str]) -> Vec<Carried> {
    let carried =
        names.iter().map(|one| Carried { name: name(one), value: secret(), bindings: vec![github()] });
    carried.collect()
}

#[test]
fn what_was_exported_is_of_the_same_use_elsewhere() {
    let (here, there) = (Scene::new(), Scene::new());
    here.vault().set(&name("B"), &secret(), &[github()]).expect("kept");
    here.vault().set(&name("A"), &secret(), &[]).expect("kept");
    let carried = here.vault().export().expect("it can be opened");
    assert_eq!(carried.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["A", "B"]);
    let arrived = there.vault().import(&carried, false).expect("kept");
    let fresh = |one| Arrived { name: name(one), version: 1, replaced: false };
    assert_eq!(arrived, [fresh("A"), fresh("B")]);
    let opened = there.vault().open_for(&name("B"), &Tried::good().of());
    assert_eq!(opened.expect("it is bound").value, secret());
    assert!(there.vault().about(&name("A")).expect("it is there").bindings.is_empty());
}

#[test]
fn an_import_is_whole_or_nothing() {
    let scene = Scene::new();
    scene.vault().set(&name("B"), &secret(), &[github()]).expect("kept");
    let refused = scene.vault().import(&carried(&["A", "B", "C"]), false).expect_err("B is here");
    assert!(matches!(&refused, VaultError::Taken(names) if *names == [name("B")]), "{refused}");
    assert_eq!(refused.to_string(), "B is already here");
    assert_eq!(scene.vault().list().expect("readable").len(), 1, "nothing came in");
    let arrived = scene.vault().import(&carried(&["A", "B"]), true).expect("kept");
    let came: Vec<_> = arrived.iter().map(|one| (one.name.as_str(), one.version, one.replaced)).collect();
    assert_eq!(came, [("A", 1, false), ("B", 2, true)]);
}

#[test]
fn what_cannot_be_opened_is_not_left_out_of_an_export() {
    let scene = Scene::new();
    for one in ["A", "B"] {
        scene.vault().set(&name(one), &secret(), &[github()]).expect("kept");
    }
    scene.tamper("UPDATE credentials SET version = 7 WHERE name = 'B'");
    let refused = scene.vault().export().expect_err("B was changed");
    assert!(matches!(&refused, VaultError::Damaged(damaged) if *damaged == name("B")), "{refused}");
}
