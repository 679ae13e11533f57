//! Values that a schema suggests by itself: its constants, examples, defaults, bounds. They need not be valid; whoever
//! shows one validates it first.

use std::cell::Cell;

use serde_json::{Map, Value, json};

use crate::mend::keys;

/// The deepest value that is made up, in levels of the schema.
const DEPTH: usize = 16;
/// The most schemas that are looked at for one value.
const FUEL: usize = 512;
/// The most entries of a list, and the most alternatives that are tried.
const ENTRIES: usize = 32;
/// The longest text, in characters.
const TEXT: usize = 1024;

/// A value that a schema suggests.
pub(crate) struct Invented {
    pub(crate) value: Value,
    /// Whether the schema gave no more than the type for a part of it.
    pub(crate) made_up: bool,
}

/// A value that the schema `node`, a part of `root`, suggests.
pub(crate) fn invent(root: &Value, node: &Value) -> Option<Invented> {
    let invention = Invention { root, fuel: Cell::new(FUEL), made_up: Cell::new(false) };
    let value = invention.invent(node, DEPTH)?;
    Some(Invented { value, made_up: invention.made_up.get() })
}

/// One invention, with how many more schemas it may look at.
struct Invention<'s> {
    root: &'s Value,
    fuel: Cell<usize>,
    made_up: Cell<bool>,
}

impl Invention<'_> {
    fn invent(&self, schema: &Value, depth: usize) -> Option<Value> {
        let depth = depth.checked_sub(1)?;
        self.fuel.set(self.fuel.get().checked_sub(1)?);
        let schema = match schema {
            Value::Bool(true) => return Some(self.made_up("text")),
            Value::Object(schema) => schema,
            _ => return None,
        };
        let listed =
            |keyword: &str| schema.get(keyword).and_then(Value::as_array).and_then(|values| values.first());
        let named = schema
            .get("const")
            .or_else(|| listed("examples"))
            .or_else(|| schema.get("default"))
            .or_else(|| listed("enum"));
        if let Some(named) = named.filter(|value| !value.is_null() || schema.contains_key("const")) {
            return Some(named.clone());
        }
        let base = self.parts(schema, depth);
        let kind = match schema.get("type") {
            Some(Value::String(kind)) => Some(kind.as_str()),
            Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null"),
            _ if schema.contains_key("properties") || schema.contains_key("required") => Some("object"),
            _ if schema.contains_key("items") || schema.contains_key("prefixItems") => Some("array"),
            _ => None,
        };
        match kind {
            Some("object") => Some(self.object(schema, base, depth)),
            Some("array") => base.or_else(|| Some(self.list(schema, depth))),
            Some("string") => base.or_else(|| Some(self.made_up(text(schema)))),
            Some("integer") => base.or_else(|| Some(self.made_up(integer(schema)))),
            Some("number") => base.or_else(|| Some(self.made_up(number(schema)))),
            Some("boolean") => Some(self.made_up(true)),
            Some("null") => Some(Value::Null),
            _ => base.or_else(|| Some(self.made_up("text"))),
        }
    }

    fn made_up(&self, value: impl Into<Value>) -> Value {
        self.made_up.set(true);
        value.into()
    }

    /// What the schemas suggest that this one is combined of: objects together, otherwise the first that is not null.
    fn parts(&self, schema: &Map<String, Value>, depth: usize) -> Option<Value> {
        let array = |keyword| schema.get(keyword).and_then(Value::as_array).into_iter().flatten();
        let reference = schema.get("$ref").and_then(Value::as_str).and_then(|r| keys::follow(self.root, r));
        let either = |keyword| {
            let mut made = array(keyword).take(ENTRIES).filter_map(|part| self.invent(part, depth / 2));
            made.find(|value| !value.is_null())
        };
        let all = reference
            .into_iter()
            .chain(array("allOf").take(ENTRIES))
            .filter_map(|part| self.invent(part, depth));
        let mut found: Option<Value> = None;
        for value in all.chain(either("anyOf")).chain(either("oneOf")) {
            match (&mut found, value) {
                (Some(Value::Object(map)), Value::Object(more)) => map.extend(more),
                (Some(_), _) => {}
                (None, value) => found = Some(value),
            }
        }
        found
    }

    fn object(&self, schema: &Map<String, Value>, base: Option<Value>, depth: usize) -> Value {
        let mut made = match base {
            Some(Value::Object(map)) => map,
            _ => Map::new(),
        };
        let properties = schema.get("properties").and_then(Value::as_object);
        for name in
            schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
        {
            if let Some(property) = properties.and_then(|properties| properties.get(name))
                && let Some(value) = self.invent(property, depth)
            {
                made.insert(name.to_owned(), value);
            } else {
                made.entry(name).or_insert_with(|| self.made_up("text"));
            }
        }
        Value::Object(made)
    }

    fn list(&self, schema: &Map<String, Value>, depth: usize) -> Value {
        let bound =
            |keyword| schema.get(keyword).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
        let length =
            bound("minItems").unwrap_or(1).max(1).min(bound("maxItems").unwrap_or(1).max(1)).min(ENTRIES);
        let prefix = schema.get("prefixItems").and_then(Value::as_array);
        let mut items: Vec<Value> =
            prefix.into_iter().flatten().take(ENTRIES).filter_map(|item| self.invent(item, depth)).collect();
        if items.len() < length
            && let Some(item) = schema.get("items").and_then(|item| self.invent(item, depth))
        {
            items.resize(length, item);
        }
        Value::Array(items)
    }
}

fn text(schema: &Map<String, Value>) -> String {
    let sample = match schema.get("format").and_then(Value::as_str).unwrap_or_default() {
        "uri" | "url" | "uri-reference" | "iri" => "https://example.com/",
        "date-time" => "2026-01-31T12:00:00Z",
        "date" => "2026-01-31",
        "time" => "12:00:00Z",
        "duration" => "PT1H",
        "email" => "name@example.com",
        "hostname" => "example.com",
        "ipv4" => "192.0.2.1",
        "ipv6" => "2001:db8::1",
        "uuid" => "00000000-0000-4000-8000-000000000000",
        _ => "text",
    };
    let bound = |keyword| schema.get(keyword).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
    let least = bound("minLength").unwrap_or(0).min(TEXT);
    let most = bound("maxLength").unwrap_or(usize::MAX);
    sample.chars().chain(std::iter::repeat('x')).take(sample.len().max(least).min(most)).collect()
}

fn integer(schema: &Map<String, Value>) -> Value {
    let bound = |keyword| schema.get(keyword).and_then(Value::as_i64);
    let least = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|n| n.saturating_add(1)));
    let most = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|n| n.saturating_sub(1)));
    let step = bound("multipleOf").filter(|step| *step > 0).unwrap_or(1);
    let wanted = least.unwrap_or(1).max(1).min(most.unwrap_or(i64::MAX));
    let up = wanted.checked_add(step - 1).map_or(wanted, |n| n.div_euclid(step) * step);
    up.into()
}

fn number(schema: &Map<String, Value>) -> Value {
    let bound = |keyword| schema.get(keyword).and_then(Value::as_f64);
    if let Some(step) = bound("multipleOf") {
        return json!(step);
    }
    let least = bound("minimum").or(bound("exclusiveMinimum").map(|n| n + 0.5));
    let most = bound("maximum").or(bound("exclusiveMaximum").map(|n| n - 0.5));
    json!(least.unwrap_or(1.0).max(1.0).min(most.unwrap_or(f64::MAX)))
}
