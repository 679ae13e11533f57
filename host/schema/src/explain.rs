//! What is wrong, in words that a small model can act on.

use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::{JsonType, ValidationError};
use serde_json::Value;

use crate::contract::Inner;
use crate::mend::keys;
use crate::wording::{any_of, cut_to, describe, join, quote, split, type_name};

/// The longest pointer that a message shows, in bytes; of a longer one, the part that fits.
const POINTER: usize = 400;
/// The longest pattern or description that a message shows, in characters.
const PHRASE: usize = 120;

/// The most objections, and names in one, that are compared with each other.
const CONSIDERED: usize = 32;

/// One objection, explained.
pub(crate) struct Finding {
    pub(crate) pointer: String,
    pub(crate) expected: String,
    pub(crate) got: String,
    pub(crate) message: String,
    pub(crate) fix: String,
}

/// The objection that says most: a name that was nearly right, then what is wrong, then names that mean nothing. Of
/// alternatives, the one that was meant.
pub(crate) fn worst<'e, 'v>(
    inner: &Inner,
    errors: &'e [ValidationError<'v>],
) -> Option<&'e ValidationError<'v>> {
    let rank = |error: &&ValidationError<'_>| match unexpected(error) {
        Some(names) => {
            let known = known(inner, error);
            let near = names
                .iter()
                .take(CONSIDERED)
                .any(|name| keys::closest(name, known.iter().map(|(key, _)| *key)).is_some());
            if near { 0 } else { 2 }
        }
        None => 1,
    };
    errors.iter().take(CONSIDERED).min_by_key(rank)
}

/// The errors of the one alternative that was meant, where one is nearer than all others.
pub(crate) fn meant<'e>(error: &'e ValidationError<'_>) -> Option<&'e [ValidationError<'static>]> {
    let (Kind::AnyOf { context } | Kind::OneOfNotValid { context }) = error.kind() else { return None };
    let here = error.instance_path().as_str();
    let other_kind = |inside: &ValidationError<'_>| {
        let path = inside.instance_path().as_str();
        match inside.kind() {
            Kind::Type { .. } | Kind::AnyOf { .. } | Kind::OneOfNotValid { .. } => path == here,
            // A constant one level down is how tagged alternatives tell themselves apart.
            Kind::Constant { .. } | Kind::Enum { .. } => {
                path == here || split(path).is_some_and(|(parent, _)| parent == here)
            }
            Kind::FalseSchema => path == here,
            _ => false,
        }
    };
    let mut near: Vec<_> = context.iter().filter(|errors| !errors.iter().any(other_kind)).collect();
    near.sort_by_key(|errors| errors.len());
    match near.as_slice() {
        [only] => Some(only),
        [first, second, ..] if first.len() < second.len() => Some(first),
        _ => None,
    }
}

/// Explains one objection.
pub(crate) fn finding(inner: &Inner, error: &ValidationError<'_>) -> Finding {
    if let Some(branch) = meant(error)
        && let Some(inside) = worst(inner, branch)
    {
        return finding(inner, inside);
    }
    let pointer = shown(error.instance_path().as_str());
    if let Some([name, ..]) = unexpected(error) {
        return unknown_name(inner, error, &pointer, name);
    }
    if let Kind::Required { property: Value::String(name) } = error.kind() {
        return missing(inner, error, &pointer, name);
    }
    let expected = expected(inner, error);
    let got = describe(error.instance());
    let message = match pointer.as_str() {
        "" => format!("The input is wrong: expected {expected}, got {got}."),
        pointer => format!("Wrong value at {pointer}: expected {expected}, got {got}."),
    };
    let fix = match pointer.as_str() {
        "" => format!("Send {expected}."),
        pointer => format!("Set {pointer} to {expected}."),
    };
    Finding { pointer, expected, got, message, fix }
}

