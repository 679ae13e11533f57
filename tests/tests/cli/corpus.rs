//! What is not JSON, or barely, on the stdin of `packhost call`: every file of JSONTestSuite's `test_parsing`.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use packhost_tests::host::{Ran, Setup};

struct Sample {
    name: String,
    bytes: Vec<u8>,
}

/// The samples, sorted. The corpus is kept beside the repository; where it is not, there is nothing to run.
fn corpus() -> Option<Vec<Sample>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpora/json/test_parsing");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        assert!(std::env::var_os("CI").is_none(), "the corpus is not there: {}", folder.display());
        eprintln!("not run: the JSON corpus is not there ({})", folder.display());
        return None;
    };
    let files = entries.map(|entry| entry.expect("readable").path());
    let mut samples: Vec<Sample> = files
        .map(|file| Sample {
            name: file.file_name().expect("a name").to_string_lossy().into_owned(),
            bytes: std::fs::read(&file).expect("readable"),
        })
        .filter(|sample| sample.name.ends_with(".json"))
        .collect();
    samples.sort_by(|one, other| one.name.cmp(&other.name));
    assert!(samples.len() > 300, "the corpus is not whole");
    Some(samples)
}

fn fed(setup: &Setup, stdin: &[u8]) -> Ran {
    let mut command = setup.command(["--json", "call", "json.query", "-"]);
    let mut child = command.stdin(Stdio::piped()).spawn().expect("the binary starts");
    child.stdin.take().expect("it is piped").write_all(stdin).expect("it reads");
    Ran::from(child.wait_with_output().expect("it ends"))
}

/// An input that is refused, whole or as the value of a key.
fn is_refused(setup: &Setup, name: &str, stdin: &[u8]) {
    let ran = fed(setup, stdin);
    assert_eq!(ran.code, 10, "{name}: {ran:?}");
    assert_eq!(ran.json()["error"]["code"], "invalid_input", "{name}: {ran:?}");
}

#[test]
fn what_is_not_json_is_refused_and_what_is_left_open_never_crashes() {
    let Some(samples) = corpus() else { return };
    let setup = Setup::new().warmed();
    // What is left open is no object, which the pack wants: taken or not, it is a wrong input.
    for Sample { name, bytes } in samples.iter().filter(|sample| !sample.name.starts_with("y_")) {
        is_refused(&setup, name, bytes);
    }
}

/// One call for all of them: each is a value in a list.
#[test]
fn what_is_json_is_taken_but_for_a_key_that_is_there_twice() {
    let Some(samples) = corpus() else { return };
    let setup = Setup::new().warmed();
    let good = samples.iter().filter(|sample| sample.name.starts_with("y_"));
    let (twice, good): (Vec<&Sample>, Vec<&Sample>) =
        good.partition(|sample| sample.name.starts_with("y_object_duplicated_key"));
    let inside = |list: &[u8]| [b"{\"query\":\".\",\"json\":[", list, b"]}"].concat();
    let list = good.iter().map(|sample| sample.bytes.as_slice()).collect::<Vec<_>>().join(&b","[..]);
    let ran = fed(&setup, &inside(&list));
    assert_eq!(ran.code, 0, "{ran:?}");
    let said = ran.json();
    let results = said["output"]["results"][0].as_array().map(Vec::len);
    assert_eq!(results, Some(good.len()), "{said}");
    assert_eq!(twice.len(), 2, "the corpus is not whole");
    for Sample { name, bytes } in twice {
        is_refused(&setup, name, &inside(bytes));
    }
}
