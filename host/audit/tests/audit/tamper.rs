//! Whatever is changed in a log is found, and where.

use std::collections::BTreeMap;
use std::fs;

use packhost_audit::{Finding, Report, Retention, Settings, What, verify};
use packhost_keyring::PublicKeys;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::place::{Place, small};

type Files = BTreeMap<String, Vec<u8>>;

/// A log of several segments with checkpoints, a part that retention removed and one that was cut off after a crash.
fn log() -> (Place, Files) {
    let place = Place::new();
    let settings = || Settings { segment_bytes: 2_200, checkpoint_records: 3, ..small() };
    let fill = |records: u64| {
        let log = place.open(settings());
        for n in 0..records {
            log.append("test", &json!({"n": n})).unwrap();
        }
        log
    };
    fill(5).retain(Retention { bytes: Some(2_200), age: None }).unwrap();
    let last = format!("{:08}.log", place.segments().last().unwrap());
    let torn = [place.read(&last), b"0123 {\"n\":".to_vec()].concat();
    fs::write(place.dir().join(last), torn).unwrap();
    fill(5).close().unwrap();
    let files = place.files();
    assert!(
        files.contains_key("sealed") && files.keys().any(|name| name.ends_with(".torn")),
        "{:?}",
        files.keys()
    );
    assert!(place.segments().len() > 2 && place.segments()[0] > 1);
    let report = place.verified();
    assert!(report.checkpoints > 3, "{report:?}");
    (place, files)
}

/// Changes files of a log, verifies, and puts them back.
struct Bench {
    place: Place,
    keys: PublicKeys,
    files: Files,
}

impl Bench {
    fn new() -> Self {
        let (place, files) = log();
        let keys = place.keys();
        Self { place, keys, files }
    }

    /// The same log in another directory.
    fn copy(&self) -> Self {
        let place = Place::with_keys_of(&self.place);
        fs::create_dir(place.dir()).unwrap();
        place.put(&self.files);
        Self { place, keys: self.keys.clone(), files: self.files.clone() }
    }

    fn report(&self) -> Report {
        verify(&self.place.dir(), &self.keys, &[]).unwrap()
    }

    /// What is found while a file is another.
    fn with(&self, name: &str, bytes: &[u8]) -> Report {
        let path = self.place.dir().join(name);
        fs::write(&path, bytes).unwrap();
        let report = self.report();
        fs::write(&path, &self.files[name]).unwrap();
        report
    }

    fn segments(&self) -> impl Iterator<Item = (&String, &Vec<u8>)> {
        self.files.iter().filter(|(name, _)| name.ends_with(".log"))
    }

    /// Segments as lines with their ends.
    fn lines(bytes: &[u8]) -> Vec<&[u8]> {
        bytes.split_inclusive(|byte| *byte == b'\n').collect()
    }
}

fn n_of(line: &[u8]) -> u64 {
    let json: serde_json::Value = serde_json::from_slice(&line[65..]).unwrap();
    json["n"].as_u64().unwrap()
}

#[test]
fn nothing_is_found_where_nothing_was_changed() {
    let bench = Bench::new();
    let report = bench.report();
    assert!(report.is_intact() && report.torn.is_none());
    assert_eq!(report.proven.as_ref().map(|proven| proven.n), report.last.map(|last| last.n));
    assert_eq!(report.removed.map(|removed| removed.n + 1), report.first);
    // Retention had removed a segment and its process died before it was gone.
    let (place, _) = log();
    let first = place.segments()[0];
    let whole = place.read(&format!("{first:08}.log"));
    let log = place.open(small());
    log.retain(Retention { bytes: Some(1), age: None }).unwrap();
    log.close().unwrap();
    let last = place.segments()[0];
    if last == first + 1 {
        fs::write(place.dir().join(format!("{first:08}.log")), whole).unwrap();
    }
    place.verified();
}

/// How many threads look for flips.
const THREADS: usize = 2;

#[test]
fn every_flip_of_a_byte_is_found_where_it_is() {
    let bench = Bench::new();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let copy = bench.copy();
            scope.spawn(move || {
                for (name, bytes) in &copy.files {
                    (thread..bytes.len()).step_by(THREADS).for_each(|at| flip(&copy, name, bytes, at));
                }
            });
        }
    });
}

fn flip(bench: &Bench, name: &str, bytes: &[u8], at: usize) {
    let mut changed = bytes.to_vec();
    // The lowest bit, and one that changes the case of a letter or makes it none of ASCII.
    for flip in [0x01, if at % 4 < 2 { 0x20 } else { 0x80 }] {
        changed[at] = bytes[at] ^ flip;
        let report = bench.with(name, &changed);
        let what = || format!("{name}, byte {at} ^ {flip:#x}: {:#?}", report.findings);
        assert!(!report.is_intact(), "{}", what());
        assert!(report.more == 0 && report.findings.len() < 8, "one change, few findings: {}", what());
        let found = &report.findings[0];
        match found.what {
            What::Torn => assert!(name.ends_with(".torn") || found.file == name, "{}", what()),
            // What a number of `synced` is changed to may never have been there.
            What::Truncated if name == "synced" => assert!(found.expected.contains(name), "{}", what()),
            What::Truncated => assert!(name.ends_with(".log") && at + 1 == bytes.len(), "{}", what()),
            _ => assert_eq!(found.file, name, "{}", what()),
        }
        let line = bytes[..at].iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
        if name.ends_with(".log") && found.what != What::Truncated {
            assert_eq!(found.line, line, "{}", what());
        }
    }
}

