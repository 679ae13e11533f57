//! The artifacts: who refers to which object.

use packhost_core::{Caller, RunId};
use rusqlite::types::Value;
use rusqlite::{OptionalExtension, Row, Transaction, params, params_from_iter};

use super::{digest, objects, recorded, room};
use crate::artifact::{Artifact, Cursor, Filter, Kind, Page};
use crate::error::ArtifactError;
use crate::id::{ArtifactId, Place};

const COLUMNS: &str = "id, kind, digest, size, media_type, name, owner, run, pack, created, expires, place";

/// Whose artifacts are looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Whose<'a> {
    /// This caller's. Others' are not there.
    Of(&'a Caller),
    /// Everybody's.
    All,
}

impl Whose<'_> {
    /// What a row's owner has to be; null for anybody.
    fn owner(&self) -> Option<&str> {
        match self {
            Self::Of(owner) => Some(owner.as_str()),
            Self::All => None,
        }
    }
}

impl Kind {
    pub(crate) fn number(self) -> i64 {
        match self {
            Self::Made => 0,
            Self::Manifest => 1,
        }
    }

    fn of(number: i64) -> Option<Self> {
        [Self::Made, Self::Manifest].into_iter().find(|kind| kind.number() == number)
    }
}

/// An artifact and where its bytes are.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) artifact: Artifact,
    pub(crate) place: Place,
}

fn kept(row: &Row<'_>) -> Result<Kept, ArtifactError> {
    let text = |at: usize| row.get::<_, String>(at);
    let artifact = Artifact {
        id: recorded(text(0)?.parse().ok())?,
        kind: recorded(Kind::of(row.get(1)?))?,
        digest: digest(&text(2)?)?,
        size: row.get(3)?,
        media_type: recorded(text(4)?.parse().ok())?,
        name: recorded(text(5)?.parse().ok())?,
        owner: recorded(Caller::recorded(&text(6)?))?,
        run: recorded(RunId::recorded(&text(7)?))?,
        pack: recorded(text(8)?.parse().ok())?,
        created: row.get(9)?,
        expires: row.get(10)?,
    };
    Ok(Kept { artifact, place: recorded(Place::parse(&text(11)?))? })
}

/// Writes down a new one. What it counts for is its owner's from now on.
pub(crate) fn put(sql: &Transaction<'_>, of: &Kept) -> Result<(), ArtifactError> {
    let Kept { artifact, place } = of;
    let insert = "INSERT INTO artifacts (id, kind, digest, size, media_type, name, owner, run, pack, created, \
                  expires, place, charged) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
    let charged = room::charge(artifact.size);
    sql.prepare_cached(insert)?.execute(params![
        artifact.id.as_str(),
        artifact.kind.number(),
        artifact.digest.to_string(),
        artifact.size,
        artifact.media_type.as_str(),
        artifact.name.as_str(),
        artifact.owner.as_str(),
        artifact.run.to_string(),
        artifact.pack.as_str(),
        artifact.created,
        artifact.expires,
        place.as_str(),
        charged,
    ])?;
    room::add(sql, &room::of(&artifact.owner), charged)
}

/// The one of this id, if it is there for them now.
pub(crate) fn find(
    sql: &Transaction<'_>,
    whose: Whose<'_>,
    id: &ArtifactId,
    now: u64,
) -> Result<Option<Kept>, ArtifactError> {
    let select = format!(
        "SELECT {COLUMNS} FROM artifacts WHERE id = ?1 AND (?2 IS NULL OR owner = ?2) AND expires > ?3"
    );
    let mut statement = sql.prepare_cached(&select)?;
    let mut rows = statement.query(params![id.as_str(), whose.owner(), now])?;
    rows.next()?.map(kept).transpose()
}

/// Those of a run that are there now, in the order in which they were made.
pub(crate) fn of_run(
    sql: &Transaction<'_>,
    whose: Whose<'_>,
    run: RunId,
    now: u64,
) -> Result<Vec<Kept>, ArtifactError> {
    let select = format!(
        "SELECT {COLUMNS} FROM artifacts WHERE run = ?1 AND (?2 IS NULL OR owner = ?2) AND expires > ?3 \
         ORDER BY created, id"
    );
    let mut statement = sql.prepare_cached(&select)?;
    let mut rows = statement.query(params![run.to_string(), whose.owner(), now])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(kept(row)?);
    }
    Ok(found)
}

