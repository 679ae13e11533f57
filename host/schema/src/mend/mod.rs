//! The mending of slips that can be read in one way only.
//!
//! What the validator objects to is what is looked at: a place that is valid is never touched. Each objection is
//! answered by at most one edit; where two edits would do, none is made.

mod apply;
pub(crate) mod keys;
pub use keys::closest;
mod scalar;
mod shape;

use std::fmt;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{JsonType, JsonTypeSet, ValidationError, Validator};
use serde::Serialize;
use serde_json::Value;

use crate::contract::Inner;
use crate::wording;

/// The most mends of one input.
const MENDS: usize = 64;
/// The most passes over one input; a mend may uncover the next one.
const PASSES: usize = 16;
/// How deep alternatives may nest in alternatives.
const ALTERNATIVES_DEEP: usize = 4;
/// The most alternatives that are tried for one input.
const TRIALS: usize = 128;

/// One thing that was read otherwise than it was sent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mend {
    /// Where, as a JSON pointer (RFC 6901) into the input as it was when this mend was made.
    pub pointer: String,
    /// What was done.
    pub kind: MendKind,
    /// What was sent, long values shortened; the name where a name was mended.
    pub from: Value,
    /// What it was read as, long values shortened; the name where a name was mended; null where something was left out.
    pub to: Value,
}

/// What a mend did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MendKind {
    /// A number or boolean that was sent as a string.
    FromString,
    /// A string that was sent as a number or boolean.
    ToString,
    /// An object or list that was sent as a string of JSON.
    FromJson,
    /// A single value where a list of such values is wanted.
    ToList,
    /// The arguments were wrapped in one more object.
    Unwrapped,
    /// A property's name in another case or with other separators.
    Renamed,
    /// One of the texts that are allowed, in another case.
    Recased,
    /// An explicit null for a property that may be left out.
    NullDropped,
}

impl MendKind {
    /// The word for it, as it is serialized.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FromString => "from_string",
            Self::ToString => "to_string",
            Self::FromJson => "from_json",
            Self::ToList => "to_list",
            Self::Unwrapped => "unwrapped",
            Self::Renamed => "renamed",
            Self::Recased => "recased",
            Self::NullDropped => "null_dropped",
        }
    }
}

impl Mend {
    /// The mend as a report shows it.
    pub(crate) fn shortened(self) -> Self {
        Self { from: wording::shorten(&self.from), to: wording::shorten(&self.to), ..self }
    }

    /// The mend of a part, as one of the whole.
    fn below(self, pointer: &str) -> Self {
        Self { pointer: format!("{pointer}{}", self.pointer), ..self }
    }
}

impl fmt::Display for Mend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match wording::split(&self.pointer) {
            // An entry of a list has no name of its own.
            Some((_, last)) if last.bytes().all(|b| b.is_ascii_digit()) => wording::quote(&self.pointer),
            Some((_, last)) => wording::quote(&last),
            None => "the input".into(),
        };
        match self.kind {
            MendKind::FromString => write!(f, "{name} was text; read as {}", self.to),
            MendKind::ToString => {
                let was = if self.from.is_boolean() { "true or false" } else { "a number" };
                write!(f, "{name} was {was}; read as {}", self.to)
            }
            MendKind::FromJson => {
                let is = if self.to.is_array() { "a list" } else { "an object" };
                write!(f, "{name} was {is} written as text; read as {is}")
            }
            MendKind::ToList => write!(f, "{name} was a single value; read as a list of one"),
            MendKind::Unwrapped => write!(f, "the arguments were wrapped in {name}; read without it"),
            MendKind::Renamed => write!(f, "{} was read as {}", self.from, self.to),
            MendKind::Recased => write!(f, "{name} was {}; read as {}", self.from, self.to),
            MendKind::NullDropped => write!(f, "{name} was null; left out"),
        }
    }
}

