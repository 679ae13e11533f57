//! Signatures, what they are worth, and the chain from one key to the next.

use packhost_keyring::{ChainError, KeyId, PublicKey, PublicKeys, Signature, Unverified};
use proptest::prelude::*;

use crate::{CONTEXT, opened};

#[test]
fn what_was_signed_verifies_offline_and_nothing_else_does() {
    let dir = tempfile::tempdir().unwrap();
    let ring = opened(dir.path());
    let signature = ring.sign(CONTEXT, b"some bytes").unwrap();
    let keys = PublicKeys::read(&dir.path().join("keys")).unwrap();
    assert_eq!(keys.verify(CONTEXT, b"some bytes", &signature), Ok(()));
    assert_eq!(ring.verify(CONTEXT, b"some bytes", &signature), Ok(()));
    assert_eq!(signature.key_id, ring.current().unwrap().id());
    let id = signature.key_id;
    assert_eq!(keys.verify(CONTEXT, b"some byteS", &signature), Err(Unverified::Wrong(id)));
    assert_eq!(keys.verify("packhost test v2", b"some bytes", &signature), Err(Unverified::Wrong(id)));
    for bit in 0..Signature::LENGTH * 8 {
        let mut other = signature.clone();
        other.bytes[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(keys.verify(CONTEXT, b"some bytes", &other), Err(Unverified::Wrong(id)), "bit {bit}");
    }
    let stranger = opened(tempfile::tempdir().unwrap().path()).sign(CONTEXT, b"some bytes").unwrap();
    assert_eq!(keys.verify(CONTEXT, b"some bytes", &stranger), Err(Unverified::UnknownKey(stranger.key_id)));
    // With the name of another key than it was made with.
    let renamed = Signature { key_id: id, ..stranger };
    assert_eq!(keys.verify(CONTEXT, b"some bytes", &renamed), Err(Unverified::Wrong(id)));
}

#[test]
fn a_context_and_its_bytes_never_pass_for_another_context() {
    let dir = tempfile::tempdir().unwrap();
    let ring = opened(dir.path());
    let signature = ring.sign("packhost a", b"b c").unwrap();
    assert!(ring.verify("packhost a", b"b c", &signature).is_ok());
    for (context, bytes) in [("packhost ab", &b" c"[..]), ("packhost ", b"ab c"), ("", b"packhost ab c")] {
        assert!(ring.verify(context, bytes, &signature).is_err(), "{context:?}");
    }
}

#[test]
fn each_key_vouches_for_the_next_and_what_the_old_ones_signed_still_verifies() {
    let dir = tempfile::tempdir().unwrap();
    let ring = opened(dir.path());
    let first = ring.current().unwrap();
    let mut signatures = vec![ring.sign(CONTEXT, b"0").unwrap()];
    for number in 1..=3 {
        let key = ring.rotate().unwrap();
        assert_eq!(ring.current().unwrap(), key);
        signatures.push(ring.sign(CONTEXT, number.to_string().as_bytes()).unwrap());
    }
    let text = PublicKeys::read(&dir.path().join("keys")).unwrap().to_text();
    let keys = PublicKeys::parse(text.as_bytes()).unwrap();
    assert_eq!(keys.first(), first);
    for (number, signature) in signatures.iter().enumerate() {
        assert_eq!(keys.verify(CONTEXT, number.to_string().as_bytes(), signature), Ok(()));
        assert_eq!(keys.generation(&signature.key_id), Some(number));
        assert!(keys.made(&signature.key_id).is_some());
    }
    let all: Vec<PublicKey> = keys.iter().copied().collect();
    assert_eq!(all.len(), 4);
    // Whoever knows a later key trusts it and what follows, and not what was before.
    let later = keys.trusting(&all[2]).unwrap();
    assert_eq!(later.iter().collect::<Vec<_>>(), [&all[2], &all[3]]);
    assert_eq!(PublicKeys::parse(later.to_text().as_bytes()).unwrap(), later);
    assert!(later.verify(CONTEXT, b"1", &signatures[1]).is_err());
    let stranger = opened(tempfile::tempdir().unwrap().path()).current().unwrap();
    assert_eq!(keys.trusting(&stranger), Err(ChainError::Unknown(stranger.id())));
}

#[test]
fn a_chain_that_was_changed_is_refused_with_its_line() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (ring, stranger) = (opened(dir.path()), opened(other.path()));
    for ring in [&ring, &stranger] {
        ring.rotate().unwrap();
        ring.rotate().unwrap();
    }
    let (text, foreign) = (ring.public().unwrap().to_text(), stranger.public().unwrap().to_text());
    let lines: Vec<&str> = text.lines().collect();
    let foreign: Vec<&str> = foreign.lines().collect();
    let parsed = |lines: &[&str]| PublicKeys::parse(lines.join("\n").as_bytes());
    assert!(parsed(&lines).is_ok());
    let id = |line: &str| line.get(7..23).unwrap().parse::<KeyId>().unwrap();
    for (lines, line) in [
        (vec![lines[0], foreign[1]], 2),
        (vec![lines[0], lines[2]], 2),
        (vec![lines[0], lines[2], lines[1]], 2),
        (vec![lines[0], lines[1], foreign[0]], 3),
    ] {
        let expected = ChainError::Unvouched { line, id: id(lines[line - 1]) };
        assert_eq!(parsed(&lines), Err(expected));
    }
    let twice = [lines[0], lines[1], lines[0]];
    assert_eq!(parsed(&twice), Err(ChainError::Twice { line: 3, id: id(lines[0]) }));
    assert_eq!(PublicKeys::parse(b""), Err(ChainError::Empty));
    // A key under the name of another.
    let renamed = lines[0].replace(&lines[0][7..23], &foreign[0][7..23]);
    assert!(matches!(parsed(&[&renamed]), Err(ChainError::Line { line: 1, .. })), "{renamed}");
    let huge = vec![b'\n'; PublicKeys::LARGEST + 1];
    assert_eq!(PublicKeys::parse(&huge), Err(ChainError::TooLarge));
}

#[test]
fn a_public_key_is_read_back_from_its_text() {
    let dir = tempfile::tempdir().unwrap();
    let key = opened(dir.path()).current().unwrap();
    assert_eq!(key.to_string().parse(), Ok(key));
    assert_eq!(key.id().to_string().parse(), Ok(key.id()));
    for bad in ["", "AAAA", "§"] {
        assert!(bad.parse::<PublicKey>().is_err());
    }
    for bad in ["", "0123456789abcde", "0123456789ABCDEF", "+123456789abcdef", "0123456789abcdef0"] {
        assert!(bad.parse::<KeyId>().is_err(), "{bad}");
    }
    let signature = opened(dir.path()).sign(CONTEXT, b"x").unwrap();
    let json = serde_json::to_string(&signature).unwrap();
    assert_eq!(serde_json::from_str::<Signature>(&json).unwrap(), signature);
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = PublicKeys::parse(&bytes);
    }
}
