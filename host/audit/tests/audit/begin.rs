//! Another log in place of one that is lost: it says which, or is not there.

use std::fs;
use std::path::Path;
use std::process::Command;

use packhost_audit::{AuditError, Log};
use serde_json::json;

use crate::child::{Said, exe, role, say};
use crate::place::Place;

/// A place whose log is lost, and the last record that is known of it.
fn lost() -> (Place, u64) {
    let place = Place::new();
    let log = place.open(place.settings());
    for _ in 0..9 {
        log.append("test", &json!({})).unwrap();
    }
    log.close().unwrap();
    let last = place.verified().last.unwrap().n;
    fs::remove_dir_all(place.dir()).unwrap();
    (place, last)
}

fn is_lost(place: &Place) -> Option<u64> {
    Log::lost(&place.dir(), &place.root().join("keys")).unwrap().map(|last| last.n)
}

const KILLED: &str = "begin::a_log_that_is_begun_anew_has_its_first_act_or_is_not_there_whatever_fails";

#[test]
fn a_log_that_is_begun_anew_has_its_first_act_or_is_not_there_whatever_fails() {
    if let Some(dir) = role() {
        return match Place::at(Path::new(&dir)).begin() {
            Ok(log) => say(&format!("done: {:?}", log.close())),
            Err(error) => say(&format!("failed: {error}")),
        };
    }
    let mut fired = 0;
    for call in ["write", "fsync", "fdatasync", "openat", "mkdir", "rename", "flock"] {
        for fault in ["error=EIO", "signal=SIGKILL"] {
            let end = (1..60).find(|count| !injected(call, fault, *count));
            fired += end.unwrap_or_else(|| panic!("there is no end of {call}")) - 1;
        }
    }
    assert!(fired > 60, "{fired} faults");
}

/// Whether the fault came to pass.
fn injected(call: &str, fault: &str, count: usize) -> bool {
    let (place, last) = lost();
    let root = place.root().canonicalize().unwrap();
    let trace = root.join("strace");
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o"]).arg(&trace);
    for dir in ["audit", "audit.new"].map(|name| root.join(name)) {
        for file in ["lock", "head", "head.new", "synced", "synced.new", "00000001.log"] {
            command.arg("-P").arg(dir.join(file));
        }
        command.arg("-P").arg(dir);
    }
    for file in ["keys/last", "keys/last.new"] {
        command.arg("-P").arg(root.join(file));
    }
    let inject = format!("inject={call}:{fault}:when={count}");
    command.args(["-e", &format!("trace={call}"), "-e", &inject]);
    let said = Said::of(command.arg(exe()), KILLED, &root.display().to_string());
    let what = format!("{call} {fault} {count}: {:?}", said.lines);
    if let Some(known) = is_lost(&place) {
        assert_eq!(known, last, "{what}");
        assert!(matches!(place.try_open(place.settings()), Err(AuditError::Lost { .. })), "{what}");
        place.begin().unwrap_or_else(|error| panic!("{error}: {what}"));
    } else if let Err(error) = place.try_open(place.settings()) {
        // The ring does not know of it yet: an operator moves it away, and does it again.
        assert!(matches!(error, AuditError::Truncated { n, .. } if n == last), "{error}: {what}");
        assert!(place.lines(1)[1].contains("audit.begin"), "{what}");
        fs::rename(place.dir(), root.join("moved")).unwrap();
        place.begin().unwrap_or_else(|error| panic!("{error}: {what}"));
    }
    drop(place.try_open(place.settings()).unwrap_or_else(|error| panic!("{error}: {what}")));
    place.verified();
    let first = place.lines(1).get(1).cloned().unwrap_or_default();
    assert!(first.contains(r#""verb":"audit.begin""#), "{what}: {first}");
    !said.lines.iter().any(|line| line == "done: Ok(())")
        || fs::read_to_string(&trace).unwrap().contains("INJECTED")
}

#[test]
fn nothing_that_stands_in_its_place_gives_way_but_an_emptied_directory() {
    let (place, last) = lost();
    fs::create_dir(place.dir()).unwrap();
    for (name, gives_way) in [("somebody's", false), ("00000001.7.torn", false), ("lock", true)] {
        let file = place.dir().join(name);
        fs::write(&file, "").unwrap();
        assert_eq!(is_lost(&place), Some(last));
        assert_eq!(place.begin().is_ok(), gives_way, "{name}");
        if !gives_way {
            fs::remove_file(file).unwrap();
        }
    }
    assert!(place.begin().is_err(), "there is one");
    place.open(place.settings()).append("test", &json!({})).unwrap();
    place.verified();
}
