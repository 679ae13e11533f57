//! Public keys as an authorization server publishes them (RFC 7517), and the signatures that they check (RFC 7518).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};
use serde_json::{Map, Value};

/// The longest name of a key, in bytes.
pub(crate) const MAX_KID: usize = 256;

/// How a token may be signed: by whoever has a private key, and in no other way. There is no `none` and no `HS256` here, so
/// that no key is ever taken for a shared secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    /// `EdDSA` (RFC 8037) and `Ed25519` (RFC 9864), which is the one curve of it here.
    Ed25519,
}

impl Algorithm {
    /// Case matters (RFC 7515 section 4.1.1).
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "EdDSA" | "Ed25519" => Self::Ed25519,
            _ => return None,
        })
    }

    fn rsa(self) -> Option<&'static RsaParameters> {
        Some(match self {
            Self::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
            Self::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
            Self::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
            Self::Ps256 => &RSA_PSS_2048_8192_SHA256,
            Self::Ps384 => &RSA_PSS_2048_8192_SHA384,
            Self::Ps512 => &RSA_PSS_2048_8192_SHA512,
            Self::Es256 | Self::Es384 | Self::Ed25519 => return None,
        })
    }
}

#[derive(Debug)]
enum Kind {
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// A key that signatures can be checked with.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) kid: Option<String>,
    /// The one algorithm that it is for, where its owner says so.
    only: Option<Algorithm>,
    kind: Kind,
}

impl Key {
    /// `None` for what checks no signature of ours: keys for encryption, shared secrets, other curves, and private keys, which
    /// have no business in a set that everybody can read.
    pub(crate) fn of(jwk: &Value) -> Option<Self> {
        let jwk = jwk.as_object()?;
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        if jwk.contains_key("d") || !is_for_signatures(jwk) {
            return None;
        }
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok().filter(|bytes| !bytes.is_empty());
        let kind = match (text("kty")?, text("crv")) {
            ("RSA", _) => Kind::Rsa(RsaPublicKeyComponents { n: bytes("n")?, e: bytes("e")? }),
            ("EC", Some("P-256")) => Kind::P256(point(bytes("x")?, bytes("y")?, 32)?),
            ("EC", Some("P-384")) => Kind::P384(point(bytes("x")?, bytes("y")?, 48)?),
            ("OKP", Some("Ed25519")) => Kind::Ed25519(bytes("x").filter(|x| x.len() == 32)?),
            _ => return None,
        };
        let only = match jwk.get("alg") {
            None => None,
            Some(alg) => Some(Algorithm::named(alg.as_str()?)?),
        };
        let kid = match jwk.get("kid") {
            None => None,
            Some(kid) => Some(kid.as_str().filter(|kid| kid.len() <= MAX_KID)?.to_owned()),
        };
        Some(Self { kid, only, kind })
    }

    /// Whether this is a key for that algorithm.
    pub(crate) fn fits(&self, algorithm: Algorithm) -> bool {
        let kind = match &self.kind {
            Kind::Rsa(_) => algorithm.rsa().is_some(),
            Kind::P256(_) => algorithm == Algorithm::Es256,
            Kind::P384(_) => algorithm == Algorithm::Es384,
            Kind::Ed25519(_) => algorithm == Algorithm::Ed25519,
        };
        kind && self.only.is_none_or(|only| only == algorithm)
    }

    /// Whether the holder of this key has signed these bytes, in this way.
    pub(crate) fn verifies(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        let plain = |way: &'static dyn VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(way, key).verify(signed, signature).is_ok()
        };
        self.fits(algorithm)
            && match &self.kind {
                Kind::Rsa(key) => {
                    algorithm.rsa().is_some_and(|way| key.verify(way, signed, signature).is_ok())
                }
                Kind::P256(key) => plain(&ECDSA_P256_SHA256_FIXED, key),
                Kind::P384(key) => plain(&ECDSA_P384_SHA384_FIXED, key),
                Kind::Ed25519(key) => plain(&ED25519, key),
            }
    }
}

