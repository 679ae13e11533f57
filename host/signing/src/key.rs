//! Private keys: from the PEM file that a service hands out, to a line that a vault can keep, to a signature.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use zeroize::Zeroizing;

use crate::error::KeyError;
use crate::jwt::Algorithm;

/// How a private key begins that is kept: PKCS#8 (RFC 5958) in base64 follows.
pub const MARK: &str = "pkcs8:";

/// `rsaEncryption`, without parameters (RFC 8017 appendix A.1).
const RSA: &[u8] = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
/// `id-ecPublicKey` on `secp256r1` (RFC 5480 section 2.1.1), the one curve that is signed with here.
const P256: &[u8] = b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";

const SEQUENCE: u8 = 0x30;
const OCTET_STRING: u8 = 0x04;
/// The version of PKCS#8: an integer, 0.
const VERSION: &[u8] = b"\x02\x01\x00";

/// Whether the text is PEM (RFC 7468) of some kind.
pub fn is_pem(value: &[u8]) -> bool {
    has(value, b"-----BEGIN ")
}

/// Whether a value that is kept is a private key.
pub fn is_private(value: &[u8]) -> bool {
    value.starts_with(MARK.as_bytes())
}

/// The one line in which a private key is kept, made of PEM with PKCS#8, PKCS#1 (RFC 8017 appendix A.1.2) or SEC1 (RFC
/// 5915) in it. Whether it is good for an algorithm, [`Signing::check_key`](crate::Signing::check_key) says.
///
/// # Errors
/// When there is no private key in it, or it is encrypted.
pub fn kept(pem: &[u8]) -> Result<Zeroizing<String>, KeyError> {
    if has(pem, b"-----BEGIN ENCRYPTED") || has(pem, b"Proc-Type: 4,ENCRYPTED") {
        return Err(KeyError::Encrypted);
    }
    let key = Zeroizing::new(PrivateKeyDer::from_pem_slice(pem).map_err(|_| KeyError::Pem)?);
    let der = match &*key {
        PrivateKeyDer::Pkcs8(key) => Zeroizing::new(key.secret_pkcs8_der().to_vec()),
        PrivateKeyDer::Pkcs1(key) => pkcs8(RSA, key.secret_pkcs1_der()),
        PrivateKeyDer::Sec1(key) => pkcs8(P256, key.secret_sec1_der()),
        _ => return Err(KeyError::Pem),
    };
    let mut line = Zeroizing::new(String::with_capacity(MARK.len() + der.len().div_ceil(3) * 4));
    line.push_str(MARK);
    STANDARD.encode_string(&*der, &mut line);
    Ok(line)
}

/// A signature as JWTs have it (RFC 7518 section 3), over `message`.
pub(crate) fn sign(algorithm: Algorithm, value: &[u8], message: &[u8]) -> Result<Vec<u8>, KeyError> {
    let name = algorithm.name();
    let line = value.strip_prefix(MARK.as_bytes()).ok_or(KeyError::NotPrivate(name))?;
    let der = Zeroizing::new(STANDARD.decode(line).map_err(|_| KeyError::NotPrivate(name))?);
    let unfit = |why: ring::error::KeyRejected| KeyError::Unfit { algorithm: name, why: why.to_string() };
    let random = SystemRandom::new();
    match algorithm {
        Algorithm::Rs256 => {
            let key = RsaKeyPair::from_pkcs8(&der).map_err(unfit)?;
            let mut signature = vec![0; key.public().modulus_len()];
            let signed = key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature);
            signed.map(|()| signature).map_err(|_| KeyError::Failed)
        }
        Algorithm::Es256 => {
            let key =
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der, &random).map_err(unfit)?;
            let signed = key.sign(&random, message).map_err(|_| KeyError::Failed)?;
            Ok(signed.as_ref().to_vec())
        }
        Algorithm::EdDsa => {
            // Without its public half a key cannot be held against it, and openssl leaves that out.
            let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map_err(unfit)?;
            Ok(key.sign(message).as_ref().to_vec())
        }
        Algorithm::Hs256 => Err(KeyError::NotPrivate(name)),
    }
}

/// A key with what it is for around it.
fn pkcs8(algorithm: &[u8], key: &[u8]) -> Zeroizing<Vec<u8>> {
    let key = element(OCTET_STRING, &[key]);
    element(SEQUENCE, &[VERSION, algorithm, &key])
}

/// A DER element (X.690 section 8.1): its tag, its length in the shortest form, and what is in it.
fn element(tag: u8, parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let digits = length.to_be_bytes();
    let digits = &digits[digits.iter().position(|digit| *digit != 0).unwrap_or(digits.len() - 1)..];
    // What grows would leave copies behind.
    let mut der = Zeroizing::new(Vec::with_capacity(2 + digits.len() + length));
    der.push(tag);
    if length >= 0x80 {
        der.push(0x80 | digits.len() as u8);
    }
    der.extend_from_slice(digits);
    parts.iter().for_each(|part| der.extend_from_slice(part));
    der
}

fn has(value: &[u8], text: &[u8]) -> bool {
    value.windows(text.len()).any(|part| part == text)
}
