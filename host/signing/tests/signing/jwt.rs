//! JSON Web Tokens, held against the other half of their key.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use packhost_signing::{Jwt, MARK, Signing, SigningError};
use ring::signature::{self, EcdsaKeyPair, KeyPair, UnparsedPublicKey};
use serde_json::{Value, json};

use super::{ED25519, P256_PKCS8, RSA_PKCS1, at, line, signing};

const NOW: u64 = 1_700_000_000;

fn jwt(json: Value) -> Jwt {
    match signing(&json!({ "jwt": json }).to_string()) {
        Signing::Jwt(jwt) => jwt,
        other => panic!("{other}"),
    }
}

fn made(json: Value, value: &str) -> String {
    jwt(json).make(value.as_bytes(), at(NOW)).expect("signed").text.to_string()
}

/// The two halves of what a token says.
fn said(token: &str) -> (Value, Value) {
    let mut parts = token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).expect("base64url"));
    let mut part = || serde_json::from_slice(&parts.next().expect("a part")).expect("JSON");
    (part(), part())
}

/// The same token as `cryptography` for Python makes of the same text: these two algorithms have no randomness in them.
#[test]
fn as_another_library_signs_it() {
    let rsa = made(json!({ "algorithm": "RS256", "claims": { "iss": "123456" } }), &line(RSA_PKCS1));
    let signature = "pGxjIff1LOk8NUlH67l3osCj9L2zZpQ_JKEqa92eJyc8nndQFqhrXuixsg53NvpPF-gC0V-qjFR3buXIUKrIkin1dQLWVkVGtm4Lonmlrs\
KYO766yZo0I_4C1pY9THsJfWIg8Qop3EnxBsjz7p9IzspVV1twzdXr4Y1opIDgu_s-vqqGr1avDmL1k0fPXZU4LGps6KGTU5bzACTPxzeFxrXFtwXe6SX6u_gOTf3XCC\
O5nrCoLaz4siO12fe33N7XxskWpYiY5AQDHFwqvw4Ih2BPYrbDs-K8c2pX1chO3sdWGZkTFPiBdgmQuct-C1WitjqtrHLtW4bU6go7DbgyRw";
    assert_eq!(rsa.rsplit_once('.').expect("a signature").1, signature);
    let asked = json!({ "algorithm": "EdDSA", "claims": { "sub": "a" }, "lifetime_s": 60, "key_id": "k1" });
    assert_eq!(
        made(asked, &line(ED25519)),
        "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCIsImtpZCI6ImsxIn0.eyJzdWIiOiJhIiwiaWF0IjoxNjk5OTk5OTcwLCJleHAiOjE3MDAwMDAwMzB9.\
lpDpa9KF9p9Jj8jeVAFhBn3iRrlA-TQBj0jfI0cYIPw3CjJW-UZEkf8WQ4hkvG4FBU68SHZkzhdyzjZlOGpJBg"
    );
}

#[test]
fn es256_is_verified_by_its_public_key() {
    let line = line(P256_PKCS8);
    let token = made(json!({ "algorithm": "ES256", "claims": {} }), &line);
    let der = STANDARD.decode(line.strip_prefix(MARK).expect("marked")).expect("base64");
    let random = ring::rand::SystemRandom::new();
    let pair =
        EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, &der, &random).expect("a key");
    let public = UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref());
    let (text, signature) = token.rsplit_once('.').expect("a signature");
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    assert!(public.verify(text.as_bytes(), &signature).is_ok());
    assert!(public.verify(b"something else", &signature).is_err());
}

#[test]
fn hs256_is_verified_with_the_same_secret() {
    let secret = "0123456789abcdef0123456789abcdef";
    let token = made(json!({ "algorithm": "HS256", "claims": {} }), secret);
    let (text, signature) = token.rsplit_once('.').expect("a signature");
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    assert!(ring::hmac::verify(&key, text.as_bytes(), &signature).is_ok());
    let hex = "3031323334353637383961626364656630313233343536373839616263646566";
    assert_eq!(made(json!({ "algorithm": "HS256", "claims": {}, "key": "hex" }), hex), token);
}

#[test]
fn it_says_what_it_was_told_and_when() {
    let secret = "0123456789abcdef0123456789abcdef";
    for (lifetime, iat) in [(3600, NOW - 60), (300, NOW - 60), (100, NOW - 50), (1, NOW)] {
        let asked = json!({ "algorithm": "HS256", "claims": { "iss": "me" }, "lifetime_s": lifetime });
        let (header, claims) = said(&made(asked, secret));
        assert_eq!(header, json!({ "alg": "HS256", "typ": "JWT" }));
        assert_eq!(claims, json!({ "iss": "me", "iat": iat, "exp": iat + lifetime }));
    }
    let asked = json!({ "algorithm": "HS256", "claims": {}, "jti": true });
    let ids = [(); 2].map(|()| said(&made(asked.clone(), secret)).1["jti"].as_str().expect("an id").len());
    assert_eq!(ids, [22, 22]);
    assert_ne!(made(asked.clone(), secret), made(asked.clone(), secret));
    assert_eq!(jwt(json!({ "algorithm": "HS256", "claims": {} })).lifetime_s, 300);
    let early = jwt(asked).make(secret.as_bytes(), SystemTime::UNIX_EPOCH - Duration::from_secs(1));
    assert_eq!(early.expect_err("before 1970"), SigningError::Clock);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let check = |key: &str, value: Value| {
        let mut json = json!({ "algorithm": "RS256", "claims": { "iss": "me" } });
        json[key] = value;
        signing(&json!({ "jwt": json }).to_string()).check(&[])
    };
    for good in [1, 3600] {
        assert_eq!(check("lifetime_s", json!(good)), Ok(()));
    }
    for (key, value) in [
        ("lifetime_s", json!(0)),
        ("lifetime_s", json!(3601)),
        ("claims", json!({ "iat": 1 })),
        ("claims", json!({ "exp": 1 })),
        ("claims", json!({ "a": "b".repeat(4096) })),
        ("key_id", json!("")),
        ("key_id", json!("a".repeat(257))),
        ("key", json!("hex")),
    ] {
        let refused = check(key, value).expect_err(key);
        assert_eq!(refused.key, key);
    }
    let both = signing(r#"{"jwt": {"algorithm": "RS256", "claims": {"jti": "a"}, "jti": true}}"#);
    assert!(both.check(&[]).is_err());
    for json in [r#"{"jwt": {"algorithm": "none", "claims": {}}}"#, r#"{"jwt": {"algorithm": "RS256"}}"#] {
        assert!(serde_json::from_str::<Signing>(json).is_err(), "{json}");
    }
}

#[test]
fn what_is_made_does_not_show_itself() {
    let made = jwt(json!({ "algorithm": "RS256", "claims": {} })).make(line(RSA_PKCS1).as_bytes(), at(NOW));
    assert_eq!(format!("{:?}", made.expect("signed")), "Made(…)");
}
