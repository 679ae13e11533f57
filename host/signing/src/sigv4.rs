//! AWS Signature Version 4 in the `Authorization` header.
//!
//! Ours, over the HMAC and SHA-256 that are here already: `aws-sigv4` brings eleven crates of AWS's runtime and writes the
//! headers that it signs, with the credentials in them, to the log at the level trace; `reqsign-aws-v4` brings a loader of
//! AWS's configuration files, with parsers for INI and XML. What is to be signed has to be what egress sends, byte for byte,
//! and it is egress that knows.

use std::time::{SystemTime, UNIX_EPOCH};

use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING, USER_AGENT,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::error::{KeyError, SigningError};
use crate::hmac::{Hash, keyed};
use crate::shared::{SHORTEST, Written, hex};
use crate::{Made, Message};

/// AWS Signature Version 4 over the request. A session token is a credential of its own, which the pack writes into
/// `x-amz-security-token`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sigv4 {
    /// The id of the access key, such as `AKIDEXAMPLE`.
    pub key_id: String,
    /// The region, such as `eu-west-1`.
    pub region: String,
    /// The service as it is signed, such as `s3` or `execute-api`.
    pub service: String,
}

/// What is said of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload<'a> {
    /// These bytes.
    Whole(&'a [u8]),
    /// Nothing: it is sent as it comes. S3 alone takes that.
    Unsigned,
}

const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const CONTENT: HeaderName = HeaderName::from_static("x-amz-content-sha256");

/// What may change on the way, or is added after the request was signed.
const UNSIGNED: [HeaderName; 8] = [
    AUTHORIZATION,
    ACCEPT_ENCODING,
    CONNECTION,
    CONTENT_LENGTH,
    EXPECT,
    TRANSFER_ENCODING,
    USER_AGENT,
    HeaderName::from_static("x-amzn-trace-id"),
];

