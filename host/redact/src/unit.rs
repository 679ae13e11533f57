//! One escape in a text: what it is and what it stands for; and what encoders write between digits. Owns the three schemes, and
//! how long an escape may be. Decides nothing about values.

/// The longest escape, in bytes: `&#x`, ten digits, `;`.
pub(crate) const LONGEST: usize = 3 + DIGITS + 1;

/// The most digits of a numeric character reference, leading zeros included. Ten are a 32-bit number in full width.
const DIGITS: usize = 10;

/// What a text has at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Read {
    /// An escape.
    Unit(Unit),
    /// The beginning of an escape: the text ends before it does.
    Partial,
    /// No escape.
    None,
}

/// An escape that is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unit {
    /// How many bytes of the text it takes.
    pub(crate) len: usize,
    bytes: [u8; 4],
    count: usize,
}

impl Unit {
    fn byte(len: usize, byte: u8) -> Self {
        Self { len, bytes: [byte, 0, 0, 0], count: 1 }
    }

    fn char(len: usize, char: char) -> Self {
        let mut bytes = [0; 4];
        let count = char.encode_utf8(&mut bytes).len();
        Self { len, bytes, count }
    }

    /// What it stands for: one byte, or the bytes of one character in UTF-8.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.count]
    }

    /// The first of them.
    pub(crate) fn first(&self) -> u8 {
        self.bytes[0]
    }
}

/// Whether an escape can begin with this byte.
pub(crate) fn is_lead(byte: u8) -> bool {
    matches!(byte, b'%' | b'\\' | b'&')
}

/// Reads an escape at the start of the text.
pub(crate) fn read(text: &[u8]) -> Read {
    match text.first() {
        Some(b'%') => percent(text),
        Some(b'\\') => json(text),
        Some(b'&') => reference(text),
        _ => Read::None,
    }
}

/// Whether what stands between two digits can begin with this byte.
pub(crate) fn may_part(byte: u8) -> bool {
    is_between(byte) || is_lead(byte)
}

/// Whether what stands between two digits may be here, from the first two bytes alone: escapes for it begin in few ways.
pub(crate) fn may_part_here(text: &[u8]) -> bool {
    match text {
        [b'%', next, ..] => matches!(next, b'0' | b'2' | b'3'),
        [b'\\', next, ..] => matches!(next, b'r' | b'n' | b'u'),
        [b'&', next, ..] => *next == b'#',
        _ => true,
    }
}

/// What ends a line, and what dumps have between bytes.
fn is_between(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n' | b' ' | b':')
}

/// Reads what encoders write between the digits of a long text, and decoders pass over: a line break, which is CR, LF or both
/// (RFC 2045 section 6.8); or, between bytes in hexadecimal, a space or a colon. Each may be an escape. It means its last
/// character.
pub(crate) fn between(text: &[u8]) -> Read {
    let first = match one_between(text) {
        Read::Unit(unit) if unit.first() == b'\r' => unit,
        other => return other,
    };
    match one_between(&text[first.len..]) {
        Read::Unit(second) if second.first() == b'\n' => {
            Read::Unit(Unit::byte(first.len + second.len, b'\n'))
        }
        Read::Partial => Read::Partial,
        Read::Unit(_) | Read::None => Read::Unit(first),
    }
}

/// One of these characters.
fn one_between(text: &[u8]) -> Read {
    match text {
        [] => Read::Partial,
        [byte, ..] if is_between(*byte) => Read::Unit(Unit::byte(1, *byte)),
        [b'\\', b'r', ..] => Read::Unit(Unit::byte(2, b'\r')),
        [b'\\', b'n', ..] => Read::Unit(Unit::byte(2, b'\n')),
        _ => match read(text) {
            Read::Unit(unit) if !is_between(unit.first()) => Read::None,
            read => read,
        },
    }
}

