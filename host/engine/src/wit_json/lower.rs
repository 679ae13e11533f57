//! From JSON to the values that a component takes.
//!
//! Accepts what the schema of the same shape accepts, and then asks what a schema cannot: base64 that decodes,
//! decimal strings within the type's range, and integers that were not rounded on their way here (one written with
//! a fraction or exponent beyond 2^53 - 1 is refused).

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use packhost_core::{ErrorCode, Failure};
use serde_json::{Map, Value};
use wasmtime::component::Val;

use super::Signature;
use super::shape::{Case, Int, Member, Names, SAFE, Shape};

/// RFC 4648 section 4; the padding may be left off.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl Signature {
    /// Turns an input into parameters.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidInput`] with the place, what was expected there and what was found.
    pub(crate) fn lower(&self, input: &Value) -> Result<Vec<Val>, Failure> {
        let values =
            members(&self.params, input, "an object", &At::ROOT).map_err(|misfit| misfit.failure())?;
        Ok(values.into_iter().map(|(_, value)| value).collect())
    }
}

/// A place in the input, as a chain on the stack: nothing is built until something is wrong there.
struct At<'a> {
    parent: Option<&'a At<'a>>,
    step: Step<'a>,
}

enum Step<'a> {
    Root,
    Key(&'a str),
    Index(usize),
}

impl<'a> At<'a> {
    const ROOT: At<'static> = At { parent: None, step: Step::Root };

    fn key(&'a self, key: &'a str) -> Self {
        Self { parent: Some(self), step: Step::Key(key) }
    }

    fn index(&'a self, index: usize) -> Self {
        Self { parent: Some(self), step: Step::Index(index) }
    }

    fn misfit(&self, expected: impl fmt::Display, got: impl fmt::Display) -> Box<Misfit> {
        Box::new(Misfit { pointer: self.to_string(), expected: expected.to_string(), got: got.to_string() })
    }
}

/// A JSON pointer (RFC 6901).
impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Root => Ok(()),
            Step::Key(key) => write!(f, "/{}", cut(&key.replace('~', "~0").replace('/', "~1"))),
            Step::Index(index) => write!(f, "/{index}"),
        }
    }
}

/// A value that does not fit its shape.
#[derive(Debug)]
pub(crate) struct Misfit {
    pointer: String,
    expected: String,
    got: String,
}

impl Misfit {
    fn failure(self) -> Failure {
        let Misfit { pointer, expected, got } = self;
        let place = if pointer.is_empty() { "the input" } else { &pointer };
        let mut failure =
            Failure::new(ErrorCode::InvalidInput, format!("{place}: expected {expected}, got {got}."));
        failure.advice.pointer = Some(pointer);
        failure.advice.expected = Some(expected);
        failure.advice.got = Some(got);
        failure
    }
}

type Lowered<T = Val> = Result<T, Box<Misfit>>;

/// Turns one value into a shape's.
#[cfg(test)]
pub(super) fn lower(shape: &Shape, value: &Value) -> Lowered {
    place(shape, value, &At::ROOT)
}

