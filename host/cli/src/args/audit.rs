//! The command line of the record.

use std::path::PathBuf;
use std::time::SystemTime;

use clap::{Args as ClapArgs, Subcommand};
use packhost_audit::{Filter, When};
use packhost_keyring::PublicKey;

const VERIFY: &str = "Reads all of the record, also while hosts write to it, and ends with 1 where something is not as this host \
wrote it. Without --keys it takes the keys in the state directory, which whoever could write there could have exchanged as well; \
a checkpoint that was kept elsewhere holds against that.

  packhost audit verify --checkpoint /mnt/elsewhere/packhost-2026-03-01.json
  packhost audit verify --dir copy/audit --keys copy/keys/public --trust KEY";

const EXPORT: &str = "A line of JSON for each record, or for each event of OCSF, the oldest first: as they stand in the record, \
without their hashes, unless told otherwise.";

const BEGIN: &str = "A host whose record is gone does not start. Where the record cannot be restored, this begins another one, with the \
same keys. What it says first is how far the lost one is known to have gone; after that the hosts start again.";

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
    /// Begin another record where the one that was here is lost; its first act says so
    #[command(after_help = BEGIN)]
    Begin,
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
