//! What the state database knows of artifacts.
//!
//! An object in the store has a row before it is there, and until it is gone. Its state says whether it is *coming* (somebody
//! writes it, and has room reserved), *here* (artifacts refer to it), or *going* (it is to be removed, and nobody will refer to
//! it ever again). Every step from one to the other is one transaction, so that a writer that wants to refer to what is here and
//! a sweeper that wants it gone never both have their way. An object without a row is nobody's, or another time's: it is a stray.

pub(crate) mod known;
pub(crate) mod objects;
pub(crate) mod references;
pub(crate) mod room;
pub(crate) mod strays;

use packhost_core::Digest;

use crate::error::ArtifactError;

/// Versions of the tables; see [`packhost_state::Database::migrate`].
pub(crate) const STEPS: &[&str] = &[TABLES, PLACE, STRAYS];

const TABLES: &str = "CREATE TABLE artifact_store (
    one BIGINT PRIMARY KEY,
    id TEXT NOT NULL
);
CREATE TABLE artifact_objects (
    place TEXT PRIMARY KEY,
    state BIGINT NOT NULL,
    digest TEXT,
    charged BIGINT NOT NULL,
    written BIGINT NOT NULL,
    owner TEXT NOT NULL,
    run TEXT NOT NULL,
    kind BIGINT NOT NULL,
    upload TEXT,
    until BIGINT NOT NULL
);
CREATE UNIQUE INDEX artifact_objects_here ON artifact_objects (digest) WHERE state = 1;
CREATE INDEX artifact_objects_coming ON artifact_objects (run, charged, written) WHERE state = 0;
CREATE INDEX artifact_objects_going ON artifact_objects (place) WHERE state = 2;
CREATE TABLE artifacts (
    id TEXT PRIMARY KEY,
    kind BIGINT NOT NULL,
    place TEXT NOT NULL REFERENCES artifact_objects (place),
    digest TEXT NOT NULL,
    size BIGINT NOT NULL,
    charged BIGINT NOT NULL,
    media_type TEXT NOT NULL,
    name TEXT NOT NULL,
    owner TEXT NOT NULL,
    run TEXT NOT NULL,
    pack TEXT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    marked BIGINT
);
CREATE INDEX artifacts_of_owner ON artifacts (owner, created, id);
CREATE INDEX artifacts_by_age ON artifacts (created, id);
CREATE INDEX artifacts_of_run ON artifacts (run, kind, charged);
CREATE INDEX artifacts_at_place ON artifacts (place);
CREATE INDEX artifacts_by_end ON artifacts (expires);
CREATE INDEX artifacts_marked ON artifacts (marked) WHERE marked IS NOT NULL;
CREATE TABLE artifact_usage (
    scope TEXT PRIMARY KEY,
    bytes BIGINT NOT NULL
)";

/// Where the store is. Up to here there were only directories.
const PLACE: &str = "ALTER TABLE artifact_store ADD COLUMN place TEXT NOT NULL DEFAULT 'local'";

/// Objects without a row, and when they were first seen.
const STRAYS: &str = "CREATE TABLE artifact_strays (
    place TEXT PRIMARY KEY,
    seen BIGINT NOT NULL
)";

/// The state of an object. The partial indexes above spell these as numbers.
pub(crate) const COMING: i64 = 0;
pub(crate) const HERE: i64 = 1;
pub(crate) const GOING: i64 = 2;

/// What a column holds that only this room writes.
pub(crate) fn recorded<T>(value: Option<T>) -> Result<T, ArtifactError> {
    value.ok_or(ArtifactError::Damaged("a row of the state database is not one of ours"))
}

pub(crate) fn digest(text: &str) -> Result<Digest, ArtifactError> {
    recorded(text.parse().ok())
}