/// Whether the key's owner means it for this (RFC 7517 sections 4.2 and 4.3).
fn is_for_signatures(jwk: &Map<String, Value>) -> bool {
    let use_ = jwk.get("use").is_none_or(|value| value == "sig");
    let verify = |list: &Value| list.as_array().is_some_and(|list| list.iter().any(|one| one == "verify"));
    use_ && jwk.get("key_ops").is_none_or(verify)
}

/// A point of a curve, uncompressed (SEC 1 section 2.3.3). Coordinates have their full length (RFC 7518 section 6.2.1.2).
fn point(x: Vec<u8>, y: Vec<u8>, length: usize) -> Option<Vec<u8>> {
    (x.len() == length && y.len() == length).then(|| [vec![4], x, y].concat())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn decode(text: &str) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(text).expect("base64")
    }

    /// RFC 7515 appendix A.3: a claim set signed with ES256.
    #[test]
    fn the_example_of_jws_for_es256_verifies() {
        let key = Key::of(&json!({"kty": "EC", "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}))
        .expect("a key");
        let signed = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let signature =
            decode("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q");
        assert!(key.verifies(Algorithm::Es256, signed.as_bytes(), &signature));
        assert!(!key.verifies(Algorithm::Es384, signed.as_bytes(), &signature));
        assert!(!key.verifies(Algorithm::Es256, &signed.as_bytes()[1..], &signature));
        for flipped in 0..signature.len() {
            let mut forged = signature.clone();
            forged[flipped] ^= 1;
            assert!(!key.verifies(Algorithm::Es256, signed.as_bytes(), &forged));
        }
    }

    /// RFC 8037 appendix A.4: the phrase signed with Ed25519.
    #[test]
    fn the_example_of_jws_for_ed25519_verifies() {
        let key = Key::of(
            &json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}),
        )
        .expect("a key");
        let signed = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature =
            decode("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg");
        assert!(key.verifies(Algorithm::Ed25519, signed.as_bytes(), &signature));
        assert!(!key.verifies(Algorithm::Es256, signed.as_bytes(), &signature));
    }

    #[test]
    fn what_checks_no_signature_is_no_key() {
        let good =
            json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        assert!(Key::of(&good).is_some());
        for (name, value) in [
            ("use", json!("enc")),
            ("use", json!(1)),
            ("key_ops", json!(["encrypt"])),
            ("key_ops", json!("verify")),
            ("d", json!("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")),
            ("crv", json!("Ed448")),
            ("crv", json!("P-256")),
            ("kty", json!("oct")),
            ("kty", json!("EC")),
            ("alg", json!("HS256")),
            ("alg", json!("none")),
            ("alg", json!(1)),
            ("kid", json!(1)),
            ("kid", json!("x".repeat(MAX_KID + 1))),
            ("x", json!("AAAA")),
            ("x", json!("not base64!")),
        ] {
            let mut wrong = good.clone();
            wrong[name] = value.clone();
            assert!(Key::of(&wrong).is_none(), "{name}: {value}");
        }
        for wrong in [json!(1), json!([]), json!({}), json!({"kty": "oct", "k": "AAAA"})] {
            assert!(Key::of(&wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_key_is_for_the_algorithm_that_its_owner_says() {
        let rsa = |alg: Value| {
            let mut jwk = json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"});
            if !alg.is_null() {
                jwk["alg"] = alg;
            }
            Key::of(&jwk).expect("a key")
        };
        assert!(rsa(Value::Null).fits(Algorithm::Rs256) && rsa(Value::Null).fits(Algorithm::Ps512));
        assert!(rsa(json!("PS256")).fits(Algorithm::Ps256));
        assert!(!rsa(json!("PS256")).fits(Algorithm::Rs256) && !rsa(Value::Null).fits(Algorithm::Es256));
    }

    #[test]
    fn a_short_modulus_verifies_nothing() {
        let key = Key::of(&json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"})).expect("it looks like a key");
        assert!(!key.verifies(Algorithm::Rs256, b"signed", &[0; 3]));
    }

    #[test]
    fn only_signatures_with_a_private_key_count() {
        for name in
            ["none", "None", "HS256", "HS384", "HS512", "ES256K", "ES512", "RS1", "rs256", "", "RSA1_5"]
        {
            assert_eq!(Algorithm::named(name), None, "{name}");
        }
    }
}