/// Mends what can be mended in one way only. The value may still be invalid afterwards.
pub(crate) fn mend(inner: &Inner, value: &mut Value) -> Vec<Mend> {
    let mut work = Work { inner, trials: TRIALS };
    let mut mends = shape::unwrap(inner, value);
    mends.extend(work.settle(&inner.validator, value, ALTERNATIVES_DEEP));
    mends
}

/// Mends an input that is too large to list every objection to it: its small properties, each as if it came alone. Only
/// those are looked at that the schema names at its root.
pub(crate) fn mend_parts(inner: &Inner, value: &mut Value) -> Vec<Mend> {
    let mut work = Work { inner, trials: TRIALS };
    let mut mends: Vec<Mend> = Vec::new();
    let names: Vec<String> = value.as_object().into_iter().flat_map(|map| map.keys().cloned()).collect();
    for name in names {
        let (pointer, place) = (wording::join("", &name), wording::join("/properties", &name));
        let known = inner.schema.pointer(&place).is_some();
        let Some(part) = value.pointer_mut(&pointer).filter(|part| known && crate::accept::mendable(part))
        else {
            continue;
        };
        let Some(validator) = inner.alternative(&place).filter(|validator| !validator.is_valid(part)) else {
            continue;
        };
        if part.is_null() {
            let dropped = shape::optional_null(&inner.schema, &name, pointer);
            dropped.iter().for_each(|mend| apply::apply(value, mend));
            mends.extend(dropped);
        } else {
            let inside = work.settle(&validator, part, ALTERNATIVES_DEEP);
            mends.extend(inside.into_iter().map(|mend| mend.below(&pointer)));
        }
    }
    mends
}

/// The mending of one input, with what it may still cost.
struct Work<'c> {
    inner: &'c Inner,
    trials: usize,
}

