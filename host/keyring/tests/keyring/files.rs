//! Who may read the directory, and what is in it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use packhost_keyring::{Keyring, KeyringError};

use crate::{CONTEXT, opened};

#[test]
fn the_directory_and_its_files_are_the_owners_alone_and_are_made_once() {
    let dir = tempfile::tempdir().unwrap();
    let ring = opened(dir.path());
    let id = ring.current().unwrap().id();
    let keys = dir.path().join("keys");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&keys), 0o700);
    let mut names = Vec::new();
    for entry in fs::read_dir(&keys).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{path:?}");
        names.push(path.file_name().unwrap().to_str().unwrap().to_owned());
    }
    names.sort();
    assert_eq!(names, [format!("{id}.key"), "public".into()]);
    assert_eq!(opened(dir.path()).current().unwrap().id(), id);
    let private = fs::read(keys.join(format!("{id}.key"))).unwrap();
    let next = ring.rotate().unwrap().id();
    assert!(!keys.join(format!("{id}.key")).exists(), "of a retired key the public half alone is kept");
    assert!(keys.join(format!("{next}.key")).exists());
    // Bytes 16 to 48 are the seed (RFC 8410 section 7).
    let public = fs::read(keys.join("public")).unwrap();
    assert!(!public.windows(32).any(|window| window == &private[16..48]));
}

#[test]
fn what_others_may_read_or_write_is_not_used() {
    let dir = tempfile::tempdir().unwrap();
    let id = opened(dir.path()).current().unwrap().id();
    let keys = dir.path().join("keys");
    let private = keys.join(format!("{id}.key"));
    for (path, bad, good) in [(&keys, 0o750, 0o700), (&keys, 0o702, 0o700), (&private, 0o640, 0o600)] {
        fs::set_permissions(path, fs::Permissions::from_mode(bad)).unwrap();
        let refused = Keyring::open(&keys).unwrap_err();
        assert!(matches!(&refused, KeyringError::Exposed { mode, .. } if *mode == bad), "{refused}");
        fs::set_permissions(path, fs::Permissions::from_mode(good)).unwrap();
    }
    // A link to a key that is good.
    let elsewhere = dir.path().join("elsewhere");
    fs::rename(&private, &elsewhere).unwrap();
    symlink(&elsewhere, &private).unwrap();
    assert!(matches!(Keyring::open(&keys), Err(KeyringError::File { .. })));
}

#[test]
fn public_keys_that_cannot_be_looked_at_are_told_and_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let chain = {
        let ring = opened(dir.path());
        ring.rotate().unwrap();
        ring.public().unwrap()
    };
    let (keys, away) = (dir.path().join("keys"), dir.path().join("away"));
    let public = keys.join("public");
    fs::rename(&public, &away).unwrap();
    // A disk that is not there at the moment.
    symlink(dir.path().join("not-mounted"), &public).unwrap();
    let refused = Keyring::open(&keys).unwrap_err();
    assert!(matches!(refused, KeyringError::File { .. }), "{refused}");
    assert!(public.is_symlink(), "no other chain was begun");
    fs::rename(&away, &public).unwrap();
    assert_eq!(opened(dir.path()).public().unwrap(), chain);
}

#[test]
fn a_private_key_that_is_gone_or_is_another_is_told_and_not_replaced() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let id = opened(dir.path()).current().unwrap().id();
    let stranger = opened(other.path()).current().unwrap().id();
    let keys = dir.path().join("keys");
    let private = keys.join(format!("{id}.key"));
    let good = fs::read(&private).unwrap();
    for bad in [&b""[..], b"garbage", &good[..good.len() - 1], &[7; 600]] {
        fs::write(&private, bad).unwrap();
        assert!(Keyring::open(&keys).is_err(), "{} bytes", bad.len());
    }
    fs::copy(other.path().join("keys").join(format!("{stranger}.key")), &private).unwrap();
    assert!(matches!(Keyring::open(&keys), Err(KeyringError::Private { .. })));
    fs::remove_file(&private).unwrap();
    let refused = Keyring::open(&keys).unwrap_err();
    assert!(matches!(refused, KeyringError::Private { .. }), "{refused}");
    assert!(refused.to_string().contains("restore it from a backup"), "{refused}");
    fs::write(&private, &good).unwrap();
    fs::set_permissions(&private, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(opened(dir.path()).current().unwrap().id(), id);
}

#[test]
fn a_rotation_by_another_process_counts_from_the_next_signature_on() {
    let dir = tempfile::tempdir().unwrap();
    // Each has the directory open for itself, as two processes have.
    let (one, two) = (opened(dir.path()), opened(dir.path()));
    let before = one.sign(CONTEXT, b"x").unwrap();
    let key = two.rotate().unwrap();
    let after = one.sign(CONTEXT, b"x").unwrap();
    assert_eq!(after.key_id, key.id());
    assert!(two.verify(CONTEXT, b"x", &before).is_ok() && two.verify(CONTEXT, b"x", &after).is_ok());
    one.rotate().unwrap();
    assert!(two.verify(CONTEXT, b"x", &one.sign(CONTEXT, b"x").unwrap()).is_ok());
    assert_eq!(two.public().unwrap().iter().count(), 3);
}

#[test]
fn many_threads_that_sign_and_rotate_at_once_leave_one_chain() {
    let dir = tempfile::tempdir().unwrap();
    let rings = [opened(dir.path()), opened(dir.path())];
    std::thread::scope(|scope| {
        for ring in rings.iter().flat_map(|ring| [ring, ring]) {
            scope.spawn(move || {
                for _ in 0..4 {
                    let signature = ring.sign(CONTEXT, b"x").unwrap();
                    ring.rotate().unwrap();
                    ring.verify(CONTEXT, b"x", &signature).unwrap();
                }
            });
        }
    });
    assert_eq!(opened(dir.path()).public().unwrap().iter().count(), 17);
}

#[test]
fn what_was_signed_last_is_remembered_without_the_private_key() {
    let dir = tempfile::tempdir().unwrap();
    let keys = dir.path().join("keys");
    assert_eq!(Keyring::remembered(&keys).unwrap(), None);
    assert!(!keys.exists() && !Keyring::is_there(&keys), "who looks makes nothing");
    let ring = opened(dir.path());
    assert!(Keyring::is_there(&keys));
    assert_eq!(Keyring::remembered(&keys).unwrap(), None);
    ring.remember(b"a longer one").unwrap();
    // What a process leaves that dies while it writes.
    fs::write(keys.join("last.new"), "half").unwrap();
    ring.remember(b"the newest").unwrap();
    ring.rotate().unwrap();
    assert_eq!(opened(dir.path()).dir(), keys);
    assert_eq!(Keyring::remembered(&keys).unwrap().as_deref(), Some(&b"the newest"[..]));
    assert_eq!(fs::metadata(keys.join("last")).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn nothing_that_is_printed_holds_a_key() {
    let dir = tempfile::tempdir().unwrap();
    let ring = opened(dir.path());
    let said = format!("{ring:?}");
    assert!(said.contains(&ring.current().unwrap().id().to_string()), "{said}");
    let id = ring.current().unwrap().id();
    let private = fs::read(dir.path().join("keys").join(format!("{id}.key"))).unwrap();
    for part in private[16..48].windows(4) {
        let (hex, list) = (part.iter().map(|b| format!("{b:02x}")).collect::<String>(), format!("{part:?}"));
        assert!(!said.contains(&hex) && !said.contains(list.trim_matches(['[', ']'])), "{said}");
    }
}
