//! The same work as the crate does, done slowly and in another way: every spelling that a character may have is written down
//! and compared, at every place of the text.

use std::collections::{BTreeSet, HashSet};

/// What should be found: where it begins, where it ends, and which value it is.
type Found = (usize, usize, usize);

/// One character of a form: what it may be as it is, what it may be through an escape, and, for the first byte of a
/// character of more than one, that character; and what may stand before it, where it is not the first.
struct Letter {
    plain: Vec<u8>,
    meant: Vec<u8>,
    char: Option<char>,
    between: &'static str,
}

pub(crate) struct Oracle {
    forms: Vec<(usize, Vec<Letter>)>,
}

impl Oracle {
    pub(crate) fn new(values: &[String]) -> Self {
        let of = |(index, value): (usize, &String)| {
            let all =
                [plain(value), hex(value)].into_iter().chain((0..3).map(|before| base64(value, before)));
            all.map(|form| (index, form)).collect::<Vec<_>>()
        };
        Self { forms: values.iter().enumerate().flat_map(of).collect() }
    }

    /// The text without the values, and how many replacements are in it.
    pub(crate) fn redacted(&self, text: &[u8], replacements: &[Vec<u8>]) -> (Vec<u8>, u64) {
        let mut found: Vec<Found> = Vec::new();
        for start in 0..text.len() {
            for (value, form) in &self.forms {
                found.extend(ends(form, text, start).into_iter().map(|end| (start, end, *value)));
            }
        }
        // Of those that begin together the longest comes first: what it owns stays its own.
        let mut owner = vec![None; text.len()];
        let mut begins = BTreeSet::new();
        let mut reach = 0;
        found.sort_by_key(|(start, end, value)| (*start, std::cmp::Reverse(*end), *value));
        for (start, end, value) in found {
            if start >= reach {
                begins.insert(start);
                owner[start] = Some(value);
            }
            for place in &mut owner[start..end] {
                *place = place.or(Some(value));
            }
            reach = reach.max(end);
        }
        let mut out = Vec::new();
        for (place, byte) in text.iter().enumerate() {
            match owner[place] {
                None => out.push(*byte),
                Some(value) if begins.contains(&place) => out.extend_from_slice(&replacements[value]),
                Some(_) => {}
            }
        }
        (out, begins.len() as u64)
    }
}

fn plain(value: &str) -> Vec<Letter> {
    let mut letters = Vec::new();
    for char in value.chars() {
        for (index, byte) in char.to_string().bytes().enumerate() {
            let plain = if byte == b' ' { b" +".to_vec() } else { vec![byte] };
            let char = (index == 0).then_some(char);
            letters.push(Letter { plain, meant: vec![byte], char, between: "" });
        }
    }
    letters
}

fn either_way(bytes: Vec<u8>) -> Letter {
    Letter { plain: bytes.clone(), meant: bytes, char: None, between: "\r\n" }
}

fn hex(value: &str) -> Vec<Letter> {
    let text: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
    let digit = |(at, byte): (usize, u8)| {
        let between = if at.is_multiple_of(2) { "\r\n :" } else { "\r\n" };
        Letter { between, ..either_way(vec![byte, byte.to_ascii_uppercase()]) }
    };
    text.bytes().enumerate().map(digit).collect()
}

/// From the bits as a text of zeros and ones, with question marks where a neighbour's are.
fn base64(value: &str, before: usize) -> Vec<Letter> {
    let mut bits = "?".repeat(8 * before);
    bits.extend(value.bytes().map(|byte| format!("{byte:08b}")));
    while !bits.len().is_multiple_of(6) {
        bits.push('?');
    }
    let bits = bits.as_bytes().chunks(6).filter(|digit| digit.iter().any(|bit| *bit != b'?'));
    bits.map(|wanted| {
        let fits = |digit: usize| {
            format!("{digit:06b}").bytes().zip(wanted).all(|(bit, wanted)| *wanted == b'?' || bit == *wanted)
        };
        either_way(
            (0..64).filter(|digit| fits(*digit)).flat_map(|digit| ALPHABETS.map(|all| all[digit])).collect(),
        )
    })
    .collect()
}

/// The two alphabets, digit by digit.
pub(crate) const ALPHABETS: [&[u8; 64]; 2] = [
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
];

