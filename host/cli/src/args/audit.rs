//! The command line of the record.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use clap::{Args as ClapArgs, Subcommand};
use packhost_audit::{Filter, Moment};
use packhost_keyring::PublicKey;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::callers::{after, day};

const VERIFY: &str = "Reads all of the record, also while hosts write to it, and ends with 1 where something is not as this host \
wrote it. Without --keys it takes the keys in the state directory, which whoever could write there could have exchanged as well; \
a checkpoint that was kept elsewhere holds against that.

  packhost audit verify --checkpoint /mnt/elsewhere/packhost-2026-03-01.json
  packhost audit verify --dir copy/audit --keys copy/keys/public --trust KEY";

const EXPORT: &str = "A line of JSON for each record, or for each event of OCSF, the oldest first: as they stand in the record, \
without their hashes, unless told otherwise.";

/// `packhost audit`
#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Say whether the record is what this host wrote, and how far that is proven
    #[command(after_help = VERIFY)]
    Verify(Verify),
    /// Show the newest records, and with --follow those that come
    Tail(Tail),
    /// Find records, the oldest first
    Query(Query),
    /// Write records for other systems
    #[command(after_help = EXPORT)]
    Export(ExportRecords),
    /// Sign how far the record has come, and print that as one line, to be kept elsewhere
    Checkpoint,
    /// Print the public keys with which anybody can verify the record
    Keys,
    /// Sign with a new key from now on. The old one vouches for it and is forgotten
    RotateKey,
}

/// `packhost audit verify`
#[derive(Debug, ClapArgs)]
pub(crate) struct Verify {
    #[command(flatten)]
    pub(crate) place: Place,
    /// A file with checkpoints that were kept elsewhere, one a line; repeatable
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoint: Vec<PathBuf>,
    /// The public keys, as `audit keys` prints them and `keys/public` in the state has them. Without it, those of this host
    #[arg(long, value_name = "FILE")]
    pub(crate) keys: Option<PathBuf>,
    /// The public key that you know, in base64: it and those after it are trusted, and no key before it
    #[arg(long, value_name = "KEY")]
    pub(crate) trust: Option<PublicKey>,
}

/// `packhost audit tail`
#[derive(Debug, ClapArgs)]
pub(crate) struct Tail {
    #[command(flatten)]
    pub(crate) place: Place,
    /// How many
    #[arg(short = 'n', long = "lines", value_name = "N", default_value_t = 10, value_parser = most())]
    pub(crate) lines: u64,
    /// Go on with those that come, whichever process writes them
    #[arg(short, long)]
    pub(crate) follow: bool,
    #[command(flatten)]
    pub(crate) wanted: Wanted,
}

/// `packhost audit query`
#[derive(Debug, ClapArgs)]
pub(crate) struct Query {
    #[command(flatten)]
    pub(crate) place: Place,
    /// The newest N of those that are found. Without it all of them
    #[arg(long, value_name = "N", value_parser = most())]
    pub(crate) limit: Option<u64>,
    #[command(flatten)]
    pub(crate) wanted: Wanted,
}

/// `packhost audit export`
#[derive(Debug, ClapArgs)]
pub(crate) struct ExportRecords {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Calls, their requests, and acts, as events of the Open Cybersecurity Schema Framework (OCSF)
    #[arg(long, conflicts_with = "otlp")]
    pub(crate) ocsf: bool,
    /// As logs of OpenTelemetry (OTLP/JSON)
    #[arg(long)]
    pub(crate) otlp: bool,
    #[command(flatten)]
    pub(crate) wanted: Wanted,
}

/// Which log.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Place {
    /// The directory of a record, such as a copy of `audit` in another state. Without it, this host's
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

/// Which records.
#[derive(Debug, Clone, Default, ClapArgs)]
#[command(next_help_heading = "Which records")]
pub(crate) struct Wanted {
    /// At this time or later: 2026-03-01T09:30:00Z, the start of a day (UTC) such as 2026-03-01, or a time ago such as 90m,
    /// 12h, 7d
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<When>,
    /// Before this time, written alike
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<When>,
    /// Of this kind: call, credential, act, session, or one of the log's own; repeatable
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Vec<String>,
    /// About this pack
    #[arg(long, value_name = "PACK")]
    pub(crate) pack: Option<String>,
    /// By this caller, such as local or token:laptop; the owner of a sandbox, or the user who did something
    #[arg(long, value_name = "CALLER")]
    pub(crate) caller: Option<String>,
    /// With this outcome: ok, asks or an error code of calls; begun, done or "failed: CODE" of acts
    #[arg(long, value_name = "OUTCOME")]
    pub(crate) outcome: Option<String>,
    /// Of this run
    #[arg(long, value_name = "ID")]
    pub(crate) run: Option<String>,
}

impl Wanted {
    pub(crate) fn filter(&self, limit: Option<u64>) -> Filter {
        let now = SystemTime::now();
        let moment = |when: &Option<When>| when.map(|when| when.moment(now));
        Filter {
            kinds: self.kind.clone(),
            pack: self.pack.clone(),
            caller: self.caller.clone(),
            outcome: self.outcome.clone(),
            run: self.run.clone(),
            from: moment(&self.since),
            until: moment(&self.until),
            before: None,
            limit: limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)),
        }
    }
}

/// A number of records.
fn most() -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(..=Filter::MOST as u64)
}

/// A moment, or so long before now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    At(Moment),
    Ago(Duration),
}

impl When {
    fn moment(self, now: SystemTime) -> Moment {
        match self {
            Self::At(moment) => moment,
            Self::Ago(time) => now.checked_sub(time).map(Moment::of).unwrap_or_default(),
        }
    }
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let at = |time: OffsetDateTime| Self::At(Moment::of(time.into()));
        let written = || OffsetDateTime::parse(text, &Rfc3339).ok().map(at);
        let of_day = || day(text).map(|day| at(day.midnight().assume_utc()));
        after(text).map(Self::Ago).or_else(written).or_else(of_day).ok_or_else(|| {
            "a moment, such as 2026-03-01T09:30:00Z; a day, such as 2026-03-01; or how long ago, such as 90m, 12h or 7d".to_owned()
        })
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
