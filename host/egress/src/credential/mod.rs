//! Credentials in requests: where a placeholder stands, who is asked for the value, and what was used in a call.
//!
//! A placeholder is `${vault:NAME}`. It is replaced where a credential can stand and nowhere else, after the rules have
//! passed and the addresses were checked; one that stands anywhere else, in whatever spelling, ends the request.

mod body;
mod fill;
mod formats;
mod head;
mod placeholder;
mod used;

use std::fmt;

use http::Method;
use packhost_core::{CredentialName, Placement};
use url::Url;
use zeroize::Zeroizing;

pub(crate) use fill::{Asked, fill, plan};
pub use used::Used;

/// Who holds the credentials of a call. Knows for which pack and which caller they are used.
pub trait Credentials: Send + Sync {
    /// What is to stand in place of the placeholder. May block, on a disk for example.
    ///
    /// # Errors
    /// When there is no such credential, or it may not be used there.
    fn open(&self, of: &CredentialUse) -> Result<Zeroizing<Vec<u8>>, CredentialError>;
}

/// A use of a credential that a request is about to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialUse {
    /// Which.
    pub name: CredentialName,
    /// The method of the request.
    pub method: Method,
    /// Where it goes, with placeholders as they stand.
    pub url: Url,
    /// Where the value would stand.
    pub place: Placement,
}

/// Why a credential is not there for a use. Says nothing of its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialError {
    /// There is none of this name.
    NotFound,
    /// It may not be used so. The words end "the credential NAME may not be used …".
    Unbound(String),
    /// It cannot be had at the moment; why is in the host's log.
    Unavailable,
}

/// Nobody holds any.
pub(crate) struct NoCredentials;

impl Credentials for NoCredentials {
    fn open(&self, _: &CredentialUse) -> Result<Zeroizing<Vec<u8>>, CredentialError> {
        Err(CredentialError::NotFound)
    }
}

/// Why a placeholder or something like a secret keeps a request from leaving.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misplaced {
    /// What begins like a placeholder is none.
    Malformed,
    /// It stands where no credential can, or in a spelling that is not looked into.
    Place,
    /// A body in which nothing is replaced: too large, of another type, or granted no credential.
    Body,
    /// The value cannot stand in a path: it would be more than a part of one segment.
    Value,
    /// The pack's own text looks like a secret of this kind.
    Literal(&'static str),
}

impl fmt::Display for Misplaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "holds \"${vault:\" without the name of a credential and \"}\" after it",
            Self::Place => "holds a placeholder of a credential where none can stand",
            Self::Body => "holds a placeholder of a credential, and in this body none is replaced",
            Self::Value => "would hold a credential with a slash or of dots alone",
            Self::Literal(kind) => return write!(f, "holds what looks like {kind}"),
        })
    }
}

impl Misplaced {
    pub(crate) fn fix(&self) -> &'static str {
        match self {
            Self::Malformed => "Write a placeholder as ${vault:NAME}, or leave \"${vault:\" out.",
            Self::Place => {
                "A placeholder is the whole value of a header (or what follows a scheme such as Bearer), the user or password \
                 of Basic, the whole value of a query parameter, or a part of a path segment, and is written as it is."
            }
            Self::Body => {
                "A placeholder in a body is replaced in JSON, forms and text of up to 1 MiB, where the rule grants the \
                 credential. Otherwise leave it out."
            }
            Self::Value => "The operator can bind the credential to another place than the path.",
            Self::Literal(_) => {
                "A pack does not hold secrets: the operator keeps it with `packhost vault set`, and the request says \
                 ${vault:NAME} in its place."
            }
        }
    }
}
