//! Tokens in the state database.

use packhost_core::{Digest, Group, Groups, Scope, Scopes};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use crate::named::TokenName;
use crate::tokens::{About, TokenError};

/// Versions of the table; see [`packhost_state::Database::migrate`]. Times are seconds since 1970; scopes and groups are JSON.
pub(crate) const STEPS: &[&str] = &["CREATE TABLE tokens (
    name TEXT PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE,
    scopes TEXT NOT NULL,
    groups TEXT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT
)"];

const COLUMNS: &str = "name, scopes, groups, created, expires";

pub(crate) fn put(sql: &Transaction<'_>, about: &About, digest: &Digest) -> Result<(), TokenError> {
    let statement = format!("INSERT INTO tokens ({COLUMNS}, digest) VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
    let (scopes, groups) = (json(&about.scopes), json(&about.groups));
    let name = about.name.as_str();
    let values = params![name, scopes, groups, about.created, about.expires, digest.hex()];
    sql.execute(&statement, values)?;
    Ok(())
}

/// The token with this digest. The index tells by its time how far a digest is right, which is no help: it is the digest of
/// the guess, and not the guess, that would have to be bettered letter by letter.
pub(crate) fn find(sql: &Connection, digest: &Digest) -> Result<Option<About>, TokenError> {
    let query = format!("SELECT {COLUMNS} FROM tokens WHERE digest = ?1");
    Ok(sql.prepare_cached(&query)?.query_row([digest.hex()], about).optional()?)
}

pub(crate) fn named(sql: &Transaction<'_>, name: &TokenName) -> Result<Option<About>, TokenError> {
    let query = format!("SELECT {COLUMNS} FROM tokens WHERE name = ?1");
    Ok(sql.query_row(&query, [name.as_str()], about).optional()?)
}

pub(crate) fn count(sql: &Connection) -> Result<usize, TokenError> {
    Ok(sql.prepare_cached("SELECT COUNT(*) FROM tokens")?.query_row([], |row| row.get(0))?)
}

pub(crate) fn any(sql: &Connection) -> Result<bool, TokenError> {
    let query = "SELECT EXISTS (SELECT 1 FROM tokens)";
    Ok(sql.prepare_cached(query)?.query_row([], |row| row.get(0))?)
}

pub(crate) fn all(sql: &Transaction<'_>) -> Result<Vec<About>, TokenError> {
    let mut statement = sql.prepare(&format!("SELECT {COLUMNS} FROM tokens ORDER BY name"))?;
    let rows = statement.query_map([], about)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn remove(sql: &Transaction<'_>, name: &TokenName) -> Result<bool, TokenError> {
    Ok(sql.execute("DELETE FROM tokens WHERE name = ?1", [name.as_str()])? > 0)
}

fn about(row: &Row<'_>) -> rusqlite::Result<About> {
    Ok(About {
        name: word(row, 0)?.parse().map_err(|error| wrong(0, error))?,
        scopes: list::<Scope>(row, 1)?.into_iter().collect::<Scopes>(),
        groups: list::<Group>(row, 2)?.into_iter().collect::<Groups>(),
        created: row.get(3)?,
        expires: row.get(4)?,
    })
}

fn word(row: &Row<'_>, column: usize) -> rusqlite::Result<String> {
    row.get(column)
}

fn list<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<T>> {
    serde_json::from_str(&word(row, column)?).map_err(|error| wrong(column, error))
}

fn wrong(column: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}

fn json(list: &impl serde::Serialize) -> String {
    // A list of words is always JSON.
    serde_json::to_string(list).unwrap_or_default()
}
