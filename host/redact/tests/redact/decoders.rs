//! Whoever wants a value that was taken out: the text is decoded as a whole, in every way, and looked through.

use super::oracle::ALPHABETS;

/// Whether a decoder brings a value out of the text.
pub(crate) fn bring_out(text: &[u8], value: &[u8]) -> bool {
    let views = [text.to_vec(), percent(text, false), percent(text, true), json(text), html(text)];
    views.iter().any(|view| {
        has(view, value)
            || (0..2).any(|from| hex(view, from).iter().any(|part| has(part, value)))
            || (0..4).any(|from| base64(view, from).iter().any(|part| has(part, value)))
    })
}

pub(crate) fn has(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    let digits = std::str::from_utf8(digits)
        .ok()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_alphanumeric()))?;
    u32::from_str_radix(digits, radix).ok()
}

/// Copies a text, but for what `escape` reads at a place: how long it is, and what it stands for.
fn decoded(text: &[u8], escape: impl Fn(&[u8]) -> Option<(usize, Vec<u8>)>) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let (len, meant) = escape(rest).unwrap_or_else(|| (1, vec![rest[0]]));
        out.extend(meant);
        rest = &rest[len..];
    }
    out
}

fn percent(text: &[u8], form: bool) -> Vec<u8> {
    decoded(text, |rest| match rest {
        [b'+', ..] if form => Some((1, b" ".to_vec())),
        [b'%', one, two, ..] => Some((3, vec![number(&[*one, *two], 16)? as u8])),
        _ => None,
    })
}

fn json(text: &[u8]) -> Vec<u8> {
    decoded(text, |rest| match rest {
        [b'\\', short @ (b'/' | b'"' | b'\\'), ..] => Some((2, vec![*short])),
        [b'\\', b'u', ..] => {
            let unit =
                |at: usize| number(rest.get(at..at + 6)?.strip_prefix(b"\\u")?, 16).map(|unit| unit as u16);
            let (one, two) = (unit(0)?, unit(6));
            if let Ok(char) = char::decode_utf16([one]).next()? {
                return Some((6, char.to_string().into_bytes()));
            }
            let char = char::decode_utf16([one, two?]).next()?.ok()?;
            Some((12, char.to_string().into_bytes()))
        }
        _ => None,
    })
}

fn html(text: &[u8]) -> Vec<u8> {
    decoded(text, |rest| {
        let end = rest.iter().take(14).position(|byte| *byte == b';')?;
        let char = match rest[..end].strip_prefix(b"&")? {
            [b'#', b'x' | b'X', digits @ ..] if digits.len() <= 10 => char::from_u32(number(digits, 16)?)?,
            [b'#', digits @ ..] if digits.len() <= 10 => char::from_u32(number(digits, 10)?)?,
            b"amp" => '&',
            b"lt" => '<',
            b"gt" => '>',
            b"quot" => '"',
            b"apos" => '\'',
            _ => return None,
        };
        Some((end + 1, char.to_string().into_bytes()))
    })
}

/// Every run of hexadecimal digits, without its first `from` ones.
fn hex(text: &[u8], from: usize) -> Vec<Vec<u8>> {
    let runs = text.split(|byte| !byte.is_ascii_hexdigit());
    let pairs =
        |run: &[u8]| run.chunks_exact(2).map(|pair| number(pair, 16).expect("digits") as u8).collect();
    runs.filter_map(|run| run.get(from..).map(pairs)).collect()
}

/// Every run of base64 digits, without its first `from` ones.
fn base64(text: &[u8], from: usize) -> Vec<Vec<u8>> {
    let digit = |byte: &u8| ALPHABETS.iter().find_map(|all| all.iter().position(|digit| digit == byte));
    let bytes = |run: &[u8]| {
        let bits: Vec<u8> = run
            .iter()
            .flat_map(|byte| format!("{:06b}", digit(byte).expect("a digit")).into_bytes())
            .collect();
        bits.chunks_exact(8).map(|bits| bits.iter().fold(0, |byte, bit| byte << 1 | (bit - b'0'))).collect()
    };
    let runs = text.split(|byte| digit(byte).is_none());
    runs.filter_map(|run| run.get(from..).map(bytes)).collect()
}
