//! How much room there is: what is used, what is reserved, and what may be added.

use packhost_core::{Caller, RunId};
use rusqlite::{Transaction, params};

use super::COMING;
use crate::artifact::Kind;
use crate::error::{ArtifactError, Limit};
use crate::settings::Limits;

/// What an artifact of this size counts for.
pub(crate) fn charge(size: u64) -> u64 {
    size.max(Limits::FLOOR)
}

/// Somebody who wants room for one artifact.
pub(crate) struct Asking<'a> {
    pub(crate) owner: &'a Caller,
    pub(crate) run: RunId,
    /// What is wanted in addition to what it has, at least and at best, in bytes.
    pub(crate) need: u64,
    pub(crate) want: u64,
    /// Bytes that are free on the disk, where there is one.
    pub(crate) free: Option<u64>,
}

/// How much of what is wanted there is: at least what is needed.
pub(crate) fn grant(
    sql: &Transaction<'_>,
    asking: &Asking<'_>,
    limits: &Limits,
) -> Result<u64, ArtifactError> {
    let run = of_run(sql, asking.run)?.bytes;
    let rooms = [
        (Limit::Run, limits.run, run),
        (Limit::Caller, limits.caller, used(sql, &of(asking.owner))?),
        (Limit::All, limits.all, used(sql, ALL)?),
    ];
    let mut granted = asking.want.max(asking.need);
    for (limit, most, used) in rooms {
        let left = most.saturating_sub(used);
        if left < asking.need {
            return Err(ArtifactError::Quota { limit, most });
        }
        granted = granted.min(left);
    }
    let Some(free) = asking.free else { return Ok(granted) };
    let left = free.saturating_sub(limits.keep_free).saturating_sub(promised(sql)?);
    if left < asking.need {
        return Err(ArtifactError::DiskFull { free, keep: limits.keep_free });
    }
    Ok(granted.min(left))
}

/// Whether the run may have one more.
pub(crate) fn one_more(sql: &Transaction<'_>, run: RunId, limits: &Limits) -> Result<(), ArtifactError> {
    let most = u64::from(limits.run_artifacts);
    if of_run(sql, run)?.count < most {
        Ok(())
    } else {
        Err(ArtifactError::Quota { limit: Limit::RunArtifacts, most })
    }
}

struct OfRun {
    count: u64,
    bytes: u64,
}

/// What a run has and is about to have, without its manifest.
fn of_run(sql: &Transaction<'_>, run: RunId) -> Result<OfRun, ArtifactError> {
    let (run, made) = (run.to_string(), Kind::Made.number());
    let of = |query: &str| {
        let mut statement = sql.prepare_cached(query)?;
        statement.query_row(params![run, made], |row| Ok(OfRun { count: row.get(0)?, bytes: row.get(1)? }))
    };
    let here = of("SELECT count(*), coalesce(sum(charged), 0) FROM artifacts WHERE run = ?1 AND kind = ?2")?;
    let coming = of("SELECT count(*), coalesce(sum(charged), 0) FROM artifact_objects \
                     WHERE state = 0 AND run = ?1 AND kind = ?2")?;
    Ok(OfRun { count: here.count + coming.count, bytes: here.bytes + coming.bytes })
}

/// Bytes that writers may still write without asking again.
fn promised(sql: &Transaction<'_>) -> Result<u64, ArtifactError> {
    let query = "SELECT coalesce(sum(CASE WHEN charged > written THEN charged - written ELSE 0 END), 0) \
                 FROM artifact_objects WHERE state = ?1";
    Ok(sql.prepare_cached(query)?.query_row([COMING], |row| row.get(0))?)
}

/// All objects that are in the store, or may be.
pub(crate) const ALL: &str = "all";

/// All artifacts of this caller, and what it is about to have.
pub(crate) fn of(owner: &Caller) -> String {
    format!("of {owner}")
}

fn used(sql: &Transaction<'_>, scope: &str) -> Result<u64, ArtifactError> {
    let query = "SELECT coalesce(sum(bytes), 0) FROM artifact_usage WHERE scope = ?1";
    Ok(sql.prepare_cached(query)?.query_row([scope], |row| row.get(0))?)
}

/// Counts so many bytes more.
pub(crate) fn add(sql: &Transaction<'_>, scope: &str, bytes: u64) -> Result<(), ArtifactError> {
    let insert = "INSERT INTO artifact_usage (scope, bytes) VALUES (?1, ?2) \
                  ON CONFLICT (scope) DO UPDATE SET bytes = artifact_usage.bytes + excluded.bytes";
    sql.prepare_cached(insert)?.execute(params![scope, bytes])?;
    Ok(())
}

/// Counts so many bytes less.
pub(crate) fn take(sql: &Transaction<'_>, scope: &str, bytes: u64) -> Result<(), ArtifactError> {
    let update = "UPDATE artifact_usage SET bytes = bytes - ?2 WHERE scope = ?1";
    sql.prepare_cached(update)?.execute(params![scope, bytes])?;
    sql.prepare_cached("DELETE FROM artifact_usage WHERE scope = ?1 AND bytes <= 0")?.execute([scope])?;
    Ok(())
}
