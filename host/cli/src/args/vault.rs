//! The command line of `packhost vault`, and of where its master key comes from.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::builder::{TypedValueParser, ValueParserFactory};
use clap::error::ErrorKind;
use clap::{ArgGroup, Args as ClapArgs, Command, Subcommand};
use packhost_core::CredentialName;
use packhost_vault::{KeySource, KeySourceError};

const SET: &str = "The value is read from stdin up to its end, and one line break at the end (\\n or \\r\\n) is cut off; on a \
terminal it is asked for twice and not shown. It is taken from no option, no argument and no environment variable. A private \
key is PEM (PKCS#8, PKCS#1 or SEC1), as it is handed out.

A new credential needs to be bound, because without that it cannot be used. The options below make one binding, and every \
--bind adds one. A credential that is there keeps its bindings where none are given, and has its bindings replaced where \
some are.

  packhost vault set GITHUB_TOKEN --host api.github.com \\
      --header authorization:Bearer --pack 'github.*' < token.txt

With --sign the value is never sent: what stands in the request is signed with it.

  packhost vault set GITHUB_APP --host api.github.com --header authorization:Bearer --pack 'github.*' \\
      --sign '{\"jwt\": {\"algorithm\": \"RS256\", \"claims\": {\"iss\": \"123456\"}}}' < app.pem";

const EXPORT: &str = "What is written is an age file (age-encryption.org/v1) that holds names, bindings and values. With \
--passphrase, the passphrase is asked for twice on a terminal and otherwise read from stdin, without its line break.";

const IMPORT: &str = "Everything in the file is checked before anything is kept: either all of it comes in, or nothing. \
With --passphrase, the passphrase is asked for on a terminal and otherwise read from stdin; where stdin has the file, it is \
asked for on the terminal.";

/// `packhost vault`
#[derive(Debug, Subcommand)]
pub(crate) enum Vault {
    /// Keep a value under a name: a new credential, or another value for one that is there
    #[command(after_help = SET)]
    Set(Set),
    /// List the credentials, where each may be used and by which packs; values are not shown
    List,
    /// Show everything about one credential but its value
    Show {
        /// The credential
        name: CredentialName,
    },
    /// Bind a credential to other uses, in place of those that it is bound to
    Bind(Bind),
    /// Forget a credential
    Rm(Rm),
    /// Give a credential another value, or the vault another master key
    #[command(after_help = "The value is read as `vault set` reads it. Bindings stay as they are.")]
    Rotate(Rotate),
    /// Say which packs could use which credential, where, and whether the manifest lets them
    Uses {
        /// The credential; without it all of them
        name: Option<CredentialName>,
    },
    /// Say of every credential whether the master key opens it; ends with 1 where it does not. Values are not shown
    Verify,
    /// Write every credential, values included, into an encrypted file
    #[command(after_help = EXPORT)]
    Export(Export),
    /// Take in what `vault export` wrote
    #[command(after_help = IMPORT)]
    Import(Import),
}

impl Vault {
    /// Whether stdout has an encrypted file, and so nothing else.
    pub(crate) fn owns_stdout(&self) -> bool {
        matches!(self, Self::Export(export) if export.to.is_stream())
    }
}

/// `packhost vault set`
#[derive(Debug, ClapArgs)]
pub(crate) struct Set {
    /// The credential, as packs write it in ${vault:NAME}: a letter, then letters, digits, _, . and -
    pub(crate) name: CredentialName,
    /// Takes nothing; what stands here is refused in words.
    #[arg(hide = true)]
    value: Option<Never>,
    #[command(flatten)]
    pub(crate) bindings: Bindings,
}

/// `packhost vault bind`
#[derive(Debug, ClapArgs)]
pub(crate) struct Bind {
    /// The credential
    pub(crate) name: CredentialName,
    #[command(flatten)]
    pub(crate) bindings: Bindings,
}

/// Where a credential may be used. The options but `--bind` make one binding.
#[derive(Debug, Clone, Default, ClapArgs)]
#[command(next_help_heading = "Where it may be used")]
pub(crate) struct Bindings {
    /// A whole binding as JSON, with keys hosts, ports, plain, methods, paths, places, packs, callers, sign; repeatable
    #[arg(long, value_name = "JSON")]
    pub(crate) bind: Vec<String>,
    /// A host, such as api.github.com or *.example.com; repeatable
    #[arg(long, value_name = "HOST")]
    pub(crate) host: Vec<String>,
    /// A header that may hold it, and what stands in front of it there, such as authorization:Bearer; repeatable
    #[arg(long, value_name = "NAME[:SCHEME]")]
    pub(crate) header: Vec<String>,
    /// A parameter of the query that may hold it; repeatable
    #[arg(long, value_name = "PARAM")]
    pub(crate) query: Vec<String>,
    /// It may stand in the path
    #[arg(long)]
    pub(crate) path: bool,
    /// It may stand in the body
    #[arg(long)]
    pub(crate) body: bool,
    /// A pack that may use it, or a family of packs such as github.*; repeatable
    #[arg(long, value_name = "PACK")]
    pub(crate) pack: Vec<String>,
    /// A caller on whose behalf it may be used, such as local or token:laptop; repeatable. Without it, every caller
    #[arg(long, value_name = "CALLER")]
    pub(crate) caller: Vec<String>,
    /// A port; repeatable. Without it 443, and with --allow-plain also 80
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: Vec<u16>,
    /// A method such as GET; repeatable. Without it, every method that the manifest allows
    #[arg(long, value_name = "METHOD")]
    pub(crate) method: Vec<String>,
    /// It may be sent without TLS, where everybody on the way can read it
    #[arg(long)]
    pub(crate) allow_plain: bool,
    /// What is made with the value in place of showing it, as JSON with one key: hmac, sigv4 or jwt
    #[arg(long, value_name = "JSON")]
    pub(crate) sign: Option<String>,
}