/// RFC 3986 section 2.1.
fn percent(text: &[u8]) -> Read {
    match hexadecimal(&text[1..], 2) {
        Digits::All(byte) => Read::Unit(Unit::byte(3, byte.to_le_bytes()[0])),
        Digits::Partial => Read::Partial,
        Digits::None => Read::None,
    }
}

/// RFC 8259 section 7. The short escapes of control characters are left out: no value has one in it.
fn json(text: &[u8]) -> Read {
    match text.get(1) {
        None => Read::Partial,
        Some(byte @ (b'"' | b'\\' | b'/')) => Read::Unit(Unit::byte(2, *byte)),
        Some(b'u') => match hexadecimal(&text[2..], 4) {
            Digits::All(high @ 0xd800..=0xdbff) => surrogate(&text[6..], high),
            Digits::All(code) => {
                char::from_u32(code).map_or(Read::None, |char| Read::Unit(Unit::char(6, char)))
            }
            Digits::Partial => Read::Partial,
            Digits::None => Read::None,
        },
        Some(_) => Read::None,
    }
}

/// The second half of a pair.
fn surrogate(text: &[u8], high: u32) -> Read {
    if !text.starts_with(b"\\u") {
        return if b"\\u".starts_with(text) { Read::Partial } else { Read::None };
    }
    match hexadecimal(&text[2..], 4) {
        Digits::All(low @ 0xdc00..=0xdfff) => {
            let code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
            char::from_u32(code).map_or(Read::None, |char| Read::Unit(Unit::char(12, char)))
        }
        Digits::Partial => Read::Partial,
        Digits::All(_) | Digits::None => Read::None,
    }
}

enum Digits {
    All(u32),
    Partial,
    None,
}

/// So many hexadecimal digits, eight at the most.
fn hexadecimal(text: &[u8], count: usize) -> Digits {
    let mut value = 0;
    for byte in text.iter().take(count) {
        let Some(digit) = char::from(*byte).to_digit(16) else { return Digits::None };
        value = value << 4 | digit;
    }
    if text.len() < count { Digits::Partial } else { Digits::All(value) }
}

/// The character references of HTML: by number, and the five that every escaping function writes by name. With `;` alone,
/// which is how they are written.
fn reference(text: &[u8]) -> Read {
    match text.get(1) {
        None => Read::Partial,
        Some(b'#') => match text.get(2) {
            None => Read::Partial,
            Some(b'x' | b'X') => numeric(text, 3, 16),
            Some(_) => numeric(text, 2, 10),
        },
        Some(_) => named(&text[1..]),
    }
}

fn numeric(text: &[u8], from: usize, radix: u32) -> Read {
    let mut value: u64 = 0;
    for count in 0..=DIGITS {
        let len = from + count;
        let Some(byte) = text.get(len) else { return Read::Partial };
        if *byte == b';' && count > 0 {
            let char = u32::try_from(value).ok().and_then(char::from_u32);
            return char.map_or(Read::None, |char| Read::Unit(Unit::char(len + 1, char)));
        }
        let Some(digit) = char::from(*byte).to_digit(radix) else { return Read::None };
        // Eleven hexadecimal digits are 44 bits.
        value = value * u64::from(radix) + u64::from(digit);
    }
    Read::None
}

