//! JSONTestSuite against the guard of every door: what must be taken is taken, what must be refused is, and the rest is
//! answered one way or the other.

use std::path::Path;

use packhost_core::ErrorCode;
use packhost_schema::{Limits, parse};

struct Sample {
    name: String,
    bytes: Vec<u8>,
}

/// The samples, sorted. The corpus is kept beside the repository; where it is not, there is nothing to run.
fn corpus() -> Option<Vec<Sample>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora/json/test_parsing");
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

/// JSON that names a key twice. Readers disagree about it, which is why it is refused (RFC 8259 section 4).
const TWICE: [&str; 2] = ["y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json"];

#[test]
fn what_must_be_taken_is_and_what_must_be_refused_is_not() {
    let Some(samples) = corpus() else { return };
    let (mut taken, mut twice) = (0, 0);
    for Sample { name, bytes } in &samples {
        let read = parse(bytes, Limits::default());
        if let Err(failure) = &read {
            assert_eq!(failure.code, ErrorCode::InvalidInput, "{name}");
            assert!(failure.to_json().to_string().len() < 4096, "{name}: a refusal stays short");
        }
        match name.split('_').next() {
            Some("y") if TWICE.contains(&name.as_str()) => {
                let said = read.expect_err(name).message;
                assert!(said.contains("is there twice"), "{name}: {said}");
                twice += 1;
            }
            Some("y") => {
                // A reader of its own makes the same of it.
                let same = serde_json::from_slice(bytes).expect(name);
                assert_eq!(read.as_ref(), Ok(&same), "{name}");
                taken += 1;
            }
            Some("n") => assert!(read.is_err(), "{name} was taken for JSON: {read:?}"),
            _ => {}
        }
    }
    assert_eq!(twice, TWICE.len());
    assert!(taken > 90, "{taken} were taken");
}

/// What the standard leaves open: text that is not whole Unicode, a byte order mark, numbers beyond a double and deep nesting
/// are refused. A number that a double only comes near to is taken as that double.
#[test]
fn of_what_is_left_open_only_numbers_near_a_double_are_taken() {
    let Some(samples) = corpus() else { return };
    let taken: Vec<&str> = samples
        .iter()
        .filter(|sample| sample.name.starts_with("i_") && parse(&sample.bytes, Limits::default()).is_ok())
        .map(|sample| sample.name.as_str())
        .collect();
    let near = [
        "i_number_double_huge_neg_exp.json",
        "i_number_real_underflow.json",
        "i_number_too_big_neg_int.json",
        "i_number_too_big_pos_int.json",
        "i_number_very_big_negative_int.json",
    ];
    assert_eq!(taken, near);
}

/// However deep a sample nests, a reader that is told to follow does not run out of stack.
#[test]
fn without_limits_of_our_own_no_sample_is_too_much() {
    let Some(samples) = corpus() else { return };
    let limits = Limits { bytes: usize::MAX, depth: usize::MAX };
    for Sample { name, bytes } in samples.iter().filter(|sample| sample.name.starts_with("n_")) {
        assert!(parse(bytes, limits).is_err(), "{name} was taken for JSON");
    }
}
