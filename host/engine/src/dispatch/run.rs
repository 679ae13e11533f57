//! Step 5: a fresh instance, with limits and a deadline.

use std::sync::Arc;
use std::time::Instant;

use packhost_core::{ErrorCode, Failure};
use packhost_egress::{Account, CallEgress, Holding, Quota, SessionCa, Used};
use packhost_manifest::{Grants, Limits};
use packhost_workspaces::Workspace;
use serde_json::Value;
use wasmtime::Store;

use super::outbox::Made;
use super::{Progressed, command, redact, trap};
use crate::call::{Call, Ended};
use crate::capabilities::{self, Granted, Maker, Side, Spends, types};
use crate::catalog::{Export, Tool};
use crate::credentials::Held;
use crate::engine::Inner;
use crate::runtime::{Guest, Loaded, Logs, Stop};
use crate::session::{CallSession, Wanted, Way};
use crate::settings::Settings;
use crate::wit_json::{Lifted, Signature};

/// What came out of a guest, not yet checked.
pub(super) enum Raw {
    Handler(types::Output),
    Function(Option<Value>),
    /// The `err` of a function whose result is a `result`.
    FunctionErr(Value),
}

/// What this call may use, and on what.
pub(super) struct Given {
    pub(super) input: Value,
    pub(super) grants: Arc<Grants>,
    pub(super) workspace: Option<Arc<Workspace>>,
}

pub(super) async fn run(
    engine: &Arc<Inner>,
    call: &Call,
    tool: &Arc<Tool>,
    given: Given,
    stop: &Arc<Stop>,
    so_far: &mut Progressed,
) -> Result<Raw, Ended> {
    let spending = Spends {
        egress: &engine.egress,
        account: account(engine, call, tool),
        holding: holding(engine, call, tool, so_far),
        limits: &tool.entry.limits,
        stop,
    };
    let inside = spending.of(&given.grants, Side::Sandbox);
    so_far.began = true;
    so_far.ways.push(inside.call.clone());
    let session = session(engine, call, tool, &given, inside.call)?;
    let ran = match &*tool.export {
        Export::Command(pack) => Box::pin(command::run(pack, tool, session, given.input, stop, so_far)).await,
        _ => in_component(engine, call, tool, given, &spending, session, stop, so_far).await,
    };
    so_far.denied.extend(inside.decided.denied());
    so_far.rules.extend(inside.decided.rules());
    ran
}

/// The sandbox that this call may have; none is made yet.
fn session(
    engine: &Inner,
    call: &Call,
    tool: &Tool,
    given: &Given,
    inside: CallEgress,
) -> Result<Box<CallSession>, Failure> {
    let mut way = Way::new(engine.egress.clone(), inside);
    let rules = given.grants.session.iter().flat_map(|session| session.http.rules());
    if rules.into_iter().any(|rule| rule.terminate) {
        let authority = SessionCa::new().map_err(|error| {
            Failure::new(ErrorCode::Internal, "The sandbox cannot be set up. The operator's log says why.")
                .cause(error)
        })?;
        way = way.terminating(authority);
    }
    Ok(Box::new(CallSession::new(Wanted {
        sessions: engine.settings.sessions.clone(),
        run: call.run,
        caller: call.caller().clone(),
        pack: tool.pack.name.clone(),
        grants: Arc::clone(&given.grants),
        limits: tool.entry.limits,
        workspace: given.workspace.clone(),
        way,
    })))
}

#[expect(clippy::too_many_arguments, reason = "all that a call is, once")]
async fn in_component(
    engine: &Arc<Inner>,
    call: &Call,
    tool: &Arc<Tool>,
    given: Given,
    spending: &Spends<'_>,
    session: Box<CallSession>,
    stop: &Arc<Stop>,
    so_far: &mut Progressed,
) -> Result<Raw, Ended> {
    let loaded = tokio::select! {
        loaded = tool.pack.loaded(&engine.runtimes, engine.cache.as_ref()) => loaded?,
        () = stop.stopped() => return Err(trap::stopped(stop.reason(), tool).into()),
    };
    let logs = logs(call, tool, &so_far.used);
    let made = Made::none(engine.settings.artifacts.clone());
    let granted = Granted {
        grants: given.grants,
        limits: &tool.entry.limits,
        client: &redact::Redacted::client(&call.client, &so_far.used),
        spending,
        workspace: given.workspace.as_ref(),
        session,
        maker: maker(call, tool, &so_far.used),
        made: made.clone(),
        stop,
        logs: &logs,
    };
    let mut store = store(granted, &loaded)?;
    so_far.ways.insert(0, store.data().outgoing.call().clone());
    let _ticking = engine.ticker.ticking();
    let since = Instant::now();
    stop.arm(since + tool.entry.limits.time);
    let ran = tokio::select! {
        biased;
        () = stop.stopped() => None,
        ran = invoke(tool, &loaded, &mut store, given.input) => Some(ran),
        () = stop.deadline() => None,
    };
    so_far.usage.ran = since.elapsed();
    logs.finish();
    so_far.close_ways();
    let guest = store.data_mut();
    so_far.usage.memory = guest.limiter.peak();
    so_far.denied = guest.outgoing.decided().denied();
    so_far.rules = guest.outgoing.decided().rules();
    so_far.session = guest.session.used();
    if matches!(ran, Some(Ok(_))) {
        guest.session.finish();
    }
    match ran {
        Some(Ok(Ok(raw))) => {
            so_far.made = Some(made);
            Ok(raw)
        }
        Some(Ok(Err(failure))) => Err(trap::explain(failure, guest).into()),
        Some(Err(error)) => Err(trap::ended(&error, guest, stop, tool)),
        None => Err(trap::stopped(stop.reason(), tool).into()),
    }
}

