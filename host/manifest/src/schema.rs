//! The format for editors, made from the table that the parser works by.

use serde_json::{Map, Value, json};

use crate::limits::{Limit, LimitKind};
use crate::shape::{FILE, Key, Object, Shape, Word};

/// The JSON Schema (draft 2020-12) of a manifest file. Everything that it refuses the parser refuses; the parser knows
/// more (templates, addresses, the ceiling).
pub fn schema() -> Value {
    let mut definitions = Map::new();
    let mut schema = object(&FILE, &mut definitions);
    // A file that says nothing is one that grants nothing.
    schema["type"] = json!(["object", "null"]);
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["$id"] = "packhost-manifest.schema.json".into();
    schema["title"] = "packhost capability manifest".into();
    schema["$defs"] = Value::Object(definitions);
    schema
}

fn object(object: &Object, definitions: &mut Map<String, Value>) -> Value {
    let mut properties = Map::new();
    for key in object.keys {
        let mut value = shape(key.name, &key.shape, definitions);
        value["description"] = words(key).into();
        properties.insert(key.name.into(), value);
    }
    let required: Vec<&str> = object.keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    let mut schema = json!({
        "type": "object",
        "description": object.doc,
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    if !object.one_of.is_empty() {
        schema["oneOf"] = object.one_of.iter().map(|name| json!({ "required": [name] })).collect();
    }
    schema
}

fn shape(name: &str, of: &Shape, definitions: &mut Map<String, Value>) -> Value {
    match of {
        Shape::Object(inner) => {
            let id = inner.name.replace(' ', "-");
            if !definitions.contains_key(&id) {
                let body = object(inner, definitions);
                definitions.insert(id.clone(), body);
            }
            json!({ "$ref": format!("#/$defs/{id}") })
        }
        Shape::Map { key, value } => json!({
            "type": "object",
            "propertyNames": word(key),
            "additionalProperties": shape(name, value, definitions),
        }),
        Shape::List(item) => json!({ "type": "array", "items": shape(name, item, definitions) }),
        Shape::Choice([only]) => json!({ "const": only }),
        Shape::Choice(words) | Shape::Growing { words, .. } => json!({ "enum": words }),
        Shape::Text(kind) => word(kind),
        Shape::Integer(min, max) if min == max => json!({ "const": *min as i64 }),
        Shape::Integer(min, max) => {
            json!({ "type": "integer", "minimum": *min as i64, "maximum": *max as i64 })
        }
        Shape::True => json!({ "const": true }),
        Shape::Limit => Limit::named(name).map_or_else(|| json!({}), limit),
        Shape::Time(of) => limit(of),
        Shape::Json => json!({}),
        Shape::JsonMap => json!({ "type": "object" }),
        Shape::OrNothing(inner) => json!({ "anyOf": [shape(name, inner, definitions), { "type": "null" }] }),
    }
}

fn word(word: &Word) -> Value {
    let mut schema = json!({ "type": "string", "examples": word.examples });
    if let Some(pattern) = word.pattern {
        schema["pattern"] = pattern.into();
    }
    schema
}

fn limit(limit: &Limit) -> Value {
    let example = limit.show(limit.default);
    match limit.kind {
        LimitKind::Time => {
            json!({ "type": "string", "pattern": "^[0-9]+ *(ms|s|m|h|d)$", "examples": [example] })
        }
        LimitKind::Size => {
            json!({ "type": "string", "pattern": "^[0-9]+ *(B|KiB|MiB|GiB)$", "examples": [example] })
        }
        LimitKind::Count => {
            json!({ "type": "integer", "minimum": limit.min, "maximum": limit.max, "examples": [limit.default] })
        }
    }
}

/// What is said about a key, the bounds of a limit included.
fn words(key: &Key) -> String {
    let limit = match key.shape {
        Shape::Limit => Limit::named(key.name),
        Shape::Time(limit) => Some(limit),
        _ => None,
    };
    match limit {
        None => key.doc.into(),
        Some(limit) => format!(
            "{} Default {}, at least {}, at most {}.",
            limit.doc,
            limit.show(limit.default),
            limit.show(limit.min),
            limit.show(limit.max)
        ),
    }
}
