//! The JSON Schema 2020-12 of a shape.

use serde_json::{Map, Value, json};

use super::Signature;
use super::shape::{Case, Int, Member, Shape};

impl Signature {
    /// The schema of the input: one object, with a property for each parameter.
    pub(crate) fn input_schema(&self) -> Value {
        object(&self.params)
    }

    /// The schema of the structured output, where the function gives one. What is an object already stays as it is;
    /// anything else is the property `result` of an object.
    pub(crate) fn output_schema(&self) -> Option<Value> {
        let shape = self.answer()?;
        Some(if is_object(shape) { schema(shape) } else { closed([("result", schema(shape))], &["result"]) })
    }
}

/// Whether the JSON form is always an object of its own, with no tag: such a result is not wrapped.
pub(crate) fn is_object(shape: &Shape) -> bool {
    match shape {
        Shape::Record(_) => true,
        Shape::Map(key, _) => **key == Shape::String,
        _ => false,
    }
}

/// The schema of one shape.
pub(crate) fn schema(shape: &Shape) -> Value {
    match shape {
        Shape::Bool => json!({"type": "boolean"}),
        Shape::Int(int) => integer(*int),
        Shape::F32 => {
            let mut schema = float();
            schema["minimum"] = f64::from(f32::MIN).into();
            schema["maximum"] = f64::from(f32::MAX).into();
            schema
        }
        Shape::F64 => float(),
        Shape::Char => json!({"type": "string", "minLength": 1, "maxLength": 1}),
        Shape::String => json!({"type": "string"}),
        Shape::Bytes(None) => json!({"type": "string", "contentEncoding": "base64"}),
        Shape::Bytes(Some(len)) => {
            let len = u64::from(*len);
            let (bare, padded) = ((len * 4).div_ceil(3), len.div_ceil(3) * 4);
            json!({"type": "string", "contentEncoding": "base64", "minLength": bare, "maxLength": padded})
        }
        Shape::List(item, None) => json!({"type": "array", "items": schema(item)}),
        Shape::List(item, Some(len)) => {
            json!({"type": "array", "items": schema(item), "minItems": len, "maxItems": len})
        }
        Shape::Map(key, value) if **key == Shape::String => {
            json!({"type": "object", "additionalProperties": schema(value)})
        }
        Shape::Map(key, value) => json!({"type": "array", "items": tuple(&[schema(key), schema(value)])}),
        Shape::Record(members) => object(members),
        Shape::Tuple(items) => tuple(&items.iter().map(schema).collect::<Vec<_>>()),
        Shape::Variant(cases) => json!({"oneOf": cases.iter().map(case).collect::<Vec<_>>()}),
        Shape::Result(cases) => json!({"oneOf": cases.iter().map(case).collect::<Vec<_>>()}),
        Shape::Enum(names) => json!({"type": "string", "enum": names}),
        Shape::Flags(names) => {
            json!({"type": "array", "items": {"type": "string", "enum": names}, "uniqueItems": true})
        }
        Shape::Option(some) if some.needs_some() => {
            json!({"anyOf": [closed([("some", schema(some))], &["some"]), {"type": "null"}]})
        }
        Shape::Option(some) => nullable(schema(some)),
    }
}

fn integer(int: Int) -> Value {
    let (min, max) = int.range();
    // Every bound fits one of the two integer types that a JSON number has here.
    let bound = |n: i128| i64::try_from(n).map_or_else(|_| json!(n as u64), |n| json!(n));
    let mut schema = json!({"type": "integer", "minimum": bound(min), "maximum": bound(max)});
    if int.wide() {
        schema["type"] = json!(["integer", "string"]);
        schema["pattern"] =
            if min == 0 { "^(0|[1-9][0-9]{0,19})$" } else { "^(0|-?[1-9][0-9]{0,18})$" }.into();
    }
    schema
}

fn float() -> Value {
    json!({"type": ["number", "string"], "pattern": "^(NaN|-?Infinity)$"})
}

fn tuple(items: &[Value]) -> Value {
    json!({"type": "array", "prefixItems": items, "items": false, "minItems": items.len()})
}

fn object(members: &[Member]) -> Value {
    let required: Vec<_> = members.iter().filter(|m| !m.shape.optional()).map(|m| m.name.as_str()).collect();
    closed(members.iter().map(|member| (member.name.as_str(), schema(&member.shape))), &required)
}

/// One case of a tagged union. `val` follows the rule of record members: an option may be left out.
fn case(case: &Case) -> Value {
    let tag = ("tag", json!({"type": "string", "const": case.tag}));
    match &case.payload {
        None => closed([tag], &["tag"]),
        Some(shape) if shape.optional() => closed([tag, ("val", schema(shape))], &["tag"]),
        Some(shape) => closed([tag, ("val", schema(shape))], &["tag", "val"]),
    }
}

/// An object with these properties and no other.
fn closed<'a>(properties: impl IntoIterator<Item = (&'a str, Value)>, required: &[&str]) -> Value {
    let properties: Map<_, _> =
        properties.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect();
    let mut object = json!({"type": "object", "properties": properties});
    if !required.is_empty() {
        object["required"] = json!(required);
    }
    object["additionalProperties"] = false.into();
    object
}

/// The same schema with null allowed. Not `anyOf` where that can be avoided: an error then still names the bound that
/// was broken, and a small model reads a shorter schema.
fn nullable(mut schema: Value) -> Value {
    if let Some(branches) = schema.get_mut("oneOf").and_then(Value::as_array_mut) {
        branches.push(json!({"type": "null"}));
        return schema;
    }
    if let Some(names) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        names.push(Value::Null);
    }
    schema["type"] = match schema["type"].take() {
        Value::Array(mut types) => {
            types.push("null".into());
            types.into()
        }
        one => json!([one, "null"]),
    };
    schema
}
