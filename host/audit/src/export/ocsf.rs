//! Events of the Open Cybersecurity Schema Framework (<https://schema.ocsf.io>). What has no place there is in `unmapped`.

use std::net::IpAddr;

use packhost_core::ErrorCode;
use serde_json::{Map, Value, json};

use super::Product;
use crate::event::{Act, ActOutcome, Call, Contact, Event, Outcome};
use crate::query::Entry;

/// The version of the schema that the events are of.
pub const OCSF_VERSION: &str = "1.5.0";

/// A class of events, and the category that it is in.
struct Class {
    uid: u64,
    name: &'static str,
    category: u64,
    category_name: &'static str,
}

const API: Class =
    Class { uid: 6003, name: "API Activity", category: 6, category_name: "Application Activity" };
const NETWORK: Class =
    Class { uid: 4001, name: "Network Activity", category: 4, category_name: "Network Activity" };

/// How a thing that was tried came out: `status_id`, `status`, `severity_id`, `severity`.
#[derive(Clone, Copy)]
enum Came {
    Well,
    Ill,
    /// Somebody wanted what is not allowed.
    Denied,
    Open,
}

pub(super) fn events(entry: &Entry, product: &Product) -> Vec<Value> {
    match entry.event() {
        Some(Event::Call(call)) => {
            let mut events = vec![of_call(entry, &call, product)];
            let contacts = call.contacts.iter().enumerate();
            events.extend(contacts.map(|(index, contact)| of_contact(entry, &call, index, contact, product)));
            events
        }
        Some(Event::Act(act)) => vec![of_act(entry, &act, product)],
        _ => Vec::new(),
    }
}

/// What every event has.
fn base(
    entry: &Entry,
    class: &Class,
    activity: (u64, &str),
    came: Came,
    product: &Product,
) -> Map<String, Value> {
    let (status_id, status, severity_id, severity) = match came {
        Came::Well => (1, "Success", 1, "Informational"),
        Came::Ill => (2, "Failure", 2, "Low"),
        Came::Denied => (2, "Failure", 3, "Medium"),
        Came::Open => (0, "Unknown", 1, "Informational"),
    };
    let (activity_id, activity_name) = activity;
    let mut of_product = json!({"name": "packhost", "vendor_name": "packhost", "version": product.version});
    if let Some(instance) = &product.instance {
        of_product["uid"] = instance.as_str().into();
    }
    let event = json!({
        "class_uid": class.uid,
        "class_name": class.name,
        "category_uid": class.category,
        "category_name": class.category_name,
        "activity_id": activity_id,
        "activity_name": activity_name,
        "type_uid": class.uid * 100 + activity_id,
        "type_name": format!("{}: {activity_name}", class.name),
        "time": milliseconds(entry.time().micros()),
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "metadata": {
            "version": OCSF_VERSION,
            "product": of_product,
            "log_name": "audit",
            "event_code": entry.kind(),
            "uid": entry.position().hash.to_string(),
            "sequence": number(entry.position().n),
            "logged_time": milliseconds(entry.time().micros()),
        },
    });
    if let Value::Object(event) = event { event } else { Map::new() }
}

fn of_call(entry: &Entry, call: &Call, product: &Product) -> Value {
    let came = match &call.outcome {
        Outcome::Ok | Outcome::Asks => Came::Well,
        Outcome::Failed(code) if is_denial(*code) => Came::Denied,
        Outcome::Failed(_) => Came::Ill,
        Outcome::Other(_) => Came::Open,
    };
    let mut event = base(entry, &API, (99, "Call"), came, product);
    let pack = call.pack.as_deref().unwrap_or(&call.tool);
    let api = json!({
        "operation": pack,
        "service": {"name": "packhost"},
        "request": {"uid": call.run},
        "response": {"message": call.outcome.as_str()},
    });
    event.insert("api".into(), api);
    event
        .insert("actor".into(), actor(&call.caller, call.client.as_ref().map(|client| client.name.as_str())));
    let mut source = json!({"svc_name": call.door});
    if let Some(address) = call.address {
        source["ip"] = address.to_string().into();
    }
    event.insert("src_endpoint".into(), source);
    event.insert("status_code".into(), call.outcome.as_str().into());
    event.insert("start_time".into(), milliseconds(call.started.micros()));
    event.insert("end_time".into(), milliseconds(call.started.micros().saturating_add(call.total_us)));
    event.insert("duration".into(), milliseconds(call.total_us));
    let mut resource = json!({"type": "pack", "name": pack});
    if let Some(digest) = &call.digest {
        resource["uid"] = digest.to_string().into();
    }
    if let Some(revision) = &call.revision {
        resource["version"] = revision.as_str().into();
    }
    event.insert("resources".into(), json!([resource]));
    event.insert("message".into(), format!("{} called {pack}: {}", call.caller, call.outcome).into());
    finish(event, entry, call.trace.as_deref().unwrap_or(&call.run))
}

