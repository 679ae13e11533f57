//! What the engine says of a container, as what is known of a sandbox.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bollard::models::{ContainerState, ContainerStateStatusEnum as Status};

use super::container::label;
use crate::error::{Ended, RuntimeError};
use crate::id::{HostId, SandboxId};
use crate::runtime::{SandboxState, SandboxStatus};

/// The code with which a supervisor ends itself because nobody was connected: `EX_TEMPFAIL` of sysexits(3).
const ORPHANED: i64 = 75;
const KILLED: i64 = 128 + 9;

/// What a container of this host is; none for everybody else's.
pub(super) fn status(
    host: &HostId,
    labels: Option<&HashMap<String, String>>,
    state: SandboxState,
) -> Option<SandboxStatus> {
    let labels = labels?;
    if labels.get(label::HOST).map(String::as_str) != Some(host.as_str()) {
        return None;
    }
    let id: SandboxId = labels.get(label::SANDBOX)?.parse().ok()?;
    let millis = labels.get(label::CREATED).and_then(|text| text.parse().ok()).unwrap_or(0);
    let created = UNIX_EPOCH + Duration::from_millis(millis);
    Some(SandboxStatus { id, owner: labels.get(label::OWNER).cloned().unwrap_or_default(), state, created })
}

/// The present as it stands in the label.
pub(super) fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis().to_string()
}

/// What a container does.
pub(super) fn state(of: Option<&ContainerState>) -> SandboxState {
    let Some(of) = of else { return SandboxState::Ended(Ended::Unknown) };
    match of.status {
        Some(Status::CREATED | Status::RESTARTING) => SandboxState::Starting,
        // Paused by somebody with the engine's own tools: it is there, and goes on when they let it.
        Some(Status::RUNNING | Status::PAUSED) => SandboxState::Running,
        Some(Status::REMOVING) => SandboxState::Ended(Ended::Destroyed),
        Some(Status::EXITED) => SandboxState::Ended(ended(of)),
        _ => SandboxState::Ended(Ended::Unknown),
    }
}

fn ended(of: &ContainerState) -> Ended {
    let Some(code) = of.exit_code else { return Ended::Unknown };
    match code {
        ORPHANED => Ended::Orphaned,
        KILLED if of.oom_killed == Some(true) => Ended::OutOfMemory,
        // As a shell and the engine write a signal.
        129..=192 => i32::try_from(code - 128).map_or(Ended::Unknown, Ended::Signalled),
        _ => i32::try_from(code).map_or(Ended::Unknown, Ended::Exited),
    }
}

/// The error of whoever wants to reach a sandbox that does this; none while it runs.
pub(super) fn unreachable(state: &SandboxState) -> Option<RuntimeError> {
    match state {
        SandboxState::Ended(how) => Some(RuntimeError::Ended(how.clone())),
        SandboxState::Starting | SandboxState::Running => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_code_says_how_it_ended() {
        let exited = |code, oom| {
            state(Some(&ContainerState {
                status: Some(Status::EXITED),
                exit_code: Some(code),
                oom_killed: Some(oom),
                ..ContainerState::default()
            }))
        };
        assert_eq!(exited(0, false), SandboxState::Ended(Ended::Exited(0)));
        assert_eq!(exited(75, false), SandboxState::Ended(Ended::Orphaned));
        assert_eq!(exited(137, true), SandboxState::Ended(Ended::OutOfMemory));
        assert_eq!(exited(137, false), SandboxState::Ended(Ended::Signalled(9)));
        // A program inside was killed for its memory, and the supervisor ended later by itself.
        assert_eq!(exited(0, true), SandboxState::Ended(Ended::Exited(0)));
        assert_eq!(exited(255, false), SandboxState::Ended(Ended::Exited(255)));
    }
}