#[test]
fn every_record_that_is_removed_is_missed() {
    let bench = Bench::new();
    for (name, bytes) in bench.segments() {
        let lines = Bench::lines(bytes);
        for removed in 0..lines.len() {
            let n = n_of(lines[removed]);
            let rest: Vec<&[u8]> = lines
                .iter()
                .enumerate()
                .filter(|(index, _)| *index != removed)
                .map(|(_, line)| *line)
                .collect();
            let report = bench.with(name, &rest.concat());
            let missed = |finding: &Finding| {
                matches!(finding.what, What::Missing | What::Truncated) && finding.n == Some(n)
            };
            assert!(report.findings.iter().any(missed), "{name}, record {n}: {:#?}", report.findings);
        }
    }
}

#[test]
fn every_run_of_records_that_is_removed_is_missed() {
    let bench = Bench::new();
    for (name, bytes) in bench.segments() {
        let lines = Bench::lines(bytes);
        for from in 0..lines.len() {
            for to in from + 2..=lines.len() {
                let n = n_of(lines[from]);
                let rest = [&lines[..from], &lines[to..]].concat().concat();
                let report = bench.with(name, &rest);
                let found = report.findings.iter().any(|finding| finding.n == Some(n));
                assert!(found, "{name}, records {n} to {}: {:#?}", n_of(lines[to - 1]), report.findings);
            }
        }
    }
}

#[test]
fn every_record_that_is_repeated_swapped_or_put_in_is_found() {
    let bench = Bench::new();
    let (_other, foreign) = log();
    let foreign = foreign.values().find(|bytes| bytes.len() > 2_000).unwrap();
    let foreign = Bench::lines(foreign)[1];
    for (name, bytes) in bench.segments() {
        let lines = Bench::lines(bytes);
        for at in 0..lines.len() {
            let n = n_of(lines[at]);
            let put = |line: &[u8], place: usize| {
                let mut all: Vec<&[u8]> = lines.clone();
                all.insert(place, line);
                bench.with(name, &all.concat())
            };
            let repeated = put(lines[at], at + 1);
            let again = |finding: &Finding| finding.line == at as u64 + 2 && finding.n == Some(n);
            assert!(repeated.findings.iter().any(again), "{name}, {n} twice: {:#?}", repeated.findings);
            let inserted = put(foreign, at);
            let here = |finding: &Finding| finding.line == at as u64 + 1;
            assert!(inserted.findings.iter().any(here), "{name}, before {n}: {:#?}", inserted.findings);
            let garbage = put(b"no record\n", at);
            assert!(garbage.findings.iter().any(here), "{name}, before {n}: {:#?}", garbage.findings);
            for other in at + 1..lines.len() {
                let mut all = lines.clone();
                all.swap(at, other);
                let swapped = bench.with(name, &all.concat());
                assert!(
                    swapped.findings.iter().any(here),
                    "{name}, {n} and {}: {:#?}",
                    n_of(lines[other]),
                    swapped.findings
                );
            }
        }
    }
}

#[test]
fn truncation_at_every_byte_is_found() {
    let bench = Bench::new();
    let segments: Vec<(&String, &Vec<u8>)> = bench.segments().collect();
    // All segments behind the one that is cut are gone as well.
    for (index, (name, bytes)) in segments.iter().enumerate().rev() {
        for left in (0..bytes.len()).rev() {
            fs::write(bench.place.dir().join(name), &bytes[..left]).unwrap();
            let report = bench.report();
            let whole = bytes[..left].iter().filter(|byte| **byte == b'\n').count();
            let first = n_of(Bench::lines(bytes)[0]);
            let n = first + whole as u64;
            let cut = |finding: &Finding| finding.what == What::Truncated && finding.n == Some(n);
            assert!(report.findings.iter().any(cut), "{name} up to {left}: {:#?}", report.findings);
        }
        fs::remove_file(bench.place.dir().join(name)).unwrap();
        let _ = index;
    }
    let report = bench.report();
    assert!(report.findings.iter().any(|finding| finding.what == What::Truncated), "no segment at all");
}

#[test]
fn every_segment_and_every_file_that_is_gone_is_missed() {
    let bench = Bench::new();
    for (name, bytes) in &bench.files {
        fs::remove_file(bench.place.dir().join(name)).unwrap();
        let report = bench.report();
        let about = |finding: &Finding| match finding.what {
            What::Truncated => name.ends_with(".log"),
            What::Torn => name.ends_with(".torn"),
            What::Segment => finding.file == *name || name == "sealed",
            _ => finding.file == *name,
        };
        assert!(report.findings.iter().any(about), "{name}: {:#?}", report.findings);
        fs::write(bench.place.dir().join(name), bytes).unwrap();
    }
    assert!(bench.report().is_intact());
}

