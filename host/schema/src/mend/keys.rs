//! The names of properties: what a schema knows, and what a near miss meant.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

/// How many schemas are looked at to find the properties of one object.
const REACH: usize = 64;

/// The properties that the schema at `node` names for an object, through local references and combining keywords.
pub(crate) fn properties<'s>(root: &'s Value, node: &'s Value) -> Vec<(&'s str, &'s Value)> {
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    each_part(root, node, &mut |part| {
        for (name, schema) in part.get("properties").and_then(Value::as_object).into_iter().flatten() {
            if seen.insert(name.as_str()) {
                found.push((name.as_str(), schema));
            }
        }
    });
    found
}

/// Whether an object of the schema at `node` may have any name at all as a property, each with a meaning of its own.
pub(crate) fn open_ended(root: &Value, node: &Value) -> bool {
    let mut open = false;
    each_part(root, node, &mut |part| {
        open |= part.get("patternProperties").is_some();
        open |= part.get("additionalProperties").is_some_and(Value::is_object);
        open |= part.get("unevaluatedProperties").is_some_and(Value::is_object);
    });
    open
}

/// Calls `visit` with `node` and every schema that applies to the same place of the instance, each once.
fn each_part<'s>(root: &'s Value, node: &'s Value, visit: &mut impl FnMut(&'s Value)) {
    let mut seen: Vec<&Value> = vec![node];
    let mut next = 0;
    while let Some(&part) = seen.get(next) {
        next += 1;
        visit(part);
        let target = part.get("$ref").and_then(Value::as_str).and_then(|reference| follow(root, reference));
        let combined =
            ["allOf", "anyOf", "oneOf"].into_iter().filter_map(|keyword| part.get(keyword)?.as_array());
        let conditional = ["if", "then", "else"].into_iter().filter_map(|keyword| part.get(keyword));
        for found in target.into_iter().chain(combined.flatten()).chain(conditional) {
            if seen.len() < REACH && !seen.iter().any(|known| std::ptr::eq(*known, found)) {
                seen.push(found);
            }
        }
    }
}

/// What a reference within the document points to (RFC 6901 section 6); only pointers are followed.
pub(crate) fn follow<'s>(root: &'s Value, reference: &str) -> Option<&'s Value> {
    root.pointer(reference.strip_prefix('#')?)
}

/// Names by how they look without case and separators; one that is there in two spellings has no meaning.
pub(super) fn spellings<'k>(names: impl Iterator<Item = &'k str>) -> HashMap<String, Option<&'k str>> {
    let mut found = HashMap::new();
    for name in names {
        found.entry(fold(name)).and_modify(|only| *only = None).or_insert(Some(name));
    }
    found.remove("");
    found
}

/// A name without case and separators: `maxBytes`, `max_bytes` and `Max-Bytes` are one.
pub(super) fn fold(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).flat_map(char::to_lowercase).collect()
}

/// The one of `known` that a reader of `name` would think of first, if any is close.
pub fn closest<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let name: String = fold(&name.chars().take(64).collect::<String>());
    let likeness = |other: &str| {
        // One slip of a finger in a short name, such as "ulr", is much to this measure and little to a reader.
        let slip = other.len() >= 3 && strsim::osa_distance(&name, other) == 1;
        strsim::jaro_winkler(&name, other).max(if slip { 0.9 } else { 0.0 })
    };
    known
        .map(|other| (likeness(&fold(&other.chars().take(64).collect::<String>())), other))
        .filter(|(likeness, _)| *likeness > 0.82)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, other)| other)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_that_differ_in_case_and_separators_are_one() {
        let known = spellings(["max_bytes", "url", "a_b", "ab", "_"].into_iter());
        for name in ["maxBytes", "MaxBytes", "max-bytes", "MAX_BYTES", "max bytes"] {
            assert_eq!(known.get(&fold(name)), Some(&Some("max_bytes")), "{name}");
        }
        assert_eq!(known.get("ab"), Some(&None), "two properties of one spelling");
        assert!(!known.contains_key(&fold("maxByte")) && !known.contains_key(&fold("-")));
    }

    #[test]
    fn near_misses_are_guessed_for_the_message_only() {
        let known = ["text", "max_bytes", "url"];
        for (name, meant) in [
            ("txt", Some("text")),
            ("ulr", Some("url")),
            ("max_byte", Some("max_bytes")),
            ("zzz", None),
            ("u", None),
        ] {
            assert_eq!(closest(name, known.into_iter()), meant, "{name}");
        }
    }

    #[test]
    fn properties_are_found_through_references_and_parts() {
        let schema = json!({
            "$ref": "#/$defs/a", "properties": {"x": {}},
            "$defs": {"a": {"allOf": [{"properties": {"y": {}}}, {"$ref": "#/$defs/a"}], "anyOf": [{"properties": {"z": {}}}]}}
        });
        let names: Vec<_> = properties(&schema, &schema).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["x", "y", "z"]);
    }
}