/// `packhost vault rm`
#[derive(Debug, ClapArgs)]
pub(crate) struct Rm {
    /// The credential
    pub(crate) name: CredentialName,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}

/// `packhost vault rotate`
#[derive(Debug, ClapArgs)]
pub(crate) struct Rotate {
    /// The credential that gets another value
    #[arg(required_unless_present = "master", conflicts_with = "master")]
    pub(crate) name: Option<CredentialName>,
    /// Takes nothing; what stands here is refused in words.
    #[arg(hide = true)]
    value: Option<Never>,
    /// Seal everything with a new master key; values stay as they are
    #[arg(long)]
    pub(crate) master: bool,
}

/// `packhost vault export`
#[derive(Debug, ClapArgs)]
#[command(group = ArgGroup::new("lock").required(true).args(["recipient", "passphrase"]))]
pub(crate) struct Export {
    /// The file to make, or - for stdout. A file that is there is not replaced
    #[arg(long, value_name = "FILE")]
    pub(crate) to: Place,
    /// Who may read it: a public key that age-keygen printed, AGE1…; repeatable
    #[arg(long, value_name = "AGE1…")]
    pub(crate) recipient: Vec<age::x25519::Recipient>,
    /// Encrypt it with a passphrase
    #[arg(long)]
    pub(crate) passphrase: bool,
}

/// `packhost vault import`
#[derive(Debug, ClapArgs)]
#[command(group = ArgGroup::new("key").required(true).args(["identity", "passphrase"]))]
pub(crate) struct Import {
    /// The file, or - for stdin
    #[arg(value_name = "FILE")]
    pub(crate) from: Place,
    /// The file with the private key, as age-keygen writes it
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: Option<PathBuf>,
    /// The file is encrypted with a passphrase
    #[arg(long)]
    pub(crate) passphrase: bool,
    /// Let what comes in take the place of credentials of the same names
    #[arg(long)]
    pub(crate) replace: bool,
}

/// A file, or a standard stream.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    File(PathBuf),
    Stream,
}

impl Place {
    pub(crate) fn is_stream(&self) -> bool {
        matches!(self, Self::Stream)
    }
}

impl From<OsString> for Place {
    fn from(word: OsString) -> Self {
        if word == "-" { Self::Stream } else { Self::File(word.into()) }
    }
}

/// `--vault-key`
#[derive(Debug, Clone)]
pub(crate) struct VaultKey {
    /// `None` is a file of the host's own.
    pub(crate) source: Option<KeySource>,
    word: String,
}

impl VaultKey {
    /// The same source for a process that is started in another directory.
    pub(crate) fn again(&self) -> OsString {
        match &self.source {
            Some(KeySource::File(path)) => {
                let mut word = OsString::from("file:");
                word.push(std::path::absolute(path).unwrap_or_else(|_| path.clone()));
                word
            }
            _ => self.word.clone().into(),
        }
    }

    fn read(text: &str) -> Result<Self, String> {
        let source = match text {
            "own" => None,
            text => Some(text.parse().map_err(wrong_source)?),
        };
        Ok(Self { source, word: text.into() })
    }
}

fn wrong_source(error: KeySourceError) -> String {
    match error {
        KeySourceError::Form => {
            format!("{error}, or own for a file of the host's own; it is never the key itself")
        }
        error => error.to_string(),
    }
}

/// A word that is never right, because it would be a secret that every process can read.
#[derive(Debug, Clone)]
struct Never;

impl Never {
    fn read(_: &str) -> Result<Self, String> {
        Err("a value is not given on the command line, where every process can read it and the shell keeps it; \
             give it on stdin: packhost vault set NAME … < FILE. Change a value that stood here"
            .into())
    }
}

impl ValueParserFactory for VaultKey {
    type Parser = Unrepeated<Self>;

    fn value_parser() -> Self::Parser {
        Unrepeated(Self::read)
    }
}

impl ValueParserFactory for Never {
    type Parser = Unrepeated<Self>;

    fn value_parser() -> Self::Parser {
        Unrepeated(Self::read)
    }
}

/// Refuses a word without repeating it: it may be a secret in the wrong place.
#[derive(Clone)]
pub(crate) struct Unrepeated<T>(pub(crate) fn(&str) -> Result<T, String>);

impl<T: Clone + Send + Sync + 'static> TypedValueParser for Unrepeated<T> {
    type Value = T;

    fn parse_ref(&self, of: &Command, arg: Option<&clap::Arg>, word: &OsStr) -> Result<T, clap::Error> {
        let read = word.to_str().ok_or_else(|| "it is not text".to_owned()).and_then(self.0);
        read.map_err(|why| {
            let option =
                arg.and_then(clap::Arg::get_long).map(|long| format!("--{long}: ")).unwrap_or_default();
            clap::Error::raw(ErrorKind::ValueValidation, format!("{option}{why}\n")).with_cmd(of)
        })
    }
}
