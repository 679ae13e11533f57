//! What is found, wherever it is cut, and that nothing else is touched.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod chunks;
mod spellings;
mod spelt;

use packhost_redaction::{RedactError, Redactor};
use serde_json::json;

fn redactor(value: &str) -> Redactor {
    Redactor::new([("KEY", value.as_bytes())]).expect("a value that can be looked for")
}

#[test]
fn values_have_bounds() {
    let new = |values: &[&[u8]]| Redactor::new(values.iter().map(|value| ("A", *value))).map(|_| ());
    assert_eq!(new(&[b"1234567"]), Err(RedactError::Length));
    assert_eq!(new(&[&[b'a'; (16 << 10) + 1]]), Err(RedactError::Length));
    assert_eq!(new(&[&[b'a'; 16 << 10]]), Ok(()));
    assert_eq!(new(&[b"12345678".as_slice(); 65]), Err(RedactError::Count));
    assert!(Redactor::default().is_empty() && !redactor("12345678").is_empty());
}

#[test]
fn json_is_searched_in_keys_strings_and_numbers_at_any_depth() {
    let redactor = redactor("1234567890");
    let mut deep = json!("1234567890");
    for _ in 0..20_000 {
        deep = serde_json::Value::Array(vec![deep]);
    }
    assert_eq!(redactor.json(&mut deep), 1);
    // Taken apart by hand: dropping it as a whole would recurse.
    while let serde_json::Value::Array(mut items) = deep {
        deep = items.pop().expect("one item");
    }
    assert_eq!(deep, json!("[redacted:KEY]"));

    let mut value =
        json!({ "a": 1, "1234567890": [1_234_567_890, 12_345_678_901_u64, "x1234567890x"], "b": null });
    assert_eq!(redactor.json(&mut value), 4);
    let expected = json!({ "a": 1, "[redacted:KEY]": ["[redacted:KEY]", "[redacted:KEY]1", "x[redacted:KEY]x"], "b": null });
    assert_eq!(value, expected);
    assert_eq!(value.to_string(), expected.to_string(), "in the same order");
}

#[test]
fn values_that_overlap_leave_nothing() {
    let values = ["abcdefgh", "abcdefghij", "efghijkl", "aaaaaaaa"];
    let redactor = Redactor::new(values.iter().map(|value| ("K", value.as_bytes()))).expect("values");
    for text in
        ["abcdefghijkl", "xabcdefghijx", "abcdefghabcdefghij", "aaaaaaaaaaaaaaaaaaa", "aaaaaaaaabcdefgh"]
    {
        let clean = redactor.text(text);
        assert!(values.iter().all(|value| !clean.contains(value)), "{text}: {clean}");
        let left = clean.replace("[redacted:K]", "");
        assert!(left.len() <= 2, "{text}: {clean}");
    }
}

#[test]
fn a_label_never_holds_a_value() {
    let redactor = Redactor::new([("TOKEN", b"redacted".as_slice())]).expect("a value");
    assert_eq!(redactor.text("it was redacted."), "it was ***.");
}

#[test]
fn names_of_headers_are_in_lower_case() {
    let redactor = redactor("AbCdEfGhIj");
    assert!(redactor.finds_in_lower_case(b"x-abcdefghij") && !redactor.finds(b"x-abcdefghij"));
    assert!(!redactor.finds_in_lower_case(b"x-abcdefghi"));
}

#[test]
fn it_does_not_show_values() {
    let redactor = redactor("hunter2-hunter2");
    let mut stream = redactor.stream();
    stream.push("hunter2-".into());
    assert!(!format!("{redactor:?} {stream:?}").contains("hunter2"));
}
