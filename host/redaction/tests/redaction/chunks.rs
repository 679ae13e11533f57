//! Streams that are cut anywhere come out as the whole does.

use bytes::Bytes;
use packhost_redaction::Redactor;
use proptest::collection::vec;
use proptest::prelude::*;

use super::spelt::{Scheme, escaped, readable, wrapped};

/// Pushes the text in pieces of these lengths, over and over.
pub(crate) fn in_pieces(redactor: &Redactor, text: &[u8], lengths: &[usize]) -> (Vec<u8>, usize) {
    let mut stream = redactor.stream();
    let (mut out, mut rest, mut most) = (Vec::new(), Bytes::copy_from_slice(text), 0);
    for length in lengths.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let piece = rest.split_to((*length).clamp(1, rest.len()));
        out.extend_from_slice(&stream.push(piece));
        most = most.max(stream.held());
    }
    out.extend_from_slice(&stream.finish());
    assert_eq!(stream.held(), 0);
    (out, most)
}

/// The last character is none that an escape could go on with: what follows such a value would read differently without it.
fn value() -> impl Strategy<Value = String> {
    prop_oneof!["[a-zA-Z0-9_]{8,40}", "[ -~]{8,20}", "[a-c]{8,10}", "[%&u0041#x;\\\\]{8,12}", "[äöü€𝄞a]{4,8}"]
        .prop_map(|value| value + "Z")
        .prop_filter("a value has eight bytes", |value| value.len() >= 8)
}

/// A value written in some way, whole or only its beginning.
fn spelling(value: String) -> impl Strategy<Value = String> {
    let chars = value.chars().count();
    (0_usize..9, any::<bool>(), any::<u64>(), 0..=chars, 0_usize..5).prop_map(
        move |(way, upper, mask, cut, near)| {
            let which = |at: usize| mask >> (at % 64) & 1 == 1;
            let part: String = if near == 0 { value.chars().take(cut).collect() } else { value.clone() };
            match way {
                0 | 1 => part,
                2 => escaped(&part, Scheme::Percent, upper, which),
                3 => escaped(&part, Scheme::Json, upper, which),
                4 => escaped(&part, Scheme::Html, upper, which),
                5 => part.bytes().map(|byte| format!("{byte:02x}")).collect(),
                _ => wrapped(way - 6, &part, near, upper),
            }
        },
    )
}

fn noise() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9+/=_-]{0,40}",
        "[ -~]{0,40}",
        "[\\\\u04%&#x;1a]{0,16}",
        "\\PC{0,12}",
        Just(String::new())
    ]
}

fn scene() -> impl Strategy<Value = (Vec<String>, String)> {
    vec(value(), 1..4).prop_flat_map(|values| {
        let parts = vec((0..values.len(), noise()), 0..6);
        (Just(values), parts).prop_flat_map(|(values, parts)| {
            let spelt: Vec<_> = parts
                .into_iter()
                .map(|(at, noise)| (Just(noise), spelling(values[at].clone())).prop_map(|(a, b)| a + &b))
                .collect();
            (Just(values), spelt.prop_map(|parts| parts.concat()), noise())
                .prop_map(|(values, text, end)| (values, text + &end))
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn pieces_come_out_as_the_whole_does((values, text) in scene(), lengths in vec(1_usize..30, 1..6)) {
        let redactor = Redactor::new(values.iter().map(|value| ("K", value.as_bytes()))).unwrap();
        let whole = redactor.bytes(text.as_bytes()).into_owned();
        let (pieces, held) = in_pieces(&redactor, text.as_bytes(), &lengths);
        prop_assert_eq!(String::from_utf8_lossy(&pieces), String::from_utf8_lossy(&whole));
        prop_assert!(held <= 12 * 2 * 64 + 30, "{} bytes held back", held);
        for value in &values {
            prop_assert!(!readable(&whole, value), "{} is in {}", value, String::from_utf8_lossy(&whole));
        }
    }

    #[test]
    fn what_holds_no_value_is_not_touched(values in vec("[a-zA-Z0-9_]{12,40}", 1..4), text in vec(noise(), 0..20), lengths in vec(1_usize..30, 1..6)) {
        let text = text.concat();
        prop_assume!(values.iter().all(|value| !readable(text.as_bytes(), value)));
        let redactor = Redactor::new(values.iter().map(|value| ("K", value.as_bytes()))).unwrap();
        prop_assert!(matches!(redactor.text(&text), std::borrow::Cow::Borrowed(_)));
        prop_assert_eq!(in_pieces(&redactor, text.as_bytes(), &lengths).0, text.as_bytes());
    }
}

#[test]
fn what_is_no_beginning_of_a_value_is_passed_on_at_once() {
    let redactor = Redactor::new([("K", b"hunter2-sesame".as_slice())]).unwrap();
    let mut stream = redactor.stream();
    assert_eq!(stream.push("data: hello\n\n".into()), "data: hello\n\n");
    assert_eq!(stream.push("data: h".into()), "data: ");
    assert_eq!(stream.push("unter".into()), "");
    assert_eq!(stream.push("s\n".into()), "hunters\n");
    assert_eq!(stream.push("hunter2-sesame".into()), "[redacted:K]");
    assert_eq!(stream.found(), 1);
}

#[test]
fn a_long_value_is_held_in_bounds() {
    let value: String = (0..16 << 10).map(|at| char::from(b'a' + (at % 23) as u8)).collect();
    let redactor = Redactor::new([("K", value.as_bytes())]).unwrap();
    let text = escaped(&value[..value.len() - 1], Scheme::Json, false, |_| true);
    let (out, held) = in_pieces(&redactor, text.as_bytes(), &[4096]);
    assert_eq!(out, text.as_bytes());
    assert!((90_000..110_000).contains(&held), "{held}");
}
