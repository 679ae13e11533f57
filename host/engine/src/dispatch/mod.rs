//! The one way to run a pack, whatever the door. Read [`steps`] like a list.

mod accept;
mod admit;
mod answer;
mod command;
mod event;
mod live;
pub(crate) mod outbox;
mod record;
mod redact;
mod run;
mod trap;
pub(crate) mod workspace;

use std::sync::Arc;

use packhost_core::{ErrorCode, Failure, Scope};
use packhost_schema::Mend;

pub(crate) use admit::Admission;
use live::Live;
pub use live::LiveCall;
pub(crate) use live::LiveCalls;
use record::Record;

use crate::call::{Answer, Call, Ended, Outcome, Usage};
use crate::catalog::Tool;
use crate::credentials::Uses;
use crate::engine::Inner;
use crate::runtime::Stop;
use crate::session::SessionUse;

/// What is known of a call so far. Steps fill it in; the record and the outcome are made of it.
#[derive(Default)]
pub(crate) struct Progressed {
    tool: Option<Arc<Tool>>,
    revision: String,
    mends: Vec<Mend>,
    usage: Usage,
    /// The ways out of the call that are open.
    ways: Vec<packhost_egress::CallEgress>,
    contacts: packhost_egress::Contacts,
    /// The input as it was sent, where the operator wants it on record.
    input: Option<serde_json::Value>,
    /// The pack, or its program, was given something to run with.
    began: bool,
    /// Where the rules stand that allowed a request.
    rules: Vec<packhost_manifest::Place>,
    /// The requests that no rule allows.
    denied: Vec<packhost_manifest::DeniedRequest>,
    /// The sandbox that it had.
    session: Option<SessionUse>,
    /// The credentials that it has used.
    used: packhost_egress::Used,
    /// Where each went.
    uses: Uses,
    /// The SHA-256 of the input as it was sent, where somebody is going to ask for it.
    sent: Option<packhost_core::Digest>,
    /// What it has kept while it ran; removed again where the call does not come to its end.
    made: Option<outbox::Made>,
    /// What it has made.
    artifacts: Vec<packhost_artifacts::Artifact>,
}

impl Progressed {
    /// Closes the ways out, and notes what has left by them. In this order: what leaves afterwards would be on no record.
    fn close_ways(&mut self) {
        for way in self.ways.drain(..) {
            way.end();
            self.usage.requests += way.spent().requests;
            self.contacts.extend(way.contacts());
        }
    }
}

/// Runs a call to its end. Always answers, and always leaves a record, also when the future is dropped. What cannot be recorded is
/// not answered.
pub(crate) async fn dispatch(engine: &Arc<Inner>, call: &mut Call, stop: &Arc<Stop>) -> Outcome {
    let mut record = Record::open(engine, call);
    record.so_far.sent = record.input;
    let result = steps(engine, call, stop, &mut record.so_far).await;
    let result = redact::result(&record.so_far.used, result);
    record::denied(engine, &record.so_far).await;
    let (result, so_far) = record.close(result).await; // 7
    Outcome {
        run: call.run,
        pack: so_far.tool.map(|tool| tool.name.clone()),
        result,
        mends: so_far.mends,
        revision: so_far.revision,
        session: so_far.session,
        artifacts: so_far.artifacts,
        usage: so_far.usage,
    }
}

async fn steps(
    engine: &Arc<Inner>,
    call: &mut Call,
    stop: &Arc<Stop>,
    so_far: &mut Progressed,
) -> Result<Answer, Ended> {
    let (tool, live) = identify(engine, call, stop, so_far)?; // 1
    let _place = admit::admit(engine, call, &tool, stop, so_far).await?; // 2
    live.runs();
    let mut input = accept::accept(engine, call, &tool, so_far)?; // 3
    let grants = accept::grants(engine, &tool, &input); // 4
    let (workspace, _taken) = workspace::of(engine, call, &tool, &grants, &mut input).await?;
    let given = run::Given { input, grants, workspace };
    let outbox = outbox::Outbox::of(engine, &tool, &given).await;
    let ran = run::run(engine, call, &tool, given, stop, so_far).await?; // 5
    let mut answer = answer::check(&tool, ran)?; // 6
    if let Some(outbox) = outbox {
        Box::pin(outbox.empty(call, &tool, stop, so_far, &mut answer)).await?;
    }
    Ok(answer)
}

/// The tool that is meant, if this caller may know of it. From here on the call is known: what takes a grant away finds
/// it, also while it waits for its place.
fn identify<'a>(
    engine: &'a Inner,
    call: &Call,
    stop: &Arc<Stop>,
    so_far: &mut Progressed,
) -> Result<(Arc<Tool>, Live<'a>), Failure> {
    loop {
        let serving = engine.serving.load_full();
        serving.manifest.revision().clone_into(&mut so_far.revision);
        let found = serving.catalog.find(&call.pack).filter(|tool| tool.is_visible_to(&call.identity));
        let tool = found.ok_or_else(|| serving.catalog.unknown(&call.pack, &call.identity))?;
        if !call.identity.scopes.may_call(&tool.name) {
            return Err(out_of_scope(tool));
        }
        let tool = tool.for_caller(&call.identity);
        let live = engine.live.enter(call, &tool, stop);
        // A reload puts the new manifest into force before it looks for calls to stop: either it is seen here, or the
        // call is seen there.
        if Arc::ptr_eq(&serving, &engine.serving.load()) {
            so_far.tool = Some(Arc::clone(&tool));
            return Ok((tool, live));
        }
    }
}

/// The caller may see the tool, and the token that it has shown lets it do no more.
fn out_of_scope(tool: &Tool) -> Failure {
    let message = format!("The token of this caller does not let it call {}.", tool.name);
    let fix = format!("Ask for a token with the scope \"{}\".", Scope::of_call(&tool.name));
    Failure::new(ErrorCode::CapabilityDenied, message).fix(fix)
}
