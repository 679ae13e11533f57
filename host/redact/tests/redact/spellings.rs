//! Every spelling of a value, at every place.

use std::borrow::Cow;

use crate::scene::{BREAKS, GAPS, show};
use crate::{VALUE, knows};

/// The texts around a value: nothing, letters of every alphabet, the beginnings of escapes.
const AROUND: [(&str, &str); 8] = [
    ("", ""),
    ("token=", "&next=1"),
    ("{\"a\":\"", "\"}"),
    ("0aF", "9eD"),
    ("%", "%"),
    ("\\", "\\"),
    ("&#", ";"),
    ("é", "é"),
];

/// All ways of writing one character, alone.
fn all_escapes(char: char) -> Vec<String> {
    let bytes = |write: fn(u8) -> String| char.to_string().bytes().map(write).collect::<String>();
    let mut units = [0; 2];
    let units = &*char.encode_utf16(&mut units);
    let code = u32::from(char);
    let mut all = vec![
        bytes(|byte| format!("%{byte:02x}")),
        bytes(|byte| format!("%{byte:02X}")),
        units.iter().map(|unit| format!("\\u{unit:04x}")).collect(),
        units.iter().map(|unit| format!("\\u{unit:04X}")).collect(),
        format!("&#{code};"),
        format!("&#0{code};"),
        format!("&#{code:010};"),
        format!("&#x{code:x};"),
        format!("&#X{code:X};"),
        format!("&#x{code:010X};"),
    ];
    let own: &[&str] = match char {
        ' ' => &["+"],
        '/' => &["\\/"],
        '\\' => &["\\\\"],
        '"' => &["\\\"", "&quot;", "&QUOT;"],
        '&' => &["&amp;"],
        '<' => &["&lt;"],
        '>' => &["&gt;"],
        '\'' => &["&apos;"],
        _ => &[],
    };
    all.extend(own.iter().map(|text| (*text).to_owned()));
    all
}

fn is_taken_out(spelled: &str) {
    let redactor = knows(&[("A", VALUE)]);
    for (before, after) in AROUND {
        let text = format!("{before}{spelled}{after}");
        assert_eq!(redactor.text(&text), format!("{before}[redacted:A]{after}"), "{text}");
        assert!(redactor.finds(text.as_bytes()));
    }
}

#[test]
fn as_it_is() {
    is_taken_out(VALUE);
}

#[test]
fn with_one_character_escaped_in_every_way() {
    for (at, char) in VALUE.char_indices() {
        for escape in all_escapes(char) {
            let rest = &VALUE[at + char.len_utf8()..];
            is_taken_out(&format!("{}{escape}{rest}", &VALUE[..at]));
        }
    }
}

#[test]
fn with_every_character_escaped_in_each_way() {
    for way in 0..10 {
        is_taken_out(&VALUE.chars().map(|char| all_escapes(char)[way].clone()).collect::<String>());
    }
    let own = VALUE.chars().map(|char| {
        let all = all_escapes(char);
        if all.len() > 10 { all[10].clone() } else { char.to_string() }
    });
    is_taken_out(&own.collect::<String>());
}

#[test]
fn with_any_subset_of_the_characters_escaped() {
    let start: String = VALUE.chars().take(9).collect();
    let redactor = knows(&[("A", &start)]);
    for subset in 0_usize..1 << 9 {
        for way in 0..10 {
            let spelled: String =
                start
                    .chars()
                    .enumerate()
                    .map(|(at, char)| {
                        if subset >> at & 1 == 1 { all_escapes(char)[way].clone() } else { char.to_string() }
                    })
                    .collect();
            assert_eq!(redactor.text(&spelled), "[redacted:A]", "{spelled}");
        }
    }
}

#[test]
fn in_hexadecimal_of_any_case() {
    let lower: String = VALUE.bytes().map(|byte| format!("{byte:02x}")).collect();
    is_taken_out(&lower);
    is_taken_out(&lower.to_uppercase());
    let mixed = lower
        .chars()
        .enumerate()
        .map(|(at, char)| if at % 3 == 0 { char.to_ascii_uppercase() } else { char });
    is_taken_out(&mixed.collect::<String>());
}

