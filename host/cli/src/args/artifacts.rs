//! The command lines of what calls have made, and of where it is kept.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};
use ipnet::IpNet;
use packhost_artifacts::{ArtifactId, Bucket, ByteRange, Cursor};
use packhost_core::{Caller, PackName, RunId};

use super::vault::Unrepeated;

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
    /// Say that all of it was copied to the store that is named now, a bucket or without one the state directory: hosts look there
    /// from now on, and nowhere else
    Moved,
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

/// A bucket to keep artifacts in, in place of the state directory.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct InABucket {
    /// A bucket of a service that speaks S3, to keep artifacts in: its endpoint, the bucket and a prefix, such as
    /// https://s3.eu-central-1.amazonaws.com/BUCKET/PREFIX. Without it, the state directory
    #[arg(
        long, global = true, value_name = "URL", env = "PACKHOST_ARTIFACTS_S3", hide_env_values = true,
        value_parser = Unrepeated(bucket)
    )]
    pub(crate) artifacts_s3: Option<Bucket>,
    /// The region of that bucket; without it us-east-1
    #[arg(long, global = true, value_name = "NAME", env = "PACKHOST_ARTIFACTS_S3_REGION", value_parser = region)]
    pub(crate) artifacts_s3_region: Option<String>,
    /// Where its access key comes from, as `KEY_ID SECRET`: file:PATH or systemd:NAME; without it from the variables
    /// AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. It names the place, and is not the key
    #[arg(
        long, global = true, value_name = "SOURCE", env = "PACKHOST_ARTIFACTS_S3_KEY", hide_env_values = true,
        value_parser = Unrepeated(AccessKeySource::read)
    )]
    pub(crate) artifacts_s3_key: Option<AccessKeySource>,
    /// A network outside of the public internet in which its endpoint may be, such as 10.1.0.0/16; repeatable
    #[arg(
        long,
        global = true,
        value_name = "CIDR",
        env = "PACKHOST_ARTIFACTS_S3_NETWORK",
        value_delimiter = ','
    )]
    pub(crate) artifacts_s3_network: Vec<IpNet>,
}

impl InABucket {
    /// The options that name it, for the command line of another process, from whatever directory that is started.
    pub(crate) fn again(&self) -> Vec<(&'static str, OsString)> {
        let mut again = Vec::new();
        let mut add = |option: &'static str, value: OsString| again.push((option, value));
        self.artifacts_s3.iter().for_each(|bucket| add("--artifacts-s3", bucket.to_string().into()));
        self.artifacts_s3_region.iter().for_each(|name| add("--artifacts-s3-region", name.into()));
        self.artifacts_s3_key.iter().for_each(|key| add("--artifacts-s3-key", key.again()));
        let networks = self.artifacts_s3_network.iter();
        networks.for_each(|network| add("--artifacts-s3-network", network.to_string().into()));
        again
    }
}

/// Where an access key is, besides the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AccessKeySource {
    /// A file of the operator's.
    File(PathBuf),
    /// A credential that systemd hands to the service (`LoadCredential=`), by its name.
    Systemd(String),
}

impl AccessKeySource {
    fn read(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(("systemd", name)) if is_credential(name) => Ok(Self::Systemd(name.into())),
            _ => Err("the access key comes from file:PATH or systemd:NAME, or without this option from $AWS_ACCESS_KEY_ID and \
                      $AWS_SECRET_ACCESS_KEY; it is never the key itself. Change a key that stood here"
                .into()),
        }
    }

    fn again(&self) -> OsString {
        match self {
            Self::File(path) => {
                let mut word = OsString::from("file:");
                word.push(std::path::absolute(path).unwrap_or_else(|_| path.clone()));
                word
            }
            Self::Systemd(name) => format!("systemd:{name}").into(),
        }
    }

    /// The file; none where systemd hands out no credentials.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        match self {
            Self::File(path) => Some(path.clone()),
            Self::Systemd(name) => Some(PathBuf::from(std::env::var_os("CREDENTIALS_DIRECTORY")?).join(name)),
        }
    }
}

/// What is valid as a file's name is valid as that of a credential (systemd.exec(5), `LoadCredential=`).
fn is_credential(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && name.len() <= 255 && !name.contains(['/', ':', '\0'])
}

fn bucket(text: &str) -> Result<Bucket, String> {
    text.parse().map_err(|error: packhost_artifacts::BucketError| error.to_string())
}

/// A region is a word of what is signed.
fn region(text: &str) -> Result<String, String> {
    let is_word = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if is_word && !text.is_empty() {
        Ok(text.to_owned())
    } else {
        Err("letters, digits, hyphens and underscores, such as eu-central-1".to_owned())
    }
}

fn caller(text: &str) -> Result<Caller, String> {
    Caller::recorded(text).ok_or_else(|| "a caller is local, token:NAME or oauth:ISSUER:SUBJECT".to_owned())
}

fn run(text: &str) -> Result<RunId, String> {
    RunId::recorded(text)
        .ok_or_else(|| "not the id of a call, as its result and the record have it".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::Args;

    fn parsed(words: &[&str]) -> Result<InABucket, clap::Error> {
        let words = ["packhost"].iter().chain(words).copied();
        Args::try_parse_from(words).map(|args| args.global.artifacts)
    }

    #[test]
    fn a_bucket_is_named_before_or_after_any_verb_and_named_again() {
        let options = [
            "--artifacts-s3",
            "https://s3.example.com/artifacts/eu",
            "--artifacts-s3-region",
            "eu-central-1",
            "--artifacts-s3-key",
            "file:/etc/packhost/s3",
            "--artifacts-s3-network",
            "10.1.0.0/16",
            "--artifacts-s3-network",
            "fd00::/8",
        ];
        for verb in [&["serve"][..], &["mcp"], &["call", "text.stats"], &["artifacts", "ls"], &["doctor"]] {
            for words in [[&options[..], verb].concat(), [verb, &options[..]].concat()] {
                let named = parsed(&words).expect("a command line");
                assert_eq!(named.artifacts_s3_key, Some(AccessKeySource::File("/etc/packhost/s3".into())));
                let again: Vec<_> =
                    named.again().into_iter().flat_map(|(option, value)| [option.into(), value]).collect();
                assert_eq!(again, options.map(OsString::from), "{words:?}");
            }
        }
    }

    #[test]
    fn what_may_be_a_secret_is_not_repeated() {
        for (option, word) in [
            ("--artifacts-s3", "https://AKIA:secret@s3.example.com/artifacts"),
            ("--artifacts-s3", "https://s3.example.com/artifacts?secret"),
            ("--artifacts-s3-key", "AKIA secret"),
            ("--artifacts-s3-key", "AKIA:secret"),
            ("--artifacts-s3-key", "file:"),
            ("--artifacts-s3-key", "systemd:../secret"),
        ] {
            let refused = parsed(&[option, word, "doctor"]).expect_err(word).to_string();
            assert!(refused.contains(option), "{refused}");
            assert!(!refused.contains("AKIA") && !refused.contains("secret"), "{refused}");
        }
        assert!(parsed(&["--artifacts-s3-region", "eu/west", "doctor"]).is_err());
    }
}
