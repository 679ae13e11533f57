//! The extended records in front of a member (POSIX.1-2001, pax, "pax Extended Header").

use super::Time;

/// What extended records say that counts here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Records {
    pub(super) path: Option<Vec<u8>>,
    pub(super) target: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) modified: Option<Time>,
    /// The member is a file with holes, in one of GNU tar's ways.
    pub(super) sparse: bool,
}

impl Records {
    /// Takes records; `None` where they are none. Each is its own length in decimal digits, a space, `key=value`, and a
    /// newline.
    pub(super) fn take(&mut self, mut bytes: &[u8]) -> Option<()> {
        while !bytes.is_empty() {
            let space = bytes.iter().position(|byte| *byte == b' ')?;
            let length: usize = digits(&bytes[..space])?;
            let record = bytes.get(space + 1..length)?.strip_suffix(b"\n")?;
            let equals = record.iter().position(|byte| *byte == b'=')?;
            self.record(&record[..equals], &record[equals + 1..])?;
            bytes = &bytes[length..];
        }
        Some(())
    }

    /// An empty value takes back what was said before.
    fn record(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let given = !value.is_empty();
        match key {
            b"path" => self.path = given.then(|| value.to_vec()),
            b"linkpath" => self.target = given.then(|| value.to_vec()),
            b"size" => self.size = if given { Some(digits(value)?) } else { None },
            b"mtime" => self.modified = if given { Some(time(value)?) } else { None },
            key if key.starts_with(b"GNU.sparse.") => self.sparse = true,
            _ => {}
        }
        Some(())
    }
}

/// Appends a record.
pub(super) fn write(to: &mut Vec<u8>, key: &str, value: &[u8]) {
    let rest = key.len() + value.len() + " =\n".len();
    // The length counts its own digits.
    let mut length = rest + 1;
    while rest + length.to_string().len() != length {
        length = rest + length.to_string().len();
    }
    to.extend_from_slice(format!("{length} {key}=").as_bytes());
    to.extend_from_slice(value);
    to.push(b'\n');
}

/// A time as records have it: decimal, with as many places as it takes.
pub(super) fn time_text(time: Time) -> String {
    // Before 1970 the fraction counts backwards from the next second.
    let (sign, seconds, nanos) = match (time.seconds, time.nanos) {
        (seconds @ ..0, 0) => ("-", seconds.unsigned_abs(), 0),
        (seconds @ ..0, nanos) => ("-", seconds.unsigned_abs() - 1, 1_000_000_000 - nanos),
        (seconds, nanos) => ("", seconds.unsigned_abs(), nanos),
    };
    match nanos {
        0 => format!("{sign}{seconds}"),
        nanos => format!("{sign}{seconds}.{nanos:09}").trim_end_matches('0').to_owned(),
    }
}

fn time(text: &[u8]) -> Option<Time> {
    let (negative, text) = match text.strip_prefix(b"-") {
        Some(text) => (true, text),
        None => (false, text),
    };
    let point = text.iter().position(|byte| *byte == b'.');
    let (whole, fraction) = point.map_or((text, &b""[..]), |point| (&text[..point], &text[point + 1..]));
    let seconds: i64 = digits(whole)?;
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // Nine places count.
    let places = fraction.iter().chain(std::iter::repeat(&b'0')).take(9);
    let nanos = places.fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
    Some(match (negative, nanos) {
        (false, nanos) => Time { seconds, nanos },
        (true, 0) => Time { seconds: -seconds, nanos: 0 },
        (true, nanos) => Time { seconds: -seconds - 1, nanos: 1_000_000_000 - nanos },
    })
}

/// Nothing but digits: no sign, no space.
fn digits<N: std::str::FromStr>(text: &[u8]) -> Option<N> {
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Records, Time, time, time_text, write};

    #[test]
    fn a_record_counts_its_own_length() {
        for length in (0..120).chain(980..1000) {
            let mut bytes = Vec::new();
            let value = vec![b'\n'; length];
            write(&mut bytes, "path", &value);
            write(&mut bytes, "comment", b"a=b");
            let mut records = Records::default();
            records.take(&bytes).expect("well-formed");
            assert_eq!(records.path, (length > 0).then_some(value));
        }
    }

    #[test]
    fn records_that_are_none_are_refused() {
        let wrong: [&[u8]; 10] = [
            b"7 a=b",
            b"6 a=b",
            b"5 a=b\n",
            b"99 a=b\n",
            b" a=b\n",
            b"+6 a=b\n",
            b"6 abc\n",
            b"0 \n",
            b"99999999999999999999999 a=b\n",
            b"11 size=-1\n",
        ];
        for bytes in wrong {
            assert_eq!(Records::default().take(bytes), None, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn times_are_read_as_they_are_written() {
        let times = [
            (0, 0, "0"),
            (1, 500_000_000, "1.5"),
            (-1, 0, "-1"),
            (-2, 500_000_000, "-1.5"),
            (-1, 999_999_999, "-0.000000001"),
        ];
        for (seconds, nanos, text) in times {
            assert_eq!(time_text(Time { seconds, nanos }), text);
            assert_eq!(time(text.as_bytes()), Some(Time { seconds, nanos }));
        }
        assert_eq!(time(b"1.1234567899"), Some(Time { seconds: 1, nanos: 123_456_789 }));
        assert_eq!(time(b"1.-5"), None);
        assert_eq!(time(b"99999999999999999999"), None);
    }
}
