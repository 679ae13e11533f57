//! What has to be true of a state directory, whatever happened to it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use packhost_artifacts::Limits;
use packhost_core::Digest;
use packhost_state::{Database, StateError};

use crate::blobs;

/// What is there: the objects, and what refers to them.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    /// Files of objects, with those that are half there.
    pub(crate) files: BTreeSet<String>,
    /// The state of each object that has a row.
    pub(crate) objects: BTreeMap<String, i64>,
    /// References: the place and the digest of each.
    pub(crate) references: Vec<(String, String)>,
}

impl Truth {
    /// Reads all of it, and holds each against the others. A process that was killed may have left objects that are coming, and
    /// going; but whatever is referred to is there, whole.
    pub(crate) fn of(state: &Path) -> Self {
        let found = Self::read(state);
        for (place, digest) in &found.references {
            assert_eq!(found.objects.get(place), Some(&1), "{place} is referred to and not here");
            let bytes = fs::read(blobs(state).join(place)).expect("what is referred to is there");
            assert_eq!(Digest::of(&bytes).to_string(), *digest, "{place} is something else");
        }
        let referred: BTreeSet<_> = found.references.iter().map(|(place, _)| place).collect();
        let here = found.objects.iter().filter(|(_, state)| **state == 1).map(|(place, _)| place);
        assert_eq!(here.collect::<BTreeSet<_>>(), referred, "here and not referred to");
        usage_is_the_sum(state);
        found
    }

    /// The same after a sweep with nobody at work: nothing is there that is not referred to.
    pub(crate) fn swept(state: &Path) -> Self {
        let found = Self::of(state);
        let referred: BTreeSet<String> = found.references.iter().map(|(place, _)| place.clone()).collect();
        assert_eq!(found.files, referred, "files that nobody refers to");
        assert!(found.objects.values().all(|state| *state == 1), "{:?}", found.objects);
        found
    }

    fn read(state: &Path) -> Self {
        let mut found = Self::default();
        for entry in fs::read_dir(blobs(state)).expect("the directory is there") {
            let entry = entry.expect("ours");
            let name = entry.file_name().into_string().expect("our names are text");
            if name.contains('#') {
                // It is closed to others right after it was made, in a directory that is closed always.
                found.files.insert(name);
                continue;
            }
            let mode = entry.metadata().expect("ours").permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{name} is open to others");
            found.files.insert(name);
        }
        let database = Database::open(state).expect("it opens");
        let rows: Result<(), StateError> = database.read(|sql| {
            let mut objects = sql.prepare("SELECT place, state FROM artifact_objects")?;
            let rows = objects.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            found.objects = rows.collect::<Result<_, _>>()?;
            let mut references = sql.prepare("SELECT place, digest FROM artifacts")?;
            let rows = references.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            found.references = rows.collect::<Result<_, _>>()?;
            Ok(())
        });
        rows.expect("the tables are there");
        found
    }
}

/// What is counted is what there is.
fn usage_is_the_sum(state: &Path) {
    let database = Database::open(state).expect("it opens");
    let differ: Result<Vec<(String, i64)>, StateError> = database.read(|sql| {
        let query = "SELECT scope, sum(bytes) FROM (
                SELECT scope, -bytes AS bytes FROM artifact_usage
                UNION ALL SELECT 'all', charged FROM artifact_objects
                UNION ALL SELECT 'of ' || owner, charged FROM artifact_objects WHERE state = 0
                UNION ALL SELECT 'of ' || owner, max(size, ?1) FROM artifacts
            ) GROUP BY scope HAVING sum(bytes) <> 0";
        let mut statement = sql.prepare(query)?;
        let rows = statement.query_map([Limits::FLOOR], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    });
    assert_eq!(differ.expect("the tables are there"), [], "what is counted is not what there is");
}
