//! What of a call goes on record.

use std::time::Duration;

use packhost_audit::{Artifact, Call, Client, Contact, Denial, Mend, Moment, Outcome, SessionUsed};
use packhost_core::Digest;
use packhost_egress::Decision;
use packhost_manifest::DeniedRequest;
use serde_json::Value;

use super::record::Record;
use crate::call::{Answer, Ended};
use crate::catalog::Tool;
use crate::session::SessionUse;

/// The SHA-256 of a value as JSON without white space.
pub(super) fn digest(value: &Value) -> Digest {
    Digest::of(text(value).as_bytes())
}

/// A value as JSON without white space. Its own `to_string` writes the same through a formatter, which takes longer.
pub(super) fn text(value: &Value) -> String {
    // A value has no key that is not text, so nothing in it cannot be written.
    serde_json::to_string(value).unwrap_or_else(|_| value.to_string())
}

/// The call as it goes on record.
pub(super) fn call(record: &Record, result: &Result<Answer, Ended>) -> Call {
    let so_far = &record.so_far;
    let tool = so_far.tool.as_deref();
    let outcome = match result {
        Ok(_) => Outcome::Ok,
        Err(Ended::Asks(_)) => Outcome::Asks,
        Err(Ended::Failed(failure)) => Outcome::Failed(failure.code),
    };
    let cause = match result {
        Err(Ended::Failed(failure)) => failure.cause.as_ref(),
        _ => None,
    };
    let output = result.as_ref().ok().and_then(|answer| answer.structured.as_ref());
    Call {
        run: record.run.to_string(),
        trace: record.peer.trace.map(|trace| trace.trace()),
        parent: record.peer.trace.map(|trace| trace.span()),
        unsampled: record.peer.trace.is_some_and(|trace| !trace.is_sampled()),
        caller: record.caller.to_string(),
        door: record.door.as_str().to_owned(),
        address: record.peer.address,
        client: client(record),
        protocol: record.peer.protocol.clone(),
        pack: tool.map(|tool| tool.name.to_string()),
        tool: record.asked.clone(),
        digest: tool.map(|tool| tool.pack.digest),
        revision: Some(so_far.revision.clone()).filter(|revision| !revision.is_empty()),
        input_sha256: record.input,
        output_sha256: output.map(digest),
        input: input(record),
        mends: so_far.mends.iter().map(mend).collect(),
        grants: tool.map(|tool| grants(record, tool)).unwrap_or_default(),
        contacts: so_far.contacts.list.iter().map(|met| contact(record, met)).collect(),
        more_contacts: so_far.contacts.more,
        denied: so_far.denied.iter().map(denial).collect(),
        credentials: so_far.uses.list(),
        session: so_far.session.as_ref().map(session),
        artifacts: so_far.artifacts.iter().map(artifact).collect(),
        started: Moment::of(record.started),
        queued_us: micros(so_far.usage.queued),
        ran_us: micros(so_far.usage.ran),
        total_us: micros(record.since.elapsed()),
        memory: so_far.usage.memory,
        requests: so_far.usage.requests,
        outcome,
        cause_sha256: cause.map(|cause| Digest::of(cause.as_bytes())),
        cut: false,
    }
}

/// The input as it was sent, where it is kept, without the values of credentials.
fn input(record: &Record) -> Option<Value> {
    let mut input = record.so_far.input.clone()?;
    if let Some(redactor) = record.so_far.used.redactor() {
        redactor.json(&mut input);
    }
    Some(input)
}

fn client(record: &Record) -> Option<Client> {
    let (name, version) = record.peer.client.clone()?;
    Some(Client { name, version })
}

/// What of the entry the call worked with: rules that allowed a request, the directories that it was given, its sandbox, its
/// workspace.
fn grants(record: &Record, tool: &Tool) -> Vec<String> {
    let (so_far, entry) = (&record.so_far, &tool.entry);
    if !so_far.began {
        return Vec::new();
    }
    let http = so_far.rules.iter().map(|rule| format!("http ({rule})"));
    let fs = entry.fs.iter().map(|rule| format!("fs {} ({})", rule.guest, rule.place));
    let session = so_far.session.iter().map(|_| format!("session ({})", entry.place_of("session")));
    let workspace = entry.workspace.then(|| format!("workspace ({})", entry.place_of("workspace")));
    http.chain(fs).chain(session).chain(workspace).collect()
}

fn mend(mend: &packhost_schema::Mend) -> Mend {
    Mend { pointer: mend.pointer.clone(), what: mend.kind.as_str().to_owned() }
}

fn contact(record: &Record, contact: &packhost_egress::Contact) -> Contact {
    let decision = match contact.decision {
        Decision::Pending => "pending",
        Decision::Allowed => Contact::ALLOWED,
        Decision::DeniedByRule => "denied_by_rule",
        Decision::DeniedByAddress => "denied_by_address",
    };
    Contact {
        host: contact.host.clone(),
        port: contact.port,
        address: contact.address,
        decision: decision.to_owned(),
        rule: None,
        at_us: micros(contact.began.saturating_duration_since(record.since)),
        took_us: micros(contact.took),
        sent: contact.sent,
        received: contact.received,
    }
}

fn denial(request: &DeniedRequest) -> Denial {
    Denial {
        method: request.method().to_owned(),
        scheme: request.scheme().as_str().to_owned(),
        host: request.host().to_owned(),
        port: request.port(),
        path: request.path().to_owned(),
        reported: request.is_reported(),
    }
}

fn session(used: &SessionUse) -> SessionUsed {
    SessionUsed {
        id: used.id.clone(),
        backend: used.chosen.backend.to_string(),
        warm: used.warm,
        reused: used.reused,
        why: used.chosen.why(),
    }
}

fn artifact(made: &packhost_artifacts::Artifact) -> Artifact {
    Artifact { sha256: made.digest, name: made.name.to_string(), size: made.size }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
