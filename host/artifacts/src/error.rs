//! What can go wrong with artifacts.

use std::fmt;
use std::io;
use std::path::PathBuf;

use packhost_core::{ErrorCode, Failure};
use packhost_keyring::KeyringError;
use packhost_state::StateError;

use crate::manifest::ManifestError;
use crate::range::Unsatisfiable;
use crate::store::spelled;

/// Why an artifact was not written, read or found.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// There is none of that id, or run, for this caller. So it is with those of others.
    #[error("there is no such artifact")]
    NotFound,
    /// There would be more than there may be. Nothing was kept.
    #[error("{limit}: at most {most}")]
    Quota {
        /// Which limit.
        limit: Limit,
        /// What it allows, in its unit.
        most: u64,
    },
    /// The disk would be too full.
    #[error("the disk of the artifacts is full: {free} bytes are free, of which {keep} are to stay so")]
    DiskFull {
        /// Bytes that are free.
        free: u64,
        /// [`Limits::keep_free`](crate::Limits::keep_free).
        keep: u64,
    },
    /// No byte of the range is there.
    #[error(transparent)]
    Range(#[from] Unsatisfiable),
    /// The manifest of the run is written; nothing is added to it.
    #[error("the run has ended: its manifest is signed")]
    Sealed,
    /// Artifacts of the run came or went while its manifest was signed.
    #[error("the artifacts of the run changed while its manifest was signed; seal it when it has ended")]
    Changed,
    /// A manifest is not removed by the caller.
    #[error("the manifest of a run stays until it expires")]
    IsManifest,
    /// The upload took so long that it was taken for abandoned, and removed.
    #[error("nothing was written for so long that the upload was taken for abandoned")]
    Abandoned,
    /// A piece of it could not be written, which was said before.
    #[error("the artifact could not be written, as was said before")]
    Broken,
    /// The store holds something else than what was put there.
    #[error("the bytes of the artifact are not there as they were written: {0}")]
    Damaged(&'static str),
    /// The store belongs to another state database.
    #[error(
        "the store of artifacts belongs to another state database: restore that one, or give another store"
    )]
    Foreign,
    /// The store has nothing of what the database knows, and does not say whose it is.
    #[error(
        "the store of artifacts has been emptied, or is another one: restore it; where it is lost, `packhost artifacts verify` says \
         what is missing and `packhost artifacts rm --missing` removes that"
    )]
    Emptied,
    /// The database knows a store in another place.
    #[error(
        "the artifacts of this host are in {}, and not in {}: name that store again, or copy all of it and then say so with `packhost artifacts moved`",
        spelled(known),
        spelled(named)
    )]
    Elsewhere {
        /// Where it is, as the database has it.
        known: String,
        /// Where it was looked for.
        named: String,
    },
    /// The artifacts were not moved.
    #[error("{missing} of {all} objects are not in {}: copy all of them there first", spelled(to))]
    NotCopied {
        /// Objects that are not there.
        missing: u64,
        /// Objects that there are.
        all: u64,
        /// Where they should be.
        to: String,
    },
    /// A directory of the store is open to others, or cannot be made.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The store does not do what it should.
    #[error("the store of artifacts: {0}")]
    Store(#[source] object_store::Error),
    /// The store takes the access key for none, or does not let it do what is needed. What it said of that, in a word such as
    /// `SignatureDoesNotMatch`: all of what it says may name the key.
    #[error("the store of artifacts refuses the access key, its secret, or what they are used for: {0}")]
    KeyRefused(String),
    /// The state cannot be read or written.
    #[error(transparent)]
    State(#[from] StateError),
    /// The manifest cannot be signed.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The manifest cannot be read.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The runtime is shutting down.
    #[error("the work was cut off: the host is shutting down")]
    Stopped,
}

/// What there may be only so much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Bytes of one artifact.
    Artifact,
    /// Artifacts of one run.
    RunArtifacts,
    /// Bytes of one run.
    Run,
    /// Bytes of one caller.
    Caller,
    /// Bytes in all.
    All,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Artifact => "bytes of an artifact",
            Self::RunArtifacts => "artifacts of a run",
            Self::Run => "bytes of all artifacts of a run",
            Self::Caller => "bytes of all artifacts of a caller",
            Self::All => "bytes of all artifacts",
        })
    }
}

impl From<object_store::Error> for ArtifactError {
    fn from(error: object_store::Error) -> Self {
        use object_store::Error::{PermissionDenied, Unauthenticated};
        match error {
            PermissionDenied { source, .. } | Unauthenticated { source, .. } => {
                Self::KeyRefused(word(&source.to_string()).unwrap_or("it does not say why").to_owned())
            }
            error => Self::Store(error),
        }
    }
}

/// The code of an error, as S3 spells it in XML.
fn word(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    (code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric())).then_some(code)
}

impl From<rusqlite::Error> for ArtifactError {
    fn from(error: rusqlite::Error) -> Self {
        Self::State(error.into())
    }
}

impl From<tokio::task::JoinError> for ArtifactError {
    fn from(error: tokio::task::JoinError) -> Self {
        tracing::error!(%error, "work on an artifact was cut off");
        Self::Stopped
    }
}

impl ArtifactError {
    /// The code that an agent sees.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::NotFound => ErrorCode::NotFound,
            Self::Quota { .. } | Self::DiskFull { .. } => ErrorCode::ResourceExhausted,
            Self::Range(_) | Self::IsManifest => ErrorCode::InvalidInput,
            _ => ErrorCode::ArtifactFailed,
        }
    }

    /// What an agent may do about it.
    fn fix(&self) -> Option<&'static str> {
        Some(match self {
            Self::Quota { limit: Limit::Artifact | Limit::Run | Limit::RunArtifacts, .. } => {
                "Make less in one call, or ask the operator for a higher limit."
            }
            Self::Quota { limit: Limit::Caller, .. } => {
                "Remove artifacts that are no longer needed, or ask the operator for a higher limit."
            }
            Self::Quota { limit: Limit::All, .. } | Self::DiskFull { .. } => {
                "Ask the operator: the host keeps as much as it may."
            }
            Self::Range(_) => "Ask for a range that begins before the end.",
            _ => return None,
        })
    }
}

impl From<ArtifactError> for Failure {
    fn from(error: ArtifactError) -> Self {
        // What a store or the state say of themselves is the operator's: it may name files and hosts.
        let told = match &error {
            ArtifactError::File { .. }
            | ArtifactError::Store(_)
            | ArtifactError::KeyRefused(_)
            | ArtifactError::Elsewhere { .. }
            | ArtifactError::NotCopied { .. }
            | ArtifactError::State(_)
            | ArtifactError::Keyring(_)
            | ArtifactError::Foreign
            | ArtifactError::Emptied
            | ArtifactError::Manifest(_)
            | ArtifactError::DiskFull { .. } => "artifacts cannot be kept or read now".to_owned(),
            other => other.to_string(),
        };
        let failure = Self::new(error.code(), format!("{told}."));
        let failure = match error.fix() {
            Some(fix) => failure.fix(fix),
            None => failure,
        };
        failure.cause(error)
    }
}
