//! What can go wrong on the way out, as the agent is told it.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use packhost_core::{CredentialName, ErrorCode, Failure, Placement};

use crate::credential::{CredentialError, Misplaced, Unsigned};

/// Why a request did not leave, or why its answer did not come back whole. The texts are for the agent: they hold
/// no text that the server sent and no path of the host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EgressError {
    /// No rule grants this request.
    #[error("{message}")]
    Denied {
        /// What was denied and why.
        message: String,
        /// What would have to change.
        fix: String,
    },
    /// A rule grants the name, but it stands for an address that the rule does not open.
    #[error("{host} is at {address}, which is {why}; the request was not sent")]
    Address {
        /// The host as the URL names it.
        host: String,
        /// The first of its addresses that may not be reached.
        address: IpAddr,
        /// What that address is, with its source.
        why: String,
        /// What would have to change.
        fix: String,
    },
    /// The request's URL cannot be sent.
    #[error("the request's URL cannot be used: {0}")]
    Url(&'static str),
    /// The name could not be resolved.
    #[error("the name {host} could not be resolved: {why}")]
    Dns {
        /// The name as the URL has it.
        host: String,
        /// Why, in a few words.
        why: &'static str,
    },
    /// No connection could be made.
    #[error("no connection to {host} port {port}: {why}")]
    Connect {
        /// The host as the URL names it.
        host: String,
        /// The port.
        port: u16,
        /// Why, in a few words.
        why: &'static str,
    },
    /// The server did not prove who it is, or does not speak TLS 1.2 or 1.3.
    #[error("no secure connection to {host}: {why}")]
    Tls {
        /// The host as the URL names it.
        host: String,
        /// Why, in a few words.
        why: &'static str,
        /// Whether it is the certificate that was refused.
        certificate: bool,
    },
    /// The server took too long.
    #[error("{wait} took longer than {} ms", limit.as_millis())]
    Timeout {
        /// What was waited for.
        wait: Wait,
        /// The limit.
        limit: Duration,
    },
    /// The head of the response is larger than the host reads.
    #[error("the response's headers are larger than {limit} bytes or more than {fields} fields")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
        /// The limit in header fields.
        fields: usize,
    },
    /// The call has used up what it may send or receive.
    #[error("this call may use {limit} {resource}, and needs more")]
    Budget {
        /// What there is no more of.
        resource: Resource,
        /// How much the call was given.
        limit: u64,
    },
    /// The pack has sent as many requests on behalf of this caller as it may in a minute.
    #[error("this pack may send {limit} requests a minute on behalf of one caller{}", next(*retry_after))]
    Rate {
        /// How many it may.
        limit: u32,
        /// When the next one may be sent; `None` where none ever may.
        retry_after: Option<Duration>,
    },
    /// What the server (or the pack's request) said is not HTTP, or ended in the middle.
    #[error("{0}")]
    Protocol(&'static str),
    /// A placeholder, or something like a secret, stands where it may not.
    #[error("{place} {why}")]
    Misplaced {
        /// Where.
        place: String,
        /// What is wrong.
        why: Misplaced,
    },
    /// No rule that allows the request grants it this credential.
    #[error("no rule grants this request to {host} the credential {name}")]
    CredentialNotGranted {
        /// Which.
        name: CredentialName,
        /// The host as the URL names it.
        host: String,
    },
    /// The credential is not there for this use.
    #[error("{}", refusal(name, host, error))]
    Credential {
        /// Which.
        name: CredentialName,
        /// Where it would have stood.
        place: Placement,
        /// The host as the URL names it.
        host: String,
        /// Why not.
        error: CredentialError,
    },
    /// The request cannot be signed.
    #[error("the request to {host} cannot be signed with the credential {name}: {why}")]
    Unsigned {
        /// Which.
        name: CredentialName,
        /// The host as the URL names it.
        host: String,
        /// Why not.
        why: Unsigned,
    },
    /// The response's body is encoded so that a credential could not be found in it.
    #[error(
        "the response is in the content coding \"{0}\", in which the host cannot look for the credential that was used"
    )]
    Opaque(String),
    /// The response's body becomes too large when it is decompressed.
    #[error("the response has more than {limit} bytes when it is decompressed")]
    Decoded {
        /// The limit in bytes.
        limit: u64,
    },
    /// The operator took the grant back while the call was running.
    #[error("the permission for outgoing requests was withdrawn while the call was running")]
    Revoked,
    /// The call was cancelled.
    #[error("the call was cancelled")]
    Cancelled,
}

/// What egress waited for when time ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Resolving the name.
    Dns,
    /// A free slot among the call's open requests, the TCP connection, and TLS.
    Connect,
    /// The first byte of the response, after the request was sent.
    FirstByte,
    /// The next bytes of the response body.
    BetweenBytes,
    /// The ClientHello of whoever asked for a tunnel.
    Hello,
    /// The next bytes in a tunnel, of either side.
    Tunnel,
    /// The whole exchange.
    Total,
}

impl std::fmt::Display for Wait {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Wait::Dns => "resolving the name",
            Wait::Connect => "connecting to the server",
            Wait::FirstByte => "the server's first byte",
            Wait::BetweenBytes => "the next part of the response",
            Wait::Hello => "the TLS ClientHello in the tunnel",
            Wait::Tunnel => "the next bytes in the tunnel",
            Wait::Total => "the whole exchange",
        })
    }
}

/// What a call's [`Allowance`](crate::Allowance) limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// Requests, the denied ones too.
    Requests,
    /// Bytes, sent and received.
    Bytes,
}

