//! The spans of one call, as its record has it.
//!
//! Names and attributes are those of OpenTelemetry's semantic conventions for MCP and for tools
//! (<https://github.com/open-telemetry/semantic-conventions-genai>, in development), and `packhost.…` where they have none.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue, StringValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use packhost_audit::{Call, Contact, Outcome};
use packhost_core::Digest;

/// What a call of the protocol is called there.
const METHOD: &str = "tools/call";
/// A place that is free at once takes microseconds.
const WAITED: Duration = Duration::from_millis(1);

/// The span of the call, that of its wait for a place, that of its guest, and one for each request that it made. The trace is the
/// one that the client named, or one of the call's own, whose id is that of the run. None where the client does not keep its trace.
pub fn spans(call: &Call) -> Vec<SpanData> {
    if call.unsampled {
        return Vec::new();
    }
    let Some(trace) = trace_of(call) else { return Vec::new() };
    let own = Own { call, trace, started: moment(call.started.micros()) };
    let (root, ran) = (own.id(0), own.id(1));
    let mut spans = vec![own.root(root)];
    let (queued, running) = (micros(call.queued_us), micros(call.ran_us));
    if queued >= WAITED {
        spans.push(own.span("wait for a place", own.id(2), root, Duration::ZERO, queued));
    }
    if !running.is_zero() {
        let mut span = own.span("run", ran, root, queued, running);
        span.attributes = vec![KeyValue::new("packhost.memory", number(call.memory))];
        spans.push(span);
    }
    let above = if running.is_zero() { root } else { ran };
    let contacts = call.contacts.iter().enumerate();
    spans.extend(contacts.map(|(index, contact)| own.contact(contact, own.id(index + 3), above)));
    spans
}

struct Own<'a> {
    call: &'a Call,
    trace: TraceId,
    started: SystemTime,
}

impl Own<'_> {
    /// Of the run alone: whoever has the record of a call finds its spans.
    fn id(&self, index: usize) -> SpanId {
        let digest = Digest::of(format!("{} span {index}", self.call.run).as_bytes());
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&digest.as_bytes()[..8]);
        // Zero is no id.
        bytes[7] |= 1;
        SpanId::from_bytes(bytes)
    }

    fn span(
        &self,
        name: impl Into<Cow<'static, str>>,
        id: SpanId,
        parent: SpanId,
        after: Duration,
        took: Duration,
    ) -> SpanData {
        let start = self.started + after;
        let flags = TraceFlags::SAMPLED;
        SpanData {
            span_context: SpanContext::new(self.trace, id, flags, false, TraceState::default()),
            parent_span_id: parent,
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: name.into(),
            start_time: start,
            end_time: start + took,
            attributes: Vec::new(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::builder("packhost")
                .with_version(env!("CARGO_PKG_VERSION"))
                .build(),
        }
    }

    fn root(&self, id: SpanId) -> SpanData {
        let call = self.call;
        let parent = call.parent.as_deref().and_then(|parent| SpanId::from_hex(parent).ok());
        // Whatever a client asks for that there is none of is not to become a name.
        let name = match (call.pack.is_some(), is_mcp(call)) {
            (true, true) => format!("{METHOD} {}", call.tool),
            (true, false) => format!("execute_tool {}", call.pack.as_deref().unwrap_or_default()),
            (false, true) => METHOD.to_owned(),
            (false, false) => "execute_tool".to_owned(),
        };
        let mut span =
            self.span(name, id, parent.unwrap_or(SpanId::INVALID), Duration::ZERO, micros(call.total_us));
        span.parent_span_is_remote = parent.is_some();
        span.span_kind = SpanKind::Server;
        span.attributes = about(call);
        if let Some(code) = failed(call) {
            span.attributes.push(KeyValue::new("packhost.error", code.to_owned()));
            // A tool that failed is an answer of the protocol, and has one name there.
            let kind = if is_mcp(call) { "tool_error" } else { code };
            span.attributes.push(KeyValue::new("error.type", kind.to_owned()));
            span.status = Status::error(code.to_owned());
        }
        span
    }

    fn contact(&self, contact: &Contact, id: SpanId, parent: SpanId) -> SpanData {
        let (after, took) = (micros(contact.at_us), micros(contact.took_us));
        let mut span = self.span("request", id, parent, after, took);
        span.span_kind = SpanKind::Client;
        span.attributes = vec![
            KeyValue::new("server.address", contact.host.clone()),
            KeyValue::new("server.port", i64::from(contact.port)),
            KeyValue::new("packhost.egress.decision", contact.decision.clone()),
            KeyValue::new("packhost.egress.sent", number(contact.sent)),
            KeyValue::new("packhost.egress.received", number(contact.received)),
        ];
        if let Some(address) = contact.address {
            span.attributes.push(KeyValue::new("network.peer.address", address.to_string()));
        }
        if contact.decision != Contact::ALLOWED {
            span.attributes.push(KeyValue::new("error.type", contact.decision.clone()));
            span.status = Status::error(contact.decision.clone());
        }
        span
    }
}

