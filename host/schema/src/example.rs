//! Inputs that are shown in refusals. What is shown has been validated; what cannot be proven is not shown.

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind as Kind;
use serde_json::Value;

use crate::contract::Inner;
use crate::invent::{Invented, invent};
use crate::mend::keys;
use crate::wording::{inside, join, split};
use crate::{accept, explain};

/// The most passes over one input; a correction may uncover the next place.
const PASSES: usize = 16;
/// The most places that one pass corrects.
const PLACES: usize = 32;
/// The most objections that one pass looks at: alternatives in alternatives have more of them than places.
const LOOKS: usize = 4 * PLACES;
/// The longest example, in bytes of JSON.
const BYTES: usize = 2048;
/// How deep an input may become while it is corrected, in levels, unless it was sent deeper. Where a schema refers to
/// itself twice, each level doubles the objections.
const DEEP: usize = 6;
/// How long an input may become while it is corrected. Where a schema refers to itself, each pass may add what the next one
/// objects to.
const GROWN: usize = 2 * BYTES;

/// What was sent, with everything that is wrong replaced; or else an example that is known. A text is never shortened: what
/// is shown is sent again as it stands.
pub(crate) fn corrected(inner: &Inner, sent: &Value) -> Option<Value> {
    let mut value = sent.clone();
    let mut changed: Vec<Change> = Vec::new();
    let deepest = depth(sent).max(DEEP);
    for _ in 0..PASSES {
        let grown = value.to_string().len() > GROWN || depth(&value) > deepest;
        if inner.validator.is_valid(&value) || grown || !accept::mendable(&value) {
            break;
        }
        let errors: Vec<ValidationError<'_>> = inner.validator.iter_errors(&value).take(PLACES).collect();
        let mut changes = Vec::new();
        collect(inner, &value, &errors, &mut changes, &mut { LOOKS });
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
    if !inner.validator.is_valid(&value) {
        return known(inner);
    }
    // A value that nobody ever sent means nothing to the pack; a whole example of its own does.
    let whole = if makes_up(&changed) { given(inner) } else { None };
    whole.or_else(|| presentable(inner, value)).or_else(|| given(inner))
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Whether something of these changes is made up and nothing of them is from a known example.
fn makes_up(changed: &[Change]) -> bool {
    let replaced =
        |at: usize| changed[at + 1..].iter().any(|later| inside(&changed[at].pointer, &later.pointer));
    let left = |origin| (0..changed.len()).any(|at| changed[at].origin == origin && !replaced(at));
    left(Origin::MadeUp) && !left(Origin::Known)
}

/// The pack's first example, or one that is made from the schema.
pub(crate) fn known(inner: &Inner) -> Option<Value> {
    given(inner).or_else(|| presentable(inner, invent(&inner.schema, &inner.schema)?.value))
}

/// The pack's first example that can be shown.
fn given(inner: &Inner) -> Option<Value> {
    inner.examples.iter().find_map(|example| presentable(inner, example.clone()))
}

/// The value if it is valid and short.
fn presentable(inner: &Inner, value: Value) -> Option<Value> {
    (value.to_string().len() <= BYTES && inner.validator.is_valid(&value)).then_some(value)
}

/// A correction of one place.
#[derive(PartialEq)]
struct Change {
    pointer: String,
    /// The new value; none for a property that has to go.
    to: Option<Value>,
    origin: Origin,
}

/// Where a new value comes from.
#[derive(Clone, Copy, PartialEq)]
enum Origin {
    /// What was sent, at another place; or nothing.
    Sent,
    /// An example of the pack.
    Known,
    /// What the schema names.
    Schema,
    /// Nowhere.
    MadeUp,
}

fn apply(value: &mut Value, Change { pointer, to, .. }: &Change) {
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

fn collect(
    inner: &Inner,
    value: &Value,
    errors: &[ValidationError<'_>],
    changes: &mut Vec<Change>,
    looks: &mut usize,
) {
    // Names first: what stands under a wrong name may be what is missing elsewhere.
    let (names, rest): (Vec<_>, Vec<_>) =
        errors.iter().partition(|error| explain::unexpected(error).is_some());
    for error in names.into_iter().chain(rest) {
        let Some(left) = looks.checked_sub(1).filter(|_| changes.len() < PLACES) else { return };
        *looks = left;
        if let Some(branch) = explain::meant(error) {
            collect(inner, value, branch, changes, looks);
            continue;
        }
        for change in answers(inner, value, error) {
            if !changes.iter().any(|earlier| earlier.pointer == change.pointer) {
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
            let schema = schema.map_or(&Value::Bool(true), |(_, schema)| schema);
            let node = join(&format!("{node}/properties"), name);
            replaced(inner, join(here, name), &node, Some(schema)).into_iter().collect()
        }
        Kind::FalseSchema => vec![Change { pointer: here.to_owned(), to: None, origin: Origin::Sent }],
        _ => replaced(inner, here.to_owned(), node, inner.schema.pointer(node)).into_iter().collect(),
    }
}

/// A value for this place: the pack's own, or what the schema there suggests.
fn replaced(inner: &Inner, pointer: String, node: &str, schema: Option<&Value>) -> Option<Change> {
    if let Some(known) = known_at(inner, &pointer, node) {
        return Some(Change { pointer, to: Some(known), origin: Origin::Known });
    }
    let Invented { value, made_up } = invent(&inner.schema, schema?)?;
    let origin = if made_up { Origin::MadeUp } else { Origin::Schema };
    Some(Change { pointer, to: Some(value), origin })
}

/// Takes an unknown property out; where its name was nearly right, its value goes to the right one.
fn without(inner: &Inner, value: &Value, error: &ValidationError<'_>, name: &str) -> Vec<Change> {
    let here = error.instance_path().as_str();
    let known = explain::known(inner, error);
    let moved = |name: &str, to| Change { pointer: join(here, name), to, origin: Origin::Sent };
    let mut changes = vec![moved(name, None)];
    if let Some(near) = keys::closest(name, known.iter().map(|(key, _)| *key))
        && let Some(Value::Object(object)) = value.pointer(here)
        && !object.contains_key(near)
        && let Some(sent) = object.get(name)
    {
        changes.push(moved(near, Some(sent.clone())));
    }
    changes
}

/// What the pack's own examples have at this place, if the schema there allows it.
fn known_at(inner: &Inner, pointer: &str, node: &str) -> Option<Value> {
    let mut found = inner.examples.iter().filter_map(|example| example.pointer(pointer));
    let first = found.next()?;
    inner.alternative(node)?.is_valid(first).then(|| first.clone())
}