/// What the pack may use over all of its calls, on behalf of this caller.
fn account(engine: &Inner, call: &Call, tool: &Tool) -> Account {
    let Limits { requests_per_minute, connections, .. } = tool.entry.limits;
    engine.egress.account(&tool.pack.name, call.caller(), Quota { requests_per_minute, connections })
}

/// Whose artifacts the call makes.
fn maker(call: &Call, tool: &Tool, used: &Used) -> Maker {
    Maker { run: call.run, caller: call.caller().clone(), pack: tool.name.clone(), used: used.clone() }
}

/// The credentials that the call may ask for, and where it is noted which it has used.
fn holding(engine: &Inner, call: &Call, tool: &Tool, so_far: &Progressed) -> Holding {
    let Settings { credentials: store, recorder, .. } = &engine.settings;
    let held = Held {
        store: store.clone(),
        recorder: recorder.clone(),
        run: call.run,
        pack: tool.name.clone(),
        caller: call.caller().clone(),
        uses: so_far.uses.clone(),
    };
    Holding { credentials: Arc::new(held), used: so_far.used.clone() }
}

fn store(granted: Granted<'_>, loaded: &Loaded) -> Result<Store<Guest>, Failure> {
    let (limits, stop) = (granted.limits, Arc::clone(granted.stop));
    let parts = capabilities::build(granted).map_err(|error| {
        let (what, fix) = match error.is_closed_to_us() {
            true => ("cannot be opened by the host", "Ask the operator: a restart of the host may be due."),
            false => {
                ("is not there", "Ask the operator to make the directory that the manifest names for it.")
            }
        };
        let message = format!("The directory {} {what}.", error.guest);
        Failure::new(ErrorCode::CapabilityDenied, message).fix(fix).cause(error)
    })?;
    Ok(Guest::store(&loaded.engine, parts, limits, stop))
}

/// Lines of the pack go to the operator's log and to the client.
fn logs(call: &Call, tool: &Arc<Tool>, used: &Used) -> Arc<Logs> {
    let (client, tool, run, used) = (Arc::clone(&call.client), Arc::clone(tool), call.run, used.clone());
    Logs::new(tool.clone().entry.limits.logs, move |line| {
        let line = redact::line(&used, line);
        tracing::debug!(target: "packhost::pack", pack = %tool.name, %run, level = ?line.level, "{}", line.message.escape_debug());
        client.log(line);
    })
}

async fn invoke(
    tool: &Tool,
    loaded: &Loaded,
    store: &mut Store<Guest>,
    input: Value,
) -> wasmtime::Result<Result<Raw, Failure>> {
    match (&*tool.export, &loaded.handler) {
        (Export::Handler, Some(handler)) => {
            let instance = handler.instantiate_async(&mut *store).await?;
            let input = serde_json::to_string(&input)?;
            let ran = instance.packhost_pack_handler().call_run(&mut *store, &input).await?;
            Ok(ran.map(Raw::Handler).map_err(reported))
        }
        (Export::Handler, None) => {
            let message = "The pack does not export packhost:pack/handler, though it says that it is a pack.";
            Ok(Err(Failure::new(ErrorCode::SchemaMismatch, message).fix("Tell the operator.")))
        }
        (Export::Function(signature), _) => function(signature, loaded, store, &input).await,
        (Export::Command(_), _) => {
            // Nothing is loaded for one, so nothing leads here.
            Ok(Err(Failure::new(ErrorCode::Internal, "A pack without a component was run as one.")))
        }
    }
}

async fn function(
    signature: &Signature,
    loaded: &Loaded,
    store: &mut Store<Guest>,
    input: &Value,
) -> wasmtime::Result<Result<Raw, Failure>> {
    let params = match signature.lower(input) {
        Ok(params) => params,
        Err(failure) => return Ok(Err(failure)),
    };
    let instance = loaded.pre.instantiate_async(&mut *store).await?;
    let results = signature.call(&instance, &mut *store, &params).await?;
    Ok(match signature.lift(results) {
        Ok(Lifted::Ok(value)) => Ok(Raw::Function(value)),
        Ok(Lifted::Err(value)) => Ok(Raw::FunctionErr(value)),
        Err(failure) => Err(failure),
    })
}

/// What a pack says went wrong, as one of the closed set.
fn reported(error: types::PackError) -> Failure {
    use types::ErrorCode as Guest;
    let code = match error.code {
        Guest::InvalidInput => ErrorCode::InvalidInput,
        Guest::NotFound => ErrorCode::NotFound,
        Guest::Denied => ErrorCode::CapabilityDenied,
        Guest::AuthFailed => ErrorCode::AuthFailed,
        Guest::RateLimited => ErrorCode::RateLimited,
        Guest::ResourceExhausted => ErrorCode::ResourceExhausted,
        Guest::Timeout => ErrorCode::Timeout,
        Guest::Failed => ErrorCode::HandlerFailed,
    };
    let mut failure = Failure::new(code, clip(error.message));
    failure.advice.fix = error.fix.map(clip);
    failure.advice.pointer = error.pointer.map(clip);
    if let Some(ms) = error.retry_after_ms {
        failure = failure.retry_after(std::time::Duration::from_millis(ms.min(86_400_000)));
    }
    failure
}

/// A pack's sentence is a sentence: at most 2,000 characters reach the agent.
pub(super) fn clip(text: String) -> String {
    match text.char_indices().nth(2000) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
