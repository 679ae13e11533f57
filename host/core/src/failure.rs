//! The closed set of errors: one enum, one mapping to each door.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

macro_rules! error_codes {
    ($( $(#[doc = $doc:literal])+ $variant:ident = $text:literal, exit $exit:literal, http $http:literal, retry $retry:literal; )+) => {
        /// Why a call did not succeed. The set is closed: a door maps these and nothing else.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum ErrorCode { $( $(#[doc = $doc])+ $variant, )+ }

        impl ErrorCode {
            /// Every code, in the order of the reference.
            pub const ALL: &'static [ErrorCode] = &[ $( ErrorCode::$variant, )+ ];

            /// The code as agents see it, such as `invalid_input`.
            pub fn as_str(self) -> &'static str {
                match self { $( ErrorCode::$variant => $text, )+ }
            }

            /// What the code means, in a sentence; the error reference is made of these.
            pub fn meaning(self) -> &'static str {
                match self { $( ErrorCode::$variant => concat!($($doc),+).trim_ascii(), )+ }
            }

            /// The exit code of a command that ended with this error. 0 is success, 1 an unclassified failure of
            /// the command itself and 2 a wrong command line; the codes of this set start at 10.
            pub fn exit(self) -> u8 {
                match self { $( ErrorCode::$variant => $exit, )+ }
            }

            /// The HTTP status (RFC 9110 section 15) for doors that speak plain HTTP.
            pub fn http_status(self) -> u16 {
                match self { $( ErrorCode::$variant => $http, )+ }
            }

            /// Whether the same call may succeed later without any change to it.
            pub fn retry_can_help(self) -> bool {
                match self { $( ErrorCode::$variant => $retry, )+ }
            }
        }
    };
}

error_codes! {
    /// The input does not match the pack's input schema.
    InvalidInput = "invalid_input", exit 10, http 400, retry false;
    /// The pack answered something that its own output schema does not allow.
    InvalidOutput = "invalid_output", exit 11, http 502, retry false;
    /// The pack and the host do not agree on the contract or on a schema.
    SchemaMismatch = "schema_mismatch", exit 12, http 500, retry false;
    /// There is nothing of that name that this caller may see.
    NotFound = "not_found", exit 13, http 404, retry false;
    /// The manifest does not grant what the call needs.
    CapabilityDenied = "capability_denied", exit 14, http 403, retry false;
    /// The manifest does not allow this request to leave.
    EgressDenied = "egress_denied", exit 15, http 403, retry false;
    /// The credential may not be used by this pack, for this destination or by this caller.
    CredentialDenied = "credential_denied", exit 16, http 403, retry false;
    /// The credential does not exist, is malformed or was refused by its issuer.
    CredentialInvalid = "credential_invalid", exit 17, http 502, retry false;
    /// The caller did not prove who it is.
    AuthFailed = "auth_failed", exit 18, http 401, retry false;
    /// Too many calls at once or in a row; wait and try again.
    RateLimited = "rate_limited", exit 19, http 429, retry true;
    /// No sandbox could be had, or the one in use died.
    SessionUnavailable = "session_unavailable", exit 20, http 503, retry true;
    /// The call needed more memory, output, handles or disk than it is granted.
    ResourceExhausted = "resource_exhausted", exit 21, http 507, retry false;
    /// The call ran longer than it is granted.
    Timeout = "timeout", exit 22, http 504, retry true;
    /// The caller, a shutdown or a lost connection ended the call.
    Cancelled = "cancelled", exit 23, http 499, retry true;
    /// An artifact could not be written or read.
    ArtifactFailed = "artifact_failed", exit 24, http 500, retry true;
    /// The pack ran and says that it could not do what was asked.
    HandlerFailed = "handler_failed", exit 25, http 422, retry false;
    /// Something broke in the host; the operator's log has the cause.
    Internal = "internal", exit 26, http 500, retry true;
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Retry {
    /// The same call will fail the same way.
    #[default]
    No,
    /// It may work later; nobody knows when.
    Later,
    /// It may work after this long.
    After(Duration),
}

/// What to change so that the call works.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Advice {
    /// Where in the input, as a JSON pointer (RFC 6901).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// What was expected there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What was found there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub got: Option<String>,
    /// An input that is valid as it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<Value>,
    /// What to do, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// The pack's own error as data, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
}

/// A call that did not succeed: what the agent is told, and (apart) what only the operator's log may hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// Which of the closed set.
    pub code: ErrorCode,
    /// A sentence or two for the agent. Holds no secret, no path of the host and no backtrace.
    pub message: String,
    /// Whether trying again can help.
    pub retry: Retry,
    /// What to change. Boxed: a failure travels in every `Result` of a call.
    pub advice: Box<Advice>,
    /// The cause, for the operator's log and the record. Never shown to the agent; not serialized.
    pub cause: Option<String>,
}

impl Failure {
    /// A failure with the code's usual retry hint.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        let retry = if code.retry_can_help() { Retry::Later } else { Retry::No };
        Self { code, message: message.into(), retry, advice: Box::default(), cause: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.advice.fix = Some(fix.into());
        self
    }

    /// Adds the cause, for the operator alone.
    #[must_use]
    pub fn cause(mut self, cause: impl fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    /// Says after how long a retry can help.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry = Retry::After(wait);
        self
    }

    /// The failure as agents and programs see it, at every door. The cause is not in it.
    pub fn to_json(&self) -> Value {
        let mut error = serde_json::Map::new();
        error.insert("code".into(), self.code.as_str().into());
        error.insert("message".into(), self.message.as_str().into());
        error.insert("retry".into(), (self.retry != Retry::No).into());
        if let Retry::After(wait) = self.retry {
            error.insert("retry_after_ms".into(), u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).into());
        }
        if let Ok(Value::Object(advice)) = serde_json::to_value(&self.advice) {
            error.extend(advice);
        }
        Value::Object(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)?;
        if let Some(fix) = &self.advice.fix {
            write!(f, " {fix}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_told_apart_at_every_door() {
        let mut exits: Vec<_> = ErrorCode::ALL.iter().map(|c| c.exit()).collect();
        exits.dedup();
        assert_eq!(exits.len(), ErrorCode::ALL.len());
        assert!(exits.iter().all(|e| (10..64).contains(e)), "exit codes stay clear of 1, 2 and of sysexits");
        for code in ErrorCode::ALL {
            assert_eq!(serde_json::to_value(code).ok(), Some(code.as_str().into()));
            assert!(code.meaning().ends_with('.'), "{code} has a sentence for the reference");
            assert!((400..600).contains(&code.http_status()));
        }
    }

    #[test]
    fn the_cause_is_not_told() {
        let failure = Failure::new(ErrorCode::Internal, "something broke").cause("/etc/secret at 0x1234");
        assert!(!failure.to_json().to_string().contains("secret"));
        assert!(!failure.to_string().contains("secret"));
    }
}
