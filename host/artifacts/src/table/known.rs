//! Which store belongs to the database, and where that is.

use std::collections::HashSet;

use rusqlite::{OptionalExtension, Transaction};

use super::{HERE, recorded};
use crate::error::ArtifactError;
use crate::id::Place;

/// The store that belongs to a database.
pub(crate) struct Known {
    /// What the store has in its mark.
    pub(crate) id: String,
    /// Where it is: [`Store::place`](crate::Store::place).
    place: String,
}

impl Known {
    /// Refuses a store that is somewhere else, whatever is in it.
    pub(crate) fn is_at(&self, place: &str) -> Result<(), ArtifactError> {
        if self.place == place {
            return Ok(());
        }
        Err(ArtifactError::Elsewhere { known: self.place.clone(), named: place.to_owned() })
    }
}

/// The store that belongs to this database, once there is one.
pub(crate) fn store(sql: &Transaction<'_>) -> Result<Option<Known>, ArtifactError> {
    let select = "SELECT id, place FROM artifact_store WHERE one = 1";
    let known = |row: &rusqlite::Row<'_>| Ok(Known { id: row.get(0)?, place: row.get(1)? });
    Ok(sql.prepare_cached(select)?.query_row([], known).optional()?)
}

/// Writes down which store that is, and gives it; what another process has written down counts.
pub(crate) fn adopt(sql: &Transaction<'_>, id: String, place: String) -> Result<Known, ArtifactError> {
    let insert =
        "INSERT INTO artifact_store (one, id, place) VALUES (1, ?1, ?2) ON CONFLICT (one) DO NOTHING";
    sql.execute(insert, [&id, &place])?;
    Ok(store(sql)?.unwrap_or(Known { id, place }))
}

/// Refuses another store than the one that the database knows: also in the middle of writing, when all was moved away meanwhile.
pub(crate) fn stays(sql: &Transaction<'_>, place: &str) -> Result<(), ArtifactError> {
    store(sql)?.map_or(Ok(()), |known| known.is_at(place))
}

/// The store is at this place from now on, where `there` has all that is referred to. How many objects that are.
pub(crate) fn moves(
    sql: &Transaction<'_>,
    place: &str,
    there: &HashSet<Place>,
) -> Result<u64, ArtifactError> {
    let mut statement = sql.prepare("SELECT place FROM artifact_objects WHERE state = ?1")?;
    let rows = statement.query_map([HERE], |row| row.get::<_, String>(0))?;
    let (mut all, mut missing) = (0, 0);
    for row in rows {
        let object = recorded(Place::parse(&row?))?;
        all += 1;
        missing += u64::from(!there.contains(&object));
    }
    if missing > 0 {
        return Err(ArtifactError::NotCopied { missing, all, to: place.to_owned() });
    }
    sql.execute("UPDATE artifact_store SET place = ?1 WHERE one = 1", [place])?;
    Ok(all)
}
