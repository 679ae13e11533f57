//! Bytes that claim to be a tar archive. No bytes make the reader panic or write outside of the directory that it unpacks
//! into, and what it writes stays within its limits.
//!
//! Most mutations would end at a checksum: each input is also unpacked with the checksums set right.
#![no_main]

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use packhost_supervisor::files::{Limits, unpack};

const BLOCK: usize = 512;
const LIMITS: Limits = Limits { most_bytes: 64 * 1024, most_entries: 16 };

fuzz_target!(|bytes: &[u8]| {
    stays_inside(bytes);
    stays_inside(&mended(bytes));
});

fn stays_inside(bytes: &[u8]) {
    let top = tempfile::tempdir().expect("a temporary directory");
    let (inside, beside) = (top.path().join("in"), top.path().join("beside"));
    fs::create_dir(&inside).expect("it is new");
    fs::write(&beside, "kept").expect("it is new");
    let into = File::open(&inside).expect("it is there");
    if let Err(refusal) = unpack(bytes, into.as_fd(), LIMITS) {
        assert!(refusal.message.len() <= 500, "a refusal stays short");
    }
    let (mut bytes, mut entries) = (0, 0);
    count(&inside, &mut bytes, &mut entries);
    assert!(bytes <= LIMITS.most_bytes && entries <= LIMITS.most_entries);
    assert_eq!(fs::read_dir(top.path()).expect("it is there").count(), 2);
    assert_eq!(fs::read(&beside).expect("it is there"), b"kept");
}

/// What is below a directory that can be read.
fn count(dir: &Path, bytes: &mut u64, entries: &mut u64) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let Ok(about) = entry.metadata() else { continue };
        *entries += 1;
        if about.is_file() {
            *bytes += about.len();
        } else if about.is_dir() {
            count(&entry.path(), bytes, entries);
        }
    }
}

/// The archive with the checksum that each of its headers should have.
fn mended(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let mut at = 0;
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