fn of_act(entry: &Entry, act: &Act, product: &Product) -> Value {
    let came = match &act.outcome {
        ActOutcome::Done => Came::Well,
        ActOutcome::Failed(_) => Came::Ill,
        ActOutcome::Begun | ActOutcome::Other(_) => Came::Open,
    };
    let activity = match act.verb.rsplit('.').next().unwrap_or_default() {
        "create" | "set" | "add" | "build" => (1, "Create"),
        "show" | "get" | "list" => (2, "Read"),
        "reload" | "rotate" | "bind" | "update" | "edit" => (3, "Update"),
        "rm" | "remove" | "revoke" | "delete" => (4, "Delete"),
        _ => (99, "Other"),
    };
    let mut event = base(entry, &API, activity, came, product);
    event.insert("api".into(), json!({"operation": act.verb, "service": {"name": "packhost"}}));
    event.insert("actor".into(), actor(&act.actor, None));
    event.insert("src_endpoint".into(), json!({"svc_name": "operator"}));
    event.insert("status_detail".into(), act.outcome.to_string().into());
    if !act.subject.is_empty() {
        event.insert("resources".into(), json!([{"name": act.subject}]));
    }
    event.insert(
        "message".into(),
        format!("{}: {} {}: {}", act.actor, act.verb, act.subject, act.outcome).into(),
    );
    finish(event, entry, &entry.position().hash.to_string())
}

fn of_contact(entry: &Entry, call: &Call, index: usize, contact: &Contact, product: &Product) -> Value {
    let (activity, came) = match contact.decision.as_str() {
        Contact::ALLOWED => ((6, "Traffic"), Came::Well),
        denied if denied.starts_with("denied") => ((5, "Refuse"), Came::Denied),
        _ => ((4, "Fail"), Came::Ill),
    };
    let mut event = base(entry, &NETWORK, activity, came, product);
    let literal = contact.host.trim_matches(['[', ']']).parse::<IpAddr>().ok();
    let mut endpoint = json!({"port": contact.port});
    if let Some(address) = contact.address.or(literal) {
        endpoint["ip"] = address.to_string().into();
    }
    if literal.is_none() {
        endpoint["hostname"] = contact.host.as_str().into();
    }
    event.insert("dst_endpoint".into(), endpoint);
    event.insert(
        "connection_info".into(),
        json!({"direction_id": 2, "direction": "Outbound", "protocol_name": "tcp"}),
    );
    let traffic = json!({
        "bytes_in": number(contact.received),
        "bytes_out": number(contact.sent),
        "bytes": number(contact.received.saturating_add(contact.sent)),
    });
    event.insert("traffic".into(), traffic);
    // The record, whose time the event has, was written when all of them were over.
    let began = call.started.micros().saturating_add(contact.at_us);
    event.insert("start_time".into(), milliseconds(began));
    event.insert("end_time".into(), milliseconds(began.saturating_add(contact.took_us)));
    event.insert("duration".into(), milliseconds(contact.took_us));
    event.insert("app_name".into(), call.pack.as_deref().unwrap_or(&call.tool).into());
    event.insert("status_code".into(), contact.decision.as_str().into());
    if let Some(rule) = &contact.rule {
        event.insert("status_detail".into(), format!("decided by {rule}").into());
    }
    let mut event = correlated(event, call.trace.as_deref().unwrap_or(&call.run));
    // One record is several events.
    event["metadata"]["uid"] = format!("{}:{index}", entry.position().hash).into();
    event["unmapped"] = json!({"run": call.run, "caller": call.caller});
    event
}

fn actor(caller: &str, client: Option<&str>) -> Value {
    let mut actor = json!({"user": {"name": caller}});
    if let Some(client) = client.filter(|client| !client.is_empty()) {
        actor["app_name"] = client.into();
    }
    actor
}

/// Adds the whole body, and what it belongs to.
fn finish(mut event: Map<String, Value>, entry: &Entry, correlation: &str) -> Value {
    event.insert("unmapped".into(), entry.body().unwrap_or_default());
    correlated(event, correlation)
}

fn correlated(event: Map<String, Value>, correlation: &str) -> Value {
    let mut event = Value::Object(event);
    event["metadata"]["correlation_uid"] = correlation.into();
    event
}

fn is_denial(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::CapabilityDenied
            | ErrorCode::EgressDenied
            | ErrorCode::CredentialDenied
            | ErrorCode::AuthFailed
    )
}

/// A time or duration in microseconds as the schema has it.
fn milliseconds(micros: u64) -> Value {
    number(micros / 1_000)
}

/// The schema's numbers are signed and have 64 bits.
fn number(number: u64) -> Value {
    number.min(i64::MAX.unsigned_abs()).into()
}
