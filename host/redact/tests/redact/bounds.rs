//! Which values are taken, what stands in their place, and what is shown of them.

use packhost_redact::{RedactError, Redactor};

use crate::knows;

fn error(label: &str, value: &str) -> Option<RedactError> {
    Redactor::new([(label, value.as_bytes())]).err()
}

#[test]
fn a_value_has_8_bytes_to_16_kib() {
    assert_eq!(error("A", "1234567"), Some(RedactError::TooShort("A".into())));
    assert_eq!(error("A", "12345678"), None);
    assert_eq!(error("A", &"x".repeat(Redactor::MAX)), None);
    assert_eq!(error("A", &"x".repeat(Redactor::MAX + 1)), Some(RedactError::TooLong("A".into())));
}

#[test]
fn a_value_is_text_without_control_characters() {
    for value in ["1234567\n", "\t12345678", "12345678\u{85}"] {
        assert_eq!(error("A", value), Some(RedactError::NotText("A".into())));
    }
    assert_eq!(Redactor::new([("A", &[0xff; 8][..])]).err(), Some(RedactError::NotText("A".into())));
}

#[test]
fn there_are_64_values_at_most() {
    let values: Vec<String> = (0..65).map(|number| format!("value number {number:02}")).collect();
    let of = |count: usize| Redactor::new(values[..count].iter().map(|value| ("A", value.as_bytes())));
    assert_eq!(of(65).err(), Some(RedactError::TooMany));
    let redactor = of(64).expect("64 are good");
    for value in &values[..64] {
        assert!(redactor.finds(value.as_bytes()));
    }
    assert!(!redactor.finds(values[64].as_bytes()));
}

#[test]
fn a_label_is_a_name() {
    for label in ["", "a b", "a]", "é", &"x".repeat(Redactor::LABEL + 1)] {
        assert_eq!(error(label, "12345678"), Some(RedactError::Label));
    }
    assert_eq!(error(&"x".repeat(Redactor::LABEL), "12345678"), None);
}

#[test]
fn what_stands_in_the_place_of_a_value_is_no_part_of_one() {
    type Values<'a> = &'a [(&'a str, &'a str)];
    let cases: [(Values<'_>, &str, &str); 5] = [
        (&[("A", "redacted")], "redacted", "[***]"),
        (&[("A", "secret-1"), ("B", "]secret-2")], "secret-1", "(redacted:A)"),
        (&[("A", "secret-1"), ("B", "secret-2[red")], "secret-1", "(redacted:A)"),
        (&[("secret-1", "secret-1")], "secret-1", "[***]"),
        (&[("A", "secret-1"), ("B", "x[redacted:A]y")], "secret-1", "(redacted:A)"),
    ];
    for (values, text, expected) in cases {
        let redactor = knows(values);
        assert_eq!(redactor.text(text), expected);
        for (_, value) in values {
            assert!(!redactor.text(&format!("{text}{value}{text}")).contains(value));
        }
    }
}

#[test]
fn values_that_begin_and_end_with_every_sign_still_leave_one() {
    let values: Vec<String> =
        ("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~".chars()).map(|c| format!("{c}123456{c}")).collect();
    let redactor = Redactor::new(values.iter().map(|value| ("A", value.as_bytes()))).expect("good values");
    for value in &values {
        assert_eq!(redactor.text(value), "\u{2580}redacted:A\u{2580}");
    }
}

#[test]
fn nothing_shows_a_value() {
    let redactor = knows(&[("NAME", "do-not-show-me")]);
    let mut stream = redactor.stream();
    stream.push(bytes::Bytes::from_static(b"do-not-show"));
    for shown in [
        format!("{redactor:?}"),
        format!("{stream:?}"),
        error("NAME", "not-me\n").expect("wrong").to_string(),
    ] {
        assert!(shown.contains("NAME") && !shown.contains("not-"), "{shown}");
    }
}

#[test]
fn it_can_be_shared() {
    fn is_shared<T: Clone + Send + Sync>(_: &T) {}
    fn is_sent<T: Send>(_: &T) {}
    let redactor = knows(&[("A", "12345678")]);
    is_shared(&redactor);
    is_sent(&redactor.stream());
}
