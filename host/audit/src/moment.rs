//! A moment on the record: microseconds since 1970 in UTC, spelled as RFC 3339 has it.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time};

/// A moment, to the microsecond, from 1970 to the end of the year 9999. Written with all six digits and `Z`, such as
/// `2026-03-01T09:30:00.000250Z`: what is later sorts later as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Moment(u64);

/// The text is no moment of this form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a moment is written like 2026-03-01T09:30:00.000250Z")]
pub struct MomentError;

impl Moment {
    /// Bytes of its text.
    pub const LENGTH: usize = 27;
    /// The last microsecond of 9999.
    const LAST: u64 = 253_402_300_799_999_999;

    /// The time of a clock; before 1970 it is 1970, and after 9999 the end of 9999.
    pub fn of(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::micros_since_1970(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }

    /// So many microseconds after 1970.
    pub fn micros_since_1970(micros: u64) -> Self {
        Self(micros.min(Self::LAST))
    }

    /// Microseconds since 1970.
    pub fn micros(self) -> u64 {
        self.0
    }

    /// The same moment for the standard library.
    pub fn system(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_micros(self.0)
    }

    /// How long after another moment this is; zero if it is before.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// Its text.
    pub(crate) fn text(self) -> [u8; Self::LENGTH] {
        let seconds = i64::try_from(self.0 / 1_000_000).unwrap_or_default();
        // Within the years that the type has.
        let moment = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        let mut put = |at: usize, width: usize, number: u64| {
            let mut rest = number;
            for digit in text[at..at + width].iter_mut().rev() {
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
        };
        put(0, 4, u64::try_from(moment.year()).unwrap_or_default());
        put(5, 2, u8::from(moment.month()).into());
        put(8, 2, moment.day().into());
        put(11, 2, moment.hour().into());
        put(14, 2, moment.minute().into());
        put(17, 2, moment.second().into());
        put(20, 6, self.0 % 1_000_000);
        text
    }

    /// From its text, in this form alone.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let [.., b'Z'] = text else { return None };
        let shape = |at: usize, byte: u8| text.get(at) == Some(&byte);
        let marks = shape(4, b'-') && shape(7, b'-') && shape(10, b'T') && shape(13, b':') && shape(16, b':');
        if text.len() != Self::LENGTH || !marks || !shape(19, b'.') {
            return None;
        }
        let number = |at: usize, width: usize| {
            text[at..at + width].iter().try_fold(0u32, |sum, digit| {
                digit.is_ascii_digit().then(|| sum * 10 + u32::from(digit - b'0'))
            })
        };
        let part = |at: usize| number(at, 2).and_then(|part| u8::try_from(part).ok());
        let year = i32::try_from(number(0, 4)?).ok().filter(|year| *year >= 1970)?;
        let date = Date::from_calendar_date(year, Month::try_from(part(5)?).ok()?, part(8)?).ok()?;
        let time = Time::from_hms(part(11)?, part(14)?, part(17)?).ok()?;
        let seconds = PrimitiveDateTime::new(date, time).assume_utc().unix_timestamp();
        Some(Self(u64::try_from(seconds).ok()? * 1_000_000 + u64::from(number(20, 6)?)))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.text()).unwrap_or_default())
    }
}

impl FromStr for Moment {
    type Err = MomentError;

    fn from_str(text: &str) -> Result<Self, MomentError> {
        Self::parse(text.as_bytes()).ok_or(MomentError)
    }
}

impl TryFrom<String> for Moment {
    type Error = MomentError;

    fn try_from(text: String) -> Result<Self, MomentError> {
        text.parse()
    }
}

impl From<Moment> for String {
    fn from(moment: Moment) -> Self {
        moment.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_back_and_sorts_like_its_text() {
        let mut last = String::new();
        for micros in [0, 1, 999_999, 951_782_400_000_000, 1_772_357_400_000_250, Moment::LAST, u64::MAX] {
            let moment = Moment::micros_since_1970(micros);
            let text = moment.to_string();
            assert_eq!(text.parse(), Ok(moment), "{text}");
            assert!(last <= text, "{last} {text}");
            last = text;
        }
        assert_eq!(
            Moment::micros_since_1970(1_772_357_400_000_250).to_string(),
            "2026-03-01T09:30:00.000250Z"
        );
        assert_eq!(last, "9999-12-31T23:59:59.999999Z");
        assert_eq!(Moment::of(UNIX_EPOCH - Duration::from_secs(9)), Moment::default());
    }

    #[test]
    fn no_other_spelling_is_one() {
        for text in [
            "",
            "Z",
            "2026-03-01T09:30:00Z",
            "2026-03-01T09:30:00.00025Z",
            "2026-03-01t09:30:00.000250Z",
            "2026-03-01T09:30:00.000250+",
            "2026-02-29T09:30:00.000250Z",
            "2026-13-01T09:30:00.000250Z",
            "1969-12-31T23:59:59.999999Z",
            "2026-03-01T24:30:00.000250Z",
            "2026-03-01T09:30:60.000250Z",
            "+026-03-01T09:30:00.000250Z",
            "2026-03-01T09:30:00.0002500Z",
        ] {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
    }
}
