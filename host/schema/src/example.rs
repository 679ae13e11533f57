//! Inputs that are shown in refusals. What is shown has been validated; what cannot be proven is not shown.

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind as Kind;
use serde_json::Value;

use crate::contract::Inner;
use crate::explain;
use crate::invent::invent;
use crate::mend::keys;
use crate::wording::{join, shorten, split};

/// The most passes over one input; a correction may uncover the next place.
const PASSES: usize = 16;
/// The most places that one pass corrects.
const PLACES: usize = 32;
/// The longest example, in bytes of JSON.
const BYTES: usize = 2048;

/// What was sent, with everything that is wrong replaced; or else an example that is known.
pub(crate) fn corrected(inner: &Inner, sent: &Value) -> Option<Value> {
    let mut value = sent.clone();
    let mut changed = Vec::new();
    for _ in 0..PASSES {
        if inner.validator.is_valid(&value) {
            break;
        }
        let errors: Vec<ValidationError<'_>> = inner.validator.iter_errors(&value).take(PLACES).collect();
        let mut changes = Vec::new();
        collect(inner, &value, &errors, &mut changes);
        drop(errors);
        changes.retain(|change| !changed.contains(change));
        if changes.is_empty() {
            break;
        }
        for change in &changes {
            apply(&mut value, change);
        }
        changed.append(&mut changes);
    }
    presentable(inner, value).or_else(|| known(inner))
}

/// The pack's first example, or one that is made from the schema.
pub(crate) fn known(inner: &Inner) -> Option<Value> {
    let given = inner.examples.iter().find_map(|example| presentable(inner, example.clone()));
    given.or_else(|| presentable(inner, invent(&inner.schema, &inner.schema)?))
}

/// The value if it is valid and short, shortened if it must be and still is valid then.
fn presentable(inner: &Inner, value: Value) -> Option<Value> {
    let short = shorten(&value);
    if short != value && inner.validator.is_valid(&short) {
        return Some(short);
    }
    (inner.validator.is_valid(&value) && value.to_string().len() <= BYTES).then_some(value)
}

/// A correction of one place: a new value, or none for a property that has to go.
type Change = (String, Option<Value>);

fn apply(value: &mut Value, (pointer, to): &Change) {
    let Some((parent, name)) = split(pointer) else {
        if let Some(to) = to {
            value.clone_from(to);
        }
        return;
    };
    match (value.pointer_mut(parent), to) {
        (Some(Value::Object(map)), Some(to)) => drop(map.insert(name, to.clone())),
        (Some(Value::Object(map)), None) => drop(map.shift_remove(&name)),
        (Some(Value::Array(items)), Some(to)) => {
            if let Some(place) = name.parse().ok().and_then(|index: usize| items.get_mut(index)) {
                place.clone_from(to);
            }
        }
        _ => {}
    }
}

fn collect(inner: &Inner, value: &Value, errors: &[ValidationError<'_>], changes: &mut Vec<Change>) {
    // Names first: what stands under a wrong name may be what is missing elsewhere.
    let (names, rest): (Vec<_>, Vec<_>) =
        errors.iter().partition(|error| explain::unexpected(error).is_some());
    for error in names.into_iter().chain(rest) {
        if changes.len() >= PLACES {
            return;
        }
        if let Some(branch) = explain::meant(error) {
            collect(inner, value, branch, changes);
            continue;
        }
        for change in answers(inner, value, error) {
            if !changes.iter().any(|(pointer, _)| *pointer == change.0) {
                changes.push(change);
            }
        }
    }
}

fn answers(inner: &Inner, value: &Value, error: &ValidationError<'_>) -> Vec<Change> {
    let here = error.instance_path().as_str();
    if let Some(names) = explain::unexpected(error) {
        return names.iter().flat_map(|name| without(inner, value, error, name)).collect();
    }
    let Some((node, _)) = split(error.schema_path().as_str()) else { return Vec::new() };
    match error.kind() {
        Kind::Required { property: Value::String(name) } => {
            let schema = explain::known(inner, error).into_iter().find(|(known, _)| known == name);
            let pointer = join(here, name);
            let to = given(inner, &pointer, &join(&format!("{node}/properties"), name))
                .or_else(|| invent(&inner.schema, schema.map_or(&Value::Bool(true), |(_, schema)| schema)));
            to.map(|to| (pointer, Some(to))).into_iter().collect()
        }
        Kind::FalseSchema => vec![(here.to_owned(), None)],
        _ => {
            let schema = inner.schema.pointer(node);
            let to = given(inner, here, node).or_else(|| invent(&inner.schema, schema?));
            to.map(|to| (here.to_owned(), Some(to))).into_iter().collect()
        }
    }
}

/// Takes an unknown property out; where its name was nearly right, its value goes to the right one.
fn without(inner: &Inner, value: &Value, error: &ValidationError<'_>, name: &str) -> Vec<Change> {
    let here = error.instance_path().as_str();
    let known = explain::known(inner, error);
    let mut changes = vec![(join(here, name), None)];
    if let Some(near) = keys::closest(name, known.iter().map(|(key, _)| *key))
        && let Some(Value::Object(object)) = value.pointer(here)
        && !object.contains_key(near)
        && let Some(moved) = object.get(name)
    {
        changes.push((join(here, near), Some(moved.clone())));
    }
    changes
}

/// What the pack's own examples have at this place, if the schema there allows it.
fn given(inner: &Inner, pointer: &str, node: &str) -> Option<Value> {
    let mut found = inner.examples.iter().filter_map(|example| example.pointer(pointer));
    let first = found.next()?;
    inner.alternative(node)?.is_valid(first).then(|| first.clone())
}
