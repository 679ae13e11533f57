//! Signed links: whoever has one reads one artifact as its caller, until a moment that the link says.
//!
//! A link is three parts with dots between them: what it says and the signature, both in base64url, and the key's id in the
//! middle. Nothing of it is kept here.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use packhost_core::Caller;
use packhost_keyring::Signature;
use serde::{Deserialize, Serialize};

use crate::artifacts::{Artifacts, blocking};
use crate::error::ArtifactError;
use crate::id::ArtifactId;
use crate::settings::milliseconds;

const CONTEXT: &str = "packhost artifacts link v1";
/// Bytes of a link. What a caller is called, in base64, is the most of it.
const MOST: usize = 4096;

/// What a link says.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    id: String,
    caller: String,
    /// In milliseconds since 1970.
    until: u64,
}

/// What a good link leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linked {
    /// As whom it is read. Whether that one may still come in is for the door to say.
    pub caller: Caller,
    /// What is read.
    pub id: ArtifactId,
}

impl Artifacts {
    /// How long a link may be good.
    pub const LINK: Duration = Duration::from_secs(7 * 24 * 3600);

    /// A link to an artifact of this caller, and when it is over, in milliseconds since 1970. It is good for so long, and for
    /// [`LINK`](Self::LINK) at most.
    ///
    /// # Errors
    /// [`ArtifactError::NotFound`], also where it is another's; when it cannot be signed.
    pub async fn link(
        &self,
        caller: &Caller,
        id: &ArtifactId,
        lasts: Duration,
    ) -> Result<(String, u64), ArtifactError> {
        let artifact = self.get(caller, id).await?;
        let now = self.inner.settings.clock.now().saturating_add(milliseconds(lasts.min(Self::LINK)));
        let until = now.min(artifact.expires);
        let said = Said { id: id.to_string(), caller: caller.to_string(), until };
        let inner = self.inner.clone();
        let link = blocking(move || {
            // Three texts and a number are JSON.
            let said = serde_json::to_vec(&said).unwrap_or_default();
            let Signature { key_id, bytes } = inner.keyring.sign(CONTEXT, &said)?;
            Ok(format!("{}.{key_id}.{}", URL_SAFE_NO_PAD.encode(said), URL_SAFE_NO_PAD.encode(bytes)))
        });
        Ok((link.await?, until))
    }

    /// What a link leads to.
    ///
    /// # Errors
    /// [`ArtifactError::NotFound`] where this host has not signed it, it is over, or it is no link. What it leads to may be gone.
    pub async fn linked(&self, link: &str) -> Result<Linked, ArtifactError> {
        let (said, signature) = parts(link).ok_or(ArtifactError::NotFound)?;
        let inner = self.inner.clone();
        blocking(move || {
            inner.keyring.verify(CONTEXT, &said, &signature).map_err(|_| ArtifactError::NotFound)?;
            // Only now is it looked into.
            let said: Said = serde_json::from_slice(&said).map_err(|_| ArtifactError::NotFound)?;
            if said.until <= inner.settings.clock.now() {
                return Err(ArtifactError::NotFound);
            }
            let id = said.id.parse().map_err(|_| ArtifactError::NotFound)?;
            let caller = Caller::recorded(&said.caller).ok_or(ArtifactError::NotFound)?;
            Ok(Linked { caller, id })
        })
        .await
    }
}

fn parts(link: &str) -> Option<(Vec<u8>, Signature)> {
    if link.len() > MOST {
        return None;
    }
    let mut parts = link.split('.');
    let (said, key, signature) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes = URL_SAFE_NO_PAD.decode(signature).ok()?.try_into().ok()?;
    let signature = Signature { key_id: key.parse().ok()?, bytes };
    let said = URL_SAFE_NO_PAD.decode(said).ok()?;
    parts.next().is_none().then_some((said, signature))
}
