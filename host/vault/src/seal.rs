//! The envelope of one value: AES-256-GCM (NIST SP 800-38D) twice, with a fresh key and fresh nonces each time.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, Key, KeyInit, Nonce};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::error::VaultError;
use crate::keys::{KEY, KeyId, MasterKey};
use crate::secret::Secret;
use packhost_core::CredentialName;

/// Bytes of a nonce.
const NONCE: usize = 12;

/// What is authenticated beside a value.
pub(crate) struct Label<'a> {
    pub(crate) name: &'a CredentialName,
    pub(crate) version: u64,
    /// The bindings as they are stored.
    pub(crate) bindings: &'a str,
}

/// A sealed value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Envelope {
    /// Which master key the value's own key is wrapped with.
    pub(crate) key: KeyId,
    /// The value's own key: nonce, ciphertext, tag.
    pub(crate) wrapped: Vec<u8>,
    /// The value: nonce, ciphertext, tag.
    pub(crate) sealed: Vec<u8>,
}

/// The bytes were not made by this with this key and label.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotOurs;

impl Envelope {
    pub(crate) fn seal(master: &MasterKey, label: &Label<'_>, value: &Secret) -> Result<Self, VaultError> {
        let mut own = Zeroizing::new([0; KEY]);
        getrandom::fill(&mut *own)?;
        let sealed = encrypt(&*own, &label.of_value(), value.expose())?;
        let wrapped = encrypt(master.bytes(), &label.of_key(master.id()), &*own)?;
        Ok(Self { key: master.id().clone(), wrapped, sealed })
    }

    /// The value. `master` is the key that [`Envelope::key`] names.
    pub(crate) fn open(&self, master: &MasterKey, label: &Label<'_>) -> Result<Zeroizing<Vec<u8>>, NotOurs> {
        let own = self.unwrap(master, label)?;
        decrypt(&own, &label.of_value(), &self.sealed)
    }

    /// The same value under another master key; the value itself is not touched.
    pub(crate) fn rewrap(
        &self,
        old: &MasterKey,
        new: &MasterKey,
        label: &Label<'_>,
    ) -> Result<Result<Self, NotOurs>, VaultError> {
        let Ok(own) = self.unwrap(old, label) else { return Ok(Err(NotOurs)) };
        let wrapped = encrypt(new.bytes(), &label.of_key(new.id()), &own)?;
        Ok(Ok(Self { key: new.id().clone(), wrapped, sealed: self.sealed.clone() }))
    }

    fn unwrap(&self, master: &MasterKey, label: &Label<'_>) -> Result<Zeroizing<Vec<u8>>, NotOurs> {
        let own = decrypt(master.bytes(), &label.of_key(master.id()), &self.wrapped)?;
        if own.len() == KEY { Ok(own) } else { Err(NotOurs) }
    }
}

impl Label<'_> {
    fn of_value(&self) -> [u8; 32] {
        let version = self.version.to_be_bytes();
        digest(&[
            b"packhost vault 1: value",
            self.name.as_str().as_bytes(),
            &version,
            self.bindings.as_bytes(),
        ])
    }

    fn of_key(&self, master: &KeyId) -> [u8; 32] {
        let version = self.version.to_be_bytes();
        digest(&[
            b"packhost vault 1: key",
            self.name.as_str().as_bytes(),
            &version,
            master.as_str().as_bytes(),
        ])
    }
}

/// Of parts that cannot run into each other: each has its length in front.
pub(crate) fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

fn cipher(key: &[u8]) -> Result<Aes256Gcm, NotOurs> {
    let key = <&Key<Aes256Gcm>>::try_from(key).map_err(|_| NotOurs)?;
    Ok(Aes256Gcm::new(key))
}

fn encrypt(key: &[u8], aad: &[u8], plain: &[u8]) -> Result<Vec<u8>, VaultError> {
    let mut out = vec![0; NONCE];
    getrandom::fill(&mut out)?;
    let nonce = Nonce::try_from(&out[..]).map_err(|_| too_long())?;
    let made = cipher(key).map_err(|NotOurs| too_long())?.encrypt(&nonce, Payload { msg: plain, aad });
    // The only error is a plaintext of more than 64 GiB (NIST SP 800-38D section 5.2.1.1).
    out.extend(made.map_err(|_| too_long())?);
    Ok(out)
}

fn too_long() -> VaultError {
    VaultError::System(std::io::ErrorKind::InvalidInput.into())
}

fn decrypt(key: &[u8], aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, NotOurs> {
    let (nonce, text) = sealed.split_at_checked(NONCE).ok_or(NotOurs)?;
    let nonce = Nonce::try_from(nonce).map_err(|_| NotOurs)?;
    let plain = cipher(key)?.decrypt(&nonce, Payload { msg: text, aad }).map_err(|_| NotOurs)?;
    Ok(Zeroizing::new(plain))
}

#[cfg(test)]
#[path = "seal_vectors.rs"]
mod vectors;

#[cfg(test)]
mod tests {
    use super::*;

    fn label<'a>(name: &'a CredentialName, version: u64, bindings: &'a str) -> Label<'a> {
        Label { name, version, bindings }
    }

    #[test]
    fn a_value_comes_out_with_its_own_label_and_key_alone() {
        let (mine, other) = (MasterKey::random().expect("random"), MasterKey::random().expect("random"));
        let (a, b): (CredentialName, CredentialName) =
            ("A".parse().expect("a name"), "B".parse().expect("a name"));
        let secret = Secret::new(b"hunter2-hunter2").expect("a good value");
        let envelope = Envelope::seal(&mine, &label(&a, 1, "[]"), &secret).expect("sealed");
        let opened = |master, label: &Label<'_>| envelope.open(master, label).map(|value| value.to_vec());
        assert_eq!(opened(&mine, &label(&a, 1, "[]")), Ok(b"hunter2-hunter2".to_vec()));
        for wrong in [label(&b, 1, "[]"), label(&a, 2, "[]"), label(&a, 1, "[{}]")] {
            assert_eq!(opened(&mine, &wrong), Err(NotOurs));
        }
        assert_eq!(opened(&other, &label(&a, 1, "[]")), Err(NotOurs));
    }

    #[test]
    fn no_bit_of_an_envelope_can_be_changed() {
        let master = MasterKey::random().expect("random");
        let name: CredentialName = "A".parse().expect("a name");
        let label = label(&name, 7, "[]");
        let secret = Secret::new(b"a-secret").expect("a good value");
        let envelope = Envelope::seal(&master, &label, &secret).expect("sealed");
        let parts: [fn(&mut Envelope) -> &mut Vec<u8>; 2] = [|e| &mut e.wrapped, |e| &mut e.sealed];
        for part in parts {
            for index in 0..part(&mut envelope.clone()).len() {
                let mut changed = envelope.clone();
                part(&mut changed)[index] ^= 1;
                assert!(changed.open(&master, &label).is_err(), "byte {index}");
                part(&mut changed).truncate(index);
                assert!(changed.open(&master, &label).is_err(), "cut to {index}");
            }
        }
    }

    #[test]
    fn nothing_is_used_twice() {
        let master = MasterKey::random().expect("random");
        let name: CredentialName = "A".parse().expect("a name");
        let secret = Secret::new(b"the same").expect("a good value");
        let seal = || Envelope::seal(&master, &label(&name, 1, "[]"), &secret).expect("sealed");
        let (one, two) = (seal(), seal());
        assert_ne!(one.sealed, two.sealed);
        assert_ne!(one.wrapped, two.wrapped);
        assert_ne!(one.sealed[..NONCE], one.wrapped[..NONCE]);
    }
}