fn named(text: &[u8]) -> Read {
    const NAMES: [(&[u8], u8); 5] =
        [(b"amp;", b'&'), (b"lt;", b'<'), (b"gt;", b'>'), (b"quot;", b'"'), (b"apos;", b'\'')];
    let mut partial = false;
    for (name, byte) in NAMES {
        let head = &text[..text.len().min(name.len())];
        // `&AMP;` and three others are references too (HTML, section 13.5).
        if head.eq_ignore_ascii_case(name) {
            return Read::Unit(Unit::byte(1 + name.len(), byte));
        }
        partial |= head.eq_ignore_ascii_case(&name[..head.len()]);
    }
    if partial { Read::Partial } else { Read::None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_as(text: &str) -> Option<(usize, Vec<u8>)> {
        match read(text.as_bytes()) {
            Read::Unit(unit) => Some((unit.len, unit.bytes().to_vec())),
            Read::Partial | Read::None => None,
        }
    }

    const WHOLE: [(&str, &str); 18] = [
        ("%41", "A"),
        ("%2f", "/"),
        ("%2F", "/"),
        ("\\/", "/"),
        ("\\\"", "\""),
        ("\\\\", "\\"),
        ("\\u0041", "A"),
        ("\\u00E9", "é"),
        ("\\u00e9", "é"),
        ("\\ud83d\\uDE00", "😀"),
        ("&#65;", "A"),
        ("&#0000000065;", "A"),
        ("&#x41;", "A"),
        ("&#X0000000041;", "A"),
        ("&#128512;", "😀"),
        ("&amp;", "&"),
        ("&quot;", "\""),
        ("&LT;", "<"),
    ];

    #[test]
    fn each_escape_is_read_in_its_length_and_every_part_of_it_waits_for_more() {
        for (text, meant) in WHOLE {
            assert!(text.len() <= LONGEST, "{text}");
            let expected = Some((text.len(), meant.as_bytes().to_vec()));
            assert_eq!(read_as(text), expected, "{text}");
            assert_eq!(read_as(&format!("{text};41")), expected, "{text}");
            for end in 1..text.len() {
                assert_eq!(read(&text.as_bytes()[..end]), Read::Partial, "{}", &text[..end]);
            }
        }
    }

    #[test]
    fn what_parts_digits_is_read_in_its_length_in_every_spelling() {
        let (returns, feeds) =
            (["\r", "\\r", "%0d", "\\u000D", "&#13;"], ["\n", "\\n", "%0A", "\\u000a", "&#xA;"]);
        let both = returns.iter().flat_map(|one| feeds.map(|two| format!("{one}{two}")));
        for text in both.chain(returns.iter().chain(&feeds).map(|one| (*one).to_owned())) {
            for after in ["QUJD", "\\u0041", "\r\r", "%41", ";"] {
                let text_after = format!("{text}{after}");
                let Read::Unit(unit) = between(text_after.as_bytes()) else { panic!("{text_after:?}") };
                assert_eq!(unit.len, text.len(), "{text_after:?}");
            }
            for end in 1..text.len() {
                assert_ne!(between(&text.as_bytes()[..end]), Read::None, "{text:?} to {end}");
            }
        }
        assert_eq!(between(b"\r"), Read::Partial, "a line feed may follow");
        assert_eq!(between(b"\r%0"), Read::Partial);
        for text in [" ", ":", "%20", "\\u003a", "&#x20;"] {
            let Read::Unit(unit) = between(format!("{text} :").as_bytes()) else { panic!("{text}") };
            assert_eq!(unit.len, text.len(), "one alone: {text}");
        }
        for text in ["A", "\\t", "\\\\n", "%0C", "&#33;", "\\u0041", "&lt;"] {
            assert_eq!(between(text.as_bytes()), Read::None, "{text}");
        }
    }

    #[test]
    fn what_is_no_escape_is_not_waited_for() {
        let wrong = [
            "",
            "A",
            "%g",
            "%4g",
            "\\n",
            "\\x",
            "\\u004g",
            "\\udc00",
            "\\ud83dx",
            "\\ud83d\\n",
            "\\ud83d\\u0041",
            "&#;",
            "&#x;",
            "&#g",
            "&#xg",
            "&#65x",
            "&#00000000065;",
            "&#x110000;",
            "&#xd800;",
            "&#xffffffffff;",
            "&;",
            "&copy;",
            "&ampx",
            "&am;",
        ];
        for text in wrong {
            assert_eq!(read(text.as_bytes()), Read::None, "{text}");
        }
    }
}