/// Where a form that begins here may end.
fn ends(form: &[Letter], text: &[u8], start: usize) -> Vec<usize> {
    let (mut seen, mut rest, mut ends) = (HashSet::new(), vec![(0, start)], Vec::new());
    while let Some((letter, at)) = rest.pop() {
        if letter > 0 && !seen.insert((letter, at)) {
            continue;
        }
        let Some(next) = form.get(letter) else {
            ends.push(at);
            continue;
        };
        let mut from = vec![at];
        if letter > 0 {
            from.extend(parts(next.between, &text[at..]).iter().map(|len| at + len));
        }
        for at in from {
            rest.extend(steps(next, &text[at..]).iter().map(|(letters, len)| (letter + letters, at + len)));
        }
    }
    ends
}

/// How many letters what stands here takes, and how many bytes it has.
fn steps(letter: &Letter, text: &[u8]) -> Vec<(usize, usize)> {
    let Letter { plain, meant, char, .. } = letter;
    let mut steps = Vec::new();
    if text.first().is_some_and(|next| plain.contains(next)) {
        steps.push((1, 1));
    }
    for byte in meant {
        steps.extend(percent(text, *byte).map(|len| (1, len)));
        if byte.is_ascii() {
            steps.extend(escapes(text, char::from(*byte)).map(|len| (1, len)));
        }
    }
    if let Some(char) = char.filter(|char| !char.is_ascii()) {
        steps.extend(escapes(text, char).map(|len| (char.len_utf8(), len)));
    }
    steps
}

/// The lengths of what parts two digits here: one of these characters, or CR and LF.
fn parts(between: &str, text: &[u8]) -> Vec<usize> {
    let mut all: Vec<usize> = between.chars().flat_map(|char| part(text, char)).collect();
    if between.contains('\r') {
        for len in part(text, '\r') {
            all.extend(part(&text[len..], '\n').iter().map(|more| len + more));
        }
    }
    all
}

fn part(text: &[u8], char: char) -> Vec<usize> {
    let short =
        [('\r', b"\\r"), ('\n', b"\\n")].iter().any(|(of, short)| *of == char && text.starts_with(*short));
    let mut all: Vec<usize> = escapes(text, char).chain(percent(text, char as u8)).collect();
    all.extend((text.first() == Some(&(char as u8))).then_some(1));
    all.extend(short.then_some(2));
    all
}

fn percent(text: &[u8], byte: u8) -> Option<usize> {
    text.get(..3)?.eq_ignore_ascii_case(format!("%{byte:02x}").as_bytes()).then_some(3)
}

/// The lengths of the escapes for a whole character that stand here.
fn escapes(text: &[u8], char: char) -> impl Iterator<Item = usize> {
    let short = ['/', '"', '\\'].contains(&char) && text.starts_with(&[b'\\', char as u8]);
    let names = [('&', "&amp;"), ('<', "&lt;"), ('>', "&gt;"), ('"', "&quot;"), ('\'', "&apos;")];
    let name = names.iter().find(|(of, _)| *of == char).map_or("-", |(_, name)| name);
    let named =
        text.get(..name.len()).is_some_and(|text| text.eq_ignore_ascii_case(name.as_bytes()) && name != "-");
    let mut long = 0;
    for unit in char.encode_utf16(&mut [0; 2]) {
        let here = text.get(long..long + 6).filter(|here| here.starts_with(b"\\u"));
        match here.filter(|here| here[2..].eq_ignore_ascii_case(format!("{unit:04x}").as_bytes())) {
            Some(_) => long += 6,
            None => {
                long = 0;
                break;
            }
        }
    }
    let lengths =
        [short.then_some(2), named.then_some(name.len()), (long > 0).then_some(long), number(text, char)];
    lengths.into_iter().flatten()
}

fn number(text: &[u8], char: char) -> Option<usize> {
    let end = text.iter().take(14).position(|byte| *byte == b';')?;
    let text = std::str::from_utf8(&text[..end]).ok()?.strip_prefix("&#")?;
    let (digits, radix) = match text.strip_prefix(['x', 'X']) {
        Some(digits) => (digits, 16),
        None => (text, 10),
    };
    let good = (1..=10).contains(&digits.len()) && !digits.starts_with(['+', '-']);
    (good && u64::from_str_radix(digits, radix).ok()? == u64::from(u32::from(char))).then_some(end + 1)
}
