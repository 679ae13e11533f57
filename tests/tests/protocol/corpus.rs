//! What is not JSON, or barely: every file of JSONTestSuite's `test_parsing`, spliced as it is into a call. Its names
//! say what a parser must do: refuse (`n_`), accept (`y_`), or as it likes (`i_`).

use std::collections::BTreeMap;
use std::path::Path;

use packhost_tests::host::Setup;
use serde_json::{Value, json};

pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// The samples, sorted. The corpus is kept beside the repository; where it is not, there is nothing to run.
pub(crate) fn corpus() -> Option<Vec<Sample>> {
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
    let count = |kind: &str| samples.iter().filter(|sample| sample.name.starts_with(kind)).count();
    assert!(count("n_") > 150 && count("y_") > 90 && count("i_") > 30, "the corpus is not whole");
    Some(samples)
}

/// Where a sample goes: it is all of the arguments, or one of them, which takes any JSON.
const PLACES: [[&str; 2]; 2] = [["", ""], ["{\"query\":\".\",\"json\":", "}"]];

/// Says which sample it was that a test failed on.
pub(crate) struct Trying<'a>(pub(crate) &'a str);

impl Drop for Trying<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the sample was {}", self.0);
        }
    }
}

fn line(id: u64, [before, after]: [&str; 2], sample: &[u8]) -> Vec<u8> {
    let head = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/call\",\"params\":");
    let head = format!("{head}{{\"name\":\"json_query\",\"arguments\":{before}");
    [head.as_bytes(), sample, after.as_bytes(), b"}}"].concat()
}

/// Whether the sample is data that the pack takes. A bare text is a document to it, which has to be JSON in turn.
pub(crate) fn is_list_or_object(sample: &[u8]) -> bool {
    matches!(sample.trim_ascii_start().first(), Some(b'[' | b'{'))
}

#[test]
fn what_is_not_json_never_calls_and_what_is_json_is_always_answered() {
    let Some(samples) = corpus() else { return };
    let setup = Setup::new().warmed();
    let mut host = setup.mcp();
    host.initialize();
    let mut refused = BTreeMap::new();
    // Far from the ids of the client itself.
    let mut id = 1_000_000;
    for Sample { name, bytes } in &samples {
        let _trying = Trying(name);
        for place in PLACES {
            id += 1;
            if name.starts_with("y_") {
                // A line end ends a message. Outside of strings, and nowhere else has JSON one, a space is as good.
                let bytes: Vec<u8> = bytes
                    .iter()
                    .map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte })
                    .collect();
                host.line(&line(id, place, &bytes));
                let answer = host.answer(id);
                assert!(answer["result"].is_object(), "{name}: {answer}");
                if place == PLACES[1] && is_list_or_object(&bytes) {
                    assert_eq!(answer["result"]["structuredContent"]["count"], 1, "{name}: {answer}");
                }
            } else {
                host.line(&line(id, place, bytes));
                if name.starts_with("n_") {
                    refused.insert(id, name.clone());
                }
                assert_eq!(host.request("ping", json!({}))["result"], json!({}), "{name}");
            }
        }
    }
    assert_eq!(host.request("ping", json!({}))["result"], json!({}));
    let heard = std::mem::take(&mut host.passed);
    let (code, rest, log) = host.close();
    assert_eq!(code, 0, "{log}");
    let rest = rest.iter().map(|line| serde_json::from_str(line).expect("a message"));
    for message in heard.into_iter().chain(rest) {
        never_called(&refused, &message);
    }
}

fn never_called(refused: &BTreeMap<u64, String>, message: &Value) {
    let sample = message["id"].as_u64().and_then(|id| refused.get(&id));
    let failed = message.get("error").is_some() || message["result"]["isError"] == true;
    assert!(sample.is_none() || failed, "{sample:?} was taken for JSON: {message}");
}
