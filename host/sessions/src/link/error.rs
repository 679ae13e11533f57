//! Why an exchange with a supervisor came to nothing.

use std::time::Duration;

use packhost_session_protocol::message::{Fault, Refusal};
use packhost_session_protocol::{FrameError, MuxError};

use crate::error::Ended;

/// Why an exchange with a supervisor came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The sandbox is no more, with the reason that its backend gives.
    #[error("the sandbox has ended: {0}")]
    Ended(Ended),
    /// The supervisor did not do it, and says why.
    #[error("{0}")]
    Refused(Refusal),
    /// The connection broke: it could not be opened again in time, or what was under way on it cannot be taken up again.
    #[error("the connection to the sandbox broke: {0}")]
    Broken(String),
    /// The supervisor said what the protocol does not allow. Nothing that it says is to be believed.
    #[error("the supervisor of the sandbox does not keep to the session protocol: {0}")]
    Protocol(String),
    /// What was to be sent into the sandbox could not be read on the host's side.
    #[error("what is to be sent into the sandbox cannot be read: {0}")]
    Content(String),
}

/// The longest text that is taken from a supervisor for people to read, in bytes.
const TEXT: usize = 500;

/// What comes in the way of one attempt.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The connection, or this exchange on it, is gone. Another one may go well.
    Broke(String),
    /// There is no point in another attempt.
    Over(LinkError),
}

impl Trouble {
    /// What the supervisor must not say.
    pub(super) fn protocol(why: impl Into<String>) -> Self {
        Self::Over(LinkError::Protocol(why.into()))
    }

    /// What the supervisor did not do in time.
    pub(super) fn silent(limit: Duration) -> Self {
        Self::Broke(format!("no answer from the supervisor within {limit:?}"))
    }

    /// A refusal, with a text that is fit for a log.
    pub(super) fn refused(refusal: Refusal) -> Self {
        Self::Over(LinkError::Refused(Refusal { message: readable(&refusal.message), ..refusal }))
    }

    /// The error where there is no other attempt.
    pub(super) fn last(self) -> LinkError {
        match self {
            Self::Broke(why) => LinkError::Broken(why),
            Self::Over(error) => error,
        }
    }

    /// What goes wrong while something is written: a message that is too long is ours.
    pub(super) fn of_writing(error: FrameError) -> Self {
        match error {
            FrameError::TooLong { .. } => Self::Over(LinkError::Refused(Refusal::new(
                Fault::Malformed,
                format!("the request is too large for the session protocol: {error}"),
            ))),
            other => other.into(),
        }
    }
}

impl From<FrameError> for Trouble {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Broken(_) | FrameError::Cut => Self::Broke(error.to_string()),
            FrameError::Kind(_)
            | FrameError::TooLong { .. }
            | FrameError::Message(_)
            | FrameError::Unexpected(_) => Self::protocol(error.to_string()),
        }
    }
}

impl From<MuxError> for Trouble {
    fn from(error: MuxError) -> Self {
        Self::Broke(error.to_string())
    }
}

/// A stranger's text on one line, short, without what a terminal would obey.
pub(super) fn readable(text: &str) -> String {
    let end = text.floor_char_boundary(TEXT);
    text[..end].chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_text_is_short_and_tame() {
        assert_eq!(readable("a\x1b[31m\nb"), "a [31m b");
        let long = readable(&"é".repeat(TEXT));
        assert!(long.len() <= TEXT && long.chars().all(|c| c == 'é'));
    }
}