fn place(shape: &Shape, value: &Value, at: &At<'_>) -> Lowered {
    let misfit = || at.misfit(shape, Got(value));
    match (shape, value) {
        (Shape::Bool, Value::Bool(value)) => Ok(Val::Bool(*value)),
        (Shape::Int(int), value) => integer(*int, value).ok_or_else(misfit),
        (Shape::F32, value) => {
            let number = float(value).ok_or_else(misfit)?;
            if number.is_finite() && number.abs() > f64::from(f32::MAX) {
                return Err(misfit());
            }
            Ok(Val::Float32(number as f32))
        }
        (Shape::F64, value) => float(value).map(Val::Float64).ok_or_else(misfit),
        (Shape::Char, Value::String(text)) => {
            let mut chars = text.chars();
            match (chars.next(), chars.next()) {
                (Some(one), None) => Ok(Val::Char(one)),
                _ => Err(misfit()),
            }
        }
        (Shape::String, Value::String(text)) => Ok(Val::String(text.clone())),
        (Shape::Bytes(len), Value::String(text)) => {
            let bytes = BASE64.decode(text).map_err(|_| misfit())?;
            if len.is_some_and(|len| bytes.len() != len as usize) {
                return Err(at.misfit(shape, format_args!("{} bytes", bytes.len())));
            }
            Ok(listed(bytes.into_iter().map(Val::U8).collect(), *len))
        }
        (Shape::List(item, len), Value::Array(items)) => {
            if len.is_some_and(|len| items.len() != len as usize) {
                return Err(misfit());
            }
            let items = items.iter().enumerate().map(|(index, value)| place(item, value, &at.index(index)));
            Ok(listed(items.collect::<Lowered<_>>()?, *len))
        }
        (Shape::Map(key, item), value) => map(key, item, value, at).unwrap_or_else(|| Err(misfit())),
        (Shape::Record(fields), value) => Ok(Val::Record(members(fields, value, shape, at)?)),
        (Shape::Tuple(shapes), Value::Array(items)) if shapes.len() == items.len() => {
            let items = shapes.iter().zip(items).enumerate();
            items
                .map(|(index, (shape, value))| place(shape, value, &at.index(index)))
                .collect::<Lowered<_>>()
                .map(Val::Tuple)
        }
        (Shape::Variant(cases), value) => {
            let (tag, payload) = tagged(shape, cases, value, at)?;
            Ok(Val::Variant(tag.to_owned(), payload))
        }
        (Shape::Result(cases), value) => {
            let (tag, payload) = tagged(shape, cases, value, at)?;
            Ok(Val::Result(if tag == cases[0].tag { Ok(payload) } else { Err(payload) }))
        }
        (Shape::Enum(names), Value::String(name)) if names.contains(name) => Ok(Val::Enum(name.clone())),
        (Shape::Flags(names), Value::Array(items)) => flags(shape, names, items, at),
        (Shape::Option(_), Value::Null) => Ok(Val::Option(None)),
        (Shape::Option(some), value) => {
            let some = if some.needs_some() {
                wrapped(some, value, at).unwrap_or_else(|| Err(misfit()))?
            } else {
                // A value that is none of these could have been null as well.
                let or_null =
                    |inner: Box<Misfit>| if inner.pointer == at.to_string() { misfit() } else { inner };
                place(some, value, at).map_err(or_null)?
            };
            Ok(Val::Option(Some(Box::new(some))))
        }
        _ => Err(misfit()),
    }
}

fn listed(items: Vec<Val>, len: Option<u32>) -> Val {
    if len.is_some() { Val::FixedLengthList(items) } else { Val::List(items) }
}

fn integer(int: Int, value: &Value) -> Option<Val> {
    let number = match value {
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(n), _, _) => i128::from(n),
            (_, Some(n), _) => i128::from(n),
            // JSON Schema takes 5.0 and 5e3 for integers (Core 4.2.3, Validation 6.1.1).
            (_, _, Some(n)) if n.fract() == 0.0 && n.abs() <= SAFE as f64 => n as i128,
            _ => return None,
        },
        Value::String(text) if int.wide() => decimal(text)?,
        _ => return None,
    };
    Some(match int {
        Int::U8 => Val::U8(number.try_into().ok()?),
        Int::U16 => Val::U16(number.try_into().ok()?),
        Int::U32 => Val::U32(number.try_into().ok()?),
        Int::U64 => Val::U64(number.try_into().ok()?),
        Int::S8 => Val::S8(number.try_into().ok()?),
        Int::S16 => Val::S16(number.try_into().ok()?),
        Int::S32 => Val::S32(number.try_into().ok()?),
        Int::S64 => Val::S64(number.try_into().ok()?),
    })
}

/// Digits without a leading zero or plus, with a minus before all but zero.
fn decimal(text: &str) -> Option<i128> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits.len() <= 20 && digits.bytes().all(|b| b.is_ascii_digit());
    let canonical = text == "0" || !digits.starts_with('0');
    if plain && canonical { text.parse().ok() } else { None }
}

fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64().filter(|n| n.is_finite()),
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

/// The members of a record, in its own order.
fn members(
    fields: &[Member],
    value: &Value,
    expected: impl fmt::Display,
    at: &At<'_>,
) -> Lowered<Vec<(String, Val)>> {
    let Value::Object(object) = value else { return Err(at.misfit(expected, Got(value))) };
    let names = Names(fields.iter().map(|field| field.name.as_str()));
    only(object, |key| fields.iter().any(|field| field.name == key), names, at)?;
    let member = |field: &Member| {
        let at = at.key(&field.name);
        let value = match object.get(&field.name) {
            Some(value) => place(&field.shape, value, &at)?,
            None if field.shape.optional() => Val::Option(None),
            None => return Err(at.misfit(&field.shape, "nothing")),
        };
        Ok((field.name.clone(), value))
    };
    fields.iter().map(member).collect()
}

