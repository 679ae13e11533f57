//! A value goes through everything that there is to do with it, and every error, and is never in what is shown or
//! written. What was removed is not there any more either.

use std::fmt::Write as _;
use std::fs;

use base64::Engine as _;
use packhost_core::{Caller, Placement};
use packhost_vault::{KeySource, Secret, Unbound, VaultError};

use crate::{Scene, Tried, VALUE, github, name, secret};

/// All that was shown, in one text.
#[derive(Default)]
struct Shown(String);

impl Shown {
    fn debug(&mut self, what: impl std::fmt::Debug) {
        let _ = writeln!(self.0, "{what:?} {what:#?}");
    }

    /// An error, with all that is under it.
    fn error<T>(&mut self, done: Result<T, VaultError>) -> VaultError {
        let Err(error) = done else { panic!("it was not refused") };
        let mut next: Option<&dyn std::error::Error> = Some(&error);
        while let Some(cause) = next {
            let _ = writeln!(self.0, "{cause} {cause:?} {cause:#?}");
            next = cause.source();
        }
        error
    }
}

/// A value of whatever kind, and what it may be disguised as.
fn disguises(value: &str) -> Vec<Vec<u8>> {
    let engine = base64::engine::general_purpose::STANDARD_NO_PAD;
    // Of which the last digit depends on what follows.
    let base64 = (0..3).map(|skip| engine.encode(&value.as_bytes()[skip..value.len() - value.len() % 3]));
    let list = value.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(", ");
    let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
    let texts = base64.map(|text| text[..24].to_owned()).chain([list, hex.to_uppercase(), hex]);
    texts.map(String::into_bytes).chain([value.into()]).collect()
}

fn is_in(place: &[u8], needle: &[u8]) -> bool {
    place.windows(needle.len()).any(|window| window == needle)
}

/// What the files of the vault hold, one after the other.
fn files(scene: &Scene) -> Vec<u8> {
    let paths = fs::read_dir(scene.path()).expect("ours").map(|entry| entry.expect("ours").path());
    paths.flat_map(|path| fs::read(path).expect("ours")).collect()
}

#[test]
fn no_method_and_no_error_shows_the_value() {
    let scene = Scene::new();
    let mut shown = Shown::default();
    let vault = scene.vault();
    let (a, b) = (name("A"), name("B"));
    shown.debug((vault.set(&a, &secret(), &[github()]), vault.set(&b, &secret(), &[])));
    shown.debug((vault.rotate(&a, &secret()), vault.bind(&b, &[github()])));
    shown.debug((vault.about(&a), vault.list(), vault.export()));
    shown.debug(serde_json::to_string(&vault.list().expect("readable")));
    shown.debug((vault.open_for(&a, &Tried::good().of()), vault.rotate_master(), &vault));
    let carried = vault.export().expect("it opens");
    shown.debug(vault.import(&carried, true));
    shown.debug((secret(), KeySource::Own(scene.key_file())));
    assert!(matches!(shown.error(vault.import(&carried, false)), VaultError::Taken(_)));
    refused_values(&mut shown);
    refused_uses(&scene, &mut shown);
    refused_records(&scene, &mut shown);
    let files = files(&scene);
    for disguise in disguises(VALUE) {
        let said = String::from_utf8_lossy(&disguise);
        assert!(!is_in(shown.0.as_bytes(), &disguise), "{said} was shown");
        assert!(!is_in(&files, &disguise), "{said} was written");
    }
    assert!(shown.0.contains("api.github.com") && is_in(&files, b"api.github.com"), "nothing was searched");
}

fn refused_values(shown: &mut Shown) {
    let filler = "x".repeat(Secret::MAX);
    for value in [
        format!("{VALUE}\n"),
        format!("{VALUE}\0"),
        format!("{VALUE}${{vault:A}}"),
        format!("{VALUE}{filler}"),
        VALUE[..Secret::MIN - 1].to_owned(),
    ] {
        shown.error(Secret::new(value.as_bytes()).map_err(VaultError::from));
    }
    shown.error(Secret::new(&[VALUE.as_bytes(), b"\xff"].concat()).map_err(VaultError::from));
}

