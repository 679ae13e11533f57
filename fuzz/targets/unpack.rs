//! Bytes that claim to be a tar archive. No bytes make the reader panic or write outside of the directory that it unpacks
//! into, not through links that are there before either, and what it writes stays within its limits.
//!
//! Most mutations would end at a checksum: each input is also unpacked with the checksums set right.

use std::fs::{self, File, Permissions};
use std::os::fd::AsFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use packhost_supervisor::files::{Limits, unpack};

use crate::within_memory;

const BLOCK: usize = 512;
const LIMITS: Limits = Limits { most_bytes: 64 * 1024, most_entries: 16 };
/// Links that are there before, and where they lead.
const LINKS: [(&str, &str); 2] = [("l", "../out"), ("f", "../beside")];
/// Where directories cost no disk.
const MEMORY: &str = "/dev/shm";

pub(crate) fn fuzz(bytes: &[u8]) {
    stays_inside(bytes);
    stays_inside(&mended(bytes));
}

fn stays_inside(bytes: &[u8]) {
    let top = tempfile::tempdir_in(MEMORY).expect("a temporary directory");
    let [inside, beside, out] = ["in", "beside", "out"].map(|name| top.path().join(name));
    fs::create_dir(&inside).expect("it is new");
    fs::create_dir(&out).expect("it is new");
    fs::write(&beside, "kept").expect("it is new");
    LINKS.iter().for_each(|(name, to)| symlink(to, inside.join(name)).expect("it is new"));
    let modified = |path: &Path| fs::metadata(path).and_then(|about| about.modified()).expect("it is there");
    let before = [&beside, &out].map(|path| modified(path));

    let into = File::open(&inside).expect("it is there");
    if let Err(refusal) = within_memory(1 << 20, || unpack(bytes, into.as_fd(), LIMITS)) {
        assert!(refusal.message.len() <= 500, "a refusal stays short");
    }
    let (mut bytes, mut entries) = (0, 0);
    count(&inside, &mut bytes, &mut entries);
    assert!(bytes <= LIMITS.most_bytes && entries <= LIMITS.most_entries + LINKS.len() as u64);
    assert_eq!(fs::read_dir(top.path()).expect("it is there").count(), 3);
    assert_eq!(fs::read_dir(&out).expect("it is there").count(), 0);
    assert_eq!(fs::read(&beside).expect("it is there"), b"kept");
    assert_eq!([&beside, &out].map(|path| modified(path)), before, "a time was set");
}

/// What is below a directory, which can be read and removed after this.
fn count(dir: &Path, bytes: &mut u64, entries: &mut u64) {
    fs::set_permissions(dir, Permissions::from_mode(0o700)).expect("it is ours");
    for entry in fs::read_dir(dir).expect("it can be read") {
        let entry = entry.expect("it can be read");
        let about = entry.metadata().expect("it is there");
        *entries += 1;
        if about.is_file() {
            *bytes += about.len();
        } else if about.is_dir() {
            count(&entry.path(), bytes, entries);
        } else {
            assert!(about.is_symlink(), "{entry:?} is none of the three");
        }
    }
}

/// The archive with the checksum that each of its headers should have.
fn mended(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let mut at = 0_usize;
    while let Some(header) = bytes.get_mut(at..at.saturating_add(BLOCK)) {
        if header.iter().any(|byte| *byte != 0) {
            header[148..156].fill(b' ');
            let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
            header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        }
        let digits = header[124..136].iter().take_while(|byte| (b'0'..=b'7').contains(byte));
        let size = digits.fold(0_usize, |size, digit| size * 8 + usize::from(digit - b'0'));
        at = at.saturating_add(BLOCK).saturating_add(size.div_ceil(BLOCK).saturating_mul(BLOCK));
    }
    bytes
}
