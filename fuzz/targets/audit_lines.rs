//! The directory of an audit log, as somebody may leave it who can write it and has no key. Nothing in it makes the reader, the
//! verification, a query or an export panic or take much memory. A log that is found to be intact is one chain by a reader of
//! its own here, has no checkpoint (nobody could have signed one), and is, to the byte, what would be written again.
//!
//! The input is the text of the files, each behind a line `#NAME`: `head`, `synced` and `sealed` are taken as they are, `1` and
//! `2` are segments. In `raw1` and `raw2` the lines of a segment stand as they are; in the others they have no hashes, and get the
//! right ones, as somebody would write them who knows the format. What stands before the first name is segment 1.

use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use packhost_audit::fuzzing::{genesis, hash_after, reread};
use packhost_audit::{Filter, Follow, Format, Product, Report, export, query, verify};
use packhost_keyring::{Keyring, PublicKeys};
use tempfile::TempDir;

use crate::within_memory;

/// The most memory that verifying takes: a few chunks of a file, a line, and what is found.
const MOST: usize = 8 << 20;
/// Files that an input may name, and what they are called.
const FILES: [(&str, &str); 7] = [
    ("1", "00000001.log"),
    ("2", "00000002.log"),
    ("raw1", "00000001.log"),
    ("raw2", "00000002.log"),
    ("head", "head"),
    ("synced", "synced"),
    ("sealed", "sealed"),
];

struct Place {
    dir: PathBuf,
    keys: PublicKeys,
    /// Where all of it is: in memory, if the machine has a place for that.
    _root: TempDir,
}

static PLACE: LazyLock<Mutex<Place>> = LazyLock::new(|| {
    let root = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a temporary directory");
    let keys = Keyring::open(root.path().join("keys")).expect("a fresh directory").public().expect("its keys");
    let dir = root.path().join("audit");
    fs::create_dir(&dir).expect("a fresh directory");
    Mutex::new(Place { dir, keys, _root: root })
});

pub(crate) fn fuzz(input: &[u8]) {
    let place = PLACE.lock().unwrap_or_else(PoisonError::into_inner);
    let files = files(input);
    for (_, name) in FILES {
        let path = place.dir.join(name);
        match files.iter().rfind(|(file, _)| *file == name) {
            Some((_, bytes)) => fs::write(path, bytes).expect("there is room"),
            None => drop(fs::remove_file(path)),
        }
    }
    let report = within_memory(MOST, || verify(&place.dir, &place.keys, &[]).expect("it can be read"));
    assert!(report.findings.len() <= Report::MOST);
    for finding in &report.findings {
        assert!(!finding.to_string().is_empty() && finding.byte <= 65_536 * 66);
    }
    if report.is_intact() {
        is_a_chain(&files, &report);
    }
    is_read(&place.dir, &report);
}

/// The files of an input.
fn files(input: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut files: Vec<(&'static str, Vec<u8>)> = Vec::new();
    let mut previous = genesis();
    let mut section = ("1", Vec::new());
    let mut end = |(name, bytes): (&str, Vec<u8>)| {
        let Some((_, file)) = FILES.iter().find(|(known, _)| *known == name) else { return };
        let bytes = if matches!(name, "1" | "2") { hashed(&bytes, &mut previous) } else { bytes };
        files.push((file, bytes));
    };
    for line in input.split_inclusive(|byte| *byte == b'\n') {
        let name = line.strip_prefix(b"#").map(<[u8]>::trim_ascii_end);
        match name.and_then(|name| FILES.iter().find(|(known, _)| known.as_bytes() == name)) {
            Some((name, _)) => end(std::mem::replace(&mut section, (name, Vec::new()))),
            None => section.1.extend_from_slice(line),
        }
    }
    end(section);
    files
}

/// Lines of JSON with the right hashes in front of them.
fn hashed(lines: &[u8], previous: &mut [u8; 32]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        let json = line.strip_suffix(b"\n").unwrap_or(line);
        *previous = hash_after(previous, json);
        out.extend(previous.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()));
        out.push(b' ');
        out.extend_from_slice(line);
    }
    out
}

/// What a reader finds that knows no more than the book says of the format.
fn is_a_chain(files: &[(&'static str, Vec<u8>)], report: &Report) {
    let (mut previous, mut n, mut time) = (genesis(), 0, String::new());
    for name in ["00000001.log", "00000002.log"] {
        let Some((_, bytes)) = files.iter().rfind(|(file, _)| *file == name) else { continue };
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let Some(line) = line.strip_suffix(b"\n") else {
                assert!(report.torn.is_some(), "the last line has no end");
                break;
            };
            assert_eq!(reread(line).as_deref(), Some(line), "what is accepted is what would be written");
            previous = hash_after(&previous, &line[65..]);
            let own: String = previous.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(own.as_bytes(), &line[..64]);
            let record: serde_json::Value = serde_json::from_slice(&line[65..]).expect("JSON");
            n += 1;
            assert_eq!(record["n"], n);
            assert!(record["time"].as_str().expect("a time") >= time.as_str());
            time = record["time"].as_str().expect("a time").to_owned();
            assert_ne!(record["kind"], "checkpoint", "nobody has signed one");
        }
    }
    assert_eq!((report.records, report.checkpoints, report.last.map_or(0, |last| last.n)), (n, 0, n));
    assert!(report.proven.is_none());
}

/// A query and whoever follows find the same, and everything of it can be exported.
fn is_read(dir: &std::path::Path, report: &Report) {
    let product = Product { version: "0".into(), instance: None };
    let mut found = Vec::new();
    let queried = query(dir, &Filter::default(), |entry| {
        for format in [Format::Json, Format::Ocsf, Format::Otlp] {
            for line in export(&entry, format, &product) {
                serde_json::from_str::<serde::de::IgnoredAny>(&line).expect("a line of JSON");
            }
        }
        found.push(entry);
        ControlFlow::Continue(())
    });
    let queried = queried.expect("it can be read");
    assert_eq!(queried.found, found.len() as u64);
    assert_eq!(queried.found, report.records);
    let last = Filter { limit: Some(3), ..Filter::default() };
    let mut newest = Vec::new();
    query(dir, &last, |entry| {
        newest.push(entry);
        ControlFlow::Continue(())
    })
    .expect("it can be read");
    assert!(found.ends_with(&newest) && newest.len() == found.len().min(3));
    let mut follow = Follow::after(dir, Filter::default(), 0).expect("it can be watched");
    let mut n = 0;
    while let Some(entry) = follow.next(Duration::ZERO).expect("it can be read") {
        assert!(entry.position().n > n, "each once, and in order");
        n = entry.position().n;
    }
}