/// Writes the hashes of a segment anew from this line on, as somebody would who knows the format.
fn rehashed(lines: &[Vec<u8>], from: usize) -> Vec<u8> {
    let mut out: Vec<u8> = lines[..from].concat();
    let hex = |text: &[u8]| -> Vec<u8> {
        text.chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    };
    let mut previous = hex(&lines[from - 1][..64]);
    for line in &lines[from..] {
        let json = &line[65..line.len() - 1];
        previous = Sha256::new().chain_update(&previous).chain_update(json).finalize().to_vec();
        let own: String = previous.iter().map(|byte| format!("{byte:02x}")).collect();
        out.extend_from_slice(own.as_bytes());
        out.push(b' ');
        out.extend_from_slice(json);
        out.push(b'\n');
    }
    out
}

#[test]
fn who_knows_the_format_and_has_no_key_is_found_by_the_next_checkpoint() {
    let place = Place::new();
    let log = place.open(Settings { checkpoint_records: 4, ..place.settings() });
    for n in 0..14 {
        log.append("test", &json!({"n": n})).unwrap();
    }
    log.close().unwrap();
    let (keys, files) = (place.keys(), place.files());
    let bench = Bench { place, keys, files };
    let (name, bytes) = bench.segments().next().unwrap();
    let lines: Vec<Vec<u8>> = Bench::lines(bytes).into_iter().map(<[u8]>::to_vec).collect();
    let is_checkpoint = |line: &[u8]| String::from_utf8_lossy(line).contains(r#""kind":"checkpoint""#);
    for at in 1..lines.len() - 1 {
        if is_checkpoint(&lines[at]) {
            continue;
        }
        let mut changed = lines.clone();
        let text =
            String::from_utf8(changed[at].clone()).unwrap().replace("\"body\":{", "\"body\":{\"forged\":1,");
        changed[at] = text.into_bytes();
        let report = bench.with(name, &rehashed(&changed, at));
        let next = (at..lines.len()).find(|index| is_checkpoint(&lines[*index])).unwrap();
        let found = &report.findings[0];
        assert_eq!(
            (found.what, found.line),
            (What::Checkpoint, next as u64 + 1),
            "{at}: {:#?}",
            report.findings
        );
        assert!(
            report.proven.map_or(0, |proven| proven.n) < n_of(&lines[at]),
            "what was changed is not proven"
        );
    }
    // Without any checkpoint behind the change, the head is what does not fit.
    let from = lines.len() - 3;
    let rest: Vec<Vec<u8>> = lines.iter().take(from).cloned().collect();
    let mut forged = rest.clone();
    for (index, line) in lines[from..].iter().enumerate() {
        let text = String::from_utf8(line.clone()).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text[65..]).unwrap();
        let (n, time) = (n_of(&lines[from]) + index as u64, json["time"].as_str().unwrap());
        let text =
            format!("{} {{\"n\":{n},\"time\":\"{time}\",\"kind\":\"test\",\"body\":{{}}}}\n", &text[..64]);
        forged.push(text.into_bytes());
    }
    let report = bench.with(name, &rehashed(&forged, from));
    let head = report.findings.iter().any(|finding| finding.what == What::Head);
    assert!(head, "{:#?}", report.findings);
}

#[test]
fn a_head_of_an_earlier_time_is_found() {
    let place = Place::new();
    let log = place.open(place.settings());
    log.append("test", &json!({})).unwrap();
    log.checkpoint().unwrap();
    let old = place.read("head");
    log.append("test", &json!({})).unwrap();
    log.checkpoint().unwrap();
    log.close().unwrap();
    fs::write(place.dir().join("head"), old).unwrap();
    let report = verify(&place.dir(), &place.keys(), &[]).unwrap();
    assert_eq!(report.findings.iter().map(|finding| finding.what).collect::<Vec<_>>(), [What::Head]);
}

#[test]
fn another_key_signs_nothing_here_and_a_retired_one_no_more() {
    let place = Place::new();
    let log = place.open(place.settings());
    log.append("test", &json!({})).unwrap();
    log.checkpoint().unwrap();
    place.ring().rotate().unwrap();
    log.append("test", &json!({})).unwrap();
    log.close().unwrap();
    let report = place.verified();
    assert_eq!(report.checkpoints, 2);
    // Whoever trusts the first key alone cannot follow, and who trusts the second cannot say what was before.
    let other = Place::new();
    drop(other.open(other.settings()));
    let report = verify(&place.dir(), &other.keys(), &[]).unwrap();
    let signed = |finding: &&Finding| finding.found.contains("none of the known keys");
    assert_eq!(report.findings.iter().filter(signed).count(), 3, "{:#?}", report.findings);
    assert!(report.proven.is_none());
}