/// What stands for itself in a canonical request.
const STRICT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl Sigv4 {
    /// Whether the service is S3 in one of its forms, which take paths as they are and bodies unsigned.
    pub fn is_s3(&self) -> bool {
        matches!(self.service.as_str(), "s3" | "s3-outposts" | "s3-object-lambda")
    }

    /// Puts the time and the hash of the body into their headers. Comes before [`sign`](Self::sign).
    ///
    /// # Errors
    /// When the clock is not between the years 1970 and 9999.
    pub fn prepare(
        &self,
        headers: &mut HeaderMap,
        payload: Payload<'_>,
        now: SystemTime,
    ) -> Result<(), SigningError> {
        let time = stamp(now).ok_or(SigningError::Clock)?;
        headers.insert(DATE, HeaderValue::try_from(time).map_err(|_| SigningError::Clock)?);
        let hash = match payload {
            Payload::Unsigned => HeaderValue::from_static("UNSIGNED-PAYLOAD"),
            Payload::Whole(body) => HeaderValue::try_from(hex(&Sha256::digest(body)))
                .map_err(|_| SigningError::Header(CONTENT.to_string()))?,
        };
        headers.insert(CONTENT, hash);
        Ok(())
    }

    /// The value of `Authorization`. Where there is no `x-amz-content-sha256`, the body of the message is hashed.
    ///
    /// # Errors
    /// When there is no `x-amz-date`, or the key is none.
    pub fn sign(&self, value: &[u8], message: &Message<'_>) -> Result<Made, SigningError> {
        let secret = Written::Text.key(value, SHORTEST)?;
        let absent = || SigningError::Header(DATE.to_string());
        let time = message.headers.get(DATE).and_then(|time| time.to_str().ok()).ok_or_else(absent)?;
        let day = time.get(..8).ok_or_else(absent)?;
        let (request, signed) = self.canonical(message);
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex(&Sha256::digest(&*request)));
        let proof = Zeroizing::new(hex(&self.signature(&secret, day, &text)?));
        let key_id = &self.key_id;
        let text = format!(
            "AWS4-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders={signed}, Signature={}",
            *proof
        );
        Ok(Made { text: Zeroizing::new(text), proof })
    }

    fn signature(&self, secret: &[u8], day: &str, text: &str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let first = Zeroizing::new([b"AWS4", secret].concat());
        let steps = [day, &self.region, &self.service, "aws4_request", text];
        steps.iter().try_fold(first, |key, step| keyed(Hash::Sha256, &key, &[step.as_bytes()]))
    }

    /// The canonical request, and the names of the headers in it.
    fn canonical(&self, message: &Message<'_>) -> (Zeroizing<Vec<u8>>, String) {
        let mut names: Vec<&HeaderName> =
            message.headers.keys().filter(|name| !UNSIGNED.contains(name)).collect();
        names.sort_unstable_by_key(|name| name.as_str());
        let signed = names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(";");
        let query = sorted(message.query.unwrap_or_default());
        let head = format!("{}\n{}\n{query}\n", message.method, self.path(message.path));
        let mut request = Zeroizing::new(head.into_bytes());
        for name in names {
            request.extend_from_slice(name.as_str().as_bytes());
            let mut between = b':';
            for value in message.headers.get_all(name) {
                request.push(between);
                request.extend_from_slice(&squeezed(value.as_bytes()));
                between = b',';
            }
            request.push(b'\n');
        }
        let hash = message.headers.get(CONTENT).map(|hash| hash.as_bytes().to_vec());
        let hash = hash.unwrap_or_else(|| hex(&Sha256::digest(message.body)).into_bytes());
        request.extend_from_slice(&[b"\n", signed.as_bytes(), b"\n", &hash].concat());
        (request, signed)
    }

    /// S3 signs the path as it is; everybody else without empty segments, and encoded once more.
    fn path(&self, path: &str) -> String {
        let once = strict_path(path);
        if self.is_s3() {
            return once;
        }
        let segments: Vec<&str> = once.split('/').filter(|segment| !segment.is_empty()).collect();
        let end = if once.ends_with('/') && !segments.is_empty() { "/" } else { "" };
        by_segment(&format!("/{}{end}", segments.join("/")), |segment| encoded(segment.as_bytes()))
    }
}

/// The path with everything encoded that AWS encodes, and nothing else: so it has to be sent to be signed as it is sent.
pub fn strict_path(path: &str) -> String {
    by_segment(path, |segment| encoded(&percent_decode_str(segment).collect::<Vec<u8>>()))
}

fn by_segment(path: &str, write: impl Fn(&str) -> String) -> String {
    path.split('/').map(write).collect::<Vec<_>>().join("/")
}

fn encoded(bytes: &[u8]) -> String {
    percent_encode(bytes, STRICT).to_string()
}

/// The same for a query, whose pairs stay in their order. A `+` is the space that it means.
pub fn strict_query(query: &str) -> String {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let strict = pairs.map(|pair| {
        let (name, value) = encoded_pair(pair);
        if pair.contains('=') { format!("{name}={value}") } else { name }
    });
    strict.collect::<Vec<_>>().join("&")
}

fn encoded_pair(pair: &str) -> (String, String) {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    let strict = |text: &str| encoded(&percent_decode_str(&text.replace('+', " ")).collect::<Vec<u8>>());
    (strict(name), strict(value))
}

/// The query as it is signed: by name and value.
fn sorted(query: &str) -> String {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let mut pairs: Vec<(String, String)> = pairs.map(encoded_pair).collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// Without spaces at its ends, and with one in place of several.
fn squeezed(value: &[u8]) -> Vec<u8> {
    let words = value.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(&b' ')
}

/// `20150830T123600Z`
fn stamp(now: SystemTime) -> Option<String> {
    let seconds = now.duration_since(UNIX_EPOCH).ok()?.as_secs();
    let time = OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).ok()?).ok()?;
    let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
    let (hour, minute, second) = time.to_hms();
    Some(format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z"))
}
