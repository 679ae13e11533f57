//! Tests in a process of their own: a test starts its own binary again, for itself alone, by way of what gives it a kernel's
//! view of its own, or to be measured.

use std::os::unix::fs::MetadataExt;
use std::process::Command;

/// Set in the child.
const ROLE: &str = "PACKHOST_EGRESS_TEST_CHILD";

/// Runs the test of this name again by way of `wrapper`; says whether this is the test and not the child.
fn by_way_of(wrapper: &[&str], test: &str) -> bool {
    if std::env::var_os(ROLE).is_some() {
        return false;
    }
    let own = std::env::current_exe().unwrap();
    let words = [wrapper, &[own.to_str().unwrap(), "--exact", test, "--nocapture"]].concat();
    let output = Command::new(words[0]).args(&words[1..]).env(ROLE, "1").output().unwrap();
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{test}: {said}\n{errors}");
    true
}

/// In another process and nothing else.
pub(super) fn in_process(test: &str) -> bool {
    by_way_of(&["env"], test)
}

/// With a network and mounts of its own.
pub(super) fn in_namespace(test: &str) -> bool {
    let own = ["unshare", "--net", "--mount"];
    match std::fs::metadata("/proc/self").unwrap().uid() {
        0 => by_way_of(&own, test),
        _ => by_way_of(&[&own[..], &["--map-root-user"]].concat(), test),
    }
}
