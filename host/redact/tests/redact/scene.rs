//! Values and a text with some of them in it, made from a list of choices; and all that has to hold of them.

use bytes::Bytes;
use packhost_redact::Redactor;

use super::decoders::bring_out;
use super::oracle::{ALPHABETS, Oracle};

/// Bytes that something else chose; zeros when they are used up.
pub(crate) struct Choices<'a>(pub(crate) &'a [u8]);

impl Choices<'_> {
    /// A number less than `bound`, which is 256 at the most.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        usize::from(*first) % bound
    }

    fn of<'b, T: ?Sized>(&mut self, all: &[&'b T]) -> &'b T {
        all[self.below(all.len())]
    }
}

#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) values: Vec<String>,
    pub(crate) text: Vec<u8>,
    /// How long the parts are, over and over.
    pub(crate) cuts: Vec<usize>,
}

/// Characters that escapes begin with, consist of or are made for.
const CHARACTERS: [&str; 24] = [
    "a", "b", "A", "2", "5", "c", "%", "\\", "&", "#", "+", " ", "/", "\"", "<", "'", "é", "😀", "=", ";",
    "u", "0", "-", "]",
];

impl Scene {
    pub(crate) fn new(choices: &mut Choices<'_>) -> Self {
        let mut values: Vec<String> = Vec::new();
        for _ in 0..1 + choices.below(4) {
            let last = values.last().cloned();
            values.push(value(choices, last.as_deref()));
        }
        let cuts = (0..1 + choices.below(4)).map(|_| 1 + choices.below(30)).collect();
        let mut text = Vec::new();
        while !choices.0.is_empty() && text.len() < 600 {
            let value = &values[choices.below(values.len())];
            match choices.below(6) {
                0 => text.extend_from_slice(choices.of(&CHARACTERS).as_bytes()),
                1 => text.push(choices.0.first().copied().unwrap_or(0)),
                2 => {
                    // All but its last bytes, or all but its first.
                    let spelled = spelled(choices, value);
                    let cut = 1 + choices.below(4);
                    let parts = [&spelled[..spelled.len() - cut], &spelled[cut..]];
                    text.extend_from_slice(parts[choices.below(2)]);
                }
                _ => text.extend(spelled(choices, value)),
            }
        }
        Self { values, text, cuts }
    }

    /// The redactor does what the oracle does, however the text is cut.
    pub(crate) fn check(&self) {
        let labels: Vec<String> = (0..self.values.len()).map(|index| format!("S{index}")).collect();
        let pairs = labels.iter().zip(&self.values).map(|(label, value)| (label.as_str(), value.as_bytes()));
        let redactor = Redactor::new(pairs).expect("good values");
        // In hexadecimal, because a value as it stands may be an escaped spelling of another.
        let hex = |value: &String| value.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
        let replacements: Vec<Vec<u8>> =
            self.values.iter().map(|value| redactor.bytes(hex(value).as_bytes()).into_owned()).collect();
        let (expected, count) = Oracle::new(&self.values).redacted(&self.text, &replacements);

        let out = redactor.bytes(&self.text);
        assert_eq!(show(&out), show(&expected), "{self:?}");
        assert_eq!(redactor.finds(&self.text), count > 0);
        assert_eq!(
            matches!(out, std::borrow::Cow::Borrowed(_)),
            count == 0,
            "a text without a value is not copied"
        );
        for value in &self.values {
            assert!(!bring_out(&out, value.as_bytes()), "{value:?} is left in {}", show(&out));
        }
        assert_eq!(show(&redactor.bytes(&out)), show(&out), "a second time changes nothing");

        let (parts, found) = self.in_parts(&redactor);
        assert_eq!(show(&parts), show(&expected), "{self:?}");
        assert_eq!(found, count);
        if let Ok(text) = std::str::from_utf8(&self.text) {
            assert_eq!(redactor.text(text).as_bytes(), &*out, "whole characters are cut out of a text");
        }
    }

    fn in_parts(&self, redactor: &Redactor) -> (Vec<u8>, u64) {
        let (mut out, mut rest, mut stream) = (Vec::new(), &self.text[..], redactor.stream());
        for cut in self.cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (part, after) = rest.split_at((*cut).min(rest.len()));
            out.extend_from_slice(&stream.push(Bytes::copy_from_slice(part)));
            rest = after;
        }
        out.extend_from_slice(&stream.finish());
        (out, stream.found())
    }
}

