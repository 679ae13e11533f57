//! Private keys as they are handed out.

use packhost_signing::{KeyError, is_pem, is_private, kept};

use super::{ED25519, ENCRYPTED, P256_PKCS8, P256_SEC1, P384_SEC1, RSA_PKCS1, RSA_PKCS8, line, signing};

const ALGORITHMS: [&str; 4] = ["RS256", "ES256", "EdDSA", "HS256"];

fn fits(algorithm: &str, value: &[u8]) -> Result<(), KeyError> {
    signing(&format!(r#"{{"jwt": {{"algorithm": "{algorithm}", "claims": {{}}}}}}"#)).check_key(value)
}

#[test]
fn every_usual_form_becomes_one_line() {
    assert_eq!(*line(RSA_PKCS1), *line(RSA_PKCS8), "the same key");
    for pem in [RSA_PKCS1, RSA_PKCS8, P256_PKCS8, P256_SEC1, ED25519] {
        assert!(is_pem(pem.as_bytes()));
        let line = line(pem);
        assert!(is_private(line.as_bytes()) && !is_pem(line.as_bytes()) && !line.contains(char::is_control));
    }
}

#[test]
fn a_key_fits_its_own_algorithm_and_no_other() {
    for (pem, own) in [
        (RSA_PKCS1, "RS256"),
        (RSA_PKCS8, "RS256"),
        (P256_PKCS8, "ES256"),
        (P256_SEC1, "ES256"),
        (ED25519, "EdDSA"),
        (P384_SEC1, "none"),
    ] {
        for algorithm in ALGORITHMS {
            let fit = fits(algorithm, line(pem).as_bytes());
            assert_eq!(fit.is_ok(), algorithm == own, "{own} {algorithm}: {fit:?}");
        }
        for shared in [
            r#"{"hmac": {"over": ["body"]}}"#,
            r#"{"sigv4": {"key_id": "A", "region": "r", "service": "s3"}}"#,
        ] {
            assert_eq!(signing(shared).check_key(line(pem).as_bytes()), Err(KeyError::Private));
        }
    }
    assert_eq!(fits("HS256", &[b'a'; 32]), Ok(()));
    assert_eq!(fits("HS256", &[b'a'; 31]), Err(KeyError::Short(32)));
    for algorithm in &ALGORITHMS[..3] {
        for text in ["a secret of both sides", "pkcs8:", "pkcs8:AAAA", "pkcs8:not base64"] {
            assert!(fits(algorithm, text.as_bytes()).is_err(), "{algorithm} {text}");
        }
    }
}

#[test]
fn what_is_no_private_key_is_said_without_a_word_of_it() {
    assert_eq!(kept(ENCRYPTED.as_bytes()).expect_err("encrypted"), KeyError::Encrypted);
    let legacy =
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----";
    assert_eq!(kept(legacy.as_bytes()).expect_err("encrypted"), KeyError::Encrypted);
    let (body, cut) = (&RSA_PKCS8[28..80], &RSA_PKCS8[..400]);
    let certificate = RSA_PKCS8.replace("PRIVATE KEY", "CERTIFICATE");
    for pem in
        ["", "text", cut, body, &certificate, "-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----"]
    {
        let refused = kept(pem.as_bytes()).expect_err(pem);
        assert_eq!(refused, KeyError::Pem);
    }
}
