//! A moment as people write it who look for records.

use std::str::FromStr;
use std::time::{Duration, SystemTime};

use time::format_description::well_known::Rfc3339;
use time::{Date, Month, OffsetDateTime};

use crate::moment::Moment;

/// A moment, or so long before now: `2026-03-01T09:30:00Z`, the start of a day (UTC) such as `2026-03-01`, or a time ago such
/// as `90m`, `12h`, `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Then.
    At(Moment),
    /// So long before now.
    Ago(Duration),
}

/// The text is neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a moment, such as 2026-03-01T09:30:00Z; a day, such as 2026-03-01; or how long ago, such as 90m, 12h or 7d"
)]
pub struct WhenError;

impl When {
    /// The moment that is meant now.
    pub fn moment(self, now: SystemTime) -> Moment {
        match self {
            Self::At(moment) => moment,
            Self::Ago(time) => now.checked_sub(time).map(Moment::of).unwrap_or_default(),
        }
    }

    /// A length of time of up to a hundred years: a whole number and `s`, `m`, `h`, `d` or `w`.
    pub fn time(text: &str) -> Option<Duration> {
        let unit = match text.chars().next_back()? {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 7 * 86_400,
            _ => return None,
        };
        let digits =
            text.get(..text.len() - 1).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
        let seconds = digits.parse::<u64>().ok()?.checked_mul(unit)?;
        (1..=100 * 366 * 86_400).contains(&seconds).then(|| Duration::from_secs(seconds))
    }

    /// A day, such as `2026-03-01`.
    pub fn day(text: &str) -> Option<Date> {
        let mut parts = text.split('-');
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        let written = [year, month, day].iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
        if !written || (year.len(), month.len(), day.len()) != (4, 2, 2) || parts.next().is_some() {
            return None;
        }
        let month = Month::try_from(month.parse::<u8>().ok()?).ok()?;
        Date::from_calendar_date(year.parse().ok()?, month, day.parse().ok()?).ok()
    }
}

impl FromStr for When {
    type Err = WhenError;

    fn from_str(text: &str) -> Result<Self, WhenError> {
        let at = |time: OffsetDateTime| Self::At(Moment::of(time.into()));
        let written = || OffsetDateTime::parse(text, &Rfc3339).ok().map(at);
        let of_day = || Self::day(text).map(|day| at(day.midnight().assume_utc()));
        Self::time(text).map(Self::Ago).or_else(written).or_else(of_day).ok_or(WhenError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_such_or_as_how_long_ago() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(10_000);
        let moment = |text: &str| text.parse::<When>().expect(text).moment(now).to_string();
        for (text, moment_of_it) in [
            ("2026-03-01T09:30:00Z", "2026-03-01T09:30:00.000000Z"),
            ("2026-03-01T09:30:00.25+02:00", "2026-03-01T07:30:00.250000Z"),
            ("2026-03-01", "2026-03-01T00:00:00.000000Z"),
            ("90m", "1970-01-01T01:16:40.000000Z"),
            ("7d", "1970-01-01T00:00:00.000000Z"),
        ] {
            assert_eq!(moment(text), moment_of_it, "{text}");
        }
        for text in ["", "yesterday", "0s", "2026-02-30", "2026-03-01 09:30", "1y"] {
            assert!(text.parse::<When>().is_err(), "{text}");
        }
    }
}
