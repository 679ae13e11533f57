//! What it means when a guest does not come back with an answer.

use packhost_core::{ErrorCode, Failure};
use wasmtime::Trap;

use crate::call::Ended;
use crate::catalog::Tool;
use crate::runtime::{Exhausted, Guest, Stop, StopReason};

/// The guest trapped, or a host function ended it. The agent gets a sentence; the log gets the backtrace.
pub(super) fn ended(error: &wasmtime::Error, guest: &mut Guest, stop: &Stop, tool: &Tool) -> Ended {
    if let Some(question) = guest.ask.suspended.take() {
        return Ended::Asks(question);
    }
    if let Some(reason) = stop.reason() {
        return stopped(Some(reason), tool).into();
    }
    let failure = exhausted(guest.limiter.exhausted(), tool).unwrap_or_else(|| trapped(error, tool));
    Ended::Failed(failure.cause(format!("{error:?}")))
}

/// The call was told to stop.
pub(super) fn stopped(reason: Option<StopReason>, tool: &Tool) -> Failure {
    match reason {
        Some(StopReason::Deadline) => {
            let limit = tool.entry.limits.time;
            let message = format!("{} took longer than the {limit:?} it may take.", tool.name);
            Failure::new(ErrorCode::Timeout, message).fix("Ask for less in one call.")
        }
        Some(StopReason::Revoked) => {
            let message = format!("The operator changed what {} may do while it was running.", tool.name);
            Failure::new(ErrorCode::CapabilityDenied, message)
                .fix("Make the call again to run under the new rules.")
        }
        Some(StopReason::Shutdown) => Failure::new(ErrorCode::Cancelled, "The host is shutting down."),
        Some(StopReason::Cancelled) | None => Failure::new(ErrorCode::Cancelled, "The call was cancelled."),
    }
}

/// The pack reported an error. Where a request of this call was refused, the agent is told that and by which rule,
/// because the pack itself cannot know.
pub(super) fn explain(failure: Failure, guest: &Guest) -> Failure {
    let refusable = matches!(failure.code, ErrorCode::CapabilityDenied | ErrorCode::HandlerFailed);
    let exhausted = failure.code == ErrorCode::ResourceExhausted;
    match (guest.outgoing.refusal(), guest.session.refusal()) {
        (Some(refusal), _) if refusable => refusal.cause(failure),
        (None, Some(refusal)) if refusable || exhausted => refusal.clone().cause(failure),
        _ => failure,
    }
}

fn exhausted(what: Option<Exhausted>, tool: &Tool) -> Option<Failure> {
    let message = match what? {
        Exhausted::Memory => {
            format!(
                "{} needed more than the {} MiB of memory it may use.",
                tool.name,
                tool.entry.limits.memory >> 20
            )
        }
        Exhausted::Table => format!("{} needed a larger table than it may use.", tool.name),
    };
    Some(Failure::new(ErrorCode::ResourceExhausted, message).fix("Send a smaller input."))
}

fn trapped(error: &wasmtime::Error, tool: &Tool) -> Failure {
    if error.is::<wasmtime::PoolConcurrencyLimitError>() {
        return Failure::new(ErrorCode::RateLimited, "Every instance of the host is in use.");
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => {
            let message = format!("{} ran out of stack.", tool.name);
            Failure::new(ErrorCode::ResourceExhausted, message).fix("Send a smaller or less nested input.")
        }
        Some(_) => Failure::new(
            ErrorCode::HandlerFailed,
            format!("{} crashed. The operator's log says where.", tool.name),
        ),
        None if error.is::<wasmtime_wasi::I32Exit>() => {
            Failure::new(ErrorCode::HandlerFailed, format!("{} ended without an answer.", tool.name))
        }
        None => limit_or_failed(error, tool),
    }
}

/// What wasmtime says when a guest exceeds a limit for which it has no error type: bytes of one host call, handles of
/// one store, random bytes at once. Looked for in the innermost error alone: around it are the guest's own names.
const LIMITS: [&str; 3] = ["hostcall", "store handle limit exceeded", "exceeds limit"];

fn limit_or_failed(error: &wasmtime::Error, tool: &Tool) -> Failure {
    let table_full = matches!(
        error.downcast_ref::<wasmtime::component::ResourceTableError>(),
        Some(wasmtime::component::ResourceTableError::Full)
    );
    let innermost = error.root_cause().to_string();
    if table_full || LIMITS.iter().any(|known| innermost.contains(known)) {
        let message = format!("{} used more handles or larger messages than it may.", tool.name);
        Failure::new(ErrorCode::ResourceExhausted, message).fix("Ask for less in one call.")
    } else {
        Failure::new(ErrorCode::HandlerFailed, format!("{} failed. The operator's log says why.", tool.name))
    }
}
