//! Every spelling, one by one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::redactor;
use super::spelt::{Scheme, escaped, readable, wrapped};

const VALUES: [&str; 6] = [
    "ghp_AbC123xyzAbC123xyzAbC123xyzAbC123xyz",
    "pass/word+with=\"signs\"&<more>\\",
    "pässwörd 𝄞 with spaces",
    "12345678",
    "aaaaaaaaaaaaaaaa",
    "%41%42%43&amp;\\u0041",
];

#[test]
fn each_spelling_is_found_and_replaced() {
    for value in VALUES {
        let redactor = redactor(value);
        let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
        let mut spellings =
            vec![value.to_owned(), hex.to_uppercase(), hex, serde_json::json!(value).to_string()];
        for scheme in [Scheme::Percent, Scheme::Json, Scheme::Html] {
            for upper in [false, true] {
                spellings.push(escaped(value, scheme, upper, |_| true));
                spellings.push(escaped(value, scheme, upper, |at| at % 2 == 0));
                spellings.push(escaped(value, scheme, upper, |at| at + 1 == value.chars().count()));
                spellings.push(escaped(value, scheme, upper, |at| at == 0));
            }
        }
        for spelling in spellings {
            for (before, after) in
                [("", ""), ("x", "y"), ("token=", "&more"), ("\\\\", "\\"), ("100% ", "%2"), ("a & ", "&#")]
            {
                let text = format!("{before}{spelling}{after}");
                let clean = redactor.text(&text);
                assert!(clean.contains("[redacted:KEY]"), "{text} became {clean}");
                assert!(!readable(clean.as_bytes(), value), "{text} became {clean}");
                assert!(
                    clean.len() <= before.len() + after.len() + "\"[redacted:KEY]\"".len(),
                    "{text} became {clean}"
                );
            }
        }
    }
}

#[test]
fn a_form_writes_spaces_as_plus() {
    let value = "two words, three words";
    assert_eq!(redactor(value).text("a=two+words%2C+three+words&b=1"), "a=[redacted:KEY]&b=1");
    assert_eq!(redactor("two+words+plus").text("a=two+words+plus"), "a=[redacted:KEY]");
}

#[test]
fn base64_is_found_at_every_alignment() {
    for value in VALUES {
        let redactor = redactor(value);
        for before in 0..7 {
            for after in 0..4 {
                for url_safe in [false, true] {
                    let text = wrapped(before, value, after, url_safe);
                    let clean = redactor.text(&text).into_owned();
                    assert!(clean.contains("[redacted:KEY]"), "{value} after {before}: {text}");
                    // What is left is characters that hold bits of the neighbours, and of the value at most the first four.
                    let (left, right) = clean.split_once("[redacted:KEY]").expect("the label");
                    assert_eq!(left.len(), (before * 8).div_ceil(6), "{value} after {before}: {clean}");
                    let padding = right.trim_end_matches('=').len();
                    assert!(padding <= (after * 8).div_ceil(6), "{value} before {after}: {clean}");
                }
            }
        }
    }
}

#[test]
fn base64_is_found_where_its_own_characters_are_escaped() {
    let value = "pass/word???>>>>~~~~\u{7f}\u{ff}\u{fe}ÿÿÿ";
    let redactor = redactor(value);
    let basic = STANDARD.encode(format!("user:{value}"));
    assert!(basic.contains('/') || basic.contains('+'), "{basic} has nothing to escape");
    for text in [
        format!("Basic {basic}"),
        basic.replace('/', "\\/"),
        basic.replace('/', "%2F").replace('+', "%2b").replace('=', "%3D"),
        basic.replace('/', "&#x2F;").replace('+', "&#43;"),
    ] {
        let clean = redactor.text(&text);
        assert!(clean.contains("[redacted:KEY]"), "{text} became {clean}");
    }
}

#[test]
fn near_misses_come_through_unchanged() {
    for value in VALUES {
        let redactor = redactor(value);
        let mut end = value.len() - 1;
        while !value.is_char_boundary(end) {
            end -= 1;
        }
        let short = &value[..end];
        let hex: String = short.bytes().map(|byte| format!("{byte:02x}")).collect();
        for text in [
            short.to_owned(),
            value.to_uppercase().to_lowercase().replace('a', "b"),
            escaped(short, Scheme::Json, true, |_| true),
            escaped(short, Scheme::Percent, true, |_| true),
            wrapped(0, short, 0, false),
            hex,
        ] {
            let same = if text.contains(value) { redactor.text("") } else { redactor.text(&text) };
            assert!(text.contains(value) || same == text, "{text} became {same}");
        }
    }
}
