//! Why there is no sandbox, or not what was asked of it, as one of the closed set.

use packhost_core::{ErrorCode, Failure, PackName};
use packhost_session_protocol::message::{Fault, Refusal};
use packhost_sessions::SessionError;
use packhost_sessions::link::LinkError;

/// Whether the pack cannot know better: the agent is told this, whatever the pack makes of it.
pub(super) fn is_beyond_the_pack(failure: &Failure) -> bool {
    use ErrorCode::{CapabilityDenied, Internal, RateLimited, ResourceExhausted, SessionUnavailable};
    matches!(failure.code, CapabilityDenied | Internal | RateLimited | ResourceExhausted | SessionUnavailable)
}

pub(super) fn not_granted(pack: &PackName) -> Failure {
    Failure::new(ErrorCode::CapabilityDenied, format!("{pack} may not have a sandbox."))
        .fix("Ask the operator for a `session` in the manifest's entry of the pack.")
}

pub(super) fn none_here() -> Failure {
    Failure::new(ErrorCode::SessionUnavailable, "This host makes no sandboxes.").fix("Tell the operator.")
}

pub(super) fn execs(most: u32) -> Failure {
    let message = format!("The call has started {most} programs, which is as many as it may.");
    Failure::new(ErrorCode::ResourceExhausted, message).fix("Do less in one call.")
}

pub(super) fn absolute(path: &str) -> Result<(), Failure> {
    if path.starts_with('/') && !path.contains('\0') {
        return Ok(());
    }
    Err(Failure::new(ErrorCode::InvalidInput, format!("\"{path}\" is no absolute path in the sandbox.")))
}

pub(super) fn session(error: SessionError) -> Failure {
    match error {
        SessionError::None(_) => {
            Failure::new(ErrorCode::SessionUnavailable, format!("No sandbox could be had: {error}."))
                .fix("Tell the operator; `packhost doctor` says what is missing.")
        }
        SessionError::TooMany { .. } => {
            Failure::new(ErrorCode::ResourceExhausted, format!("No other sandbox can be had now: {error}."))
                .fix("Wait until one of your calls has ended.")
        }
        SessionError::Link(error) => link(error),
        SessionError::Runtime(error) => {
            Failure::new(ErrorCode::SessionUnavailable, "The sandbox could not be started.")
                .fix("Tell the operator; the log says why.")
                .cause(error)
        }
        error @ (SessionError::NotFound(_) | SessionError::State(_)) => {
            Failure::new(ErrorCode::Internal, "No sandbox could be had. The operator's log says why.")
                .cause(error)
        }
    }
}

pub(super) fn link(error: LinkError) -> Failure {
    match error {
        LinkError::Ended(why) => {
            Failure::new(ErrorCode::SessionUnavailable, format!("The sandbox has ended: {why}."))
                .fix("Make the call again; it gets a new one. Files in the workspace are still there.")
        }
        LinkError::Refused(refusal) => refused(&refusal),
        error => Failure::new(ErrorCode::SessionUnavailable, "The connection to the sandbox broke.")
            .fix("Make the call again.")
            .cause(error),
    }
}

fn refused(refusal: &Refusal) -> Failure {
    let code = match refusal.fault {
        Fault::NotFound => ErrorCode::NotFound,
        Fault::Denied => ErrorCode::CapabilityDenied,
        Fault::Full | Fault::Busy => ErrorCode::ResourceExhausted,
        Fault::NotConfined | Fault::Unsupported | Fault::Gone => ErrorCode::SessionUnavailable,
        Fault::Malformed | Fault::Exists | Fault::WrongKind | Fault::NotExecutable => ErrorCode::InvalidInput,
        Fault::Failed => ErrorCode::HandlerFailed,
    };
    let text = refusal.message.trim_end_matches('.');
    Failure::new(code, format!("In the sandbox: {text}."))
}

pub(super) fn stream(error: std::io::Error) -> Failure {
    Failure::new(ErrorCode::SessionUnavailable, "The connection to the sandbox broke.")
        .fix("Make the call again.")
        .cause(error)
}
