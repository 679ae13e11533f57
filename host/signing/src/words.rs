//! A signature in words, for people.

use std::fmt;

use crate::Signing;
use crate::hmac::{Hash, Hmac, Part};

/// `signed with HMAC-SHA256 over the body`
impl fmt::Display for Signing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hmac(hmac) => hmac.fmt(f),
            Self::Sigv4(sigv4) => {
                let (key_id, service, region) = (&sigv4.key_id, &sigv4.service, &sigv4.region);
                write!(f, "signed by {key_id} for {service} in {region} (AWS Signature Version 4)")
            }
            Self::Jwt(jwt) => write!(f, "as a JWT ({}) of {} s", jwt.algorithm.name(), jwt.lifetime_s),
        }
    }
}

impl fmt::Display for Hmac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hash = match self.hash {
            Hash::Sha256 => "SHA256",
            Hash::Sha512 => "SHA512",
            Hash::Sha1 => "SHA1",
        };
        let parts: Vec<String> = self.over.iter().map(word).collect();
        write!(f, "signed with HMAC-{hash} over {}", parts.join(" + "))
    }
}

fn word(part: &Part) -> String {
    match part {
        Part::Method => "method".into(),
        Part::Path => "path".into(),
        Part::Query => "query".into(),
        Part::Target => "target".into(),
        Part::Body => "body".into(),
        Part::Timestamp => "timestamp".into(),
        Part::Header(name) => format!("header {name}"),
        Part::Text(text) => format!("{text:?}"),
    }
}
