//! The table of workspaces.

use packhost_core::Caller;
use packhost_state::StateError;
use rusqlite::types::Type;
use rusqlite::{Row, Transaction, params};

use crate::Listed;
use crate::name::WorkspaceName;

/// Versions of the table; see [`packhost_state::Database::migrate`].
pub(crate) const STEPS: &[&str] = &["CREATE TABLE workspaces (
    name TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    used_at BIGINT NOT NULL
);
CREATE INDEX workspaces_of_owner ON workspaces (owner)"];

pub(crate) fn count(sql: &Transaction<'_>, owner: &Caller) -> Result<u32, StateError> {
    let query = "SELECT count(*) FROM workspaces WHERE owner = ?1";
    Ok(sql.query_row(query, [owner.as_str()], |row| row.get(0))?)
}

pub(crate) fn put(
    sql: &Transaction<'_>,
    name: &WorkspaceName,
    owner: &Caller,
    now: u64,
) -> Result<(), StateError> {
    let insert = "INSERT INTO workspaces (name, owner, created_at, used_at) VALUES (?1, ?2, ?3, ?3)";
    sql.execute(insert, params![name.as_str(), owner.as_str(), now])?;
    Ok(())
}

/// The same, unless somebody else was faster.
pub(crate) fn keep(
    sql: &Transaction<'_>,
    name: &WorkspaceName,
    owner: &Caller,
    now: u64,
) -> Result<(), StateError> {
    let insert = "INSERT INTO workspaces (name, owner, created_at, used_at) VALUES (?1, ?2, ?3, ?3) \
                  ON CONFLICT (name) DO NOTHING";
    sql.execute(insert, params![name.as_str(), owner.as_str(), now])?;
    Ok(())
}

/// Whether there was one of that name that is nobody's, which is this owner's now.
pub(crate) fn give(
    sql: &Transaction<'_>,
    name: &WorkspaceName,
    owner: &Caller,
    now: u64,
) -> Result<bool, StateError> {
    let update = "UPDATE workspaces SET owner = ?2, used_at = ?3 WHERE name = ?1 AND owner = ?4";
    let nobody = Caller::nobody();
    Ok(sql.execute(update, params![name.as_str(), owner.as_str(), now, nobody.as_str()])? > 0)
}

/// Whether there is one of that name and owner, which is used now. A clock that was set back makes none older.
pub(crate) fn touch(
    sql: &Transaction<'_>,
    name: &WorkspaceName,
    owner: &Caller,
    now: u64,
) -> Result<bool, StateError> {
    let update = "UPDATE workspaces SET used_at = CASE WHEN used_at > ?3 THEN used_at ELSE ?3 END \
                  WHERE name = ?1 AND owner = ?2";
    Ok(sql.execute(update, params![name.as_str(), owner.as_str(), now])? > 0)
}

pub(crate) fn list(sql: &Transaction<'_>, owner: Option<&Caller>) -> Result<Vec<Listed>, StateError> {
    let of = owner.map_or("", |_| "WHERE owner = ?1");
    let query =
        format!("SELECT name, owner, created_at, used_at FROM workspaces {of} ORDER BY used_at DESC, name");
    let mut statement = sql.prepare_cached(&query)?;
    let rows = statement.query_map(rusqlite::params_from_iter(owner.map(Caller::as_str)), listed)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn listed(row: &Row<'_>) -> rusqlite::Result<Listed> {
    let name = row.get::<_, String>(0)?.parse();
    let name =
        name.map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(error)))?;
    let owner = Some(row.get::<_, String>(1)?).filter(|owner| owner != Caller::nobody().as_str());
    Ok(Listed { name, owner, created: row.get(2)?, used: row.get(3)? })
}

pub(crate) fn remove(sql: &Transaction<'_>, name: &WorkspaceName) -> Result<bool, StateError> {
    Ok(sql.execute("DELETE FROM workspaces WHERE name = ?1", [name.as_str()])? > 0)
}

/// Removes one that was not used since then; whether it was.
pub(crate) fn expire(sql: &Transaction<'_>, name: &WorkspaceName, oldest: u64) -> Result<bool, StateError> {
    let delete = "DELETE FROM workspaces WHERE name = ?1 AND used_at < ?2";
    Ok(sql.execute(delete, params![name.as_str(), oldest])? > 0)
}
