//! The vault as the rooms that use it do, and as somebody who has its file would.

mod bindings;
mod keys;
mod leaks;
mod naughty;
mod records;
mod signing;
mod transfer;
mod values;

use std::path::Path;
use std::sync::Arc;

use packhost_core::{Caller, PackName};
use packhost_core::{CredentialName, Placement};
use packhost_state::Database;
use packhost_vault::{Binding, KeySource, Secret, Use, Vault};
use tempfile::TempDir;
use url::Url;

/// What must never be found where it was not put.
const VALUE: &str = "marker-7f3a91c2-not-a-real-token";

struct Scene {
    dir: TempDir,
}

impl Scene {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a temporary directory") }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn key_file(&self) -> std::path::PathBuf {
        self.path().join("vault.key")
    }

    fn own(&self) -> KeySource {
        KeySource::Own(self.key_file())
    }

    fn vault(&self) -> Vault {
        self.with(self.own())
    }

    fn with(&self, source: KeySource) -> Vault {
        let database = Arc::new(Database::open(self.path()).expect("a directory of ours"));
        Vault::open(database, source).expect("tables of ours")
    }

    /// Does something to the database behind the vault's back.
    fn tamper(&self, sql: &str) {
        let database = rusqlite::Connection::open(self.path().join("state.db")).expect("it is there");
        assert_eq!(database.execute(sql, []).expect("good SQL"), 1, "{sql}");
    }
}

fn name(name: &str) -> CredentialName {
    name.parse().expect("a good name")
}

fn secret() -> Secret {
    Secret::new(VALUE.as_bytes()).expect("a good value")
}

fn binding(json: &str) -> Binding {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}

/// For one host, in one header, by the packs of one family.
fn github() -> Binding {
    binding(
        r#"{ "hosts": ["api.github.com"], "packs": ["github.*"],
             "places": [{ "header": { "name": "Authorization", "scheme": "Bearer" } }] }"#,
    )
}

/// A use that can be made in parts.
struct Tried {
    pack: PackName,
    caller: Caller,
    method: &'static str,
    url: Url,
    place: Placement,
}

impl Tried {
    /// What [`github`] allows.
    fn good() -> Self {
        Self {
            pack: "github.search".parse().expect("a good name"),
            caller: Caller::local(),
            method: "GET",
            url: "https://api.github.com/search?q=a".parse().expect("a good URL"),
            place: Placement::Header { name: "authorization".into(), scheme: Some("Bearer".into()) },
        }
    }

    fn of(&self) -> Use<'_> {
        let Self { pack, caller, method, url, place } = self;
        Use { pack, caller, method, url, place }
    }
}
