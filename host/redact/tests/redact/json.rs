//! Values in JSON that is read.

use serde_json::{Value, json};

use crate::knows;

#[test]
fn texts_names_and_numbers_are_redacted_and_nothing_else() {
    let redactor = knows(&[("A", "hunter2-hunter2"), ("PIN", "12345678")]);
    let mut value = json!({
        "a": ["x hunter2-hunter2 y", "hunter2\\u002dhunter2", null, true, 1.5, "hunter2"],
        "hunter2-hunter2": {"deep": {"deeper": "12345678"}},
        "number": 12345678,
        "longer": [9123456780_u64, -12345678, 12345678.5, 1234567],
        "z": 1
    });
    let expected = json!({
        "a": ["x [redacted:A] y", "[redacted:A]", null, true, 1.5, "hunter2"],
        "[redacted:A]": {"deep": {"deeper": "[redacted:PIN]"}},
        "number": "[redacted:PIN]",
        "longer": ["9[redacted:PIN]0", "-[redacted:PIN]", "[redacted:PIN].5", 1234567],
        "z": 1
    });
    assert_eq!(redactor.json(&mut value), 8);
    assert_eq!(value.to_string(), expected.to_string(), "the order stays too");
    assert_eq!(redactor.json(&mut value), 0);
}

#[test]
fn a_number_that_lost_digits_when_it_was_read_is_found() {
    let redactor = knows(&[("A", "98765432109876543210987")]);
    let mut value: Value =
        serde_json::from_str("[98765432109876543210987, -9.8765432109876543210987e22, 9.87e22]")
            .expect("JSON");
    redactor.json(&mut value);
    assert_eq!(value, json!(["[redacted:A]", "[redacted:A]", 9.87e22]));
}

#[test]
fn names_that_become_the_same_are_kept_apart() {
    let redactor = knows(&[("A", "hunter2-hunter2")]);
    let mut value = json!({
        "hunter2-hunter2": 1, "hunter2%2dhunter2": 2, "hunter2%2Dhunter2": 3, "[redacted:A]": 4, "other": 5
    });
    redactor.json(&mut value);
    let members = value.as_object().expect("an object");
    assert_eq!(members.values().collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert_eq!(members["[redacted:A]"], 4, "what has the name already keeps it");
    assert!(!redactor.finds(value.to_string().as_bytes()));
}

#[test]
fn many_names_that_become_the_same_take_no_longer_each() {
    let redactor = knows(&[("A", "hunter2-hunter2")]);
    let spelled = |number: usize| -> String {
        let spell = |(at, char): (usize, char)| {
            if number >> at & 1 == 1 { format!("%{:02x}", u32::from(char)) } else { char.to_string() }
        };
        "hunter2-hunter2".chars().enumerate().map(spell).collect()
    };
    let mut value: Value = (0..1 << 15).map(|number| (spelled(number), json!(number))).collect();
    assert_eq!(redactor.json(&mut value), 1 << 15);
    assert_eq!(value.as_object().expect("an object").len(), 1 << 15);
}

#[test]
fn depth_is_no_danger() {
    let mut value = json!("hunter2-hunter2");
    for _ in 0..100_000 {
        value = Value::Array(vec![value]);
    }
    assert_eq!(knows(&[("A", "hunter2-hunter2")]).json(&mut value), 1);
    // Dropped one by one: dropping it as a whole takes a stack frame for each.
    while let Value::Array(mut items) = value {
        value = items.pop().expect("one each");
    }
    assert_eq!(value, "[redacted:A]");
}
