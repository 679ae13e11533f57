//! Objects without a row: since when each is known to be in the store.

use rusqlite::{Transaction, params};

use super::recorded;
use crate::error::ArtifactError;
use crate::id::Place;

/// Notes that these were seen. How many of them were for the first time.
pub(crate) fn note(sql: &Transaction<'_>, places: &[Place], now: u64) -> Result<usize, ArtifactError> {
    let insert = "INSERT INTO artifact_strays (place, seen) VALUES (?1, ?2) ON CONFLICT (place) DO NOTHING";
    let mut statement = sql.prepare_cached(insert)?;
    let mut news = 0;
    for place in places {
        news += statement.execute(params![place.as_str(), now])?;
    }
    Ok(news)
}

/// None was seen later than now: a clock that was set back keeps none for longer.
pub(crate) fn not_after(sql: &Transaction<'_>, now: u64) -> Result<(), ArtifactError> {
    sql.prepare_cached("UPDATE artifact_strays SET seen = ?1 WHERE seen > ?1")?.execute([now])?;
    Ok(())
}

/// Those that were first seen at this time or before, in order, behind this one.
pub(crate) fn due(
    sql: &Transaction<'_>,
    before: u64,
    after: Option<&Place>,
    most: u32,
) -> Result<Vec<Place>, ArtifactError> {
    let select = "SELECT place FROM artifact_strays WHERE seen <= ?1 AND place > ?2 ORDER BY place LIMIT ?3";
    let mut statement = sql.prepare_cached(select)?;
    let rows = statement
        .query_map(params![before, after.map_or("", Place::as_str), most], |row| row.get::<_, String>(0))?;
    rows.map(|place| recorded(Place::parse(&place?))).collect()
}

/// It is gone.
pub(crate) fn forget(sql: &Transaction<'_>, place: &Place) -> Result<(), ArtifactError> {
    sql.prepare_cached("DELETE FROM artifact_strays WHERE place = ?1")?.execute([place.as_str()])?;
    Ok(())
}

/// How many there are.
pub(crate) fn count(sql: &Transaction<'_>) -> Result<u64, ArtifactError> {
    Ok(sql.query_row("SELECT count(*) FROM artifact_strays", [], |row| row.get(0))?)
}
