//! The command lines of what calls have made.

use std::path::PathBuf;

use clap::Subcommand;
use packhost_artifacts::{ArtifactId, ByteRange, Cursor};
use packhost_core::{Caller, PackName, RunId};

/// `packhost artifacts`
#[derive(Debug, Subcommand)]
pub(crate) enum Artifacts {
    /// List what calls have made, the latest first
    Ls {
        /// Only this caller's, such as local or token:laptop
        #[arg(long, value_name = "CALLER", value_parser = caller)]
        owner: Option<Caller>,
        /// Only what this call has made
        #[arg(long, value_name = "RUN", value_parser = run)]
        run: Option<RunId>,
        /// Only what this pack has made
        #[arg(long, value_name = "PACK")]
        pack: Option<PackName>,
        /// How many at most
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        most: u32,
        /// Go on behind this place, as the list before it says
        #[arg(long, value_name = "PLACE")]
        after: Option<Cursor>,
    },
    /// Get one: its bytes to stdout, or to a file
    Get {
        /// The artifact, as `ls` names it
        id: ArtifactId,
        /// A file that is not there yet; without it, or for -, stdout
        file: Option<PathBuf>,
        /// Only these bytes: bytes=0-99, bytes=100- or bytes=-100
        #[arg(long, value_name = "RANGE")]
        range: Option<ByteRange>,
    },
    /// Read all bytes again, and check them against what was signed when the call ended
    Verify {
        /// The artifacts, as `ls` names them; without any, all that there are
        ids: Vec<ArtifactId>,
        /// A copy of the host's public keys, in place of those in its state directory
        #[arg(long, value_name = "FILE")]
        keys: Option<PathBuf>,
    },
    /// Remove artifacts, whoever owns them
    Rm {
        /// The artifacts, as `ls` names them
        #[arg(required_unless_present = "missing", conflicts_with = "missing")]
        ids: Vec<ArtifactId>,
        /// All whose bytes the store has lost, as `verify` says. A host whose whole store was lost starts again then
        #[arg(long)]
        missing: bool,
    },
    /// Remove what has expired and what nobody refers to; a running host does so by itself
    Gc,
}

impl Artifacts {
    /// Whether stdout has the bytes of an artifact, and so nothing else.
    pub(crate) fn owns_stdout(&self) -> bool {
        match self {
            Self::Get { file, .. } => file.as_ref().is_none_or(|file| file.as_os_str() == "-"),
            _ => false,
        }
    }
}

fn caller(text: &str) -> Result<Caller, String> {
    Caller::recorded(text).ok_or_else(|| "a caller is local, token:NAME or oauth:ISSUER:SUBJECT".to_owned())
}

fn run(text: &str) -> Result<RunId, String> {
    RunId::recorded(text)
        .ok_or_else(|| "not the id of a call, as its result and the record have it".to_owned())
}
