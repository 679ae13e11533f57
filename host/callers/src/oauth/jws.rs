//! A token as it is written: three parts in base64url with dots between (RFC 7515 section 7.1).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::Unproved;
use super::json;
use super::key::{Algorithm, MAX_KID};

/// The longest token that is looked at, in bytes.
pub(crate) const MAX_TOKEN: usize = 16 << 10;

/// Parameters that would say where a key is, or are one: the key is the issuer's to say, and never the token's. And what this
/// reader would have to understand (`crit`, `b64`), and encryption and compression, which it does not.
const REFUSED: [&str; 8] = ["jku", "jwk", "x5u", "x5c", "crit", "b64", "enc", "zip"];

/// A token that has its form. Nothing of it is proved.
pub(crate) struct Written<'a> {
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: Option<String>,
    pub(crate) claims: Map<String, Value>,
    /// What the signature is over.
    pub(crate) signed: &'a [u8],
    pub(crate) signature: Vec<u8>,
}

/// Whether these bytes could be a token of this kind.
pub(crate) fn looks_like_one(bytes: &[u8]) -> bool {
    bytes.iter().filter(|byte| **byte == b'.').count() == 2
}

impl<'a> Written<'a> {
    /// Reads a token whose `typ` is one of these.
    pub(crate) fn read(token: &'a [u8], types: &[String]) -> Result<Self, Unproved> {
        if token.len() > MAX_TOKEN {
            return Err(Unproved::TooLong);
        }
        let mut parts = token.split(|byte| *byte == b'.');
        let (Some(header), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Unproved::Form);
        };
        let signed = &token[..header.len() + 1 + claims.len()];
        let header = json::object(&decoded(header)?).ok_or(Unproved::Form)?;
        let (algorithm, kid) = read_header(&header, types)?;
        let claims = json::object(&decoded(claims)?).ok_or(Unproved::Form)?;
        Ok(Self { algorithm, kid, claims, signed, signature: decoded(signature)? })
    }
}

fn decoded(part: &[u8]) -> Result<Vec<u8>, Unproved> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Unproved::Form)
}

fn read_header(
    header: &Map<String, Value>,
    types: &[String],
) -> Result<(Algorithm, Option<String>), Unproved> {
    if REFUSED.iter().any(|name| header.contains_key(*name)) {
        return Err(Unproved::Header);
    }
    let algorithm = header.get("alg").and_then(Value::as_str).and_then(Algorithm::named);
    let typ = header.get("typ").and_then(Value::as_str).ok_or(Unproved::Type)?;
    // `application/` may be left out, and case does not matter (RFC 7515 section 4.1.9).
    let typ = typ.to_ascii_lowercase();
    let typ = typ.strip_prefix("application/").unwrap_or(&typ);
    if !types.iter().any(|known| known.eq_ignore_ascii_case(typ)) {
        return Err(Unproved::Type);
    }
    let kid = match header.get("kid") {
        None => None,
        Some(Value::String(kid)) if kid.len() <= MAX_KID => Some(kid.clone()),
        Some(_) => return Err(Unproved::Header),
    };
    Ok((algorithm.ok_or(Unproved::Algorithm)?, kid))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn types() -> Vec<String> {
        vec!["at+jwt".to_owned()]
    }

    fn token(header: &Value, claims: &str) -> Vec<u8> {
        let part = |text: String| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.AAAA", part(header.to_string()), part(claims.to_owned())).into_bytes()
    }

    fn refused(token: &[u8]) -> Option<Unproved> {
        Written::read(token, &types()).err()
    }

    fn header() -> Value {
        json!({"alg": "ES256", "typ": "at+jwt", "kid": "1"})
    }

    #[test]
    fn a_token_is_read_as_it_stands() {
        let text = token(&header(), r#"{"sub": "a"}"#);
        let read = Written::read(&text, &types()).expect("it has its form");
        assert_eq!((read.algorithm, read.kid.as_deref()), (Algorithm::Es256, Some("1")));
        assert_eq!((&read.claims["sub"], read.signature.as_slice()), (&json!("a"), &[0, 0, 0][..]));
        assert_eq!(read.signed, &text[..text.len() - 5]);
        for typ in ["AT+JWT", "application/at+jwt", "Application/AT+jwt"] {
            let mut header = header();
            header["typ"] = typ.into();
            assert_eq!(refused(&token(&header, "{}")), None, "{typ}");
        }
    }

    #[test]
    fn a_header_that_brings_its_own_key_is_refused() {
        for (name, value) in [
            ("jku", json!("https://evil.example/jwks")),
            ("x5u", json!("https://evil.example/cert")),
            ("jwk", json!({"kty": "oct", "k": "AAAA"})),
            ("x5c", json!(["AAAA"])),
            ("crit", json!(["exp"])),
            ("b64", json!(false)),
            ("zip", json!("DEF")),
            ("enc", json!("A128GCM")),
            ("jku", Value::Null),
            ("kid", json!(7)),
            ("kid", json!(["1"])),
            ("kid", json!("x".repeat(MAX_KID + 1))),
        ] {
            let mut header = header();
            header[name] = value.clone();
            assert_eq!(refused(&token(&header, "{}")), Some(Unproved::Header), "{name}: {value}");
        }
    }

    #[test]
    fn an_algorithm_without_a_private_key_is_refused() {
        for alg in
            [json!("none"), json!("NONE"), json!("HS256"), json!(""), json!(1), json!(["ES256"]), Value::Null]
        {
            let mut header = header();
            header["alg"] = alg.clone();
            assert_eq!(refused(&token(&header, "{}")), Some(Unproved::Algorithm), "{alg}");
        }
    }

    #[test]
    fn another_type_of_token_is_refused() {
        for typ in
            [json!("JWT"), json!("id+jwt"), json!("logout+jwt"), json!("x/at+jwt"), json!(1), Value::Null]
        {
            let mut header = header();
            header["typ"] = typ.clone();
            assert_eq!(refused(&token(&header, "{}")), Some(Unproved::Type), "{typ}");
        }
        let without = json!({"alg": "ES256"});
        assert_eq!(refused(&token(&without, "{}")), Some(Unproved::Type));
    }

    #[test]
    fn a_name_that_stands_twice_is_refused_in_both_parts() {
        assert_eq!(refused(&token(&header(), r#"{"aud": "a", "aud": "b"}"#)), Some(Unproved::Form));
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let header = part(r#"{"alg": "ES256", "typ": "at+jwt", "alg": "RS256"}"#);
        assert_eq!(refused(format!("{header}.{}.AAAA", part("{}")).as_bytes()), Some(Unproved::Form));
    }

    #[test]
    fn what_is_written_otherwise_is_refused() {
        let good = token(&header(), "{}");
        assert_eq!(refused(&good), None);
        let text = String::from_utf8(good).expect("text");
        for wrong in [
            String::new(),
            "..".into(),
            "a.b".into(),
            format!("{text}.AAAA"),
            format!("{text}="),
            format!(" {text}"),
            text.replace('.', ".."),
            text.replace("AAAA", "AAA+"),
        ] {
            assert_eq!(refused(wrong.as_bytes()), Some(Unproved::Form), "{wrong}");
        }
        let long = token(&header(), &format!("{{\"a\": \"{}\"}}", "x".repeat(MAX_TOKEN)));
        assert_eq!(refused(&long), Some(Unproved::TooLong));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), text in "[A-Za-z0-9_=.-]{0,200}") {
            let _ = Written::read(&bytes, &types());
            let _ = Written::read(text.as_bytes(), &types());
        }
    }
}
