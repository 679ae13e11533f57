//! Slips of shape: wrapped arguments, a single value for a list, nulls for what may be left out, names respelled.

use jsonschema::Validator;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

use super::{Mend, MendKind, apply, keys, scalar};
use crate::contract::Inner;
use crate::wording;

/// The names in which models wrap arguments.
const WRAPPERS: [&str; 3] = ["input", "arguments", "params"];

/// Takes the arguments out of one wrapper, where the schema can have no property of that name.
pub(super) fn unwrap(inner: &Inner, value: &mut Value) -> Vec<Mend> {
    let Value::Object(map) = &*value else { return Vec::new() };
    let mut entries = map.iter();
    let (Some((name, inside)), None) = (entries.next(), entries.next()) else { return Vec::new() };
    let root = &inner.schema;
    if !WRAPPERS.contains(&name.as_str())
        || keys::properties(root, root).iter().any(|(known, _)| known == name)
        || keys::open_ended(root, root)
    {
        return Vec::new();
    }
    let pointer = wording::join("", name);
    let mut mends = Vec::new();
    if let Value::String(text) = inside {
        let object = jsonschema::JsonTypeSet::empty().insert(jsonschema::JsonType::Object);
        let Some(to) = scalar::json(text, object) else { return Vec::new() };
        mends.push(Mend { pointer: pointer.clone(), kind: MendKind::FromJson, from: inside.clone(), to });
    } else if !inside.is_object() {
        return Vec::new();
    }
    mends.push(Mend { pointer, kind: MendKind::Unwrapped, from: name.clone().into(), to: Value::Null });
    for mend in &mends {
        apply::apply(value, mend);
    }
    mends
}

/// The list of one that a single value may stand for. A text that may itself be a list is not taken for one entry.
pub(super) fn as_list(found: &Value) -> Option<Value> {
    let single = match found {
        Value::Number(_) | Value::Bool(_) => true,
        Value::String(text) => {
            let text = text.trim();
            !text.is_empty() && !text.starts_with(['[', '{', '"']) && !text.contains([',', ';', '\n', '|'])
        }
        _ => false,
    };
    single.then(|| Value::Array(vec![found.clone()]))
}

/// Leaves a null out, if nothing then misses the property.
pub(super) fn drop_null(validator: &Validator, value: &Value, pointer: &str) -> Option<Mend> {
    let (parent, name) = wording::split(pointer)?;
    if !value.pointer(parent)?.is_object() {
        return None;
    }
    let mend =
        Mend { pointer: pointer.into(), kind: MendKind::NullDropped, from: Value::Null, to: Value::Null };
    let mut without = value.clone();
    apply::apply(&mut without, &mend);
    let missed = validator.iter_errors(&without).any(|error| {
        error.instance_path().as_str() == parent
            && matches!(error.kind(), ValidationErrorKind::Required { property } if *property == name)
    });
    (!missed).then_some(mend)
}

/// Leaves the null of a property of the root out, if the root does not ask for the property.
pub(super) fn optional_null(root: &Value, name: &str, pointer: String) -> Option<Mend> {
    let required = root.get("required").and_then(Value::as_array);
    let missed = required.is_some_and(|names| names.iter().any(|required| required == name));
    let mend = || Mend { pointer, kind: MendKind::NullDropped, from: Value::Null, to: Value::Null };
    (!missed).then(mend)
}

/// Unknown properties whose names are known ones in another spelling.
pub(super) fn rename_unexpected(
    root: &Value,
    found: &Value,
    unexpected: &[String],
    pointer: &str,
    place: &str,
) -> Vec<Mend> {
    let (Some(object), Some(known)) = (found.as_object(), known(root, place)) else { return Vec::new() };
    let meanings = keys::spellings(known.iter().map(|(name, _)| *name));
    let sent = keys::spellings(object.keys().map(String::as_str));
    let mend = |name: &String| {
        let folded = keys::fold(name);
        let (meant, only) = (meanings.get(&folded)?.as_ref()?, sent.get(&folded)?.as_ref()?);
        (meant != only).then(|| renamed(pointer, only, meant))
    };
    unexpected.iter().filter_map(mend).collect()
}

/// The one property that a missing one was meant by.
pub(super) fn rename_missing(
    root: &Value,
    found: &Value,
    missing: &str,
    pointer: &str,
    place: &str,
) -> Option<Mend> {
    let (object, known, folded) = (found.as_object()?, known(root, place)?, keys::fold(missing));
    let sent = *keys::spellings(object.keys().map(String::as_str)).get(&folded)?;
    let rivals = known.iter().filter(|(name, _)| *name != missing && keys::fold(name) == folded).count();
    sent.filter(|sent| rivals == 0 && *sent != missing).map(|sent| renamed(pointer, sent, missing))
}

/// The properties that the schema knows at the place of a rule.
fn known<'s>(root: &'s Value, place: &str) -> Option<Vec<(&'s str, &'s Value)>> {
    let (node, _) = wording::split(place)?;
    Some(keys::properties(root, root.pointer(node)?))
}

fn renamed(pointer: &str, from: &str, to: &str) -> Mend {
    Mend { pointer: wording::join(pointer, from), kind: MendKind::Renamed, from: from.into(), to: to.into() }
}