/// Whether the manifest of the run is there.
pub(crate) fn is_sealed(sql: &Transaction<'_>, run: RunId) -> Result<bool, ArtifactError> {
    let select = "SELECT EXISTS (SELECT 1 FROM artifacts WHERE run = ?1 AND kind = ?2)";
    let row = params![run.to_string(), Kind::Manifest.number()];
    Ok(sql.prepare_cached(select)?.query_row(row, |row| row.get(0))?)
}

/// A page of those that are there now, and one more if there is one.
pub(crate) fn list(
    sql: &Transaction<'_>,
    whose: Whose<'_>,
    filter: &Filter,
    page: &Page,
    now: u64,
) -> Result<Vec<Artifact>, ArtifactError> {
    let mut query = format!("SELECT {COLUMNS} FROM artifacts WHERE expires > ?");
    let mut values = vec![Value::from(i64::try_from(now).unwrap_or(i64::MAX))];
    let mut also = |condition: &str, value: Vec<Value>| {
        query.push_str(condition);
        values.extend(value);
    };
    if let Some(owner) = whose.owner() {
        also(" AND owner = ?", vec![owner.to_owned().into()]);
    }
    if let Some(run) = filter.run {
        also(" AND run = ?", vec![run.to_string().into()]);
    }
    if let Some(pack) = &filter.pack {
        also(" AND pack = ?", vec![pack.as_str().to_owned().into()]);
    }
    if let Some(kind) = filter.kind {
        also(" AND kind = ?", vec![kind.number().into()]);
    }
    if let Some(Cursor { created, id }) = &page.after {
        let created = i64::try_from(*created).unwrap_or(i64::MAX);
        also(" AND (created, id) < (?, ?)", vec![created.into(), id.as_str().to_owned().into()]);
    }
    let most = i64::from(page.most.clamp(1, Page::MOST)) + 1;
    also(" ORDER BY created DESC, id DESC LIMIT ?", vec![most.into()]);
    let mut statement = sql.prepare_cached(&query)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(kept(row)?.artifact);
    }
    Ok(found)
}

/// Removes one, and its object with the last reference. Where that object is, if it goes.
pub(crate) fn remove(sql: &Transaction<'_>, kept: &Kept) -> Result<Option<Place>, ArtifactError> {
    let delete = "DELETE FROM artifacts WHERE id = ?1 RETURNING charged";
    let charged = sql
        .prepare_cached(delete)?
        .query_row([kept.artifact.id.as_str()], |row| row.get::<_, u64>(0))
        .optional()?;
    let Some(charged) = charged else { return Ok(None) };
    room::take(sql, &room::of(&kept.artifact.owner), charged)?;
    Ok(objects::release(sql, &kept.place)?.then(|| kept.place.clone()))
}

/// Marks what has expired by now, and takes the mark from what has not: a clock may have been wrong. A mark that is younger than
/// now is set anew.
pub(crate) fn mark(sql: &Transaction<'_>, now: u64) -> Result<(), ArtifactError> {
    let unmark =
        "UPDATE artifacts SET marked = NULL WHERE marked IS NOT NULL AND (expires > ?1 OR marked > ?1)";
    sql.prepare_cached(unmark)?.execute([now])?;
    let mark = "UPDATE artifacts SET marked = ?1 WHERE expires <= ?1 AND marked IS NULL";
    sql.prepare_cached(mark)?.execute([now])?;
    Ok(())
}

/// Removes some of those that were marked at this time or before. How many.
pub(crate) fn expire(sql: &Transaction<'_>, before: u64, most: u32) -> Result<u64, ArtifactError> {
    let select =
        format!("SELECT {COLUMNS} FROM artifacts WHERE marked IS NOT NULL AND marked <= ?1 LIMIT ?2");
    let mut statement = sql.prepare_cached(&select)?;
    let mut rows = statement.query(params![before, most])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(kept(row)?);
    }
    for one in &found {
        remove(sql, one)?;
    }
    Ok(found.len() as u64)
}
