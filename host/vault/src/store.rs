//! The records of the vault in the state database.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use crate::error::VaultError;
use crate::keys::KeyId;
use crate::seal::{Envelope, Label};
use packhost_core::CredentialName;

/// Versions of the table; see [`packhost_state::Database::migrate`].
pub(crate) const STEPS: &[&str] = &["CREATE TABLE credentials (
    name TEXT PRIMARY KEY,
    version BIGINT NOT NULL,
    bindings TEXT NOT NULL,
    master_key TEXT NOT NULL,
    wrapped BLOB NOT NULL,
    sealed BLOB NOT NULL,
    created BIGINT NOT NULL,
    changed BIGINT NOT NULL
)"];

const COLUMNS: &str = "name, version, bindings, master_key, wrapped, sealed, created, changed";

/// A credential as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) name: CredentialName,
    pub(crate) version: u64,
    /// JSON, exactly as it was authenticated.
    pub(crate) bindings: String,
    pub(crate) envelope: Envelope,
    /// Seconds since 1970.
    pub(crate) created: u64,
    pub(crate) changed: u64,
}

impl Record {
    pub(crate) fn label(&self) -> Label<'_> {
        Label { name: &self.name, version: self.version, bindings: &self.bindings }
    }

    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        let name: String = row.get(0)?;
        let name = name.parse().map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
        })?;
        let envelope =
            Envelope { key: KeyId::stored(row.get(3)?), wrapped: row.get(4)?, sealed: row.get(5)? };
        let (version, bindings) = (row.get(1)?, row.get(2)?);
        Ok(Self { name, version, bindings, envelope, created: row.get(6)?, changed: row.get(7)? })
    }
}

pub(crate) fn find(sql: &Connection, name: &CredentialName) -> Result<Record, VaultError> {
    look(sql, name)?.ok_or_else(|| VaultError::NotFound(name.clone()))
}

/// The same, where there need not be one.
pub(crate) fn look(sql: &Connection, name: &CredentialName) -> Result<Option<Record>, VaultError> {
    let query = format!("SELECT {COLUMNS} FROM credentials WHERE name = ?1");
    Ok(sql.prepare_cached(&query)?.query_row([name.as_str()], Record::of).optional()?)
}

pub(crate) fn all(sql: &Transaction<'_>) -> Result<Vec<Record>, VaultError> {
    let query = format!("SELECT {COLUMNS} FROM credentials ORDER BY name");
    let mut statement = sql.prepare_cached(&query)?;
    let rows = statement.query_map([], Record::of)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn is_empty(sql: &Transaction<'_>) -> Result<bool, VaultError> {
    Ok(sql.query_row("SELECT NOT EXISTS (SELECT 1 FROM credentials)", [], |row| row.get(0))?)
}

/// Writes the record, in place of one of the same name.
pub(crate) fn put(sql: &Transaction<'_>, record: &Record) -> Result<(), VaultError> {
    let statement =
        format!("INSERT OR REPLACE INTO credentials ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
    let Envelope { key, wrapped, sealed } = &record.envelope;
    let (name, bindings) = (record.name.as_str(), record.bindings.as_str());
    let values = params![
        name,
        record.version,
        bindings,
        key.as_str(),
        wrapped,
        sealed,
        record.created,
        record.changed
    ];
    sql.prepare_cached(&statement)?.execute(values)?;
    Ok(())
}

pub(crate) fn remove(sql: &Transaction<'_>, name: &CredentialName) -> Result<(), VaultError> {
    match sql.execute("DELETE FROM credentials WHERE name = ?1", [name.as_str()])? {
        0 => Err(VaultError::NotFound(name.clone())),
        _ => Ok(()),
    }
}
