//! Errors that an agent can act on.

use std::fmt;
use std::time::Duration;

pub use crate::bindings::packhost::pack::types::ErrorCode as Code;
use crate::bindings::packhost::pack::types::PackError;

/// Why a call did not succeed.
///
/// The message goes to the agent: one or two sentences, in words, without secrets.
#[derive(Debug, Clone)]
pub struct Error {
    code: Code,
    message: String,
    fix: Option<String>,
    pointer: Option<String>,
    retry_after: Option<Duration>,
}

impl Error {
    /// An error with a code of the contract's closed set.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), fix: None, pointer: None, retry_after: None }
    }

    /// The input is well formed but cannot be acted on.
    pub fn invalid_input(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidInput, message)
    }

    /// What the input names does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Code::NotFound, message)
    }

    /// A capability that this call needs was refused.
    pub fn denied(message: impl Into<String>) -> Self {
        Self::new(Code::Denied, message)
    }

    /// The other side refused the credentials.
    pub fn auth_failed(message: impl Into<String>) -> Self {
        Self::new(Code::AuthFailed, message)
    }

    /// The other side asks to slow down.
    pub fn rate_limited(message: impl Into<String>) -> Self {
        Self::new(Code::RateLimited, message)
    }

    /// A limit of the pack itself was reached.
    pub fn resource_exhausted(message: impl Into<String>) -> Self {
        Self::new(Code::ResourceExhausted, message)
    }

    /// The other side took too long.
    pub fn timeout(message: impl Into<String>) -> Self {
        Self::new(Code::Timeout, message)
    }

    /// Everything else.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Code::Failed, message)
    }

    /// What to change, in a sentence.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// The part of the input that is at fault, as a JSON pointer (RFC 6901) such as `/path`.
    #[must_use]
    pub fn pointer(mut self, pointer: impl Into<String>) -> Self {
        self.pointer = Some(pointer.into());
        self
    }

    /// After how long the same call may work.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The message.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<Error> for PackError {
    fn from(error: Error) -> Self {
        Self {
            code: error.code,
            message: error.message,
            fix: error.fix,
            pointer: error.pointer,
            retry_after_ms: error.retry_after.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}
