//! HMAC (RFC 2104) over parts of a request, as webhooks and many APIs have it.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use zeroize::Zeroizing;

use crate::error::{KeyError, SigningError};
use crate::shared::{SHORTEST, Written, hex};
use crate::{Made, Message};

/// A keyed hash over parts of the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hmac {
    /// The hash.
    #[serde(default, skip_serializing_if = "Hash::is_usual")]
    pub hash: Hash,
    /// What is signed: these parts, one after the other with nothing between them. 1 to [`Hmac::PARTS`].
    pub over: Vec<Part>,
    /// How the signature is written.
    #[serde(default, skip_serializing_if = "Encoding::is_usual")]
    pub encoding: Encoding,
    /// What stands in front of the signature, such as `sha256=`. At most [`Hmac::TEXT`] bytes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// How the key is written.
    #[serde(default, skip_serializing_if = "Written::is_text")]
    pub key: Written,
    /// The header into which the host puts the time at which it signs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
}

/// The hash of an HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hash {
    /// SHA-256.
    #[default]
    Sha256,
    /// SHA-512.
    Sha512,
    /// SHA-1, for services that have nothing better.
    Sha1,
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// In hexadecimal, lower case.
    #[default]
    Hex,
    /// In base64 (RFC 4648 section 4).
    Base64,
    /// In base64url without padding (RFC 4648 section 5).
    Base64url,
}

/// A part of what is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The method.
    Method,
    /// The path as it is sent.
    Path,
    /// The query as it is sent, without the parameter that holds the signature; nothing where there is none.
    Query,
    /// The path, and where there is a query, `?` and the query.
    Target,
    /// The body.
    Body,
    /// The time that the host has put into the header that [`Hmac::timestamp`] names.
    Timestamp,
    /// The value of a header, which has to be there once.
    Header(String),
    /// This text. At most [`Hmac::TEXT`] bytes.
    Text(String),
}

/// Where the time goes, and how it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timestamp {
    /// The header. What the pack wrote there is replaced.
    pub header: String,
    /// In what it is counted, since 1970.
    #[serde(default)]
    pub unit: Unit,
}

/// What a time is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Unit {
    /// Seconds.
    #[default]
    #[serde(rename = "s")]
    Seconds,
    /// Milliseconds.
    #[serde(rename = "ms")]
    Milliseconds,
}

impl Hash {
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

impl Encoding {
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

impl Hmac {
    /// The most parts.
    pub const PARTS: usize = 16;
    /// The longest text of a part, and the longest prefix, in bytes.
    pub const TEXT: usize = 256;

    /// Whether the whole body has to be there.
    pub fn needs_body(&self) -> bool {
        self.over.contains(&Part::Body)
    }

    /// Puts the time into its header, if there is one. Comes before [`sign`](Self::sign).
    ///
    /// # Errors
    /// When the clock is before 1970.
    pub fn stamp(&self, headers: &mut HeaderMap, now: SystemTime) -> Result<(), SigningError> {
        let Some(Timestamp { header, unit }) = &self.timestamp else { return Ok(()) };
        let since = now.duration_since(UNIX_EPOCH).map_err(|_| SigningError::Clock)?;
        let time = match unit {
            Unit::Seconds => since.as_secs(),
            Unit::Milliseconds => u64::try_from(since.as_millis()).map_err(|_| SigningError::Clock)?,
        };
        let name: HeaderName = header.parse().map_err(|_| SigningError::Header(header.clone()))?;
        headers.insert(name, HeaderValue::from(time));
        Ok(())
    }

    /// The signature of this request.
    ///
    /// # Errors
    /// When a header is not there, or the key is none.
    pub fn sign(&self, value: &[u8], message: &Message<'_>) -> Result<Made, SigningError> {
        let key = self.key.key(value, SHORTEST)?;
        let mut parts = Vec::with_capacity(self.over.len() + 2);
        for part in &self.over {
            self.take(part, message, &mut parts)?;
        }
        let signature = keyed(self.hash, &key, &parts)?;
        let proof = Zeroizing::new(match self.encoding {
            Encoding::Hex => hex(&signature),
            Encoding::Base64 => STANDARD.encode(&signature),
            Encoding::Base64url => URL_SAFE_NO_PAD.encode(&signature),
        });
        Ok(Made { text: Zeroizing::new(format!("{}{}", self.prefix, *proof)), proof })
    }

    fn take<'a>(
        &'a self,
        part: &'a Part,
        message: &Message<'a>,
        parts: &mut Vec<&'a [u8]>,
    ) -> Result<(), SigningError> {
        match part {
            Part::Method => parts.push(message.method.as_str().as_bytes()),
            Part::Path => parts.push(message.path.as_bytes()),
            Part::Query => parts.push(message.query.unwrap_or_default().as_bytes()),
            Part::Target => {
                parts.push(message.path.as_bytes());
                if let Some(query) = message.query {
                    parts.extend([&b"?"[..], query.as_bytes()]);
                }
            }
            Part::Body => parts.push(message.body),
            Part::Timestamp => {
                let header = self.timestamp.as_ref().map(|timestamp| timestamp.header.as_str());
                parts.push(sole(message.headers, header.unwrap_or_default())?);
            }
            Part::Header(name) => parts.push(sole(message.headers, name)?),
            Part::Text(text) => parts.push(text.as_bytes()),
        }
        Ok(())
    }
}

fn sole<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a [u8], SigningError> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value.as_bytes()),
        _ => Err(SigningError::Header(name.to_owned())),
    }
}

/// The HMAC of these parts, one after the other.
pub(crate) fn keyed(hash: Hash, key: &[u8], parts: &[&[u8]]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    fn of<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        // Every length is one that HMAC takes.
        let mut mac = <M as KeyInit>::new_from_slice(key).map_err(|_| KeyError::Failed)?;
        parts.iter().for_each(|part| mac.update(part));
        Ok(Zeroizing::new(mac.finalize().into_bytes().to_vec()))
    }
    match hash {
        Hash::Sha256 => of::<hmac::Hmac<Sha256>>(key, parts),
        Hash::Sha512 => of::<hmac::Hmac<Sha512>>(key, parts),
        Hash::Sha1 => of::<hmac::Hmac<Sha1>>(key, parts),
    }
}
