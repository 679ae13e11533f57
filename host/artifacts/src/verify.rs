//! Looking again whether everything is as it was written and signed.

use std::sync::Arc;

use futures::TryStreamExt as _;
use packhost_core::{Caller, Digest, RunId};
use packhost_keyring::{KeyId, PublicKeys};
use serde::Serialize;

use crate::artifact::{Artifact, Kind};
use crate::artifacts::{Inner, blocking, whose};
use crate::error::ArtifactError;
use crate::hashing::Hashing;
use crate::id::ArtifactId;
use crate::manifest::{Envelope, Made, Manifest};
use crate::range::ByteRange;
use crate::reading::Reading;
use crate::table::references::{self, Kept};

/// The largest manifest that is looked into, in bytes: some 100,000 artifacts.
const LARGEST: u64 = 64 << 20;

/// What is true of a run, or of one of its artifacts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The run.
    pub run: RunId,
    /// Whether somebody signed for it.
    pub manifest: Signed,
    /// Each artifact that was looked at.
    pub artifacts: Vec<Checked>,
}

/// Whether a run has a manifest that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Signed {
    /// It has, with this key.
    By {
        /// The key.
        key_id: KeyId,
        /// When it was signed, in seconds since 1970.
        time: i64,
    },
    /// There is none: the run has not ended, or its host did before it came to that.
    Missing,
    /// There is something in its place.
    Invalid {
        /// What is wrong with it.
        why: String,
    },
}

/// One artifact and what was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Its id.
    pub id: ArtifactId,
    /// Its name, as the state has it, or the manifest where the state does not.
    pub name: String,
    /// What was found.
    pub finding: Finding,
}

/// What became of an artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Finding {
    /// All of it is as it was written, and as the manifest says, where there is one.
    Sound,
    /// It has been removed, or has expired. The manifest speaks of it.
    Gone,
    /// The store does not have it.
    Lost,
    /// The store has something else.
    Altered {
        /// What it has; none where it has another size.
        found: Option<Digest>,
    },
    /// The state says something else of it than the manifest.
    Relabelled,
    /// The manifest does not speak of it.
    Unsigned,
}

impl Report {
    /// Whether nothing is wrong: all that is there is as it was written, and as it was signed where it was signed.
    pub fn is_sound(&self) -> bool {
        let signed = !matches!(self.manifest, Signed::Invalid { .. });
        signed && self.artifacts.iter().all(|one| matches!(one.finding, Finding::Sound | Finding::Gone))
    }

    /// Whether it was signed as well.
    pub fn is_signed(&self) -> bool {
        matches!(self.manifest, Signed::By { .. })
    }
}

impl Inner {
    pub(crate) async fn verify(
        self: &Arc<Self>,
        owner: Option<&Caller>,
        id: &ArtifactId,
        keys: &PublicKeys,
    ) -> Result<Report, ArtifactError> {
        let run = self.find(owner, id).await?.artifact.run;
        let mut there = self.of_run(owner, run).await?;
        there.retain(|kept| kept.artifact.id == *id || kept.artifact.kind == Kind::Manifest);
        let mut report = self.report(run, there, keys).await?;
        report.artifacts.retain(|one| one.id == *id);
        Ok(report)
    }

    pub(crate) async fn verify_run(
        self: &Arc<Self>,
        owner: Option<&Caller>,
        run: RunId,
        keys: &PublicKeys,
    ) -> Result<Report, ArtifactError> {
        match self.of_run(owner, run).await? {
            there if there.is_empty() => Err(ArtifactError::NotFound),
            there => self.report(run, there, keys).await,
        }
    }

    async fn of_run(
        self: &Arc<Self>,
        owner: Option<&Caller>,
        run: RunId,
    ) -> Result<Vec<Kept>, ArtifactError> {
        let (of, owner) = (Arc::clone(self), owner.cloned());
        let there = move || {
            let now = of.settings.clock.now();
            of.database.read(|sql| references::of_run(sql, whose(owner.as_ref()), run, now))
        };
        blocking(there).await
    }