fn unknown_name(inner: &Inner, error: &ValidationError<'_>, parent: &str, name: &str) -> Finding {
    let known = known(inner, error);
    let names = any_of(known.iter().map(|(key, _)| quote(key)));
    let (quoted, place) =
        (quote(name), if parent.is_empty() { String::new() } else { format!(" in {parent}") });
    let (message, fix) = match keys::closest(name, known.iter().map(|(key, _)| *key)).map(quote) {
        Some(near) => (
            format!("There is no property {quoted}{place}; did you mean {near}?"),
            format!("Rename {quoted} to {near}."),
        ),
        None if names.is_empty() => {
            (format!("There is no property {quoted}{place}; none is taken."), format!("Remove {quoted}."))
        }
        None => {
            (format!("There is no property {quoted}{place}; there is {names}."), format!("Remove {quoted}."))
        }
    };
    let expected = if names.is_empty() { "no property".into() } else { names };
    Finding { pointer: shown(&join(parent, name)), expected, got: quoted, message, fix }
}

fn missing(inner: &Inner, error: &ValidationError<'_>, parent: &str, name: &str) -> Finding {
    let schema = known(inner, error).into_iter().find(|(known, _)| *known == name);
    let schema = schema.map_or(&Value::Bool(true), |(_, schema)| schema);
    let mut expected = wanted(&inner.schema, schema);
    if let Some(about) = schema.get("description").and_then(Value::as_str) {
        let sentence = about.lines().next().unwrap_or_default().trim().trim_end_matches('.');
        expected = format!("{expected} ({})", cut_to(sentence, PHRASE));
    }
    let (quoted, place) =
        (quote(name), if parent.is_empty() { String::new() } else { format!(" in {parent}") });
    Finding {
        pointer: shown(&join(parent, name)),
        message: format!("The property {quoted} is missing{place}: expected {expected}."),
        fix: format!("Add {quoted}."),
        got: "nothing".into(),
        expected,
    }
}

/// What the violated rule asks for.
fn expected(inner: &Inner, error: &ValidationError<'_>) -> String {
    let node = node(inner, error);
    let kind = || node.map_or_else(|| "a value".to_owned(), |node| wanted(&inner.schema, node));
    match error.kind() {
        Kind::Type { kind: TypeKind::Single(kind) } => type_name(*kind).into(),
        Kind::Type { kind: TypeKind::Multiple(kinds) } => {
            let mut kinds: Vec<_> = kinds.iter().collect();
            kinds.sort_by_key(|kind| *kind == JsonType::Null);
            any_of(kinds.into_iter().map(|kind| type_name(kind).into()))
        }
        Kind::AnyOf { .. } | Kind::OneOfNotValid { .. } | Kind::Enum { .. } | Kind::Constant { .. } => kind(),
        Kind::OneOfMultipleValid { .. } => "a value that fits one alternative only".into(),
        Kind::Minimum { limit } => format!("{} of at least {limit}", kind()),
        Kind::Maximum { limit } => format!("{} of at most {limit}", kind()),
        Kind::ExclusiveMinimum { limit } => format!("{} greater than {limit}", kind()),
        Kind::ExclusiveMaximum { limit } => format!("{} less than {limit}", kind()),
        Kind::MultipleOf { multiple_of } => format!("{} that is a multiple of {multiple_of}", kind()),
        Kind::MinLength { limit } => format!("text of at least {limit} characters"),
        Kind::MaxLength { limit } => format!("text of at most {limit} characters"),
        Kind::MinItems { limit } => format!("a list of at least {limit}"),
        Kind::MaxItems { limit } => format!("a list of at most {limit}"),
        Kind::AdditionalItems { limit } => format!("a list of at most {limit}"),
        Kind::UnevaluatedItems { .. } => "a list with fewer entries".into(),
        Kind::MinProperties { limit } => format!("an object with at least {limit} properties"),
        Kind::MaxProperties { limit } => format!("an object with at most {limit} properties"),
        Kind::Pattern { pattern } => format!("text that matches the pattern {}", cut_to(pattern, PHRASE)),
        Kind::BacktrackLimitExceeded { .. } | Kind::RegexEngineFailure { .. } => {
            "text that can be matched against the pattern in bounded time".into()
        }
        Kind::Format { format } => format!("text in the format {format}"),
        Kind::UniqueItems => "a list without repetitions".into(),
        Kind::Contains => "a list with an entry of the wanted kind".into(),
        Kind::FalseSchema => "nothing here".into(),
        Kind::PropertyNames { .. } => "an object with other property names".into(),
        Kind::Not { .. } => "another value".into(),
        _ => "a value that matches the schema".into(),
    }
}

