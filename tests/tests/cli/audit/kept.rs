//! How long a host keeps the record, and that what is left of it is proven.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use packhost_audit::{Log, Settings};
use packhost_tests::host::Setup;
use serde_json::json;

use super::{audit, records};

/// Some records as a host would have left them so many hours ago, in a segment of their own.
fn written(setup: &Setup, hours: u64) {
    let dirs = ["audit", "keys"].map(|name| setup.state().join(name));
    let then = SystemTime::now() - Duration::from_secs(hours * 3600);
    let settings = Settings { clock: Arc::new(move || then), ..Settings::default() };
    let keyring = Log::keyring(&dirs[0], dirs[1].clone()).expect("the directory is the test's");
    let log = Log::open(&dirs[0], Arc::new(keyring), settings).expect("the directory is the test's");
    for n in 0..3 {
        log.append("test", &json!({ "hours": hours, "n": n })).expect("there is room");
    }
    log.roll().expect("there is room");
    log.close().expect("there is room");
}

fn segments(audit: &Path) -> Vec<u64> {
    let files =
        std::fs::read_dir(audit).expect("the record is there").map(|file| file.expect("readable").path());
    let logs = files.filter(|path| path.extension().is_some_and(|end| end == "log"));
    let number = |path: PathBuf| path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
    let mut numbers: Vec<u64> = logs.map(|path| number(path).expect("it is named by its number")).collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn a_host_keeps_the_record_for_as_long_as_it_is_told_and_the_rest_is_proven() {
    let setup = Setup::new().warmed();
    for hours in [100, 50, 3] {
        written(&setup, hours);
    }
    let dir = setup.state().join("audit");
    let host = |words: &[&str]| {
        let ran = setup.run([&["mcp"], words].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
        segments(&dir)
    };
    assert_eq!(host(&[]), [1, 2, 3, 4], "for ever, unless somebody says otherwise");
    assert_eq!(host(&["--audit-keep", "1d"]), [3, 4, 5], "what was there until three hours ago, and since");
    let removed = records(&setup, &["--kind", "removed"]);
    let which: Vec<_> = removed.iter().map(|record| &record["body"]["segment"]).collect();
    assert_eq!(which, [&json!(1), &json!(2)], "{removed:?}");
    let verified = audit(&setup, &["verify"]);
    let report = verified.json();
    assert_eq!((verified.code, &report["intact"]), (0, &json!(true)), "{verified:?}");
    assert_eq!(report["removed"]["n"], removed[1]["body"]["last"], "{report}");
    let first = removed[1]["body"]["last"].as_u64().expect("a number") + 1;
    assert_eq!((&report["first"], &records(&setup, &[])[0]["n"]), (&json!(first), &json!(first)), "{report}");
}
