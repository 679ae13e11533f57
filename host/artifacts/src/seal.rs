//! Signing for what a run has made.

use std::sync::Arc;

use packhost_core::{Caller, Digest, PackName, RunId};
use time::OffsetDateTime;

use crate::artifact::{Artifact, Draft, Kind};
use crate::artifacts::{Inner, blocking};
use crate::error::ArtifactError;
use crate::label::{InvalidMediaType, InvalidName};
use crate::manifest::{Envelope, Made, Manifest};
use crate::table::references::{self, Whose};
use crate::writer::{What, Writer};

/// How often it is begun anew where something comes or goes meanwhile.
const ATTEMPTS: usize = 3;
/// What a manifest is called.
const NAME: &str = "manifest.json";

/// A run that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The call.
    pub id: RunId,
    /// On whose behalf it ran.
    pub owner: Caller,
    /// The pack.
    pub pack: PackName,
    /// The SHA-256 of the pack's bytes.
    pub pack_digest: Digest,
    /// The SHA-256 of the input.
    pub input: Digest,
}

impl Inner {
    pub(crate) async fn seal(self: &Arc<Self>, run: &Run) -> Result<Option<Artifact>, ArtifactError> {
        for _ in 0..ATTEMPTS {
            match self.try_seal(run).await {
                // Two may be at it: the other one's manifest is as good.
                Err(ArtifactError::Changed | ArtifactError::Sealed) => {}
                done => return done,
            }
        }
        Err(ArtifactError::Changed)
    }

    async fn try_seal(self: &Arc<Self>, run: &Run) -> Result<Option<Artifact>, ArtifactError> {
        let (of, owner, id) = (Arc::clone(self), run.owner.clone(), run.id);
        let there = move || {
            let now = of.settings.clock.now();
            of.database.read(|sql| references::of_run(sql, Whose::Of(&owner), id, now))
        };
        let there: Vec<Artifact> = blocking(there).await?.into_iter().map(|kept| kept.artifact).collect();
        if let Some(manifest) = there.iter().find(|one| one.kind == Kind::Manifest) {
            return Ok(Some(manifest.clone()));
        }
        let Some(expires) = there.iter().map(|one| one.expires).max() else { return Ok(None) };
        let json = self.signed(run, &there).await?;
        let draft = Draft::new(run.owner.clone(), run.id, run.pack.clone(), name()?, media_type()?);
        let draft = draft.size(json.len() as u64);
        let of = there.into_iter().map(|one| one.id).collect();
        let what = What { draft, kind: Kind::Manifest, of, expires: Some(expires) };
        let mut writer = Writer::begin(self, what).await?;
        writer.write(json.into()).await?;
        writer.finish().await.map(Some)
    }

    /// The manifest of these artifacts, signed. The keys are in files.
    async fn signed(self: &Arc<Self>, run: &Run, there: &[Artifact]) -> Result<Vec<u8>, ArtifactError> {
        let made = there.iter().map(|one| Made {
            id: one.id.clone(),
            name: one.name.clone(),
            digest: one.digest,
            size: one.size,
            media_type: one.media_type.clone(),
        });
        let seconds = i64::try_from(self.settings.clock.now() / 1_000).unwrap_or(i64::MAX);
        let manifest = Manifest {
            run: run.id,
            pack: run.pack.clone(),
            pack_digest: run.pack_digest,
            input: run.input,
            time: OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH),
            artifacts: made.collect(),
        };
        let of = Arc::clone(self);
        blocking(move || Ok(Envelope::sign(&manifest, &of.keyring)?.to_json()?)).await
    }
}

fn name() -> Result<crate::label::Name, ArtifactError> {
    NAME.parse().map_err(|_: InvalidName| ArtifactError::Damaged("the name of manifests is none"))
}

fn media_type() -> Result<crate::label::MediaType, ArtifactError> {
    let of = Envelope::MEDIA_TYPE.parse();
    of.map_err(|_: InvalidMediaType| ArtifactError::Damaged("the media type of manifests is none"))
}
