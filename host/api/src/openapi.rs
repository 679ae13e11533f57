//! The OpenAPI document, made of the table of operations and of the types that they answer with.
//!
//! Its schemas are those of JSON Schema 2020-12, which is what `schemars` writes and what OpenAPI 3.1 is made of: nothing is
//! translated.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::calls::{LONGEST_WAIT, ProgressMade};
use crate::links;
use crate::operations::{ALL, Answer, FOLLOW, Operation};
use crate::problem::{Details, PROBLEM};
use crate::stream::Line;

/// Every operation may answer with these: the listener reads the body of every request, also of one that needs none.
const ALWAYS: [u16; 8] = [400, 401, 403, 408, 413, 429, 500, 503];

/// The document (OpenAPI 3.1.1).
pub(crate) fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut schemas = settings.for_serialize().into_generator();
    let problem = reference::<Details>(&mut schemas);
    let events = json!({ "progress": reference::<ProgressMade>(&mut schemas), "log": reference::<Line>(&mut schemas) });
    let mut paths = Map::new();
    for operation in ALL.iter().chain([&FOLLOW]) {
        let described = describe(operation, &mut schemas);
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method] = described;
    }
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": "packhost",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Calls packs, under the rules of this host's operator.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "bearer": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas.take_definitions(true),
            "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer" } },
            "parameters": parameters(),
            "headers": headers(),
            "responses": { "Problem": {
                "description": "Why there is no answer (RFC 9457).",
                "headers": {
                    "Retry-After": { "$ref": "#/components/headers/Retry-After" },
                    "WWW-Authenticate": { "$ref": "#/components/headers/WWW-Authenticate" },
                },
                "content": { PROBLEM: { "schema": problem } },
            } },
        },
        "x-events": events,
    })
}

fn reference<T: JsonSchema>(schemas: &mut SchemaGenerator) -> Value {
    schemas.subschema_for::<T>().to_value()
}

fn describe(operation: &Operation, schemas: &mut SchemaGenerator) -> Value {
    let mut responses = Map::new();
    for answer in operation.answers {
        responses.insert(answer.status.to_string(), response(operation, answer, schemas));
    }
    for status in ALWAYS.iter().chain(operation.problems) {
        responses.insert(status.to_string(), json!({ "$ref": "#/components/responses/Problem" }));
    }
    let named = operation.parameters.iter();
    let parameters: Vec<_> =
        named.map(|name| json!({ "$ref": format!("#/components/parameters/{name}") })).collect();
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "parameters": parameters,
        "responses": responses,
    });
    if operation.id == FOLLOW.id {
        described["security"] = json!([]);
    }
    if let Some(body) = operation.body {
        let schema = body(schemas);
        described["requestBody"] =
            json!({ "required": true, "content": { "application/json": { "schema": schema } } });
    }
    described
}

fn response(operation: &Operation, answer: &Answer, schemas: &mut SchemaGenerator) -> Value {
    let mut described = json!({ "description": answer.description });
    if let Some(body) = answer.body {
        described["content"] = json!({ "application/json": { "schema": body(schemas) } });
        if operation.id == "callPack" && answer.status == 200 {
            described["content"]["text/event-stream"] = json!({ "schema": { "type": "string" } });
        }
    }
    if matches!(operation.id, "readArtifact" | "followLink") {
        described["content"] = json!({ "*/*": { "schema": {} } });
    }
    for name in answer.headers {
        described["headers"][*name] = json!({ "$ref": format!("#/components/headers/{name}") });
    }
    described
}