fn about(call: &Call) -> Vec<KeyValue> {
    let mut about = vec![KeyValue::new("gen_ai.operation.name", "execute_tool")];
    let mut add = |key: &'static str, value: Option<&str>| {
        about.extend(value.map(|value| KeyValue::new(key, value.to_owned())));
    };
    let mcp = is_mcp(call);
    add("mcp.method.name", mcp.then_some(METHOD));
    add("mcp.protocol.version", call.protocol.as_deref().filter(|_| mcp));
    add("gen_ai.tool.name", Some(call.tool.as_str()));
    add("network.transport", transport(call));
    add("client.address", call.address.map(|address| address.to_string()).as_deref());
    add("packhost.run", Some(&call.run));
    add("packhost.caller", Some(&call.caller));
    add("packhost.door", Some(&call.door));
    add("packhost.pack", call.pack.as_deref());
    add("packhost.pack.digest", call.digest.map(|digest| digest.to_string()).as_deref());
    add("packhost.manifest.revision", call.revision.as_deref());
    add("packhost.session", call.session.as_ref().map(|session| session.id.as_str()));
    add("packhost.session.backend", call.session.as_ref().map(|session| session.backend.as_str()));
    let names = call.credentials.iter().map(|used| StringValue::from(used.name.clone()));
    let counts = [
        ("packhost.mends", call.mends.len()),
        ("packhost.artifacts", call.artifacts.len()),
        ("packhost.denied", call.denied.len()),
    ];
    let counts = counts.into_iter().filter(|(_, count)| *count > 0);
    about.extend(counts.map(|(key, count)| KeyValue::new(key, number(count as u64))));
    if !call.credentials.is_empty() {
        about.push(KeyValue::new("packhost.credentials", Value::Array(names.collect::<Vec<_>>().into())));
    }
    about
}

/// The code of a call that failed.
fn failed(call: &Call) -> Option<&str> {
    match &call.outcome {
        Outcome::Ok | Outcome::Asks => None,
        outcome => Some(outcome.as_str()),
    }
}

fn is_mcp(call: &Call) -> bool {
    matches!(call.door.as_str(), "stdio" | "http")
}

fn transport(call: &Call) -> Option<&'static str> {
    match call.door.as_str() {
        "stdio" => Some("pipe"),
        "http" | "api" => Some("tcp"),
        _ => None,
    }
}

fn trace_of(call: &Call) -> Option<TraceId> {
    let own = || call.run.replace('-', "");
    let trace = TraceId::from_hex(&call.trace.clone().unwrap_or_else(own)).ok()?;
    (trace != TraceId::INVALID).then_some(trace)
}

fn moment(micros: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_micros(micros)
}

fn micros(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

/// Numbers of attributes are signed.
fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