pub(crate) fn show(text: &[u8]) -> String {
    text.escape_ascii().to_string()
}

/// Made of few characters, so that it looks like itself, like an escape and like the one before it.
fn value(choices: &mut Choices<'_>, last: Option<&str>) -> String {
    let mut value = match (choices.below(6), last) {
        (0, Some(last)) => last.to_owned(),
        (1, Some(last)) => last.chars().skip(1 + choices.below(3)).collect(),
        (2, Some(last)) => format!("{}{last}", choices.of(&CHARACTERS)),
        (3, _) => choices.of(&CHARACTERS).repeat(8),
        (4, _) => format!("{0}{1}{0}{1}", choices.of(&CHARACTERS), choices.of(&CHARACTERS)).repeat(2),
        _ => String::new(),
    };
    for _ in 0..choices.below(8) {
        value.push_str(choices.of(&CHARACTERS));
    }
    while value.len() < Redactor::MIN {
        value.push_str(choices.of(&CHARACTERS));
    }
    value
}

/// What encoders write between bytes in hexadecimal, and what that is when it was escaped.
pub(crate) const GAPS: [&str; 4] = [" ", ":", "%20", "&#58;"];

/// Line breaks as encoders write them, and as they are when they were escaped.
pub(crate) const BREAKS: [&str; 9] =
    ["\n", "\r\n", "\r", "\\n", "\\r\\n", "%0A", "%0d%0a", "&#xD;\n", "\\u000d&#10;"];

/// A value in one of its forms, with some of the characters escaped, and with what encoders write between digits.
pub(crate) fn spelled(choices: &mut Choices<'_>, value: &str) -> Vec<u8> {
    let kind = choices.below(4);
    let form = match kind {
        0 => value.bytes().map(|byte| format!("{byte:02x}")).collect(),
        1 => {
            let (before, after) = (&"xyz"[..choices.below(3)], &"xyz"[..choices.below(3)]);
            encoded(choices, format!("{before}{value}{after}").as_bytes())
        }
        _ => value.to_owned(),
    };
    let density = [1, 2, 5, 255][choices.below(4)];
    let line = if kind < 2 { [usize::MAX, 1, 2, 7][choices.below(4)] } else { usize::MAX };
    let all: &[&str] = if kind == 0 && choices.below(2) == 1 { &GAPS } else { &BREAKS };
    let mut out = Vec::new();
    for (at, char) in form.chars().enumerate() {
        if at > 0 && at.is_multiple_of(line) {
            out.extend_from_slice(choices.of(all).as_bytes());
        }
        if choices.below(density) == 0 {
            out.extend(escaped(choices, char));
        } else {
            out.extend_from_slice(char.to_string().as_bytes());
        }
    }
    out
}

/// In base64, each digit in one of its two spellings, without padding.
fn encoded(choices: &mut Choices<'_>, bytes: &[u8]) -> String {
    let mut bits: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
    while !bits.len().is_multiple_of(6) {
        bits.push('0');
    }
    let digits = bits
        .as_bytes()
        .chunks(6)
        .map(|bits| bits.iter().fold(0, |all, bit| all << 1 | usize::from(bit - b'0')));
    let digits = digits.map(|digit| char::from(ALPHABETS[choices.below(2)][digit]));
    digits.collect()
}

fn escaped(choices: &mut Choices<'_>, char: char) -> Vec<u8> {
    let code = u32::from(char);
    let short = match char {
        ' ' => "+",
        '/' => "\\/",
        '"' => "\\\"",
        '\\' => "\\\\",
        '&' => "&amp;",
        '<' => "&lt;",
        '\'' => "&apos;",
        _ => "",
    };
    let units =
        |write: fn(u16) -> String| char.encode_utf16(&mut [0; 2]).iter().map(|unit| write(*unit)).collect();
    let bytes = |write: fn(u8) -> String| char.to_string().bytes().map(write).collect();
    let text: String = match choices.below(9) {
        0 => bytes(|byte| format!("%{byte:02x}")),
        1 => bytes(|byte| format!("%{byte:02X}")),
        2 => units(|unit| format!("\\u{unit:04x}")),
        3 => units(|unit| format!("\\u{unit:04X}")),
        4 => format!("&#{code};"),
        5 => format!("&#x{code:x};"),
        6 => format!("&#X{code:010X};"),
        7 => format!("&#{code:010};"),
        _ if short.is_empty() => char.to_string(),
        _ => short.to_owned(),
    };
    text.into_bytes()
}
