//! Log records of OpenTelemetry in OTLP/JSON: numbers of 64 bits are text, and trace ids are hex
//! (<https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>).

use serde_json::{Value, json};

use super::Product;
use crate::event::{ActOutcome, Event, Outcome};
use crate::query::Entry;

/// One request with one log record.
pub(super) fn request(entry: &Entry, product: &Product) -> Value {
    let event = entry.event();
    let (severity, text) = match &event {
        Some(Event::Call(call)) if !matches!(call.outcome, Outcome::Ok | Outcome::Asks) => (13, "WARN"),
        Some(Event::Act(act)) if matches!(act.outcome, ActOutcome::Failed(_)) => (13, "WARN"),
        _ => (9, "INFO"),
    };
    let mut resource =
        vec![attribute("service.name", "packhost"), attribute("service.version", &product.version)];
    resource.extend(product.instance.as_deref().map(|instance| attribute("service.instance.id", instance)));
    let nanos = format!("{}000", entry.time().micros());
    let mut record = json!({
        "timeUnixNano": nanos,
        "observedTimeUnixNano": nanos,
        "severityNumber": severity,
        "severityText": text,
        "eventName": format!("packhost.{}", entry.kind()),
        "body": any(&entry.body().unwrap_or_default()),
        "attributes": attributes(entry, event.as_ref()),
    });
    if let Some(Event::Call(call)) = &event
        && let Some(trace) = call.trace.as_deref().filter(|trace| is_trace(trace))
    {
        record["traceId"] = trace.into();
    }
    json!({"resourceLogs": [{
        "resource": {"attributes": resource},
        "scopeLogs": [{"scope": {"name": "packhost.audit", "version": "1"}, "logRecords": [record]}],
    }]})
}

/// What records are usually looked for by.
fn attributes(entry: &Entry, event: Option<&Event>) -> Vec<Value> {
    let mut attributes = vec![
        attribute("packhost.audit.kind", entry.kind()),
        json!({"key": "packhost.audit.n", "value": {"intValue": entry.position().n.to_string()}}),
        attribute("packhost.audit.hash", &entry.position().hash.to_string()),
    ];
    let mut add = |name: &str, value: &str| {
        if !value.is_empty() {
            attributes.push(attribute(name, value));
        }
    };
    match event {
        Some(Event::Call(call)) => {
            add("packhost.run", &call.run);
            add("packhost.caller", &call.caller);
            add("packhost.pack", call.pack.as_deref().unwrap_or_default());
            add("packhost.outcome", call.outcome.as_str());
        }
        Some(Event::Credential(used)) => {
            add("packhost.run", &used.run);
            add("packhost.caller", &used.caller);
            add("packhost.pack", &used.pack);
            add("server.address", &used.host);
        }
        Some(Event::Act(act)) => {
            add("packhost.caller", &act.actor);
            add("packhost.verb", &act.verb);
            add("packhost.outcome", &act.outcome.to_string());
        }
        Some(Event::Session(session)) => {
            add("packhost.caller", &session.owner);
            add("packhost.session", &session.id);
        }
        None => {}
    }
    attributes
}

fn attribute(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

/// A value of JSON as an `AnyValue`.
fn any(value: &Value) -> Value {
    match value {
        Value::Null => json!({}),
        Value::Bool(flag) => json!({"boolValue": flag}),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => json!({"intValue": number.to_string()}),
            (None, Some(number)) => json!({"doubleValue": number}),
            (None, None) => json!({"stringValue": number.to_string()}),
        },
        Value::String(text) => json!({"stringValue": text}),
        Value::Array(values) => {
            json!({"arrayValue": {"values": values.iter().map(any).collect::<Vec<_>>()}})
        }
        Value::Object(fields) => {
            let pair = |(key, value): (&String, &Value)| json!({"key": key, "value": any(value)});
            json!({"kvlistValue": {"values": fields.iter().map(pair).collect::<Vec<_>>()}})
        }
    }
}

/// 32 hex digits that are not all zero (W3C Trace Context).
fn is_trace(text: &str) -> bool {
    text.len() == 32
        && text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'))
        && text.bytes().any(|c| c != b'0')
}