/// What a schema asks for, in a few words.
fn wanted(root: &Value, schema: &Value) -> String {
    fn words(root: &Value, schema: &Value, reach: usize) -> Vec<String> {
        if let Some(constant) = schema.get("const") {
            return vec![literal(constant)];
        }
        if let Some(options) = schema.get("enum").and_then(Value::as_array) {
            return options.iter().map(literal).collect();
        }
        match schema.get("type") {
            Some(Value::String(name)) => return vec![named(name)],
            Some(Value::Array(names)) => return names.iter().filter_map(Value::as_str).map(named).collect(),
            _ => {}
        }
        let mut parts: Vec<&Value> = ["anyOf", "oneOf"]
            .iter()
            .filter_map(|keyword| schema.get(keyword)?.as_array())
            .flatten()
            .collect();
        parts.extend(schema.get("$ref").and_then(Value::as_str).and_then(|r| keys::follow(root, r)));
        if parts.is_empty() {
            parts.extend(schema.get("allOf").and_then(Value::as_array).and_then(|parts| parts.first()));
        }
        let deeper = parts.into_iter().take(16).filter(|_| reach > 0);
        deeper.flat_map(|part| words(root, part, reach - 1)).take(16).collect()
    }
    let words = words(root, schema, 4);
    if words.is_empty() { "a value".into() } else { any_of(words) }
}

fn literal(value: &Value) -> String {
    match value {
        Value::String(text) => quote(text),
        Value::Array(_) | Value::Object(_) => describe(value),
        plain => plain.to_string(),
    }
}

fn named(name: &str) -> String {
    name.parse().map_or_else(|()| name.to_owned(), |kind| type_name(kind).to_owned())
}

/// The names that an objection is about, where it is about unknown names.
pub(crate) fn unexpected<'e>(error: &'e ValidationError<'_>) -> Option<&'e [String]> {
    match error.kind() {
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            Some(unexpected)
        }
        _ => None,
    }
}

/// A sentence about names that mean nothing, where `worst` is about one that is missing in the same place: often it is
/// one and the same mistake.
pub(crate) fn strangers(errors: &[ValidationError<'_>], worst: &ValidationError<'_>) -> Option<String> {
    let place = worst.instance_path();
    let missing = matches!(worst.kind(), Kind::Required { .. });
    let beside = |error: &&ValidationError<'_>| missing && error.instance_path() == place;
    let names = errors.iter().take(CONSIDERED).filter(beside).find_map(unexpected)?;
    Some(format!("There is no property {}.", any_of(names.iter().map(|name| quote(name)))))
}

/// The part of the schema that holds the violated rule.
pub(crate) fn node<'c>(inner: &'c Inner, error: &ValidationError<'_>) -> Option<&'c Value> {
    let (node, _) = split(error.schema_path().as_str())?;
    inner.schema.pointer(node)
}

/// The properties that the schema knows where the objection is.
pub(crate) fn known<'c>(inner: &'c Inner, error: &ValidationError<'_>) -> Vec<(&'c str, &'c Value)> {
    node(inner, error).map(|node| keys::properties(&inner.schema, node)).unwrap_or_default()
}

fn shown(pointer: &str) -> String {
    let mut shown = pointer;
    while shown.len() > POINTER {
        shown = split(shown).map_or("", |(parent, _)| parent);
    }
    shown.to_owned()
}
