//! Credentials in requests: where a placeholder stands, who is asked for the value, what is made with it, and what was used in
//! a call.
//!
//! A placeholder is `${vault:NAME}`. It is replaced where a credential can stand and nowhere else, after the rules have
//! passed and the addresses were checked; one that stands anywhere else, in whatever spelling, ends the request. Where the
//! credential signs, it is not the value that stands there.

mod body;
mod fill;
mod formats;
mod head;
mod placeholder;
mod sign;
mod used;

use std::fmt;

use http::Method;
use packhost_core::{CredentialName, Placement};
use packhost_signing::Signing;
use url::Url;
use zeroize::Zeroizing;

pub(crate) use fill::{Asked, fill, plan};
pub use used::Used;

/// Who holds the credentials of a call. Knows for which pack and which caller they are used.
pub trait Credentials: Send + Sync {
    /// The value, and whether it stands in place of the placeholder or something is made with it. May block, on a disk for
    /// example.
    ///
    /// # Errors
    /// When there is no such credential, or it may not be used there.
    fn open(&self, of: &CredentialUse) -> Result<Opened, CredentialError>;
}

/// A credential for one use.
pub struct Opened {
    /// Its value.
    pub value: Zeroizing<Vec<u8>>,
    /// Which version of it, for the record.
    pub version: u64,
    /// What stands in place of the placeholder.
    pub form: Form,
}

/// What stands in place of a placeholder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// The value.
    Text,
    /// What is made with the value, which itself is not sent.
    Signing(Box<Signing>),
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("form", &self.form).finish_non_exhaustive()
    }
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
    fn open(&self, _: &CredentialUse) -> Result<Opened, CredentialError> {
        Err(CredentialError::NotFound)
    }
}

/// Why a request is not signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsigned {
    /// Another credential signs it already.
    Twice,
    /// The body is signed, and is larger than 1 MiB or has trailers.
    Body,
    /// This header is signed, and is absent, or there more than once.
    Header(String),
}

impl fmt::Display for Unsigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Twice => f.write_str("another credential signs it already"),
            Self::Body => f.write_str("its body is signed, and is larger than 1 MiB or has trailers"),
            Self::Header(name) => {
                write!(f, "its header {name} is signed, and is absent or there more than once")
            }
        }
    }
}

impl Unsigned {
    pub(crate) fn fix(&self) -> &'static str {
        match self {
            Self::Twice => {
                "Put the placeholder of one credential that signs into a request, and no more than once."
            }
            Self::Body => "Send less in one request, or in parts, where the server takes parts.",
            Self::Header(_) => "Set the header once.",
        }
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
