//! The table of denials.

use std::fmt;

use packhost_core::PackName;
use packhost_manifest::DeniedRequest;
use packhost_state::StateError;
use rusqlite::types::Type;
use rusqlite::{Row, Transaction, params};

use super::Denied;

/// Versions of the table; see [`packhost_state::Database::migrate`].
pub(super) const STEPS: &[&str] = &["CREATE TABLE denials (
    pack TEXT NOT NULL,
    method TEXT NOT NULL,
    scheme TEXT NOT NULL,
    host TEXT NOT NULL,
    port BIGINT NOT NULL,
    path TEXT NOT NULL,
    cut BIGINT NOT NULL,
    reported BIGINT NOT NULL,
    times BIGINT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    PRIMARY KEY (pack, method, scheme, host, port, path, cut)
);
CREATE INDEX denials_of_pack_by_age ON denials (pack, last_at);
CREATE INDEX denials_by_age ON denials (last_at)"];

const KEY: &str = "pack, method, scheme, host, port, path, cut";

/// A clock that was set back neither makes a request younger than it is, nor takes its first time away.
pub(super) fn put(
    sql: &Transaction<'_>,
    pack: &PackName,
    request: &DeniedRequest,
    at: u64,
) -> Result<(), StateError> {
    let statement = format!(
        "INSERT INTO denials ({KEY}, reported, times, first_at, last_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 1, ?9, ?9) \
         ON CONFLICT ({KEY}) DO UPDATE SET times = denials.times + 1, reported = excluded.reported, \
         first_at = CASE WHEN excluded.first_at < denials.first_at THEN excluded.first_at ELSE denials.first_at END, \
         last_at = CASE WHEN excluded.last_at > denials.last_at THEN excluded.last_at ELSE denials.last_at END"
    );
    let values = params![
        pack.as_str(),
        request.method(),
        request.scheme().as_str(),
        request.host(),
        request.port(),
        request.path(),
        request.is_cut(),
        request.is_reported(),
        at
    ];
    sql.prepare_cached(&statement)?.execute(values)?;
    Ok(())
}

/// Keeps the latest requests, of a pack or of all, and as many as there may be. Of those of one time, the order of their parts
/// decides.
pub(super) fn keep(sql: &Transaction<'_>, pack: Option<&PackName>, most: u32) -> Result<(), StateError> {
    let of = pack.map_or("", |_| "WHERE pack = ?1");
    let name = pack.map(PackName::as_str);
    let count = format!("SELECT count(*) FROM denials {of}");
    let found: u64 =
        sql.prepare_cached(&count)?.query_row(rusqlite::params_from_iter(name), |row| row.get(0))?;
    let Some(over) = found.checked_sub(most.into()).filter(|over| *over > 0) else { return Ok(()) };
    let delete = format!(
        "DELETE FROM denials WHERE ({KEY}) IN (SELECT {KEY} FROM denials {of} ORDER BY last_at, {KEY} LIMIT {over})"
    );
    sql.execute(&delete, rusqlite::params_from_iter(name))?;
    Ok(())
}

pub(super) fn of(sql: &Transaction<'_>, pack: &PackName) -> Result<Vec<Denied>, StateError> {
    let query = "SELECT method, scheme, host, port, path, cut, reported, times, first_at, last_at FROM denials \
                 WHERE pack = ?1 ORDER BY last_at DESC, method, scheme, host, port, path, cut";
    let mut statement = sql.prepare_cached(query)?;
    let rows = statement.query_map([pack.as_str()], denied)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn denied(row: &Row<'_>) -> rusqlite::Result<Denied> {
    let (method, scheme, host, path): (String, String, String, String) =
        (row.get(0)?, row.get(1)?, row.get(2)?, row.get(4)?);
    let origin = (scheme.as_str(), host.as_str(), row.get(3)?);
    let request = DeniedRequest::stored(&method, origin, &path, row.get(5)?, row.get(6)?);
    let request = request.ok_or_else(|| unreadable(4, Strange))?;
    Ok(Denied { request, count: row.get(7)?, first: row.get(8)?, last: row.get(9)? })
}

pub(super) fn packs(sql: &Transaction<'_>) -> Result<Vec<PackName>, StateError> {
    let mut statement = sql.prepare_cached("SELECT DISTINCT pack FROM denials ORDER BY pack")?;
    let name = |row: &Row<'_>| row.get::<_, String>(0)?.parse().map_err(|error| unreadable(0, error));
    let rows = statement.query_map([], name)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn clear(sql: &Transaction<'_>, pack: &PackName) -> Result<usize, StateError> {
    Ok(sql.execute("DELETE FROM denials WHERE pack = ?1", [pack.as_str()])?)
}

/// A row that somebody else has written.
#[derive(Debug)]
struct Strange;

impl fmt::Display for Strange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a denial in it is none that this host writes")
    }
}

impl std::error::Error for Strange {}

fn unreadable(column: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}