/// Refuses the first member that is not known.
fn only(
    object: &Map<String, Value>,
    known: impl Fn(&str) -> bool,
    names: impl fmt::Display,
    at: &At<'_>,
) -> Lowered<()> {
    match object.iter().find(|(key, _)| !known(key)) {
        None => Ok(()),
        Some((key, value)) => {
            let names = names.to_string();
            let expected =
                if names.is_empty() { "no members".into() } else { format!("only the members {names}") };
            Err(at.key(key).misfit(expected, Got(value)))
        }
    }
}

fn tagged<'s>(
    shape: &Shape,
    cases: &'s [Case],
    value: &Value,
    at: &At<'_>,
) -> Lowered<(&'s str, Option<Box<Val>>)> {
    let Value::Object(object) = value else { return Err(at.misfit(shape, Got(value))) };
    let named = Names(cases.iter().map(|case| case.tag.as_str()));
    let tag = object.get("tag");
    let Some(case) = cases.iter().find(|case| tag.and_then(Value::as_str) == Some(&case.tag)) else {
        let at = at.key("tag");
        return Err(match tag {
            Some(tag) => at.misfit(format_args!("one of {named}"), Got(tag)),
            None => at.misfit(format_args!("one of {named}"), "nothing"),
        });
    };
    let allowed: &[&str] = if case.payload.is_some() { &["tag", "val"] } else { &["tag"] };
    only(object, |key| allowed.contains(&key), Names(allowed.iter().copied()), at)?;
    let at = at.key("val");
    let payload = match (&case.payload, object.get("val")) {
        (None, _) => None,
        (Some(shape), Some(value)) => Some(Box::new(place(shape, value, &at)?)),
        (Some(shape), None) if shape.optional() => Some(Box::new(Val::Option(None))),
        (Some(shape), None) => return Err(at.misfit(shape, "nothing")),
    };
    Ok((&case.tag, payload))
}

/// In the order of the type, whatever order they came in.
fn flags(shape: &Shape, names: &[String], items: &[Value], at: &At<'_>) -> Lowered {
    let mut set = vec![false; names.len()];
    for (index, item) in items.iter().enumerate() {
        let found = item.as_str().and_then(|item| names.iter().position(|name| name == item));
        match found {
            Some(flag) if !set[flag] => set[flag] = true,
            _ => return Err(at.index(index).misfit(shape, Got(item))),
        }
    }
    Ok(Val::Flags(names.iter().zip(set).filter(|(_, set)| *set).map(|(name, _)| name.clone()).collect()))
}

fn map(key: &Shape, item: &Shape, value: &Value, at: &At<'_>) -> Option<Lowered> {
    let pairs = match value {
        Value::Object(object) if *key == Shape::String => {
            let pair = |(key, value): (&String, &Value)| {
                Ok((Val::String(key.clone()), place(item, value, &at.key(key))?))
            };
            object.iter().map(pair).collect::<Lowered<Vec<_>>>()
        }
        Value::Array(pairs) if *key != Shape::String => {
            let pair = |(index, pair): (usize, &Value)| {
                let at = at.index(index);
                match pair.as_array().map(Vec::as_slice) {
                    Some([k, v]) => Ok((place(key, k, &at.index(0))?, place(item, v, &at.index(1))?)),
                    _ => Err(at.misfit("a pair [key, value]", Got(pair))),
                }
            };
            pairs.iter().enumerate().map(pair).collect()
        }
        _ => return None,
    };
    Some(pairs.map(Val::Map))
}

/// The payload of an option of an option.
fn wrapped(some: &Shape, value: &Value, at: &At<'_>) -> Option<Lowered> {
    let object = value.as_object().filter(|object| object.len() == 1)?;
    let value = object.get("some")?;
    Some(place(some, value, &at.key("some")))
}

/// What was found, short enough for a message.
struct Got<'a>(&'a Value);

impl fmt::Display for Got<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Null => f.write_str("null"),
            Value::Array(items) => write!(f, "an array of {}", items.len()),
            Value::Object(_) => f.write_str("an object"),
            Value::String(text) => write!(f, "{:?}", cut(text)),
            scalar => scalar.fmt(f),
        }
    }
}

/// The first characters of a text, with a sign that there are more.
fn cut(text: &str) -> std::borrow::Cow<'_, str> {
    const SHOWN: usize = 60;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}
