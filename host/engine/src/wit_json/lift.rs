//! From the values that a component gives to JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use packhost_core::{ErrorCode, Failure};
use serde_json::{Map, Value, json};
use wasmtime::component::Val;

use super::Signature;
use super::schema::is_object;
use super::shape::{Case, Member, SAFE, Shape};

/// What a function gave.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Lifted {
    /// The structured output, as [`Signature::output_schema`] describes it; none where the function gives nothing.
    Ok(Option<Value>),
    /// The function's own error: the payload of `err`, or null where it has none.
    Err(Value),
}

/// A value that is not of the type it was said to be; only a fault of this host can bring it about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a value is not of the type that the component declares")]
pub(crate) struct NotOfShape;

impl Signature {
    /// Turns results into an output.
    ///
    /// # Errors
    /// [`ErrorCode::SchemaMismatch`] when the values are not those of this function.
    pub(crate) fn lift(&self, mut results: Vec<Val>) -> Result<Lifted, Failure> {
        let lifted = match (&self.result, results.pop(), results.is_empty()) {
            (None, None, true) => Ok(Lifted::Ok(None)),
            (Some(shape), Some(value), true) => outcome(shape, value),
            _ => Err(NotOfShape),
        };
        lifted.map_err(|error| {
            let message = format!("The function {} gave something else than it declares.", self.name);
            Failure::new(ErrorCode::SchemaMismatch, message).cause(error)
        })
    }
}

fn outcome(shape: &Shape, value: Val) -> Result<Lifted, NotOfShape> {
    let (shape, value) = match (shape, value) {
        (Shape::Result([_, Case { payload, .. }]), Val::Result(Err(error))) => {
            return Ok(Lifted::Err(lift_payload(payload.as_deref(), error)?.unwrap_or(Value::Null)));
        }
        (Shape::Result([Case { payload, .. }, _]), Val::Result(Ok(value))) => match (payload, value) {
            (None, None) => return Ok(Lifted::Ok(None)),
            (Some(shape), Some(value)) => (&**shape, *value),
            _ => return Err(NotOfShape),
        },
        (shape, value) => (shape, value),
    };
    let value = lift(shape, value)?;
    Ok(Lifted::Ok(Some(if is_object(shape) { value } else { json!({ "result": value }) })))
}

/// Turns one value of a shape into JSON.
pub(super) fn lift(shape: &Shape, value: Val) -> Result<Value, NotOfShape> {
    Ok(match (shape, value) {
        (Shape::Bool, Val::Bool(value)) => value.into(),
        (Shape::Int(_), value) => integer(&value)?,
        (Shape::F32, Val::Float32(value)) => float(readable(value)),
        (Shape::F64, Val::Float64(value)) => float(value),
        (Shape::Char, Val::Char(value)) => value.to_string().into(),
        (Shape::String, Val::String(value)) => value.into(),
        (Shape::Bytes(_), Val::List(items) | Val::FixedLengthList(items)) => {
            let byte = |item| if let Val::U8(byte) = item { Ok(byte) } else { Err(NotOfShape) };
            STANDARD.encode(items.into_iter().map(byte).collect::<Result<Vec<_>, _>>()?).into()
        }
        (Shape::List(item, _), Val::List(items) | Val::FixedLengthList(items)) => {
            items.into_iter().map(|value| lift(item, value)).collect::<Result<Vec<_>, _>>()?.into()
        }
        (Shape::Map(key, item), Val::Map(pairs)) => map(key, item, pairs)?,
        (Shape::Record(members), Val::Record(fields)) => record(members, fields)?,
        (Shape::Tuple(shapes), Val::Tuple(items)) if shapes.len() == items.len() => {
            let items = shapes.iter().zip(items).map(|(shape, value)| lift(shape, value));
            items.collect::<Result<Vec<_>, _>>()?.into()
        }
        (Shape::Variant(cases), Val::Variant(tag, payload)) => {
            tagged(cases.iter().find(|case| case.tag == tag).ok_or(NotOfShape)?, payload)?
        }
        (Shape::Result([ok, _]), Val::Result(Ok(payload))) => tagged(ok, payload)?,
        (Shape::Result([_, err]), Val::Result(Err(payload))) => tagged(err, payload)?,
        (Shape::Enum(_), Val::Enum(name)) => name.into(),
        (Shape::Flags(_), Val::Flags(names)) => names.into(),
        (Shape::Option(_), Val::Option(None)) => Value::Null,
        (Shape::Option(shape), Val::Option(Some(value))) => {
            let value = lift(shape, *value)?;
            if shape.needs_some() { json!({ "some": value }) } else { value }
        }
        _ => return Err(NotOfShape),
    })
}

