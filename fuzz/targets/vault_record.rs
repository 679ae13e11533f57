//! A row of the vault, as somebody may write it who has its database and not its key. No row makes the vault panic, and
//! none opens but the one that the vault wrote; bindings that are read are read again from what they are written as.
//!
//! Each line of the input is a column: `=` is what the vault wrote, `~` what it wrote for the other credential, `^N` the
//! former with bit N changed, `<N` the former cut to N bytes; `t`, `b` and `i` are text, bytes and a number, `n` is null.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use packhost_core::{Caller, CredentialName, Placement};
use packhost_state::Database;
use packhost_vault::{Binding, KeySource, Secret, Use, Vault, VaultError};
use rusqlite::Connection;
use rusqlite::types::{Type, Value};
use tempfile::TempDir;

const COLUMNS: [&str; 8] =
    ["name", "version", "bindings", "master_key", "wrapped", "sealed", "created", "changed"];
/// The first ones, which are authenticated.
const SEALED: usize = 6;
const NAMES: [&str; 2] = ["A", "B"];

/// A column with its type, also where it is text that is not UTF-8.
type Column = (Type, Vec<u8>);

struct Place {
    vault: Vault,
    sql: Connection,
    /// What the vault wrote.
    written: [Vec<Column>; 2],
    /// Where all of it is.
    _dir: TempDir,
}

static PLACE: LazyLock<Mutex<Place>> = LazyLock::new(|| Mutex::new(Place::new()));

