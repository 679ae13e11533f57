//! Texts with escaped characters, one unit after the other.

/// A way of escaping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Escape {
    /// `%41` (RFC 3986 section 2.1).
    Percent,
    /// The same, and `+` for a space (WHATWG URL section 5).
    Form,
    /// `\u0041`, `\/` (RFC 8259 section 7).
    Json,
    /// `&#65;`, `&#x41;`, `&amp;` (WHATWG HTML section 13.5).
    Html,
}

/// What a unit stands for: up to four bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unit {
    /// How many bytes it takes in the text.
    pub(crate) width: usize,
    bytes: [u8; 4],
    count: usize,
}

/// Digits of a character reference that are read.
const DIGITS: usize = 8;

/// Named characters of ASCII that something might escape.
const NAMES: [(&[u8], u8); 33] = [
    (b"amp;", b'&'),
    (b"lt;", b'<'),
    (b"gt;", b'>'),
    (b"quot;", b'"'),
    (b"apos;", b'\''),
    (b"excl;", b'!'),
    (b"num;", b'#'),
    (b"dollar;", b'$'),
    (b"percnt;", b'%'),
    (b"lpar;", b'('),
    (b"rpar;", b')'),
    (b"ast;", b'*'),
    (b"plus;", b'+'),
    (b"comma;", b','),
    (b"period;", b'.'),
    (b"sol;", b'/'),
    (b"colon;", b':'),
    (b"semi;", b';'),
    (b"equals;", b'='),
    (b"quest;", b'?'),
    (b"commat;", b'@'),
    (b"lsqb;", b'['),
    (b"lbrack;", b'['),
    (b"bsol;", b'\\'),
    (b"rsqb;", b']'),
    (b"rbrack;", b']'),
    (b"Hat;", b'^'),
    (b"lowbar;", b'_'),
    (b"grave;", b'`'),
    (b"lcub;", b'{'),
    (b"verbar;", b'|'),
    (b"vert;", b'|'),
    (b"rcub;", b'}'),
];

impl Unit {
    fn byte(width: usize, byte: u8) -> Self {
        Self { width, bytes: [byte, 0, 0, 0], count: 1 }
    }

    fn char(width: usize, char: char) -> Self {
        let mut bytes = [0; 4];
        let count = char.encode_utf8(&mut bytes).len();
        Self { width, bytes, count }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.count]
    }
}

impl Escape {
    /// Where in the text the next escape may begin.
    pub(crate) fn next(self, text: &[u8]) -> Option<usize> {
        match self {
            Self::Percent => memchr::memchr(b'%', text),
            Self::Form => memchr::memchr2(b'%', b'+', text),
            Self::Json => memchr::memchr(b'\\', text),
            Self::Html => memchr::memchr(b'&', text),
        }
    }

    /// The unit that the text begins with; `None` where the text ends before it is known which.
    pub(crate) fn unit(self, text: &[u8], last: bool) -> Option<Unit> {
        let plain = Unit::byte(1, *text.first()?);
        let read = match (self, text[0]) {
            (Self::Percent | Self::Form, b'%') => percent(&text[1..]),
            (Self::Form, b'+') => return Some(Unit::byte(1, b' ')),
            (Self::Json, b'\\') => json(&text[1..]),
            (Self::Html, b'&') => html(&text[1..]),
            _ => return Some(plain),
        };
        match read {
            Read::Unit(unit) => Some(unit),
            Read::Plain => Some(plain),
            Read::Unfinished => last.then_some(plain),
        }
    }
}

enum Read {
    Unit(Unit),
    /// Not an escape.
    Plain,
    /// It may yet be one.
    Unfinished,
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |sum, digit| Some(sum << 4 | char::from(*digit).to_digit(16)?))
}

fn percent(rest: &[u8]) -> Read {
    let digits = &rest[..rest.len().min(2)];
    match hex(digits) {
        None => Read::Plain,
        Some(_) if digits.len() < 2 => Read::Unfinished,
        Some(byte) => Read::Unit(Unit::byte(3, byte as u8)),
    }
}

fn json(rest: &[u8]) -> Read {
    let simple = match rest.first() {
        None => return Read::Unfinished,
        Some(b'u') => return unicode(&rest[1..]),
        Some(b'n') => b'\n',
        Some(b'r') => b'\r',
        Some(b't') => b'\t',
        Some(b'b') => 8,
        Some(b'f') => 12,
        Some(byte @ (b'"' | b'\\' | b'/')) => *byte,
        Some(_) => return Read::Plain,
    };
    Read::Unit(Unit::byte(2, simple))
}

/// After `\u`.
fn unicode(rest: &[u8]) -> Read {
    let digits = &rest[..rest.len().min(4)];
    let unit = match hex(digits) {
        None => return Read::Plain,
        Some(_) if digits.len() < 4 => return Read::Unfinished,
        Some(unit) => unit,
    };
    if !(0xd800..0xdc00).contains(&unit) {
        return char::from_u32(unit).map_or(Read::Plain, |char| Read::Unit(Unit::char(6, char)));
    }
    // The first half of a pair.
    let second = &rest[4..];
    let begins = second.iter().zip(b"\\u").all(|(a, b)| a == b);
    let digits = second.get(2..second.len().min(6)).unwrap_or_default();
    match hex(digits) {
        Some(_) if begins && digits.len() < 4 => Read::Unfinished,
        Some(low @ 0xdc00..0xe000) if begins => {
            let char = char::from_u32(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
            char.map_or(Read::Plain, |char| Read::Unit(Unit::char(12, char)))
        }
        _ => Read::Plain,
    }
}

fn html(rest: &[u8]) -> Read {
    if rest.first() == Some(&b'#') {
        return number(&rest[1..]);
    }
    for (name, byte) in NAMES {
        if rest.starts_with(name) {
            return Read::Unit(Unit::byte(1 + name.len(), byte));
        }
        if name.starts_with(rest) {
            return Read::Unfinished;
        }
    }
    Read::Plain
}

/// After `&#`.
fn number(rest: &[u8]) -> Read {
    let (radix, mark) = match rest.first() {
        None => return Read::Unfinished,
        Some(b'x' | b'X') => (16, 1),
        Some(_) => (10, 0),
    };
    let digits = &rest[mark..];
    let count = digits.iter().take_while(|digit| char::from(**digit).is_digit(radix)).count();
    if count > DIGITS {
        return Read::Plain;
    }
    match digits.get(count) {
        None => return Read::Unfinished,
        Some(b';') => {}
        Some(_) => return Read::Plain,
    }
    let text = std::str::from_utf8(&digits[..count]).unwrap_or_default();
    let char = u32::from_str_radix(text, radix).ok().and_then(char::from_u32);
    char.map_or(Read::Plain, |char| Read::Unit(Unit::char(3 + mark + count, char)))
}