pub(crate) fn parameters() -> Value {
    let text = |name, description| json!({ "name": name, "in": "query", "description": description, "schema": { "type": "string" } });
    json!({
        "name": {
            "name": "name", "in": "path", "required": true,
            "description": "The pack's own name, or the one that MCP clients see.",
            "schema": { "type": "string", "minLength": 1 }, "example": "text.stats",
        },
        "run": {
            "name": "run", "in": "path", "required": true, "description": "The call.",
            "schema": { "type": "string", "format": "uuid" },
        },
        "wait": {
            "name": "wait", "in": "query", "description": "How long to wait for the end of the call, in seconds.",
            "schema": { "type": "integer", "minimum": 0, "maximum": LONGEST_WAIT, "default": 0 },
        },
        "id": {
            "name": "id", "in": "path", "required": true, "description": "Which one, by the id or name that its list has.",
            "schema": { "type": "string", "minLength": 1 },
        },
        "link": {
            "name": "link", "in": "path", "required": true, "description": "What the link says, and its signature.",
            "schema": { "type": "string", "minLength": 1 },
        },
        "seconds": {
            "name": "seconds", "in": "query", "description": "For how long it is good, and no longer than the artifact is there.",
            "schema": { "type": "integer", "minimum": 1, "maximum": links::LONGEST, "default": 3600 },
        },
        "all": {
            "name": "all", "in": "query", "description": "Those of everybody. Needs the scope `admin`.",
            "schema": { "type": "boolean", "default": false },
        },
        "after": text("after", "What the page before gave as `next`."),
        "before": {
            "name": "before", "in": "query", "description": "What the page before gave as `next`: records with smaller numbers.",
            "schema": { "type": "integer", "minimum": 0 },
        },
        "limit": {
            "name": "limit", "in": "query", "description": "How many at most.",
            "schema": { "type": "integer", "minimum": 1, "maximum": 1000, "default": 100 },
        },
        "ofRun": text("run", "Of this call."),
        "ofPack": text("pack", "Of this pack."),
        "ofCaller": text("caller", "Of this caller: `local`, `token:NAME` or `oauth:…`."),
        "kind": text("kind", "Of this kind: `call`, `credential`, `session` or `act`; several with commas between."),
        "outcome": text("outcome", "With this outcome, such as `ok` or `egress_denied`."),
        "since": text("since", "At this time or later: 2026-03-01T09:30:00Z, 2026-03-01, or a time ago such as 12h."),
        "until": text("until", "Before this time, written alike."),
        "Range": {
            "name": "Range", "in": "header", "description": "One range of bytes (RFC 9110 section 14.2); others are passed over.",
            "schema": { "type": "string" }, "example": "bytes=0-1023",
        },
        "If-Range": {
            "name": "If-Range", "in": "header", "description": "The `ETag` of which the range is wanted; of another, all of it is sent.",
            "schema": { "type": "string" },
        },
        "Prefer": {
            "name": "Prefer", "in": "header",
            "description": "`respond-async`: answer at once that the call was started (RFC 7240 section 4.1).",
            "schema": { "type": "string" }, "example": "respond-async",
        },
        "Idempotency-Key": {
            "name": "Idempotency-Key", "in": "header",
            "description": "Names the request, so that it can be sent again: the call is made once, its answer given again.",
            "schema": { "type": "string", "minLength": 1, "maxLength": 257, "pattern": "^[ -~]+$" },
        },
    })
}

fn headers() -> Value {
    let text = |description| json!({ "description": description, "schema": { "type": "string" } });
    json!({
        "Content-Range": text("Which bytes they are, of how many."),
        "ETag": text("The digest of all of it."),
        "Location": text("Where the call can be looked at."),
        "Preference-Applied": text("Which preference of the request was followed."),
        "Idempotency-Replayed": text("`true` where this answer was given before."),
        "WWW-Authenticate": text("How to prove who calls (RFC 6750)."),
        "Retry-After": { "description": "After how many seconds to try again.", "schema": { "type": "integer" } },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
                fields.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 30, "it refers to its components");
        for reference in found {
            let place = reference.strip_prefix('#').expect("a place in the document");
            assert!(document.pointer(place).is_some(), "{reference}");
        }
    }

    #[test]
    fn every_parameter_of_a_path_is_described() {
        for operation in ALL {
            let in_path =
                operation.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
            for name in in_path {
                assert!(operation.parameters.contains(&name), "{} {}", operation.method, operation.path);
            }
        }
        let mut ids: Vec<_> = ALL.iter().map(|operation| operation.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), ALL.len(), "an id means one operation");
    }
}
