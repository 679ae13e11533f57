//! Step 5 for a pack without a component: its program in the call's sandbox reads JSON and writes JSON.

use std::sync::Arc;
use std::time::Instant;

use packhost_core::{ErrorCode, Failure};
use packhost_manifest::CommandPack;
use serde_json::Value;

use super::run::{Raw, clip};
use super::{Progressed, trap};
use crate::call::Ended;
use crate::catalog::Tool;
use crate::runtime::Stop;
use crate::session::{CallSession, Captured, MOST, Program, Ran};

/// What of standard error is told to the agent, in bytes.
const TOLD: usize = 2_000;

pub(super) async fn run(
    pack: &CommandPack,
    tool: &Arc<Tool>,
    mut session: Box<CallSession>,
    input: Value,
    stop: &Arc<Stop>,
    so_far: &mut Progressed,
) -> Result<Raw, Ended> {
    let output = usize::try_from(tool.entry.limits.output).unwrap_or(MOST);
    let program = Program {
        argv: pack.run.clone(),
        env: Vec::new(),
        cwd: None,
        stdin: input.to_string().into_bytes(),
        timeout: None,
        // One byte more tells an answer that is too long from one that just fits.
        most: output.saturating_add(1),
    };
    let since = Instant::now();
    stop.arm(since + tool.entry.limits.time);
    let ran = tokio::select! {
        biased;
        () = stop.stopped() => None,
        ran = session.run(program) => Some(ran),
        () = stop.deadline() => None,
    };
    so_far.usage.ran = since.elapsed();
    so_far.close_ways();
    so_far.session = session.used();
    let ran = ran.ok_or_else(|| trap::stopped(stop.reason(), tool))??;
    session.finish();
    Ok(answered(tool, ran, output)?)
}

fn answered(tool: &Tool, ran: Ran, most: usize) -> Result<Raw, Failure> {
    let Ran { exit, stdout, stderr } = ran;
    if exit.timed_out {
        return Err(trap::stopped(Some(crate::runtime::StopReason::Deadline), tool));
    }
    if exit.out_of_memory {
        let message = format!("{} needed more memory than its sandbox may use.", tool.name);
        return Err(Failure::new(ErrorCode::ResourceExhausted, message).fix("Send a smaller input."));
    }
    if exit.code != Some(0) {
        let how = match (exit.code, exit.signal) {
            (Some(code), _) => format!("exit code {code}"),
            (None, signal) => format!("signal {}", signal.unwrap_or_default()),
        };
        let said = said(&stderr);
        return Err(Failure::new(
            ErrorCode::HandlerFailed,
            clip(format!("{} failed ({how}){said}", tool.name)),
        ));
    }
    if stdout.total > most as u64 {
        let message = format!("The answer of {} has {} bytes; it may have {most}.", tool.name, stdout.total);
        return Err(Failure::new(ErrorCode::ResourceExhausted, message).fix("Ask for less in one call."));
    }
    let value = serde_json::from_slice(&stdout.bytes).map_err(|error| {
        let message = format!("{} answered something that is not JSON.", tool.name);
        Failure::new(ErrorCode::InvalidOutput, message)
            .fix("Tell the operator: the program is at fault.")
            .cause(error)
    })?;
    Ok(Raw::Function(Some(value)))
}

fn said(stderr: &Captured) -> String {
    let text = String::from_utf8_lossy(&stderr.bytes);
    let text = text.trim();
    match text.is_empty() {
        true => ".".to_owned(),
        // The last words say most.
        false => format!(": {}", &text[text.ceil_char_boundary(text.len().saturating_sub(TOLD))..]),
    }
}
