//! What may be known of sandboxes.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use packhost_sessions::{Listed, SandboxId, SandboxState, SessionError, Sessions};
use serde_json::json;

use crate::exit::Error;
use crate::output::{BOLD, DIM, Output, println};

pub(super) async fn list(sessions: &Sessions, output: Output) -> Result<(), Error> {
    let listed = sessions.list().await?;
    output.answer(&json!({ "sessions": listed }), || {
        if listed.is_empty() {
            println!("no sandboxes");
        }
        for one in &listed {
            let workspace = one.workspace.as_deref().unwrap_or("-");
            println!(
                "{BOLD}{}{BOLD:#}  {:8} {:9} {:16} {:12} {:19} {DIM}{} old, {}{DIM:#}",
                one.id,
                one.backend.as_str(),
                state(one),
                one.pack,
                one.owner.as_deref().unwrap_or("-"),
                workspace,
                span(since(one.created)),
                one.image
            );
        }
    });
    Ok(())
}

pub(super) async fn show(sessions: &Sessions, id: &SandboxId, output: Output) -> Result<(), Error> {
    let listed = sessions.list().await?;
    let one = listed.iter().find(|one| one.id == *id).ok_or_else(|| SessionError::NotFound(id.clone()))?;
    let link = sessions.look_into(id).await?;
    let (usage, execs) = (link.usage().await, link.execs().await);
    let usage = usage.map_err(SessionError::from)?;
    let programs: Vec<_> = execs
        .map_err(SessionError::from)?
        .into_iter()
        .filter(|exec| !exec.ended)
        .map(|exec| {
            let words: Vec<_> = exec.argv.iter().map(|word| String::from_utf8_lossy(word)).collect();
            json!({ "pid": exec.pid, "command": words.join(" "), "ran_ms": exec.ran_ms })
        })
        .collect();
    let shown = json!({
        "session": one, "memory": usage.memory, "processes": usage.processes, "disk": usage.disk,
        "cpu_us": usage.cpu_us, "programs": programs,
    });
    output.answer(&shown, || {
        println!(
            "{BOLD}{}{BOLD:#} of {} for {} on {}, {}",
            one.id,
            one.owner.as_deref().unwrap_or("nobody yet"),
            one.pack,
            one.backend,
            state(one)
        );
        println!(
            "  made of {}, {} ago; ends in {} at the latest",
            one.image,
            span(since(one.created)),
            span(until(one.ends))
        );
        if let Some(workspace) = &one.workspace {
            println!("  works in {workspace}");
        }
        println!(
            "  uses {} MiB of memory, {} processes, {} KiB of disk; {:.1} s of processor so far",
            usage.memory >> 20,
            usage.processes,
            usage.disk >> 10,
            Duration::from_micros(usage.cpu_us).as_secs_f64()
        );
        for program in &programs {
            let command: String =
                program["command"].as_str().unwrap_or_default().escape_debug().take(120).collect();
            println!("  {DIM}{:>6}{DIM:#}  {command}", program["pid"]);
        }
    });
    Ok(())
}

fn state(one: &Listed) -> &'static str {
    match one.state {
        Some(SandboxState::Running) if one.owner.is_none() => "ready",
        Some(SandboxState::Starting) => "starting",
        Some(SandboxState::Running) => "running",
        Some(SandboxState::Ended(_)) => "ended",
        None => "unknown",
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn since(moment: u64) -> Duration {
    Duration::from_millis(now().saturating_sub(moment))
}

fn until(moment: u64) -> Duration {
    Duration::from_millis(moment.saturating_sub(now()))
}

/// A span as people say it: `42 s`, `7 min`, `3 h`.
pub(crate) fn span(time: Duration) -> String {
    match time.as_secs() {
        seconds @ ..120 => format!("{seconds} s"),
        seconds @ ..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_short() {
        for (seconds, text) in [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h")]
        {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
    }
}
