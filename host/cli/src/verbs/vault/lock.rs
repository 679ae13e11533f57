//! The encryption of an export: the file format of age (age-encryption.org/v1).

use std::io::{Read, Write};

use age::scrypt;
use age::secrecy::SecretString;
use age::{DecryptError, Decryptor, Encryptor, Identity, Recipient};
use packhost_core::{ErrorCode, Failure};
use zeroize::Zeroizing;

use crate::exit::Error;

/// scrypt's N is 2 to this power for what is written (256 MiB of memory), as age's own tool has it.
const WORK: u8 = 18;
/// The most that is accepted of a file (1 GiB of memory).
const MOST_WORK: u8 = 20;

/// Who may read an export.
pub(super) enum Readers {
    Keys(Vec<age::x25519::Recipient>),
    Passphrase(SecretString),
}

/// What opens one.
pub(super) enum Opener {
    Keys(Vec<Box<dyn Identity + Send + Sync>>),
    Passphrase(SecretString),
}

/// Encrypts.
pub(super) fn close(plain: &[u8], readers: &Readers) -> Result<Vec<u8>, Error> {
    let encryptor = match readers {
        Readers::Keys(keys) => Encryptor::with_recipients(keys.iter().map(|key| key as &dyn Recipient)),
        Readers::Passphrase(passphrase) => {
            let mut reader = scrypt::Recipient::new(passphrase.clone());
            reader.set_work_factor(WORK);
            Encryptor::with_recipients(std::iter::once(&reader as &dyn Recipient))
        }
    };
    let encryptor =
        encryptor.map_err(|error| Error::failed(format!("the export cannot be encrypted: {error}")))?;
    let mut closed = Vec::new();
    let written = encryptor.wrap_output(&mut closed).and_then(|mut stream| {
        stream.write_all(plain)?;
        stream.finish()
    });
    written.map_err(|error| Error::failed(format!("the export cannot be encrypted: {error}")))?;
    Ok(closed)
}

/// Decrypts, all or nothing.
pub(super) fn open(closed: &[u8], opener: &Opener) -> Result<Zeroizing<Vec<u8>>, Error> {
    let decryptor = Decryptor::new_buffered(closed).map_err(|error| refused(&error))?;
    match (opener, decryptor.is_scrypt()) {
        (Opener::Keys(_), true) => {
            return Err(wrong("The file is encrypted with a passphrase: use --passphrase."));
        }
        (Opener::Passphrase(_), false) => {
            return Err(wrong("The file is encrypted for a key: use --identity FILE."));
        }
        _ => {}
    }
    let stream = match opener {
        Opener::Keys(keys) => decryptor.decrypt(keys.iter().map(|key| &**key as &dyn Identity)),
        Opener::Passphrase(passphrase) => {
            let mut identity = scrypt::Identity::new(passphrase.clone());
            identity.set_max_work_factor(MOST_WORK);
            decryptor.decrypt(std::iter::once(&identity as &dyn Identity))
        }
    };
    let mut stream = stream.map_err(|error| refused(&error))?;
    // What was encrypted is longer than what comes out, so that the buffer does not grow and leave copies behind.
    let mut plain = Zeroizing::new(Vec::with_capacity(closed.len()));
    let read = stream.read_to_end(&mut plain);
    read.map_err(|_| wrong("The file is cut short, or was changed."))?;
    Ok(plain)
}

fn refused(error: &DecryptError) -> Error {
    match error {
        DecryptError::NoMatchingKeys | DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed => {
            wrong("The file does not open with this passphrase or key.")
        }
        DecryptError::ExcessiveWork { required, .. } => wrong(&format!(
            "The passphrase of the file takes too much work: 2 to the power of {required}; {MOST_WORK} is the most."
        )),
        DecryptError::InvalidMac => wrong("The file is cut short, or was changed."),
        _ => wrong("The file is not one that age (age-encryption.org/v1) or `packhost vault export` wrote."),
    }
}

fn wrong(message: &str) -> Error {
    Failure::new(ErrorCode::InvalidInput, message).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &[u8] = b"what nobody else may read";

    fn identity() -> age::x25519::Identity {
        age::x25519::Identity::generate()
    }

    fn with(identity: &age::x25519::Identity) -> Opener {
        Opener::Keys(vec![Box::new(identity.clone())])
    }

    #[test]
    fn each_of_its_readers_opens_it_and_nobody_else() {
        let (one, other, stranger) = (identity(), identity(), identity());
        let readers = Readers::Keys(vec![one.to_public(), other.to_public()]);
        let closed = close(PLAIN, &readers).expect("encrypted");
        assert!(!closed.windows(8).any(|window| window == &PLAIN[..8]));
        for reader in [&one, &other] {
            assert_eq!(**open(&closed, &with(reader)).expect("it is for him"), *PLAIN);
        }
        let refused = open(&closed, &with(&stranger)).expect_err("a stranger");
        assert!(refused.to_string().contains("does not open"), "{refused}");
        let phrase = Opener::Passphrase(SecretString::from("correct horse battery"));
        assert!(open(&closed, &phrase).expect_err("no passphrase").to_string().contains("--identity"));
    }

    #[test]
    fn no_part_of_it_can_be_left_out_or_changed() {
        let reader = identity();
        let closed = close(PLAIN, &Readers::Keys(vec![reader.to_public()])).expect("encrypted");
        for end in 0..closed.len() {
            assert!(open(&closed[..end], &with(&reader)).is_err(), "cut to {end}");
        }
        let last = closed.len() - 1;
        let mut changed = closed;
        changed[last] ^= 1;
        assert!(open(&changed, &with(&reader)).is_err());
    }
}
