//! The objects in the store, from the reservation to the removal.

use std::collections::HashSet;

use packhost_core::{Caller, Digest, RunId};
use rusqlite::{OptionalExtension, Transaction, params};

use super::room::{self, Asking, charge};
use super::{COMING, GOING, HERE, recorded};
use crate::artifact::Kind;
use crate::error::ArtifactError;
use crate::id::Place;
use crate::settings::Limits;

/// Somebody who is about to write.
pub(crate) struct Coming<'a> {
    pub(crate) place: &'a Place,
    pub(crate) owner: &'a Caller,
    pub(crate) run: RunId,
    pub(crate) kind: Kind,
    /// Until when it is taken for alive.
    pub(crate) until: u64,
}

/// Reserves room for a new one; how many bytes.
pub(crate) fn begin(
    sql: &Transaction<'_>,
    coming: &Coming<'_>,
    asking: &Asking<'_>,
    limits: &Limits,
) -> Result<u64, ArtifactError> {
    let granted = match coming.kind {
        Kind::Made => {
            room::one_more(sql, coming.run, limits)?;
            room::grant(sql, asking, limits)?
        }
        // The host signs for what there is, however much that is. It counts all the same.
        Kind::Manifest => asking.need,
    };
    let insert = "INSERT INTO artifact_objects (place, state, charged, written, owner, run, kind, until) \
                  VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6, ?7)";
    let Coming { place, owner, run, kind, until } = coming;
    let row = params![place.as_str(), COMING, granted, owner.as_str(), run.to_string(), kind.number(), until];
    sql.prepare_cached(insert)?.execute(row)?;
    room::add(sql, room::ALL, granted)?;
    room::add(sql, &room::of(owner), granted)?;
    Ok(granted)
}

/// Says how much of it is written and that its writer is alive.
pub(crate) fn touch(
    sql: &Transaction<'_>,
    place: &Place,
    written: u64,
    until: u64,
) -> Result<(), ArtifactError> {
    let update = "UPDATE artifact_objects SET written = ?2, until = ?3 WHERE place = ?1 AND state = ?4";
    let row = params![place.as_str(), written, until, COMING];
    if sql.prepare_cached(update)?.execute(row)? == 1 { Ok(()) } else { Err(ArtifactError::Abandoned) }
}

/// Reserves more room; how many bytes in addition.
pub(crate) fn grow(
    sql: &Transaction<'_>,
    place: &Place,
    kind: Kind,
    asking: &Asking<'_>,
    limits: &Limits,
) -> Result<u64, ArtifactError> {
    let granted = match kind {
        Kind::Made => room::grant(sql, asking, limits)?,
        Kind::Manifest => asking.need,
    };
    let update = "UPDATE artifact_objects SET charged = charged + ?2 WHERE place = ?1";
    sql.prepare_cached(update)?.execute(params![place.as_str(), granted])?;
    room::add(sql, room::ALL, granted)?;
    room::add(sql, &room::of(asking.owner), granted)?;
    Ok(granted)
}

/// Notes by what name the store knows the upload, so that it can be ended by another process.
pub(crate) fn note_upload(sql: &Transaction<'_>, place: &Place, upload: &str) -> Result<(), ArtifactError> {
    let update = "UPDATE artifact_objects SET upload = ?2 WHERE place = ?1";
    sql.prepare_cached(update)?.execute([place.as_str(), upload])?;
    Ok(())
}

/// What became of an object that was written.
pub(crate) struct Settled {
    /// Where the content is.
    pub(crate) place: Place,
    /// Whether it was there already: then what was written is going.
    pub(crate) known: bool,
}

/// The object is written: from now on it is here, unless its content is already. Its row's owner no longer has room
/// reserved: whoever refers to it counts the artifact.
pub(crate) fn settle(
    sql: &Transaction<'_>,
    place: &Place,
    owner: &Caller,
    digest: &Digest,
    size: u64,
) -> Result<Settled, ArtifactError> {
    let select = "SELECT charged FROM artifact_objects WHERE place = ?1 AND state = ?2";
    let reserved = sql
        .prepare_cached(select)?
        .query_row(params![place.as_str(), COMING], |row| row.get::<_, u64>(0))
        .optional()?
        .ok_or(ArtifactError::Abandoned)?;
    let select = "SELECT place FROM artifact_objects WHERE digest = ?1 AND state = 1";
    let known = sql
        .prepare_cached(select)?
        .query_row([digest.to_string()], |row| row.get::<_, String>(0))
        .optional()?;
    let (state, charged) = (if known.is_some() { GOING } else { HERE }, charge(size));
    let update =
        "UPDATE artifact_objects SET state = ?2, digest = ?3, charged = ?4, written = ?5 WHERE place = ?1";
    let row = params![place.as_str(), state, digest.to_string(), charged, size];
    sql.prepare_cached(update)?.execute(row)?;
    room::take(sql, room::ALL, reserved)?;
    room::add(sql, room::ALL, charged)?;
    room::take(sql, &room::of(owner), reserved)?;
    match known {
        Some(known) => Ok(Settled { place: recorded(Place::parse(&known))?, known: true }),
        None => Ok(Settled { place: place.clone(), known: false }),
    }
}

