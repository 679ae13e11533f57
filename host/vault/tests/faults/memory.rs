//! What is left of a secret in the memory of a process that had it. Looked for from outside, so that looking leaves
//! nothing.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::Stdio;

use packhost_vault::Secret;
use zeroize::Zeroizing;

use crate::child::{Heard, command, role, say};
use crate::{bindings, key_file, name, opened};

const TEST: &str = "memory::a_secret_that_was_dropped_is_nowhere_in_memory";
/// Bytes of the value: hex digits, unlike everything else.
const LENGTH: usize = 64;
const CREDENTIALS: usize = 3;

#[test]
fn a_secret_that_was_dropped_is_nowhere_in_memory() {
    if let Some(role) = role() {
        return child(Path::new(&role));
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut command = command(&[], TEST, &dir.path().display().to_string());
    command.stdin(Stdio::piped());
    let mut child = Heard::start(command);
    let mut stdin = child.stdin();
    let mut random = [0; LENGTH / 2];
    getrandom::fill(&mut random).expect("random");
    let value: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    stdin.write_all(value.as_bytes()).expect("it listens");

    assert_eq!(child.line(), "held");
    let key = fs::read_to_string(key_file(dir.path())).expect("ours");
    let needles = needles(value.as_bytes(), key.trim());
    let held = search(child.id(), &needles);
    for (hits, needle) in [(CREDENTIALS, "value"), (1, "key")] {
        let found: Vec<_> = held.iter().filter(|hit| hit.needle == needle).collect();
        assert!(found.len() >= hits, "the search does not find what is there: {needle}: {held:?}");
    }
    for hit in &held {
        assert!(hit.apart, "{hit:?} is not on a page that is kept apart");
    }
    let locked = locked(child.id());
    assert!(locked > 0, "no page is locked: is RLIMIT_MEMLOCK 0?");

    stdin.write_all(b".").expect("it listens");
    assert_eq!(child.line(), "dropped");
    let left = search(child.id(), &needles);
    assert!(left.is_empty(), "{left:?}");
    // Wiped pages are kept for the next secret, up to a bound.
    assert!(self::locked(child.id()) <= 16 * 4, "{} KiB", self::locked(child.id()));
    stdin.write_all(b".").expect("it listens");
    let (_, status) = child.end();
    assert!(status.success(), "{status}");
}

/// Each has a name to be told by.
fn needles(value: &[u8], key: &str) -> [(&'static str, Vec<u8>); 4] {
    use base64::Engine as _;
    let raw = base64::engine::general_purpose::STANDARD.decode(key).expect("a key");
    // A half of each finds copies that were partly written over.
    [
        ("value", value[..LENGTH / 2].to_vec()),
        ("end of the value", value[LENGTH / 2..].to_vec()),
        ("key", raw[..16].to_vec()),
        ("key as text", key.as_bytes()[..24].to_vec()),
    ]
}

#[derive(Debug)]
struct Hit {
    #[expect(dead_code, reason = "printed where the test fails")]
    mapping: String,
    needle: &'static str,
    /// On pages that are neither dumped nor inherited, and locked.
    apart: bool,
}

/// Where the needles are in what the process can read.
fn search(id: u32, needles: &[(&'static str, Vec<u8>)]) -> Vec<Hit> {
    let smaps = fs::read_to_string(format!("/proc/{id}/smaps")).expect("a child of ours");
    let mut memory = File::open(format!("/proc/{id}/mem")).expect("a child of ours");
    let mut hits = Vec::new();
    let mut mapping = "";
    let (mut from, mut to) = (0, 0);
    for line in smaps.lines() {
        if let Some(flags) = line.strip_prefix("VmFlags:") {
            let flags: Vec<&str> = flags.split_whitespace().collect();
            let readable = flags.contains(&"rd") && !flags.contains(&"io") && !mapping.contains("[v");
            if !readable {
                continue;
            }
            let mut bytes = vec![0; usize::try_from(to - from).expect("it fits")];
            memory.seek(SeekFrom::Start(from)).expect("an offset");
            memory.read_exact(&mut bytes).unwrap_or_else(|error| panic!("{mapping}: {error}"));
            let apart = ["lo", "dd", "dc"].iter().all(|flag| flags.contains(flag));
            for (needle, what) in needles {
                let found = bytes.windows(what.len()).filter(|window| window == what).count();
                hits.extend((0..found).map(|_| Hit { mapping: mapping.into(), needle, apart }));
            }
        } else if let Some((start, rest)) = line.split_once('-')
            && let Ok(start) = u64::from_str_radix(start, 16)
        {
            let end = rest.split(' ').next().expect("an end");
            (mapping, from) = (line, start);
            to = u64::from_str_radix(end, 16).expect("an address");
        }
    }
    hits
}

/// Locked memory, in KiB.
fn locked(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).expect("a child of ours");
    let line = status.lines().find_map(|line| line.strip_prefix("VmLck:")).expect("Linux says it");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Does with a value all that there is to do, keeps it, and drops it when told to.
fn child(dir: &Path) {
    let stdin = std::io::stdin();
    // Without the buffer of the standard library's reader.
    let mut stdin = File::from(stdin.as_fd().try_clone_to_owned().expect("a file"));
    let secret = {
        // Where it is wiped, and not moved from.
        let mut value = Zeroizing::new([0; LENGTH]);
        stdin.read_exact(&mut *value).expect("the value");
        Secret::new(&*value).expect("a good value")
    };
    let vault = opened(dir).expect("a fresh directory");
    for one in ["A", "B"] {
        vault.set(&name(one), &secret, &bindings()).expect("kept");
    }
    vault.rotate(&name("A"), &secret).expect("kept");
    vault.bind(&name("A"), &bindings()).expect("kept");
    vault.rotate_master().expect("exchanged");
    vault.remove(&name("B")).expect("it was there");
    let again = held(&vault, "A");
    let third = held(&vault, "A");
    assert!(secret == again && again == third);
    let wait = |stdin: &mut File| stdin.read_exact(&mut [0]).expect("the test goes on");
    say("held");
    wait(&mut stdin);
    drop((secret, again, third, vault));
    say("dropped");
    wait(&mut stdin);
}

fn held(vault: &packhost_vault::Vault, of: &str) -> Secret {
    let carried = vault.export().expect("it opens");
    carried.into_iter().find(|one| one.name.as_str() == of).expect("it is there").value
}