    async fn report(
        self: &Arc<Self>,
        run: RunId,
        there: Vec<Kept>,
        keys: &PublicKeys,
    ) -> Result<Report, ArtifactError> {
        let manifest = there.iter().find(|kept| kept.artifact.kind == Kind::Manifest);
        let (signed, manifest) = match manifest {
            Some(kept) => self.signed_for(run, kept, keys).await?,
            None => (Signed::Missing, None),
        };
        let mut artifacts = Vec::new();
        for kept in &there {
            let mut finding = self.look_at(kept).await?;
            if finding == Finding::Sound && kept.artifact.kind == Kind::Made {
                finding =
                    manifest.as_ref().map_or(Finding::Sound, |manifest| compare(manifest, &kept.artifact));
            }
            artifacts.push(Checked::of(&kept.artifact.id, kept.artifact.name.as_str(), finding));
        }
        let is_there = |made: &Made| there.iter().any(|kept| kept.artifact.id == made.id);
        let made = manifest.iter().flat_map(|manifest| &manifest.artifacts);
        let gone = made.filter(|made| !is_there(made));
        artifacts.extend(gone.map(|made| Checked::of(&made.id, made.name.as_str(), Finding::Gone)));
        Ok(Report { run, manifest: signed, artifacts })
    }

    /// Reads a manifest and holds it against the keys.
    async fn signed_for(
        self: &Arc<Self>,
        run: RunId,
        kept: &Kept,
        keys: &PublicKeys,
    ) -> Result<(Signed, Option<Manifest>), ArtifactError> {
        let invalid = |why: String| Ok((Signed::Invalid { why }, None));
        if kept.artifact.size > LARGEST {
            return invalid("it is larger than a manifest can be".to_owned());
        }
        let read = match Reading::open(self, kept.clone(), ByteRange::All).await {
            Ok(reading) => reading.bytes().await,
            Err(error) => Err(error),
        };
        let json = match read {
            Ok(json) => json,
            Err(error @ ArtifactError::Damaged(_)) => return invalid(error.to_string()),
            Err(error) => return Err(error),
        };
        match Envelope::parse(&json).and_then(|envelope| envelope.open(keys)) {
            Ok((manifest, _)) if manifest.run != run => {
                invalid("it is the manifest of another run".to_owned())
            }
            Ok((manifest, key_id)) => {
                Ok((Signed::By { key_id, time: manifest.time.unix_timestamp() }, Some(manifest)))
            }
            Err(error) => invalid(error.to_string()),
        }
    }

    /// Reads all bytes again.
    async fn look_at(self: &Arc<Self>, kept: &Kept) -> Result<Finding, ArtifactError> {
        let artifact = &kept.artifact;
        let source = match self.store.open(&kept.place).await {
            Err(ArtifactError::Store(object_store::Error::NotFound { .. })) => return Ok(Finding::Lost),
            opened => opened?,
        };
        if source.size != artifact.size {
            return Ok(Finding::Altered { found: None });
        }
        let mut pieces = source.stream(0..artifact.size, self.store.piece());
        let mut hashing = Hashing::default();
        loop {
            match pieces.try_next().await {
                Ok(Some(piece)) => hashing.add(piece.into()).await,
                Ok(None) => break,
                Err(ArtifactError::Damaged(_)) => return Ok(Finding::Altered { found: None }),
                Err(error) => return Err(error),
            }
        }
        let found = hashing.end().await?;
        Ok(if found == artifact.digest { Finding::Sound } else { Finding::Altered { found: Some(found) } })
    }
}

/// What the manifest says of an artifact that is there.
fn compare(manifest: &Manifest, artifact: &Artifact) -> Finding {
    let Artifact { id, name, digest, size, media_type, pack, .. } = artifact;
    let Some(made) = manifest.artifacts.iter().find(|made| made.id == *id) else { return Finding::Unsigned };
    let same = (&made.name, &made.digest, &made.size, &made.media_type) == (name, digest, size, media_type);
    if same && manifest.pack == *pack { Finding::Sound } else { Finding::Relabelled }
}

impl Checked {
    fn of(id: &ArtifactId, name: &str, finding: Finding) -> Self {
        Self { id: id.clone(), name: name.to_owned(), finding }
    }
}