/// Nobody will finish it. Whether it was still coming.
pub(crate) fn give_up(sql: &Transaction<'_>, place: &Place) -> Result<bool, ArtifactError> {
    let select = "SELECT owner, charged FROM artifact_objects WHERE place = ?1 AND state = ?2";
    let found = sql
        .prepare_cached(select)?
        .query_row(params![place.as_str(), COMING], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, u64>(1)?))
        })
        .optional()?;
    let Some((owner, charged)) = found else { return Ok(false) };
    room::take(sql, &room::of(&recorded(Caller::recorded(&owner))?), charged)?;
    goes(sql, place)?;
    Ok(true)
}

/// It is to be removed.
fn goes(sql: &Transaction<'_>, place: &Place) -> Result<(), ArtifactError> {
    let update = "UPDATE artifact_objects SET state = ?2, digest = NULL WHERE place = ?1";
    sql.prepare_cached(update)?.execute(params![place.as_str(), GOING])?;
    Ok(())
}

/// One reference to it less: it goes with the last one. Whether it does.
pub(crate) fn release(sql: &Transaction<'_>, place: &Place) -> Result<bool, ArtifactError> {
    let select = "SELECT EXISTS (SELECT 1 FROM artifacts WHERE place = ?1)";
    let is_referred_to: bool = sql.prepare_cached(select)?.query_row([place.as_str()], |row| row.get(0))?;
    if !is_referred_to {
        goes(sql, place)?;
    }
    Ok(!is_referred_to)
}

/// It is gone from the store.
pub(crate) fn forget(sql: &Transaction<'_>, place: &Place) -> Result<(), ArtifactError> {
    let delete = "DELETE FROM artifact_objects WHERE place = ?1 AND state = ?2 RETURNING charged";
    let charged = sql
        .prepare_cached(delete)?
        .query_row(params![place.as_str(), GOING], |row| row.get::<_, u64>(0))
        .optional()?;
    charged.map_or(Ok(()), |charged| room::take(sql, room::ALL, charged))
}

/// What has to be removed from the store: where, and by what name the store knows the upload.
pub(crate) type Going = (Place, Option<String>);

/// Objects that are to be removed, in order, behind this one.
pub(crate) fn going(
    sql: &Transaction<'_>,
    after: Option<&Place>,
    most: u32,
) -> Result<Vec<Going>, ArtifactError> {
    let select =
        "SELECT place, upload FROM artifact_objects WHERE state = 2 AND place > ?1 ORDER BY place LIMIT ?2";
    let mut statement = sql.prepare_cached(select)?;
    let after = after.map_or("", Place::as_str);
    let rows =
        statement.query_map(params![after, most], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
    rows.map(|row| {
        let (place, upload) = row?;
        Ok((recorded(Place::parse(&place))?, upload))
    })
    .collect()
}

/// Gives up uploads of which nothing was heard for a lease, but for those of this process. How many.
///
/// A clock that was set back would keep them for as long as it was ahead: no lease is longer than one from now.
pub(crate) fn abandon(
    sql: &Transaction<'_>,
    alive: &HashSet<Place>,
    now: u64,
    lease: u64,
) -> Result<u64, ArtifactError> {
    let shorten = "UPDATE artifact_objects SET until = ?1 WHERE state = ?2 AND until > ?1";
    sql.prepare_cached(shorten)?.execute(params![now.saturating_add(lease), COMING])?;
    let select = "SELECT place FROM artifact_objects WHERE state = ?1 AND until <= ?2";
    let mut statement = sql.prepare_cached(select)?;
    let rows = statement.query_map(params![COMING, now], |row| row.get::<_, String>(0))?;
    let silent = rows.collect::<Result<Vec<_>, _>>()?;
    let mut given_up = 0;
    for place in silent {
        let place = recorded(Place::parse(&place))?;
        if !alive.contains(&place) {
            given_up += u64::from(give_up(sql, &place)?);
        }
    }
    Ok(given_up)
}

/// Whether there is a row of it.
pub(crate) fn is_known(sql: &Transaction<'_>, place: &Place) -> Result<bool, ArtifactError> {
    let select = "SELECT EXISTS (SELECT 1 FROM artifact_objects WHERE place = ?1)";
    Ok(sql.prepare_cached(select)?.query_row([place.as_str()], |row| row.get(0))?)
}

/// Whether there is any row.
pub(crate) fn are_there(sql: &Transaction<'_>) -> Result<bool, ArtifactError> {
    let select = "SELECT EXISTS (SELECT 1 FROM artifact_objects WHERE state = ?1)";
    Ok(sql.query_row(select, [HERE], |row| row.get(0))?)
}

/// By what name the store knows its upload.
pub(crate) fn upload(sql: &Transaction<'_>, place: &Place) -> Result<Option<String>, ArtifactError> {
    let select = "SELECT upload FROM artifact_objects WHERE place = ?1";
    let found = sql.prepare_cached(select)?.query_row([place.as_str()], |row| row.get(0)).optional()?;
    Ok(found.flatten())
}
