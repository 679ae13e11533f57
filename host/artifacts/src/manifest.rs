//! The manifest of a run: what it made, of what, signed.
//!
//! A statement of in-toto (<https://github.com/in-toto/attestation>, Statement v1) whose subjects are the artifacts, in an
//! envelope of DSSE (<https://github.com/secure-systems-lab/dsse>). The signature is one of the host's keyring over DSSE's
//! pre-authentication encoding: the keyring puts its own context before it, so that it is checked with
//! [`PublicKeys::verify`] and not with a tool that knows DSSE alone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use packhost_core::{Digest, PackName, RunId};
use packhost_keyring::{KeyId, Keyring, KeyringError, PublicKeys, Signature, Unverified};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::id::ArtifactId;
use crate::label::{MediaType, Name};

/// What signatures of manifests are made for.
const CONTEXT: &str = "packhost artifacts manifest v1";
/// What is in the envelope.
const PAYLOAD: &str = "application/vnd.in-toto+json";
const STATEMENT: &str = "https://in-toto.io/Statement/v1";
/// What the statement says of its subjects: they were made by this run.
const PREDICATE: &str = "packhost:run/v1";

/// What a run has made, and of what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The call.
    pub run: RunId,
    /// The pack that it ran.
    pub pack: PackName,
    /// The SHA-256 of that pack.
    pub pack_digest: Digest,
    /// The SHA-256 of the input.
    pub input: Digest,
    /// When it was signed, to the second.
    pub time: OffsetDateTime,
    /// What it made, in the order in which it was finished.
    pub artifacts: Vec<Made>,
}

/// An artifact as a manifest has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// What it is asked for by.
    pub id: ArtifactId,
    /// What the pack called it.
    pub name: Name,
    /// The SHA-256 of its bytes.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
    /// What the pack said it is.
    pub media_type: MediaType,
}

/// A manifest with its signature, as it is stored: JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Envelope {
    payload_type: String,
    payload: String,
    signatures: Vec<Signed>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    keyid: KeyId,
    sig: String,
}

/// Why a text is no manifest, or nobody's.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It is not what is written here.
    #[error("it is no manifest: {0}")]
    Malformed(String),
    /// It has another number of signatures than one.
    #[error("it has {0} signatures, and not one")]
    Signatures(usize),
    /// None of the known keys signed it.
    #[error(transparent)]
    Unverified(#[from] Unverified),
    /// The keys cannot be used.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
}

impl Envelope {
    /// The media type of an envelope.
    pub const MEDIA_TYPE: &str = "application/vnd.dsse.envelope.v1+json";

    /// Signs a manifest.
    ///
    /// # Errors
    /// When the keys cannot be used.
    pub fn sign(manifest: &Manifest, keyring: &Keyring) -> Result<Self, ManifestError> {
        let payload = serde_json::to_vec(&Statement::of(manifest)).map_err(malformed)?;
        let Signature { key_id, bytes } = keyring.sign(CONTEXT, &encoded(PAYLOAD, &payload))?;
        let signed = Signed { keyid: key_id, sig: STANDARD.encode(bytes) };
        Ok(Self { payload_type: PAYLOAD.into(), payload: STANDARD.encode(payload), signatures: vec![signed] })
    }

    /// Reads one. Nothing in it is true until [`open`](Self::open) has said so.
    ///
    /// # Errors
    /// When it is not the JSON of an envelope.
    pub fn parse(json: &[u8]) -> Result<Self, ManifestError> {
        serde_json::from_slice(json).map_err(malformed)
    }

    /// Its JSON.
    ///
    /// # Errors
    /// None that can be thought of.
    pub fn to_json(&self) -> Result<Vec<u8>, ManifestError> {
        serde_json::to_vec(self).map_err(malformed)
    }

    /// The manifest in it, and the key that signed it. Needs nothing but public keys.
    ///
    /// # Errors
    /// When none of the keys has signed it, or it is no manifest.
    pub fn open(&self, keys: &PublicKeys) -> Result<(Manifest, KeyId), ManifestError> {
        let [Signed { keyid, sig }] = self.signatures.as_slice() else {
            return Err(ManifestError::Signatures(self.signatures.len()));
        };
        let payload = STANDARD.decode(&self.payload).map_err(malformed)?;
        let bytes = STANDARD.decode(sig).map_err(malformed)?;
        let bytes = bytes.try_into().map_err(|_| malformed("a signature has 64 bytes"))?;
        let signature = Signature { key_id: *keyid, bytes };
        keys.verify(CONTEXT, &encoded(&self.payload_type, &payload), &signature)?;
        // Only now is it looked into.
        if self.payload_type != PAYLOAD {
            return Err(malformed("it holds something else than a statement"));
        }
        let statement: Statement = serde_json::from_slice(&payload).map_err(malformed)?;
        Ok((statement.manifest()?, *keyid))
    }
}

fn malformed(why: impl ToString) -> ManifestError {
    ManifestError::Malformed(why.to_string())
}

/// DSSE's pre-authentication encoding: where one part ends cannot be argued about.
fn encoded(kind: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    predicate_type: String,
    predicate: Predicate,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Subject {
    name: Name,
    digest: Sha256,
    media_type: MediaType,
    annotations: Annotations,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Annotations {
    id: ArtifactId,
    size: u64,
}

/// A set of digests with one in it, as in-toto spells it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sha256 {
    sha256: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Predicate {
    run: String,
    pack: PackName,
    pack_digest: Sha256,
    input_digest: Sha256,
    #[serde(with = "time::serde::rfc3339")]
    time: OffsetDateTime,
}

impl Sha256 {
    fn of(digest: &Digest) -> Self {
        Self { sha256: digest.hex() }
    }

    fn digest(&self) -> Result<Digest, ManifestError> {
        format!("sha256:{}", self.sha256).parse().map_err(malformed)
    }
}

impl Statement {
    fn of(manifest: &Manifest) -> Self {
        let Manifest { run, pack, pack_digest, input, time, artifacts } = manifest;
        let subject = |made: &Made| Subject {
            name: made.name.clone(),
            digest: Sha256::of(&made.digest),
            media_type: made.media_type.clone(),
            annotations: Annotations { id: made.id.clone(), size: made.size },
        };
        Self {
            kind: STATEMENT.into(),
            subject: artifacts.iter().map(subject).collect(),
            predicate_type: PREDICATE.into(),
            predicate: Predicate {
                run: run.to_string(),
                pack: pack.clone(),
                pack_digest: Sha256::of(pack_digest),
                input_digest: Sha256::of(input),
                time: *time,
            },
        }
    }

    fn manifest(self) -> Result<Manifest, ManifestError> {
        if (self.kind.as_str(), self.predicate_type.as_str()) != (STATEMENT, PREDICATE) {
            return Err(malformed("it states something else"));
        }
        let Predicate { run, pack, pack_digest, input_digest, time } = self.predicate;
        let made = self.subject.into_iter().map(|subject| {
            let Annotations { id, size } = subject.annotations;
            let digest = subject.digest.digest()?;
            Ok(Made { id, name: subject.name, digest, size, media_type: subject.media_type })
        });
        Ok(Manifest {
            run: RunId::recorded(&run).ok_or_else(|| malformed("its run is none"))?,
            pack,
            pack_digest: pack_digest.digest()?,
            input: input_digest.digest()?,
            time,
            artifacts: made.collect::<Result<_, ManifestError>>()?,
        })
    }
}
