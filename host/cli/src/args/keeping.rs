//! The options of a host that say how long its record stays.

use std::str::FromStr;
use std::time::Duration;

use clap::Args as ClapArgs;
use packhost_audit::{Retention, Settings, When};

/// How long the record stays.
#[derive(Debug, Clone, Default, ClapArgs)]
#[command(next_help_heading = "The record")]
pub(crate) struct Keeping {
    /// How long the record is kept, such as 400d; without it, for ever. What is older goes in whole segments, and the rest still
    /// verifies
    #[arg(long, value_name = "TIME", env = "PACKHOST_AUDIT_KEEP")]
    pub(crate) audit_keep: Option<Age>,
    /// The most that the record may take, such as 10GiB; without it, as much as there is. The oldest segments go first
    #[arg(long, value_name = "SIZE", env = "PACKHOST_AUDIT_MOST")]
    pub(crate) audit_most: Option<Size>,
}

/// A time of at least a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Age(Duration);

/// Bytes; at least two segments of the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size(u64);

const DAY: Duration = Duration::from_secs(86_400);
/// A segment is closed at this part of the time that the record is kept, so that there are whole ones to remove.
const PARTS: u32 = 12;
const UNITS: [(&str, u64); 3] = [("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];
const LEAST: u64 = 128 << 20;

impl Keeping {
    /// How a record is kept so.
    pub(crate) fn settings(&self) -> Settings {
        let age = self.audit_keep.map(|Age(age)| age);
        Settings {
            segment_age: age.map(|age| age / PARTS),
            retention: Retention { age, bytes: self.audit_most.map(|Size(bytes)| bytes) },
            ..Settings::default()
        }
    }
}

impl FromStr for Age {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let age = When::time(text).filter(|age| *age >= DAY);
        age.map(Self).ok_or_else(|| "a number and d or w, such as 400d, of at least a day".to_owned())
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (unit, scale) = UNITS.into_iter().find(|(unit, _)| text.ends_with(unit))?;
            let bytes = text.strip_suffix(unit)?.parse::<u64>().ok()?.checked_mul(scale)?;
            (bytes >= LEAST).then_some(Self(bytes))
        };
        read()
            .ok_or_else(|| "a whole number and MiB, GiB or TiB, such as 10GiB, of at least 128MiB".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_kept_for_ever_unless_somebody_says_otherwise() {
        let settings = Keeping::default().settings();
        assert_eq!((settings.retention, settings.segment_age), (Retention::default(), None));
        let keeping = Keeping {
            audit_keep: Some("360d".parse().expect("a time")),
            audit_most: Some("10GiB".parse().expect("a size")),
        };
        let settings = keeping.settings();
        assert_eq!(settings.retention, Retention { age: Some(DAY * 360), bytes: Some(10 << 30) });
        assert_eq!(settings.segment_age, Some(DAY * 30));
    }

    #[test]
    fn what_would_remove_nearly_everything_is_refused() {
        for wrong in ["", "0d", "1h", "1", "d", "-1d"] {
            assert!(wrong.parse::<Age>().is_err(), "{wrong}");
        }
        for wrong in ["", "10", "10GB", "1MiB", "-1GiB", "1.5GiB", "99999999999999TiB"] {
            assert!(wrong.parse::<Size>().is_err(), "{wrong}");
        }
    }
}
