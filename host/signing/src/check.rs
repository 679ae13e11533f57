//! What is refused before anything is kept: a `sign` that makes no sense, and a key that does not fit it.

use http::HeaderName;
use packhost_core::Placement;
use serde_json::Value;

use crate::error::{KeyError, SpecError};
use crate::hmac::{Hmac, Part};
use crate::jwt::Jwt;
use crate::key;
use crate::shared::{SHORTEST, Written};
use crate::sigv4::Sigv4;
use crate::{Algorithm, Signing};

/// The longest word of a scope of AWS, in bytes.
const WORD: usize = 128;

impl Signing {
    /// What is made, in one word: `hmac`, `sigv4`, `jwt`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Hmac(_) => "hmac",
            Self::Sigv4(_) => "sigv4",
            Self::Jwt(_) => "jwt",
        }
    }

    /// Whether it can be made, and stand at these places.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self, places: &[Placement]) -> Result<(), SpecError> {
        match self {
            Self::Hmac(hmac) => hmac.check(places),
            Self::Sigv4(sigv4) => sigv4.check(places),
            Self::Jwt(jwt) => jwt.check(),
        }
    }

    /// Whether it can be made with this value.
    ///
    /// # Errors
    /// What is wrong with the key, without a word of it.
    pub fn check_key(&self, value: &[u8]) -> Result<(), KeyError> {
        match self {
            Self::Hmac(hmac) => hmac.key.key(value, SHORTEST).map(drop),
            Self::Sigv4(_) => Written::Text.key(value, SHORTEST).map(drop),
            Self::Jwt(jwt) => jwt.sign(value, b"").map(drop),
        }
    }

    /// Whether this can stand there: what signs a request cannot be in what it signs.
    pub fn may_stand(&self, place: &Placement) -> bool {
        match self {
            Self::Hmac(_) => matches!(place, Placement::Header { .. } | Placement::Query { .. }),
            Self::Sigv4(_) => {
                matches!(place, Placement::Header { name, scheme: None } if name == "authorization")
            }
            Self::Jwt(_) => true,
        }
    }

    /// The bytes that a value is looked for by in answers: a private key without the mark of the form it is kept in.
    pub fn bare(value: &[u8]) -> &[u8] {
        value.strip_prefix(key::MARK.as_bytes()).unwrap_or(value)
    }
}

impl Hmac {
    fn check(&self, places: &[Placement]) -> Result<(), SpecError> {
        let wrong = |key, why: &str| Err(SpecError::new(key, why));
        if self.over.is_empty() || self.over.len() > Self::PARTS {
            return wrong("over", "it names 1 to 16 parts of the request");
        }
        if !places.iter().all(|place| matches!(place, Placement::Header { .. } | Placement::Query { .. })) {
            return wrong("hmac", "what signs a request stands in a header or in the query");
        }
        let is_place = |header: &str| {
            places.iter().any(|place| matches!(place, Placement::Header { name, .. } if name == header))
        };
        for part in &self.over {
            match part {
                Part::Header(name) if !is_field(name) => {
                    return wrong("over", "a header has a name in lower case");
                }
                Part::Header(name) if is_place(name) => {
                    return wrong("over", "the header that holds the signature cannot be signed");
                }
                Part::Text(text) if text.len() > Self::TEXT => {
                    return wrong("over", "a text has at most 256 bytes");
                }
                _ => {}
            }
        }
        if self.prefix.len() > Self::TEXT || !self.prefix.bytes().all(|byte| byte.is_ascii_graphic()) {
            return wrong("prefix", "it is at most 256 visible characters of ASCII");
        }
        match &self.timestamp {
            Some(time) if !is_field(&time.header) || is_place(&time.header) => wrong(
                "timestamp",
                "its header has a name in lower case, and is not the one that holds the signature",
            ),
            Some(time) if !self.signs(&time.header) => {
                wrong("timestamp", "what is not in \"over\" proves nothing")
            }
            None if self.over.contains(&Part::Timestamp) => wrong(
                "over",
                "a timestamp needs \"timestamp\": { \"header\": … }, where the host puts the time",
            ),
            _ => Ok(()),
        }
    }

    fn signs(&self, header: &str) -> bool {
        self.over.iter().any(|part| match part {
            Part::Timestamp => true,
            Part::Header(name) => name == header,
            _ => false,
        })
    }
}

impl Sigv4 {
    fn check(&self, places: &[Placement]) -> Result<(), SpecError> {
        if !places.iter().all(|place| Signing::Sigv4(self.clone()).may_stand(place)) {
            return Err(SpecError::new("sigv4", "it stands in the header authorization, without a scheme"));
        }
        for (key, word) in [("key_id", &self.key_id), ("region", &self.region), ("service", &self.service)] {
            let good = word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
            if word.is_empty() || word.len() > WORD || !good {
                return Err(SpecError::new(key, "it is letters, digits, -, _ and ., at most 128 of them"));
            }
        }
        Ok(())
    }
}

impl Jwt {
    fn check(&self) -> Result<(), SpecError> {
        let wrong = |key, why: &str| Err(SpecError::new(key, why));
        if self.lifetime_s == 0 || self.lifetime_s > Self::LONGEST {
            return wrong("lifetime_s", "a token is good for 1 to 3600 seconds");
        }
        if ["iat", "exp"].iter().any(|claim| self.claims.contains_key(*claim)) {
            return wrong("claims", "iat and exp are the host's to say");
        }
        if self.jti && self.claims.contains_key("jti") {
            return wrong("claims", "with \"jti\": true, jti is the host's to say");
        }
        let claims = Value::Object(self.claims.clone());
        let text = claims.to_string();
        if text.len() > Self::CLAIMS {
            return wrong("claims", "they are longer than 4096 bytes");
        }
        if serde_json::from_str::<Value>(&text).ok() != Some(claims) {
            return wrong("claims", "a number in them cannot be written exactly");
        }
        if self.key_id.as_ref().is_some_and(|id| id.is_empty() || id.len() > Self::KEY_ID) {
            return wrong("key_id", "it has 1 to 256 bytes");
        }
        if self.algorithm != Algorithm::Hs256 && !self.key.is_text() {
            return wrong("key", "only HS256 has a shared secret; a private key is PEM");
        }
        Ok(())
    }
}

/// The name of a header as it is compared.
fn is_field(name: &str) -> bool {
    name.parse::<HeaderName>().is_ok_and(|parsed| parsed.as_str() == name)
}