pub(crate) fn fuzz(input: &[u8]) {
    let place = PLACE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut lines = input.splitn(COLUMNS.len(), |byte| *byte == b'\n');
    let row: Vec<Column> =
        (0..COLUMNS.len()).map(|index| place.column(index, lines.next().unwrap_or(b"="))).collect();
    place.put(&row);
    place.opens_what_was_written(&row);
    survives_writing(&row[2].1);
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let database = Arc::new(Database::open(dir.path()).expect("a fresh directory"));
        let vault = Vault::open(database, KeySource::Own(dir.path().join("key"))).expect("a fresh database");
        for name in NAMES {
            vault.set(&credential(name), &secret(name), &[binding()]).expect("kept");
        }
        let sql = Connection::open(dir.path().join("state.db")).expect("it is there");
        // Whoever has the file changes its schema as well, and does not wait for the disk.
        // Without types, every column takes every value as it is.
        let columns = COLUMNS.join(", ");
        let untyped = format!(
            "PRAGMA synchronous = OFF; ALTER TABLE credentials RENAME TO written;
             CREATE TABLE credentials (id, {columns});
             INSERT INTO credentials SELECT rowid, {columns} FROM written; DROP TABLE written"
        );
        sql.execute_batch(&untyped).expect("good SQL");
        let query = format!("SELECT {columns} FROM credentials ORDER BY name");
        let mut statement = sql.prepare(&query).expect("good SQL");
        let rows = statement.query_map([], |row| {
            (0..COLUMNS.len())
                .map(|index| {
                    let value: Value = row.get(index)?;
                    let bytes = match &value {
                        Value::Integer(number) => number.to_string().into_bytes(),
                        Value::Text(text) => text.clone().into_bytes(),
                        Value::Blob(bytes) => bytes.clone(),
                        other => panic!("{other:?} was never written"),
                    };
                    Ok((value.data_type(), bytes))
                })
                .collect()
        });
        let rows: Result<Vec<_>, _> = rows.expect("good SQL").collect();
        let written = rows.expect("rows").try_into().expect("two");
        drop(statement);
        Self { vault, sql, written, _dir: dir }
    }

    /// The column that a line of the input says.
    fn column(&self, index: usize, line: &[u8]) -> Column {
        let (kind, rest) = line.split_first().unwrap_or((&b'=', &[]));
        let (own, other) = (self.written[0][index].clone(), self.written[1][index].clone());
        match kind {
            b'~' => other,
            b'^' => {
                let (of, mut bytes) = own;
                let bit = usize::try_from(number(rest).unsigned_abs()).unwrap_or(0);
                let length = bytes.len();
                bytes[bit / 8 % length] ^= 1 << (bit % 8);
                // A number stays one.
                if of == Type::Integer { (of, number(&bytes).to_string().into_bytes()) } else { (of, bytes) }
            }
            b'<' if own.0 != Type::Integer => {
                let length = usize::try_from(number(rest).unsigned_abs()).unwrap_or(0);
                (own.0, own.1[..length.min(own.1.len())].to_vec())
            }
            b't' => (Type::Text, rest.to_vec()),
            b'b' => (Type::Blob, rest.to_vec()),
            b'i' => (Type::Integer, number(rest).to_string().into_bytes()),
            b'n' => (Type::Null, Vec::new()),
            _ => own,
        }
    }

    /// Puts the row in the place of the first credential.
    fn put(&self, row: &[Column]) {
        let sets = COLUMNS.iter().zip(row).map(|(name, (of, _))| match of {
            Type::Text => format!("{name} = CAST(? AS TEXT)"),
            Type::Integer => format!("{name} = CAST(CAST(? AS TEXT) AS INTEGER)"),
            Type::Null => format!("{name} = nullif(?, x'')"),
            Type::Blob | Type::Real => format!("{name} = ?"),
        });
        let sets = sets.collect::<Vec<_>>().join(", ");
        let update = format!("UPDATE credentials SET {sets} WHERE id = 1");
        let bytes = rusqlite::params_from_iter(row.iter().map(|(_, bytes)| bytes));
        let mut update = self.sql.prepare_cached(&update).expect("good SQL");
        assert_eq!(update.execute(bytes).expect("it takes every row"), 1);
    }

    fn opens_what_was_written(&self, row: &[Column]) {
        let rows = [row, &self.written[1]];
        for (index, name) in NAMES.iter().enumerate() {
            let written = &self.written[index];
            let is_there = rows.iter().any(|row| row[..SEALED] == written[..SEALED]);
            match self.open(name) {
                Ok(value) => assert!(is_there && value == secret(name), "{name} opens: {row:?}"),
                Err(error) => short(&error),
            }
            if let Ok(about) = self.vault.about(&credential(name)) {
                assert_eq!(about.name.as_str(), *name);
            }
        }
        if row == self.written[0] {
            assert!(self.open("A").is_ok(), "what the vault wrote");
        }
        if row[0].1 != b"B" {
            assert!(self.open("B").is_ok(), "the row beside it");
        }
        self.vault.list().map_or_else(|error| short(&error), |list| assert_eq!(list.len(), 2));
        self.vault.export().map_or_else(|error| short(&error), |list| assert_eq!(list.len(), 2));
        // Neither can be made to seal what was changed.
        if row[..SEALED] != self.written[0][..SEALED] && row[0].1 != b"B" {
            let name = credential("A");
            short(&self.vault.rotate(&name, &secret("C")).expect_err("it was changed"));
            short(&self.vault.bind(&name, &[]).expect_err("it was changed"));
        }
    }

    fn open(&self, name: &str) -> Result<Secret, VaultError> {
        let (pack, caller) = ("a.b".parse().expect("a name"), Caller::local());
        let url = "https://a.example/".parse().expect("a URL");
        let place = Placement::Body;
        let of = Use { pack: &pack, caller: &caller, method: "POST", url: &url, place: &place };
        self.vault.open_for(&credential(name), &of).map(|opened| opened.value)
    }
}

/// Any that are read.
fn survives_writing(text: &[u8]) {
    let Ok(bindings) = serde_json::from_slice::<Vec<Binding>>(text) else { return };
    let written = serde_json::to_string(&bindings).expect("bindings are JSON");
    let again: Vec<Binding> = serde_json::from_str(&written).expect("what was written");
    assert_eq!(again, bindings, "{written}");
    for binding in bindings {
        assert!(!binding.to_string().is_empty() && !binding.packs().is_empty());
    }
}

fn number(text: &[u8]) -> i64 {
    std::str::from_utf8(text).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

fn credential(name: &str) -> CredentialName {
    name.parse().expect("a good name")
}

fn secret(name: &str) -> Secret {
    Secret::new(format!("the value of {name}").as_bytes()).expect("a good value")
}

fn binding() -> Binding {
    let binding = r#"{ "hosts": ["a.example"], "packs": ["a.b"], "places": ["body"] }"#;
    serde_json::from_str(binding).expect("a good binding")
}

/// An error says nothing of a value, and little of anything else.
fn short(error: &VaultError) {
    let said = error.to_string();
    assert!(said.len() < 1024 && !said.contains("the value of"), "{said}");
}
