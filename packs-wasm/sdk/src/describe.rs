//! What a pack says of itself, as the JSON that the build writes into its component.

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{Error, Reply};

/// The version of `packhost:pack` that this SDK builds for.
const CONTRACT: &str = "0.1.0";

/// What `pack!` was given.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "the macro's own; the host's Description type has the documentation")]
pub struct Pack {
    pub name: &'static str,
    pub version: &'static str,
    pub title: &'static str,
    pub description: &'static str,
    pub effects: Effects,
    pub wants: Wants,
    pub examples: Vec<Value>,
}

/// What a call changes in the world.
#[derive(Debug, Default, Serialize)]
#[allow(missing_docs, reason = "the macro's own; the host's Description type has the documentation")]
pub struct Effects {
    pub read_only: bool,
    pub destructive: bool,
    pub idempotent: bool,
}

/// What the pack would like to be granted, each with its reason in a sentence.
#[derive(Debug, Default, Serialize)]
#[allow(missing_docs, reason = "the macro's own; the host's Description type has the documentation")]
pub struct Wants {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fs: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ask: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifacts: Option<&'static str>,
}

#[derive(Serialize)]
struct Description {
    contract: &'static str,
    #[serde(flatten)]
    pack: Pack,
    input_schema: Schema,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_schema: Option<Schema>,
}

/// The description as JSON, in memory that stays: its address in the upper 32 bits, its length in bytes in the lower.
/// `_run` only names the types.
pub fn describe<I: JsonSchema, R: Reply>(pack: Pack, _run: impl Fn(I) -> Result<R, Error>) -> u64 {
    let output_schema = schema::<R::Data>(SchemaSettings::draft2020_12().for_serialize());
    let says_nothing = output_schema.get("type").is_some_and(|kind| kind == "null");
    let description = Description {
        contract: CONTRACT,
        pack,
        input_schema: schema::<I>(SchemaSettings::draft2020_12().for_deserialize()),
        output_schema: (!says_nothing).then_some(output_schema),
    };
    let json = serde_json::to_vec(&description).unwrap_or_default().leak();
    (json.as_ptr().addr() as u64) << 32 | json.len() as u64
}

/// A schema as a small model reads it best: everything in place, nothing that says nothing.
fn schema<T: JsonSchema>(settings: SchemaSettings) -> Schema {
    let settings = settings.with(|s| {
        s.inline_subschemas = true;
        s.meta_schema = None;
    });
    let mut schema =
        settings.with_transform(RecursiveTransform(tidy)).into_generator().into_root_schema_for::<T>();
    schema.remove("title");
    schema
}

/// Rust's number formats go, and defaults that are null; and where a property may be left out, so does null as a value:
/// `Option<T>` means just that.
fn tidy(schema: &mut Schema) {
    if matches!(schema.get("format").and_then(Value::as_str), Some(f) if f.starts_with(['u', 'i', 'f', 'd'])
        && schema.get("type").is_some_and(is_number))
    {
        schema.remove("format");
    }
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
    let required = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    for (name, property) in properties.into_iter().flatten() {
        if !required.iter().any(|required| required == name)
            && let Value::Object(property) = property
        {
            without_null(property);
        }
    }
}

/// Takes null out of what a schema allows, where it is one of several things.
fn without_null(property: &mut Map<String, Value>) {
    if let Some(Value::Array(kinds)) = property.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [only] = kinds.as_slice() {
            let only = only.clone();
            property.insert("type".into(), only);
        }
    }
    if let Some(Value::Array(values)) = property.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    let Some(Value::Array(either)) = property.get_mut("anyOf") else { return };
    either.retain(|schema| schema.get("type").is_none_or(|kind| kind != "null"));
    if let [Value::Object(only)] = either.as_slice() {
        let only = only.clone();
        property.shift_remove("anyOf");
        for (key, value) in only {
            property.entry(key).or_insert(value);
        }
    }
}

fn is_number(kind: &Value) -> bool {
    let number = |kind: &Value| matches!(kind.as_str(), Some("integer" | "number"));
    number(kind) || kind.as_array().is_some_and(|kinds| kinds.iter().any(number))
}
