//! The format for editors and for readers, made from the table that the parser works by.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::limits::{Limit, LimitKind, Limits};
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
        Shape::Choice(words) => json!({ "enum": words }),
        Shape::Text(kind) => word(kind),
        Shape::Integer(min, max) if min == max => json!({ "const": *min as i64 }),
        Shape::Integer(min, max) => {
            json!({ "type": "integer", "minimum": *min as i64, "maximum": *max as i64 })
        }
        Shape::True => json!({ "const": true }),
        Shape::Limit => Limit::named(name).map_or_else(|| json!({}), limit),
        Shape::Json => json!({}),
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
            json!({ "type": "string", "pattern": "^[0-9]+ *(ms|s|m)$", "examples": [example] })
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
    match Limit::named(key.name).filter(|_| matches!(key.shape, Shape::Limit)) {
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

/// The reference of the format as Markdown, a table for each kind of map.
pub fn reference_markdown() -> String {
    let mut text = String::from("# Capability manifest, version 1\n\n");
    text.push_str("One or more YAML files make one set, which takes effect as a whole or not at all. ");
    text.push_str("What is not granted is denied; what is not known is refused.\n");
    let mut open: Vec<&Object> = vec![&FILE];
    let mut done: Vec<&str> = Vec::new();
    while !open.is_empty() {
        let object = open.remove(0);
        if done.contains(&object.name) {
            continue;
        }
        done.push(object.name);
        table(&mut text, object);
        open.extend(object.keys.iter().filter_map(|key| nested(&key.shape)));
    }
    text.push_str("\n## Limits\n\n| limit | default | least | most |\n|---|---|---|---|\n");
    for limit in Limits::TABLE {
        let [default, min, max] = [limit.default, limit.min, limit.max].map(|value| limit.show(value));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| `{}` | {default} | {min} | {max} |", limit.name);
    }
    text
}

fn table(text: &mut String, object: &Object) {
    let _ = writeln!(
        text,
        "\n## The {}\n\n{}\n\n| key | value | meaning |\n|---|---|---|",
        object.name, object.doc
    );
    for key in object.keys {
        let required = if key.required { ", required" } else { "" };
        let doc = words(key).replace('|', "\\|");
        let _ = writeln!(text, "| `{}` | {}{required} | {doc} |", key.name, called(key.name, &key.shape));
    }
    if !object.later.is_empty() {
        let later: Vec<String> = object.later.iter().map(|name| format!("`{name}`")).collect();
        let _ = writeln!(text, "\nRefused in this version: {}.", later.join(", "));
    }
}

fn nested(shape: &Shape) -> Option<&'static Object> {
    match shape {
        Shape::Object(object) => Some(object),
        Shape::List(inner) | Shape::OrNothing(inner) | Shape::Map { value: inner, .. } => nested(inner),
        _ => None,
    }
}

fn called(name: &str, shape: &Shape) -> String {
    match shape {
        Shape::Object(object) => format!("a map ([{}](#the-{}))", object.name, object.name.replace(' ', "-")),
        Shape::Map { key, value } => format!("a map from {} to {}", key.what, called(name, value)),
        Shape::List(item) => format!("a list of: {}", called(name, item)),
        Shape::Choice(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" or "),
        Shape::Text(word) => {
            let examples: Vec<String> = word.examples.iter().map(|example| format!("`{example}`")).collect();
            format!("{}, such as {}", word.what, examples.join(" or ").replace('|', "\\|"))
        }
        Shape::Integer(min, max) if min == max => format!("`{min}`"),
        Shape::Integer(min, max) => format!("a whole number between {min} and {max}"),
        Shape::True => "`true`".into(),
        Shape::Limit => Limit::named(name).map_or("a limit", Limit::grammar).into(),
        Shape::Json => "anything".into(),
        Shape::OrNothing(inner) => called(name, inner),
    }
}
