//! The options of a host that say how much is kept, and for how long.

use std::str::FromStr;
use std::time::Duration;

use clap::Args as ClapArgs;
use packhost_audit::{Retention, When};

/// How much is kept, and for how long.
#[derive(Debug, Clone, Default, ClapArgs)]
#[command(next_help_heading = "What is kept")]
pub(crate) struct Keeping {
    /// How long the record is kept, such as 400d; without it, for ever. What is older goes in whole segments, and the rest still
    /// verifies
    #[arg(long, value_name = "TIME", env = "PACKHOST_AUDIT_KEEP")]
    pub(crate) audit_keep: Option<Age>,
    /// The most that the record may take, such as 10GiB; without it, as much as there is. The oldest segments go first
    #[arg(long, value_name = "SIZE", env = "PACKHOST_AUDIT_MOST", value_parser = of_the_record)]
    pub(crate) audit_most: Option<u64>,
    /// The most that artifacts of one caller may take; without it 8GiB
    #[arg(long, value_name = "SIZE", env = "PACKHOST_ARTIFACTS_PER_CALLER", value_parser = of_artifacts)]
    pub(crate) artifacts_per_caller: Option<u64>,
    /// The most that all artifacts may take; without it 32GiB
    #[arg(long, value_name = "SIZE", env = "PACKHOST_ARTIFACTS_MOST", value_parser = of_artifacts)]
    pub(crate) artifacts_most: Option<u64>,
}

/// A time of at least a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Age(Duration);

const DAY: Duration = Duration::from_secs(86_400);
/// A segment is closed at this part of the time that the record is kept, so that there are whole ones to remove.
const PARTS: u32 = 12;
const UNITS: [(&str, u64); 3] = [("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

impl Keeping {
    /// How the record is kept.
    pub(crate) fn record(&self) -> packhost_audit::Settings {
        let age = self.audit_keep.map(|Age(age)| age);
        packhost_audit::Settings {
            segment_age: age.map(|age| age / PARTS),
            retention: Retention { age, bytes: self.audit_most },
            ..packhost_audit::Settings::default()
        }
    }

    /// How artifacts are kept.
    pub(crate) fn artifacts(&self) -> packhost_artifacts::Settings {
        let mut settings = packhost_artifacts::Settings::default();
        settings.limits.caller = self.artifacts_per_caller.unwrap_or(settings.limits.caller);
        settings.limits.all = self.artifacts_most.unwrap_or(settings.limits.all);
        settings
    }
}

impl FromStr for Age {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let age = When::time(text).filter(|age| *age >= DAY);
        age.map(Self).ok_or_else(|| "a number and d or w, such as 400d, of at least a day".to_owned())
    }
}

/// Two segments at least, so that one is left.
fn of_the_record(text: &str) -> Result<u64, String> {
    size(text, 128 << 20).ok_or_else(|| wrong("128MiB"))
}

fn of_artifacts(text: &str) -> Result<u64, String> {
    size(text, 1 << 20).ok_or_else(|| wrong("1MiB"))
}

fn wrong(least: &str) -> String {
    format!("a whole number and MiB, GiB or TiB, such as 10GiB, of at least {least}")
}

fn size(text: &str, least: u64) -> Option<u64> {
    let (unit, scale) = UNITS.into_iter().find(|(unit, _)| text.ends_with(unit))?;
    let bytes = text.strip_suffix(unit)?.parse::<u64>().ok()?.checked_mul(scale)?;
    // The database holds signed numbers.
    (bytes >= least && i64::try_from(bytes).is_ok()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_kept_for_ever_unless_somebody_says_otherwise() {
        let settings = Keeping::default().record();
        assert_eq!((settings.retention, settings.segment_age), (Retention::default(), None));
        let keeping = Keeping {
            audit_keep: Some("360d".parse().expect("a time")),
            audit_most: of_the_record("10GiB").ok(),
            ..Keeping::default()
        };
        let settings = keeping.record();
        assert_eq!(settings.retention, Retention { age: Some(DAY * 360), bytes: Some(10 << 30) });
        assert_eq!(settings.segment_age, Some(DAY * 30));
    }

    #[test]
    fn artifacts_have_the_room_that_somebody_names() {
        let usual = Keeping::default().artifacts().limits;
        assert_eq!((usual.caller, usual.all), (8 << 30, 32 << 30));
        let keeping = Keeping { artifacts_per_caller: of_artifacts("5MiB").ok(), ..Keeping::default() };
        let limits = keeping.artifacts().limits;
        assert_eq!((limits.caller, limits.all, limits.artifact), (5 << 20, usual.all, usual.artifact));
    }

    #[test]
    fn what_would_remove_nearly_everything_is_refused() {
        for wrong in ["", "0d", "1h", "1", "d", "-1d"] {
            assert!(wrong.parse::<Age>().is_err(), "{wrong}");
        }
        for wrong in ["", "10", "10GB", "-1GiB", "1.5GiB", "99999999999999TiB", "0MiB"] {
            assert!(of_artifacts(wrong).is_err(), "{wrong}");
        }
        assert!(of_the_record("127MiB").is_err());
        assert_eq!(of_the_record("128MiB"), Ok(128 << 20));
    }
}
