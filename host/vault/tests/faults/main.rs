//! The vault when things fail: processes that are killed, disks that are full, writes that do not happen, and what is
//! left in memory. What was acknowledged is kept, and what was not is there as a whole or not at all.

mod beside;
mod child;
mod disk;
mod headless;
mod inject;
mod kill;
mod memory;
mod model;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use packhost_core::{Caller, CredentialName, Placement};
use packhost_state::Database;
use packhost_vault::{About, Binding, KeySource, Secret, Use, Vault, VaultError};

/// All that the vault ever has in its directory. Two are left only by a process that was killed: `vault.key.new`, which
/// is removed when the key is next written, and `state.db-journal`, from before there is a write-ahead log.
const FILES: [&str; 6] =
    ["state.db", "state.db-journal", "state.db-shm", "state.db-wal", "vault.key", "vault.key.new"];

/// A vault that is opened anew, as a process does that was just started.
fn opened(dir: &Path) -> Result<Vault, VaultError> {
    Vault::open(Arc::new(Database::open(dir)?), KeySource::Own(key_file(dir)))
}

fn key_file(dir: &Path) -> PathBuf {
    dir.join("vault.key")
}

fn name(name: &str) -> CredentialName {
    name.parse().expect("a good name")
}

fn secret(value: &str) -> Secret {
    Secret::new(value.as_bytes()).expect("a good value")
}

/// A binding that [`value`] makes use of; `extra` makes another one of it.
fn binding(extra: &str) -> Binding {
    let binding = serde_json::json!({ "hosts": ["a.example", extra], "packs": ["a.b"], "places": ["body"] });
    serde_json::from_value(binding).expect("a good binding")
}

fn bindings() -> [Binding; 1] {
    [binding("b.example")]
}

/// The value, opened for a use that [`binding`] allows.
fn value(vault: &Vault, name: &CredentialName) -> Result<String, VaultError> {
    let (pack, caller, place) = ("a.b".parse().expect("a name"), Caller::local(), Placement::Body);
    let url = "https://a.example/".parse().expect("a URL");
    let of = Use { pack: &pack, caller: &caller, method: "POST", url: &url, place: &place };
    vault.open_for(name, &of).map(|opened| String::from_utf8(opened.value.expose().to_vec()).expect("text"))
}

/// Every credential with its value. None of them fails to open, whatever happened.
fn everything(vault: &Vault) -> Vec<(About, String)> {
    let list = vault.list().expect("every record is whole");
    list.into_iter()
        .map(|about| {
            let value = value(vault, &about.name).unwrap_or_else(|error| panic!("{}: {error}", about.name));
            (about, value)
        })
        .collect()
}

/// The directory holds nothing but what is documented, for nobody else to read, and each key once.
fn files_are_in_order(dir: &Path) {
    for entry in fs::read_dir(dir).expect("ours") {
        let entry = entry.expect("ours");
        let name = entry.file_name().into_string().expect("text");
        assert!(FILES.contains(&name.as_str()), "{name} was left behind");
        let mode = entry.metadata().expect("ours").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name} is open to others: {mode:o}");
    }
    let keys = keys(dir);
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len(), "a key is there twice");
}

/// The lines of the key file; none where there is no file yet.
fn keys(dir: &Path) -> Vec<String> {
    let Ok(text) = fs::read_to_string(key_file(dir)) else { return Vec::new() };
    assert!(text.ends_with('\n') && text.len() % 45 == 0, "the key file is cut off");
    text.lines().map(str::to_owned).collect()
}
