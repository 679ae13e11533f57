//! Two processes that note at once, as a host does beside another one with the same state.

use std::path::Path;
use std::process::{Command, Stdio};

use packhost_audit::Bounds;

use crate::{at, get, opened, pack};

const TEST: &str = "processes::two_processes_note_at_once_and_nothing_is_lost";
/// Says to a child where the state is.
const ROLE: &str = "PACKHOST_AUDIT_TEST_DIR";
const TIMES: u64 = 40;

#[test]
fn two_processes_note_at_once_and_nothing_is_lost() {
    if let Ok(dir) = std::env::var(ROLE) {
        return note(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    let own = std::env::current_exe().unwrap();
    let start = || {
        let mut command = Command::new(&own);
        command.args(["--exact", TEST, "--test-threads=1"]).env(ROLE, dir.path());
        command.stdout(Stdio::null()).spawn().unwrap()
    };
    // Both start in a directory without a database.
    let children = [start(), start()];
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let of = opened(dir.path(), Bounds::default()).of(&pack("a")).unwrap();
    assert_eq!(of.iter().map(|one| one.count).collect::<Vec<_>>(), [2 * TIMES, 2]);
    assert_eq!((of[0].first, of[0].last), (1, TIMES));
}

fn note(dir: &Path) {
    let denials = opened(dir, Bounds::default());
    denials.note(&pack("a"), &[get("https://a.test/first")], at(0)).unwrap();
    for time in 1..=TIMES {
        denials.note(&pack("a"), &[get("https://a.test/")], at(time)).unwrap();
    }
}