impl Work<'_> {
    /// Mends until the validator is content or nothing more can be done.
    fn settle(&mut self, validator: &Validator, value: &mut Value, deep: usize) -> Vec<Mend> {
        let mut mends: Vec<Mend> = Vec::new();
        for _ in 0..PASSES {
            if validator.is_valid(value) || !crate::accept::mendable(value) {
                break;
            }
            let mut edits = self.plan(validator, value, deep);
            // The same place the same way twice: two parts of the schema want opposite things.
            edits.retain(|edit| !mends.iter().any(|m| m.pointer == edit.pointer && m.kind == edit.kind));
            edits.truncate(MENDS.saturating_sub(mends.len()));
            if edits.is_empty() {
                break;
            }
            for edit in &edits {
                apply::apply(value, edit);
            }
            mends.append(&mut edits);
        }
        mends
    }

    fn plan(&mut self, validator: &Validator, value: &Value, deep: usize) -> Vec<Mend> {
        let mut answers = Vec::new();
        for error in validator.iter_errors(value).take(4 * MENDS) {
            let answer = self.answer(validator, value, &error, deep);
            if !answer.is_empty() {
                answers.push(answer);
            }
        }
        apply::compatible(answers)
    }

    /// What would settle one objection: nothing where that is not clear.
    fn answer(
        &mut self,
        validator: &Validator,
        value: &Value,
        error: &ValidationError<'_>,
        deep: usize,
    ) -> Vec<Mend> {
        let (pointer, place) = (error.instance_path().as_str(), error.schema_path().as_str());
        let Some(found) = value.pointer(pointer) else { return Vec::new() };
        if found.is_null() && wants_another_value(error.kind()) {
            let Some(left) = self.trials.checked_sub(1) else { return Vec::new() };
            self.trials = left;
            return shape::drop_null(validator, value, pointer).into_iter().collect();
        }
        match error.kind() {
            ValidationErrorKind::Type { kind } => {
                let types = match kind {
                    TypeKind::Single(kind) => JsonTypeSet::empty().insert(*kind),
                    TypeKind::Multiple(kinds) => *kinds,
                };
                self.retype(found, types, pointer, place).into_iter().collect()
            }
            ValidationErrorKind::Enum { options } => match &**options {
                Value::Array(options) => one_of_these(found, options, pointer),
                _ => Vec::new(),
            },
            ValidationErrorKind::Constant { expected_value } => {
                one_of_these(found, std::slice::from_ref(expected_value), pointer)
            }
            ValidationErrorKind::AnyOf { .. } | ValidationErrorKind::OneOfNotValid { .. } => {
                self.alternative(found, pointer, place, deep)
            }
            ValidationErrorKind::AdditionalProperties { unexpected }
            | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
                shape::rename_unexpected(&self.inner.schema, found, unexpected, pointer, place)
            }
            ValidationErrorKind::Required { property: Value::String(property) } => {
                shape::rename_missing(&self.inner.schema, found, property, pointer, place)
                    .into_iter()
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    fn retype(&mut self, found: &Value, types: JsonTypeSet, pointer: &str, place: &str) -> Option<Mend> {
        let mut readings = scalar::readings(found, types);
        if types.contains(JsonType::Array)
            && let Some(list) = shape::as_list(found)
            && let Some((node, _)) = wording::split(place)
            && self.inner.alternative(node).is_some_and(|validator| validator.is_valid(&list))
        {
            readings.push((MendKind::ToList, list));
        }
        readings.dedup_by(|a, b| a.1 == b.1);
        match readings.as_slice() {
            [_] => readings.pop().map(|(kind, to)| Mend {
                pointer: pointer.into(),
                kind,
                from: found.clone(),
                to,
            }),
            _ => None,
        }
    }

    /// Tries every branch of an `anyOf` or `oneOf`; only where all that fit agree on the value is it taken.
    fn alternative(&mut self, found: &Value, pointer: &str, place: &str, deep: usize) -> Vec<Mend> {
        let branches = self.inner.schema.pointer(place).and_then(Value::as_array).map_or(0, Vec::len);
        let mut fits: Option<(Value, Vec<Mend>)> = None;
        for branch in 0..branches {
            let Some(left) = self.trials.checked_sub(1).filter(|_| deep > 0) else { return Vec::new() };
            self.trials = left;
            let Some(validator) = self.inner.alternative(&format!("{place}/{branch}")) else {
                return Vec::new();
            };
            let mut value = found.clone();
            let mends = self.settle(&validator, &mut value, deep - 1);
            if !validator.is_valid(&value) {
                continue;
            }
            match &fits {
                Some((other, _)) if *other != value => return Vec::new(),
                Some(_) => {}
                None => fits = Some((value, mends)),
            }
        }
        let mends = fits.map(|(_, mends)| mends).unwrap_or_default();
        mends.into_iter().map(|mend| mend.below(pointer)).collect()
    }
}

fn wants_another_value(kind: &ValidationErrorKind) -> bool {
    use ValidationErrorKind as K;
    matches!(
        kind,
        K::Type { .. } | K::Enum { .. } | K::Constant { .. } | K::AnyOf { .. } | K::OneOfNotValid { .. }
    )
}

/// The only one of some fixed values that the found one spells in another type or in another case.
fn one_of_these(found: &Value, options: &[Value], pointer: &str) -> Vec<Mend> {
    let mut hits = options.iter().filter_map(|option| Some((meant(found, option)?, option)));
    match (hits.next(), hits.next()) {
        (Some((kind, to)), None) => {
            vec![Mend { pointer: pointer.into(), kind, from: found.clone(), to: to.clone() }]
        }
        _ => Vec::new(),
    }
}

/// How the found value is this one in another spelling, if it is.
fn meant(found: &Value, option: &Value) -> Option<MendKind> {
    let wanted = match option {
        Value::String(_) => JsonType::String,
        Value::Bool(_) => JsonType::Boolean,
        Value::Number(_) => JsonType::Number,
        _ => return None,
    };
    if let (Value::String(found), Value::String(option)) = (found, option) {
        return (found.to_lowercase() == option.to_lowercase()).then_some(MendKind::Recased);
    }
    let mut readings = scalar::readings(found, JsonTypeSet::empty().insert(wanted)).into_iter();
    readings.find(|(_, reading)| reading == option).map(|(kind, _)| kind)
}
