//! Every system call on the files of a ring that can fail fails once, and once the process dies there: the first one, the
//! second one, until the work is done before it comes to that. strace does it.

use std::path::Path;
use std::process::{Command, Stdio};

use packhost_keyring::{Keyring, PublicKeys};

use crate::CONTEXT;

const TEST: &str = "faults::a_ring_that_is_made_or_rotated_with_any_fault_is_usable_and_loses_no_key";
/// Says to a child what it is to do, and where.
const ROLE: &str = "PACKHOST_KEYRING_TEST";
const CALLS: &str = "write fsync rename unlink openat mkdir flock";
const FAULTS: [&str; 2] = ["error=EIO", "signal=SIGKILL"];
/// No deed takes as many calls of a kind.
const MOST: usize = 60;

#[test]
fn a_ring_that_is_made_or_rotated_with_any_fault_is_usable_and_loses_no_key() {
    if let Ok(role) = std::env::var(ROLE) {
        return child(&role);
    }
    let mut fired = 0;
    for deed in ["make", "rotate"] {
        for call in CALLS.split(' ') {
            for fault in FAULTS {
                let reached = (1..=MOST).find(|count| !once(deed, call, fault, *count));
                fired += reached.unwrap_or_else(|| panic!("{deed}: there is no end of {call}")) - 1;
            }
        }
    }
    assert!(fired > 60, "{fired} faults");
}

/// Whether the fault came to pass.
fn once(deed: &str, call: &str, fault: &str, count: usize) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let keys = dir.path().join("keys");
    let before = (deed == "rotate").then(|| Keyring::open(&keys).unwrap());
    let signed = before.as_ref().map(|ring| ring.sign(CONTEXT, b"x").unwrap());
    let (done, said, log) = under_strace(deed, &keys, &format!("inject={call}:{fault}:when={count}"));
    let what = format!("{deed} {call} {fault} {count}: {said}\n{log}");
    let fired = log.contains("INJECTED") || !done && fault.starts_with("signal");
    // Whatever happened: the ring opens, signs, has all keys that ever signed, and no other private key.
    let ring = Keyring::open(&keys).unwrap_or_else(|error| panic!("{error}: {what}"));
    let chain = ring.public().unwrap();
    let signature = ring.sign(CONTEXT, b"y").unwrap();
    assert!(chain.verify(CONTEXT, b"y", &signature).is_ok(), "{what}");
    if let (Some(before), Some(signed)) = (&before, &signed) {
        assert!(chain.verify(CONTEXT, b"x", signed).is_ok(), "{what}");
        assert!(before.sign(CONTEXT, b"z").is_ok(), "another process goes on: {what}");
        assert_eq!(chain.first().id(), signed.key_id);
    }
    if let Some(id) = said.strip_prefix("made ") {
        assert_eq!(chain.current().id().to_string(), id, "what was acknowledged counts: {what}");
    }
    let mut names: Vec<_> =
        keys.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, [format!("{}.key", chain.current().id()), "public".into()], "{what}");
    assert_eq!(PublicKeys::read(&keys).unwrap(), chain);
    ring.rotate().unwrap_or_else(|error| panic!("{error}: {what}"));
    fired
}

/// Whether the child ended by itself, the last that it said, and what strace saw.
fn under_strace(deed: &str, keys: &Path, inject: &str) -> (bool, String, String) {
    let parent = keys.parent().unwrap().canonicalize().unwrap();
    let log = parent.join("log");
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o"]).arg(&log);
    // The calls on these files alone, which do not exist yet.
    let id = std::fs::read_dir(keys).into_iter().flatten().map(|entry| entry.unwrap().path());
    for path in id.chain([keys.to_owned(), keys.join("public"), keys.join("public.new")]) {
        command.arg("-P").arg(path);
    }
    command.args(["-e", "trace=all", "-e", inject]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", TEST, "--test-threads=1", "--nocapture"]);
    command.env(ROLE, format!("{deed} {}", keys.display()));
    let output = command.stdin(Stdio::null()).output().expect("strace, which cargo xtask tools installs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = said.lines().find(|line| line.starts_with("made ") || line.starts_with("failed"));
    (output.status.success(), said.unwrap_or("nothing").to_owned(), std::fs::read_to_string(&log).unwrap())
}

#[allow(clippy::print_stdout)]
fn child(role: &str) {
    let (deed, keys) = role.split_once(' ').unwrap();
    let made =
        Keyring::open(keys).and_then(|ring| if deed == "rotate" { ring.rotate() } else { ring.current() });
    // The line of the test harness has no end yet.
    match made {
        Ok(key) => println!("\nmade {}", key.id()),
        Err(error) => println!("\nfailed: {error}"),
    }
}
