//! The table of sessions: who has which sandbox, and until when.
//!
//! Several processes may share it, each an *instance*. A row belongs to the instance whose lease it carries; once that has
//! run out, any instance may take the row. Leases are of the machine's monotonic clock, which stands still while the machine
//! sleeps and which nobody sets; an instance of another run of the machine is over, whatever its lease says.

use std::time::{SystemTime, UNIX_EPOCH};

use packhost_core::Caller;
use packhost_state::StateError;
use rusqlite::types::Type;
use rusqlite::{OptionalExtension, Row, Transaction, params};

use crate::id::{HostId, SandboxId};
use crate::spec::Backend;

/// Versions of the table; see [`packhost_state::Database::migrate`].
pub(super) const STEPS: &[&str] = &["CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    backend TEXT NOT NULL,
    owner TEXT NOT NULL,
    pack TEXT NOT NULL,
    workspace TEXT,
    image TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    instance TEXT NOT NULL,
    leased_until BIGINT NOT NULL
);
CREATE INDEX sessions_of_owner ON sessions (owner, pack);
CREATE TABLE sessions_host (one BIGINT PRIMARY KEY, id TEXT NOT NULL)"];

/// A session as it is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) id: SandboxId,
    pub(super) backend: Backend,
    pub(super) owner: String,
    pub(super) pack: String,
    pub(super) workspace: Option<String>,
    pub(super) image: String,
    pub(super) created: u64,
    pub(super) ends: u64,
    pub(super) instance: String,
    pub(super) leased_until: u64,
}

/// The id of the host that this state belongs to, made on first use.
pub(super) fn host(sql: &Transaction<'_>) -> Result<HostId, StateError> {
    let fresh = HostId::fresh();
    let insert = "INSERT INTO sessions_host (one, id) VALUES (1, ?1) ON CONFLICT (one) DO NOTHING";
    sql.execute(insert, [fresh.as_str()])?;
    Ok(sql.query_row("SELECT id FROM sessions_host WHERE one = 1", [], |row| parsed(row, 0))?)
}

/// How many sessions a caller has of this pack, and of all.
pub(super) fn count(sql: &Transaction<'_>, owner: &Caller, pack: &str) -> Result<(u32, u32), StateError> {
    let query = "SELECT coalesce(sum(CASE WHEN pack = ?2 THEN 1 ELSE 0 END), 0), count(*) FROM sessions WHERE owner = ?1";
    Ok(sql.query_row(query, params![owner.as_str(), pack], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

pub(super) fn put(sql: &Transaction<'_>, new: &Stored) -> Result<(), StateError> {
    let insert = "INSERT INTO sessions (id, backend, owner, pack, workspace, image, created_at, ends_at, instance, leased_until) \
                  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    let values = params![
        new.id.as_str(),
        new.backend.as_str(),
        new.owner,
        new.pack,
        new.workspace,
        new.image,
        new.created,
        new.ends,
        new.instance,
        new.leased_until
    ];
    sql.execute(insert, values)?;
    Ok(())
}

/// Whether there was this one of nobody's, which is this owner's now.
pub(super) fn give(sql: &Transaction<'_>, id: &SandboxId, owner: &Caller) -> Result<bool, StateError> {
    let update = "UPDATE sessions SET owner = ?2 WHERE id = ?1 AND owner = ?3";
    let nobody = Caller::nobody();
    Ok(sql.execute(update, params![id.as_str(), owner.as_str(), nobody.as_str()])? > 0)
}

/// Holds everything of an instance until then.
pub(super) fn renew(sql: &Transaction<'_>, instance: &str, until: u64) -> Result<(), StateError> {
    sql.execute("UPDATE sessions SET leased_until = ?2 WHERE instance = ?1", params![instance, until])?;
    Ok(())
}

/// Takes over what nobody holds any more, and says what that is. `boot` is what the names of all instances of this run of the
/// machine begin with.
pub(super) fn take(
    sql: &Transaction<'_>,
    (instance, boot): (&str, &str),
    now: u64,
    until: u64,
) -> Result<Vec<Stored>, StateError> {
    const LOST: &str = "instance <> ?1 AND (leased_until < ?2 OR substr(instance, 1, length(?3)) <> ?3)";
    let lost = query(
        sql,
        &format!("SELECT * FROM sessions WHERE {LOST} ORDER BY id"),
        params![instance, now, boot],
    )?;
    let update = format!("UPDATE sessions SET instance = ?1, leased_until = ?4 WHERE {LOST}");
    sql.execute(&update, params![instance, now, boot, until])?;
    Ok(lost)
}

/// Whose it was, where it was there.
pub(super) fn remove(sql: &Transaction<'_>, id: &SandboxId) -> Result<Option<String>, StateError> {
    let row =
        sql.query_row("DELETE FROM sessions WHERE id = ?1 RETURNING owner", [id.as_str()], |row| row.get(0));
    Ok(row.optional()?)
}

pub(super) fn all(sql: &Transaction<'_>) -> Result<Vec<Stored>, StateError> {
    query(sql, "SELECT * FROM sessions ORDER BY created_at, id", [])
}

fn query(
    sql: &Transaction<'_>,
    query: &str,
    values: impl rusqlite::Params,
) -> Result<Vec<Stored>, StateError> {
    let mut statement = sql.prepare_cached(query)?;
    let rows = statement.query_map(values, stored)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    Ok(Stored {
        id: parsed(row, 0)?,
        backend: parsed(row, 1)?,
        owner: row.get(2)?,
        pack: row.get(3)?,
        workspace: row.get(4)?,
        image: row.get(5)?,
        created: row.get(6)?,
        ends: row.get(7)?,
        instance: row.get(8)?,
        leased_until: row.get(9)?,
    })
}

fn parsed<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T: std::str::FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let text = row.get::<_, String>(column)?;
    text.parse()
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}

/// Milliseconds of the monotonic clock.
pub(super) fn monotonic() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let (seconds, nanoseconds) = (now.tv_sec.max(0).unsigned_abs(), now.tv_nsec.max(0).unsigned_abs());
    seconds.saturating_mul(1000).saturating_add(nanoseconds / 1_000_000)
}

/// Milliseconds since 1970; 0 for what was before.
pub(super) fn milliseconds(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    // The database holds signed numbers.
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX).min(i64::MAX.unsigned_abs())
}