/// Base64 with padding, from scratch.
fn base64(bytes: &[u8]) -> String {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let number = (0..3).fold(0, |all, at| all << 8 | usize::from(*group.get(at).unwrap_or(&0)));
        for at in 0..4 {
            let digit = char::from(digits[number >> (18 - 6 * at) & 63]);
            out.push(if at <= group.len() { digit } else { '=' });
        }
    }
    out
}

#[test]
fn in_base64_at_every_alignment_no_bit_is_left() {
    let redactor = knows(&[("A", VALUE)]);
    for before in ["", "u", "us", "user:", "\u{7f}~", "ÿÿÿ"] {
        for after in ["", "~", "~\u{7f}", "after"] {
            let text = base64(format!("{before}{VALUE}{after}").as_bytes());
            // What has only bits of what is before and after it.
            let head = &text[..8 * before.len() / 6];
            let tail = &text[(8 * (before.len() + VALUE.len())).div_ceil(6)..];
            let expected = format!("Basic {head}[redacted:A]{tail}");
            let plain = format!("Basic {text}");
            let url = plain.replace('+', "-").replace('/', "_");
            for text in [&plain, plain.trim_end_matches('='), &url] {
                let expected = expected.replace('+', if text == url { "-" } else { "+" });
                let expected = expected.replace('/', if text == url { "_" } else { "/" });
                let expected = if text.ends_with('=') { &expected } else { expected.trim_end_matches('=') };
                assert_eq!(redactor.text(text), expected, "{text}");
            }
            for (from, to) in
                [("/", "\\/"), ("/", "%2F"), ("/", "%2f"), ("/", "\\u002f"), ("+", "%2B"), ("=", "%3D")]
            {
                let echoed = redactor.text(&plain.replace(from, to)).into_owned();
                assert_eq!(echoed, expected.replace(from, to).replace("[redacted%3DA]", "[redacted:A]"));
            }
        }
    }
}

/// With a line break after each so many digits.
fn wrapped(digits: &str, line: usize, line_break: &str) -> String {
    let lines: Vec<_> =
        digits.as_bytes().chunks(line).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    lines.join(line_break)
}

#[test]
fn in_digits_that_are_wrapped() {
    let hex: String = VALUE.bytes().map(|byte| format!("{byte:02x}")).collect();
    let redactor = knows(&[("A", VALUE)]);
    for line_break in BREAKS {
        for line in 1..40 {
            is_taken_out(&wrapped(&hex, line, line_break));
            for before in ["", "u", "us"] {
                let all = base64(format!("{before}{VALUE}").as_bytes());
                let text = wrapped(all.trim_end_matches('='), line, line_break);
                let out = redactor.text(&text).into_owned();
                assert!(out.len() < 12 + 2 * line_break.len() + before.len() + 4, "{text}: {out}");
                assert_eq!(out.matches("[redacted:A]").count(), 1, "{text}: {out}");
            }
        }
    }
    let mime = base64(format!("{}{VALUE}{}", "x".repeat(40), "y".repeat(40)).as_bytes());
    let mail = wrapped(&mime, 76, "\r\n");
    let json = wrapped(&mime, 60, "\\n");
    for text in [mail, json] {
        let out = redactor.text(&text).into_owned();
        assert_eq!(out.matches("[redacted:A]").count(), 1, "{text}: {out}");
    }
    for gap in GAPS {
        for bytes in [1, 2, 4] {
            is_taken_out(&wrapped(&hex, 2 * bytes, gap));
            is_taken_out(&wrapped(&hex.to_uppercase(), 2 * bytes, gap));
        }
        let odd = wrapped(&hex, 3, gap);
        assert_eq!(redactor.text(&odd), odd, "bytes are not parted in their middle");
    }
    // An empty line is not between the digits of one text.
    let apart = hex.replacen(&hex[..9], &format!("{}\n\n{}", &hex[..4], &hex[4..9]), 1);
    assert_eq!(redactor.text(&apart), apart);
    let plain = VALUE.replacen("p4ss", "p4\nss", 1);
    assert_eq!(redactor.text(&plain), plain, "what is not encoded has no line breaks");
}