impl std::fmt::Display for Resource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Resource::Requests => "outgoing requests",
            Resource::Bytes => "bytes of outgoing traffic",
        })
    }
}

impl EgressError {
    pub(crate) const CLOSED: Self = Self::Protocol("the server closed the connection before it answered");

    /// The code of the closed set that this is.
    pub fn code(&self) -> ErrorCode {
        match self {
            EgressError::Denied { .. } | EgressError::Address { .. } | EgressError::Revoked => {
                ErrorCode::EgressDenied
            }
            EgressError::Timeout { .. } => ErrorCode::Timeout,
            EgressError::TooLarge { .. } | EgressError::Budget { .. } | EgressError::Decoded { .. } => {
                ErrorCode::ResourceExhausted
            }
            EgressError::Misplaced { .. }
            | EgressError::Unsigned { .. }
            | EgressError::CredentialNotGranted { .. }
            | EgressError::Credential { error: CredentialError::Unbound(_), .. } => {
                ErrorCode::CredentialDenied
            }
            EgressError::Credential { .. } => ErrorCode::CredentialInvalid,
            EgressError::Rate { .. } => ErrorCode::RateLimited,
            EgressError::Cancelled => ErrorCode::Cancelled,
            EgressError::Url(_) => ErrorCode::InvalidInput,
            EgressError::Dns { .. }
            | EgressError::Connect { .. }
            | EgressError::Tls { .. }
            | EgressError::Opaque(_)
            | EgressError::Protocol(_) => ErrorCode::HandlerFailed,
        }
    }

    /// What to do about it, where there is something.
    pub fn fix(&self) -> Option<Cow<'_, str>> {
        let fix = match self {
            EgressError::Denied { fix, .. } | EgressError::Address { fix, .. } => fix,
            EgressError::CredentialNotGranted { name, .. } => {
                return Some(Cow::Owned(format!(
                    "The operator would have to add {name} to `credentials` of the rule that allows the request, \
                     and of what `narrow` leaves this caller."
                )));
            }
            EgressError::Credential { name, place, error, .. } => {
                return Some(Cow::Owned(remedy(name, place, error)));
            }
            EgressError::Misplaced { why, .. } => why.fix(),
            EgressError::Unsigned { why, .. } => why.fix(),
            EgressError::Url(_) => "Use an absolute http or https URL such as https://example.com/path.",
            EgressError::Dns { .. } => "Check the spelling of the host name.",
            EgressError::Tls { certificate: true, .. } => {
                "The operator can add the server's certificate authority to the host's trusted roots."
            }
            EgressError::Budget { .. } => "Ask for less in one call, or split the work over several calls.",
            EgressError::Rate { retry_after: Some(_), .. } => {
                "Wait that long, or ask the operator for a higher `requests_per_minute`."
            }
            EgressError::Rate { retry_after: None, .. } => {
                "The operator would have to set `requests_per_minute` to more than 0."
            }
            EgressError::Revoked => "Ask the operator.",
            _ => return None,
        };
        Some(Cow::Borrowed(fix))
    }
}

impl From<EgressError> for Failure {
    fn from(error: EgressError) -> Self {
        let mut failure = Failure::new(error.code(), sentence(error.to_string()));
        if let EgressError::Rate { retry_after: Some(after), .. } = &error {
            failure = failure.retry_after(*after);
        }
        match error.fix() {
            Some(fix) => failure.fix(fix.into_owned()),
            None => failure,
        }
    }
}

/// In whole seconds, so that who waits that long has waited long enough.
fn next(retry_after: Option<Duration>) -> String {
    retry_after.map_or_else(String::new, |after| format!("; the next one in {} s", after.as_secs() + 1))
}

fn refusal(name: &CredentialName, host: &str, error: &CredentialError) -> String {
    match error {
        CredentialError::NotFound => format!("there is no credential {name}"),
        CredentialError::Unbound(why) => {
            format!("the credential {name} may not be used {why}: the request to {host} was not sent")
        }
        CredentialError::Unavailable => format!("the credential {name} cannot be opened"),
    }
}

fn remedy(name: &CredentialName, place: &Placement, error: &CredentialError) -> String {
    match error {
        CredentialError::NotFound => format!("The operator can make it with `packhost vault set {name}`."),
        CredentialError::Unbound(_) => {
            format!("The operator can bind it to this use ({place}) with `packhost vault bind {name}`.")
        }
        CredentialError::Unavailable => "Ask the operator: the host's log says why.".to_owned(),
    }
}

/// With an end, because what to do follows.
fn sentence(mut text: String) -> String {
    if !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    text
}

/// Why an [`Egress`](crate::Egress), or a resolver for it, could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// One of the extra roots is not a certificate.
    #[error("extra root certificate number {index} cannot be used: {cause}")]
    Root {
        /// Which one, counted from 1.
        index: usize,
        /// What the parser says.
        cause: rustls::Error,
    },
    /// The cryptography provider has nothing for TLS 1.2 or 1.3.
    #[error("TLS cannot be set up: {0}")]
    Tls(rustls::Error),
    /// A certificate authority or a certificate of one cannot be made.
    #[error("a certificate cannot be made: {0}")]
    Authority(rcgen::Error),
    /// No name server, or too many.
    #[error("names are resolved by 1 to {most} name servers, not {given}")]
    NameServers {
        /// How many there were.
        given: usize,
        /// How many there may be.
        most: usize,
    },
    /// The resolver refuses its configuration.
    #[error("the resolver cannot be set up: {0}")]
    Resolver(String),
}