fn integer(value: &Val) -> Result<Value, NotOfShape> {
    Ok(match *value {
        Val::U8(n) => n.into(),
        Val::U16(n) => n.into(),
        Val::U32(n) => n.into(),
        Val::S8(n) => n.into(),
        Val::S16(n) => n.into(),
        Val::S32(n) => n.into(),
        Val::U64(n) if i128::from(n) <= SAFE => n.into(),
        Val::U64(n) => n.to_string().into(),
        Val::S64(n) if i128::from(n).abs() <= SAFE => n.into(),
        Val::S64(n) => n.to_string().into(),
        _ => return Err(NotOfShape),
    })
}

fn float(value: f64) -> Value {
    match serde_json::Number::from_f64(value) {
        Some(number) => number.into(),
        None if value.is_nan() => "NaN".into(),
        None if value > 0.0 => "Infinity".into(),
        None => "-Infinity".into(),
    }
}

/// The number with the fewest digits that is still this one: 0.1 and not 0.10000000149011612.
fn readable(value: f32) -> f64 {
    let exact = f64::from(value);
    match value.to_string().parse::<f64>() {
        // Rounding twice could end on a neighbour, and just below the largest one beyond it.
        Ok(short) if short as f32 == value && short.abs() <= f64::from(f32::MAX) => short,
        _ => exact,
    }
}

/// An option that is none is left out.
fn record(members: &[Member], fields: Vec<(String, Val)>) -> Result<Value, NotOfShape> {
    if members.len() != fields.len() {
        return Err(NotOfShape);
    }
    let mut object = Map::with_capacity(members.len());
    for (member, (name, value)) in members.iter().zip(fields) {
        if member.name != name {
            return Err(NotOfShape);
        }
        if !matches!(value, Val::Option(None)) {
            object.insert(name, lift(&member.shape, value)?);
        }
    }
    Ok(object.into())
}

fn tagged(case: &Case, payload: Option<Box<Val>>) -> Result<Value, NotOfShape> {
    let none = matches!(payload.as_deref(), Some(Val::Option(None)));
    let mut object = Map::new();
    object.insert("tag".into(), case.tag.as_str().into());
    if let Some(value) = lift_payload(case.payload.as_deref(), payload)?.filter(|_| !none) {
        object.insert("val".into(), value);
    }
    Ok(object.into())
}

fn lift_payload(shape: Option<&Shape>, value: Option<Box<Val>>) -> Result<Option<Value>, NotOfShape> {
    match (shape, value) {
        (None, None) => Ok(None),
        (Some(shape), Some(value)) => lift(shape, *value).map(Some),
        _ => Err(NotOfShape),
    }
}

/// Of two pairs with one key the last counts, as the component model has it for maps.
fn map(key: &Shape, item: &Shape, pairs: Vec<(Val, Val)>) -> Result<Value, NotOfShape> {
    if *key == Shape::String {
        let pair = |(key, value)| match key {
            Val::String(key) => Ok((key, lift(item, value)?)),
            _ => Err(NotOfShape),
        };
        return Ok(pairs.into_iter().map(pair).collect::<Result<Map<_, _>, _>>()?.into());
    }
    let pair = |(k, v)| Ok(Value::from(vec![lift(key, k)?, lift(item, v)?]));
    Ok(pairs.into_iter().map(pair).collect::<Result<Vec<_>, _>>()?.into())
}