#[test]
fn whatever_shares_a_bit_with_a_value_in_base64_says_nothing_of_it() {
    let redactor = knows(&[("A", "secret-8-more")]);
    for before in 1..3 {
        let mut outs: Vec<String> = Vec::new();
        for byte in 0x21..0x7f {
            let text = [vec![byte; before], b"secret-8-more".to_vec(), vec![byte; 2]].concat();
            outs.push(redactor.text(&base64(&text)).into_owned());
        }
        assert!(outs.iter().all(|out| out.contains("[redacted:A]")));
    }
}

#[test]
fn values_within_and_beside_each_other_leave_nothing() {
    let redactor = knows(&[("A", "abcdefgh"), ("B", "abcdefghij"), ("C", "ghijklmn"), ("D", "aaaaaaaa")]);
    let cases = [
        ("abcdefgh", "[redacted:A]"),
        ("abcdefghij", "[redacted:B]"),
        ("abcdefghijklmn", "[redacted:B]"),
        ("abcdefghi", "[redacted:A]i"),
        ("abcdefghabcdefgh", "[redacted:A][redacted:A]"),
        ("abcdefghghijklmn", "[redacted:A][redacted:C]"),
        ("aaaaaaaaaaaaaaaaaaa", "[redacted:D]"),
        ("aaaaaaa", "aaaaaaa"),
        ("aaaaaaaab", "[redacted:D]b"),
    ];
    for (text, expected) in cases {
        assert_eq!(redactor.text(text), expected);
    }
}

#[test]
fn what_is_almost_a_value_passes() {
    let redactor = knows(&[("A", VALUE)]);
    let hex: String = VALUE.bytes().map(|byte| format!("{byte:02x}")).collect();
    let percent: String = VALUE.bytes().map(|byte| format!("%{byte:02x}")).collect();
    for spelled in [VALUE, &hex, &percent, &base64(VALUE.as_bytes())] {
        let spelled = spelled.trim_end_matches('=');
        let last = spelled.char_indices().next_back().expect("not empty").0;
        let first = spelled.chars().next().expect("not empty").len_utf8();
        for text in [&spelled[..last], &spelled[first..], &format!("{}.{}", &spelled[..5], &spelled[6..])] {
            assert!(matches!(redactor.text(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }
    for text in ["%u0070", "&#112", "\\x70", "&#00000000112;"] {
        let text = format!("{text}{}", &VALUE[1..]);
        assert_eq!(redactor.text(&text), text);
    }
}

#[test]
fn a_marker_is_found_in_any_spelling() {
    let finder = knows(&[("marker", "${vault:")]);
    for body in [
        "a=${vault:X}",
        "a=%24%7Bvault%3AX%7D",
        "\\u0024{v\\u0061ult:",
        "&#36;{vault&#x3a;",
        "JHt2YXVsdDpYfQ==",
    ] {
        assert!(finder.finds(body.as_bytes()), "{body}");
    }
    for body in ["", "$", "${vault", "${vaul:t", "$ {vault:", "$%7Bvault%3"] {
        assert!(!finder.finds(body.as_bytes()), "{body}");
    }
}

#[test]
fn bytes_that_are_no_text_pass() {
    let redactor = knows(&[("A", VALUE)]);
    let all: Vec<u8> = (0..=255).cycle().take(5000).collect();
    assert_eq!(redactor.bytes(&all), all);
    let around = [&all[..], VALUE.as_bytes(), &all[..]].concat();
    let expected = [&all[..], b"[redacted:A]", &all[..]].concat();
    assert_eq!(show(&redactor.bytes(&around)), show(&expected));
}
