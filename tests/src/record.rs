//! The record of a host, read as anybody could read it: a line each, a hash and JSON.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// Every record in a state directory, in order. None where there is no log.
pub fn all(state: &Path) -> Vec<Value> {
    let Ok(directory) = fs::read_dir(state.join("audit")) else { return Vec::new() };
    let files = directory.map(|file| file.expect("readable").path());
    let mut segments: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|end| end == "log")).collect();
    segments.sort();
    let texts = segments.iter().map(|path| fs::read_to_string(path).expect("the log is text"));
    let texts: Vec<String> = texts.collect();
    let lines = texts.iter().flat_map(|text| text.lines());
    lines
        .map(|line| serde_json::from_str(line.split_once(' ').expect("a hash and JSON").1).expect("JSON"))
        .collect()
}

/// The bodies of those of one kind.
pub fn of_kind(state: &Path, kind: &str) -> Vec<Value> {
    all(state)
        .into_iter()
        .filter(|record| record["kind"] == kind)
        .map(|mut record| record["body"].take())
        .collect()
}
