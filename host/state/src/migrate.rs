//! The versions of the rooms' tables.

use rusqlite::{OptionalExtension, Transaction, params};

use crate::StateError;

const VERSIONS: &str =
    "CREATE TABLE IF NOT EXISTS room_versions (room TEXT PRIMARY KEY, version BIGINT NOT NULL)";

pub(crate) fn migrate(
    transaction: &Transaction<'_>,
    room: &'static str,
    steps: &[&str],
) -> Result<(), StateError> {
    transaction.execute(VERSIONS, [])?;
    let found = transaction
        .query_row("SELECT version FROM room_versions WHERE room = ?1", [room], |row| row.get::<_, usize>(0))
        .optional()?
        .unwrap_or(0);
    let Some(missing) = steps.get(found..) else {
        return Err(StateError::Newer { room, found, known: steps.len() });
    };
    for step in missing {
        transaction.execute_batch(step)?;
    }
    let sql = "INSERT INTO room_versions (room, version) VALUES (?1, ?2) \
               ON CONFLICT (room) DO UPDATE SET version = excluded.version";
    transaction.execute(sql, params![room, steps.len()])?;
    Ok(())
}