fn refused_uses(scene: &Scene, shown: &mut Shown) {
    let vault = scene.vault();
    let open = |tried: Tried| vault.open_for(&name("A"), &tried.of());
    let evil = "https://evil.example/".parse().expect("a URL");
    for (tried, expected) in [
        (Tried { pack: "other.pack".parse().expect("a name"), ..Tried::good() }, Unbound::Pack),
        (Tried { url: evil, ..Tried::good() }, Unbound::Host),
        (Tried { place: Placement::Body, ..Tried::good() }, Unbound::Place),
    ] {
        let refused = shown.error(open(tried));
        assert!(matches!(&refused, VaultError::Unbound { why, .. } if *why == expected), "{refused}");
    }
    shown.debug(open(Tried { caller: Caller::local(), ..Tried::good() }));
    assert!(matches!(shown.error(vault.rotate(&name("C"), &secret())), VaultError::NotFound(_)));
    assert!(matches!(shown.error(vault.remove(&name("C"))), VaultError::NotFound(_)));
    let elsewhere = KeySource::File(scene.path().join("nowhere"));
    let refused = scene.with(elsewhere).set(&name("A"), &secret(), &[]);
    assert!(matches!(shown.error(refused), VaultError::Key { .. }));
    let unwritable = KeySource::Own(scene.path().join("nowhere/vault.key"));
    let fresh = Scene::new();
    let refused = fresh.with(unwritable).set(&name("A"), &secret(), &[]);
    assert!(matches!(shown.error(refused), VaultError::KeyNotWritten { .. }));
}

/// The last ones: each breaks the record a little more.
fn refused_records(scene: &Scene, shown: &mut Shown) {
    let vault = scene.vault();
    for (sql, is_damaged) in [
        ("UPDATE credentials SET sealed = substr(sealed, 1, 40) WHERE name = 'A'", true),
        ("UPDATE credentials SET bindings = 'not JSON' WHERE name = 'A'", true),
        ("UPDATE credentials SET master_key = '0011223344556677' WHERE name = 'A'", false),
        ("UPDATE credentials SET version = -1 WHERE name = 'A'", false),
        ("UPDATE credentials SET wrapped = 'text' WHERE name = 'A'", false),
    ] {
        scene.tamper(sql);
        let refused = shown.error(vault.open_for(&name("A"), &Tried::good().of()));
        assert_eq!(matches!(refused, VaultError::Damaged(_)), is_damaged, "{sql}: {refused}");
        shown.error(vault.rotate(&name("A"), &secret()));
        shown.error(vault.bind(&name("A"), &[]));
        shown.error(vault.export());
        // Which is none of the master key's business, as long as the key of the value is whole.
        shown.debug(vault.rotate_master());
    }
}

/// With the master key somebody could open it again, also in the write-ahead log.
#[test]
fn what_was_removed_or_replaced_is_in_no_file() {
    let scene = Scene::new();
    // As a host that goes on: its connection keeps the log.
    let host = scene.vault();
    host.set(&name("A"), &secret(), &[github()]).expect("kept");
    let stored = || {
        let database = rusqlite::Connection::open(scene.path().join("state.db")).expect("it is there");
        let query = "SELECT wrapped, sealed FROM credentials WHERE name = 'A'";
        database.query_row(query, [], |row| Ok([row.get(0)?, row.get(1)?])).expect("it is there")
    };
    type Change = fn(&Scene) -> Result<(), VaultError>;
    let changes: [Change; 4] = [
        |scene| scene.vault().set(&name("A"), &secret(), &[github()]).map(drop),
        |scene| scene.vault().rotate(&name("A"), &secret()).map(drop),
        |scene| scene.vault().rotate_master().map(drop),
        |scene| scene.vault().remove(&name("A")),
    ];
    for (index, change) in changes.iter().enumerate() {
        let [wrapped, sealed]: [Vec<u8>; 2] = stored();
        assert!(is_in(&files(&scene), &wrapped) && is_in(&files(&scene), &sealed));
        change(&scene).expect("done");
        assert!(!is_in(&files(&scene), &wrapped), "the key of a value is left by change {index}");
    }
    assert!(host.list().expect("readable").is_empty());
}
