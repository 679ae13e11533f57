//! What is passed on when, and what is held back.

use bytes::Bytes;
use packhost_redact::{Redactor, Stream};

use crate::scene::show;
use crate::{VALUE, knows};

fn pushed(stream: &mut Stream, part: &str) -> String {
    show(&stream.push(Bytes::copy_from_slice(part.as_bytes())))
}

#[test]
fn only_what_may_be_the_beginning_of_a_value_is_held_back() {
    // As it is, its first letters; in hexadecimal "71"; in base64 "cX" and what ends like it.
    let redactor = knows(&[("A", "qwertyuiop")]);
    let cases = [
        ("an answer.", "an answer."),
        ("an answer.q", "an answer."),
        ("an answer.qwertyuio", "an answer."),
        ("an answer.qwertyuix ", "an answer.qwertyuix "),
        ("an answer.%", "an answer."),
        ("an answer.%71%77%6", "an answer."),
        ("an answer.%71%78.", "an answer.%71%78."),
        ("an answer.&#x", "an answer."),
        ("an answer.&amp", "an answer."),
        ("an answer.&am ", "an answer.&am "),
        ("an answer.%zz", "an answer.%zz"),
        ("qwertyuiop.", "[redacted:A]."),
    ];
    for (part, passed) in cases {
        let mut stream = redactor.stream();
        assert_eq!(pushed(&mut stream, part), passed, "{part}");
        let rest = show(&stream.finish());
        assert_eq!(format!("{passed}{rest}"), redactor.text(part), "{part}");
    }
}

#[test]
fn a_part_in_which_nothing_is_found_is_not_copied() {
    let mut stream = knows(&[("A", "qwertyuiop")]).stream();
    let part = Bytes::from(".".repeat(1000) + "qwert");
    let passed = stream.push(part.clone());
    assert_eq!(passed.as_ptr(), part.as_ptr());
    assert_eq!(passed.len(), 1000);
    assert_eq!(pushed(&mut stream, "y.uiop."), "qwerty.uiop.");
    let part = Bytes::from_static(b"nothing at all.");
    assert_eq!(stream.push(part.clone()).as_ptr(), part.as_ptr());
    assert_eq!(stream.found(), 0);
}

#[test]
fn a_value_in_every_spelling_is_found_across_every_cut() {
    let redactor = knows(&[("A", VALUE)]);
    let spellings = [
        VALUE.to_owned(),
        VALUE.bytes().map(|byte| format!("%{byte:02x}")).collect(),
        VALUE.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect(),
        VALUE.chars().map(|char| format!("&#{};", u32::from(char))).collect(),
        VALUE.bytes().map(|byte| format!("{byte:02X}")).collect(),
    ];
    for spelled in spellings {
        let text = format!("before {spelled} after");
        for one in 0..=text.len() {
            for two in one..=text.len() {
                let mut stream = redactor.stream();
                let text = Bytes::copy_from_slice(text.as_bytes());
                let mut out = stream.push(text.slice(..one)).to_vec();
                out.extend_from_slice(&stream.push(text.slice(one..two)));
                out.extend_from_slice(&stream.push(text.slice(two..)));
                out.extend_from_slice(&stream.finish());
                assert_eq!(show(&out), "before [redacted:A] after", "{one} {two}");
                assert_eq!(stream.found(), 1);
            }
        }
    }
}

#[test]
fn line_breaks_hold_nothing_back_for_long() {
    // In base64 "cXdlcnR5dWlvcA".
    let mut stream = knows(&[("A", "qwertyuiop")]).stream();
    assert_eq!(pushed(&mut stream, ".cXd\r"), ".");
    assert_eq!(pushed(&mut stream, "\nlcn"), "");
    assert_eq!(pushed(&mut stream, "\n\n"), show(b"cXd\r\nlcn\n\n"));
    assert_eq!(pushed(&mut stream, &"\r\n".repeat(99)), show("\r\n".repeat(99).as_bytes()));
    assert_eq!(pushed(&mut stream, ".cXd\r"), ".");
    for part in ["\nlcn\\", "n", "R5dWl", "%0", "D&#1", "0", ";v"] {
        assert_eq!(pushed(&mut stream, part), "", "{part}");
    }
    assert_eq!(pushed(&mut stream, "cA."), "[redacted:A].");
    assert_eq!(show(&stream.finish()), "");
}

#[test]
fn a_stream_can_be_used_again() {
    let mut stream = knows(&[("A", "qwertyuiop")]).stream();
    assert_eq!(pushed(&mut stream, "qwerty"), "");
    assert_eq!(show(&stream.finish()), "qwerty");
    assert_eq!(pushed(&mut stream, "uiop. qwertyuiop"), "uiop. [redacted:A]");
    assert_eq!(show(&stream.finish()), "");
    assert_eq!(stream.found(), 1);
}

#[test]
fn the_longest_spelling_of_the_longest_value_is_held_back_and_no_more() {
    let value: String = (0..Redactor::MAX).map(|at| char::from(b'!' + (at * at / 7 % 90) as u8)).collect();
    let redactor = knows(&[("A", &value)]);
    let longest: String = value
        .bytes()
        .flat_map(|byte| format!("{byte:02x}").into_bytes())
        .map(|digit| format!("&#x{digit:010x};"))
        .collect();
    assert_eq!(longest.len(), 448 << 10);
    let mut stream = redactor.stream();
    let mut out = Vec::new();
    let text = Bytes::from(longest.clone() + "." + &longest[..longest.len() - 1] + ".");
    for at in (0..text.len()).step_by(777) {
        out.extend_from_slice(&stream.push(text.slice(at..(at + 777).min(text.len()))));
        assert!(at.saturating_sub(out.len()) < 2 * longest.len());
    }
    out.extend_from_slice(&stream.finish());
    assert_eq!(show(&out), format!("[redacted:A].{}.", &longest[..longest.len() - 1]));
}

#[test]
fn a_value_that_repeats_itself_without_end_is_one_and_is_not_kept() {
    let mut stream = knows(&[("A", "abababab")]).stream();
    let mut out = pushed(&mut stream, "x");
    for _ in 0..10_000 {
        out += &pushed(&mut stream, "ab");
        assert!(format!("{stream:?}").contains("held: "));
    }
    out += &pushed(&mut stream, "y");
    assert_eq!(out, "x[redacted:A]y");
    assert_eq!(stream.found(), 1);
}

#[test]
fn without_values_everything_passes_at_once() {
    let redactor = Redactor::new([]).expect("nothing is wrong with none");
    assert!(redactor.is_empty());
    let mut stream = redactor.stream();
    assert_eq!(pushed(&mut stream, "anything %"), "anything %");
    assert_eq!(redactor.text("[redacted:A]"), "[redacted:A]");
    assert!(!redactor.finds(b"anything"));
}
