//! JSON Web Tokens (RFC 7519) in the compact form of JWS (RFC 7515 section 7.1).

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::Made;
use crate::error::{KeyError, SigningError};
use crate::hmac::{Hash, keyed};
use crate::key;
use crate::shared::Written;

/// A token that says who sends. It does not depend on the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jwt {
    /// How it is signed.
    pub algorithm: Algorithm,
    /// What it says, without `iat` and `exp`, which are the host's. At most [`Jwt::CLAIMS`] bytes of JSON.
    pub claims: Map<String, Value>,
    /// How long it is good for, in seconds from `iat` to `exp`: 1 to [`Jwt::LONGEST`].
    #[serde(default = "usual")]
    pub lifetime_s: u32,
    /// Which key it is (`kid`), where the server knows several. At most [`Jwt::KEY_ID`] bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// Whether each token has an id of its own (`jti`), where the server takes each but once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub jti: bool,
    /// How the secret of HS256 is written.
    #[serde(default, skip_serializing_if = "Written::is_text")]
    pub key: Written,
}

/// How a token is signed (RFC 7518 section 3.1, RFC 8037).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// RSA of 2048 to 4096 bits, PKCS#1 v1.5 with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// HMAC with SHA-256, with a key of at least 32 bytes (RFC 7518 section 3.2).
    #[serde(rename = "HS256")]
    Hs256,
}

fn usual() -> u32 {
    300
}

/// The shortest key of HS256, in bytes.
const SHARED: usize = 32;
/// How far `iat` lies back at most, in seconds, for servers whose clock is behind ours.
const BACK: u64 = 60;

impl Algorithm {
    /// Its name in a token.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Hs256 => "HS256",
        }
    }
}

impl Jwt {
    /// The longest lifetime, in seconds.
    pub const LONGEST: u32 = 3600;
    /// The most bytes of claims.
    pub const CLAIMS: usize = 4 << 10;
    /// The longest id of a key, in bytes.
    pub const KEY_ID: usize = 256;

    /// A fresh token. Its `iat` is a minute before `now`, or half its lifetime where that is less; `exp` is `lifetime_s` after
    /// that.
    ///
    /// # Errors
    /// When the key does not fit the algorithm, or the clock is before 1970.
    pub fn make(&self, value: &[u8], now: SystemTime) -> Result<Made, SigningError> {
        let now = now.duration_since(UNIX_EPOCH).map_err(|_| SigningError::Clock)?.as_secs();
        let lifetime = u64::from(self.lifetime_s);
        let issued = now.saturating_sub(BACK.min(lifetime / 2));
        let mut claims = self.claims.clone();
        claims.insert("iat".into(), json!(issued));
        claims.insert("exp".into(), json!(issued.saturating_add(lifetime)));
        if self.jti {
            let mut id = [0; 16];
            SystemRandom::new().fill(&mut id).map_err(|_| KeyError::Failed)?;
            claims.insert("jti".into(), json!(URL_SAFE_NO_PAD.encode(id)));
        }
        let mut header = json!({ "alg": self.algorithm.name(), "typ": "JWT" });
        if let Some(id) = &self.key_id {
            header["kid"] = json!(id);
        }
        let part = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let said = format!("{}.{}", part(header), part(Value::Object(claims)));
        let signature = self.sign(value, said.as_bytes())?;
        let text = Zeroizing::new(format!("{said}.{}", URL_SAFE_NO_PAD.encode(&*signature)));
        Ok(Made { proof: text.clone(), text })
    }

    pub(crate) fn sign(&self, value: &[u8], said: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        match self.algorithm {
            Algorithm::Hs256 => keyed(Hash::Sha256, &self.key.key(value, SHARED)?, &[said]),
            algorithm => key::sign(algorithm, value, said).map(Zeroizing::new),
        }
    }
}
