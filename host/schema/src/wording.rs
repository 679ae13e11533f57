//! How values and types are called in messages, and how much of a value a message may hold.

use jsonschema::JsonType;
use serde_json::Value;

/// The most characters of a text that a report shows.
const TEXT: usize = 60;
/// The most entries of a list or an object that a report shows.
const ENTRIES: usize = 8;
/// The deepest nesting that a report shows.
const DEPTH: usize = 8;

/// A type as a reader of plain English calls it.
pub(crate) fn type_name(kind: JsonType) -> &'static str {
    match kind {
        JsonType::Array => "a list",
        JsonType::Boolean => "true or false",
        JsonType::Integer => "an integer",
        JsonType::Null => "null",
        JsonType::Number => "a number",
        JsonType::Object => "an object",
        JsonType::String => "text",
    }
}

/// A value in a few words, such as `the text "five"`.
pub(crate) fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("the text {}", quote(text)),
        Value::Array(items) if items.is_empty() => "an empty list".into(),
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(_) => "an object".into(),
    }
}

/// A text in quotes, cut where it is long.
pub(crate) fn quote(text: &str) -> String {
    Value::String(cut(text)).to_string()
}

/// Several things as a sentence has them: `a`, `a or b`, `a, b or c`; of many, the first few.
pub(crate) fn any_of(words: impl IntoIterator<Item = String>) -> String {
    let mut shown: Vec<String> = Vec::new();
    for word in words {
        if shown.len() > ENTRIES {
            break;
        }
        if !shown.contains(&word) {
            shown.push(word);
        }
    }
    if shown.len() > ENTRIES {
        shown[ENTRIES] = "others".into();
    }
    match shown.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

/// The text, at most [`TEXT`] characters of it.
fn cut(text: &str) -> String {
    cut_to(text, TEXT)
}

/// The text, at most this many characters of it; a cut is marked by an ellipsis.
pub(crate) fn cut_to(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// The value with long texts, lists and objects cut, so that a report stays readable and bounded.
pub(crate) fn shorten(value: &Value) -> Value {
    fn within(value: &Value, depth: usize) -> Value {
        match value {
            Value::String(text) => cut(text).into(),
            Value::Array(_) | Value::Object(_) if depth == 0 => "…".into(),
            Value::Array(items) => items.iter().take(ENTRIES).map(|item| within(item, depth - 1)).collect(),
            Value::Object(map) => {
                map.iter().take(2 * ENTRIES).map(|(key, item)| (cut(key), within(item, depth - 1))).collect()
            }
            plain => plain.clone(),
        }
    }
    within(value, DEPTH)
}

/// Adds a segment to a JSON pointer (RFC 6901 section 4).
pub(crate) fn join(pointer: &str, segment: &str) -> String {
    format!("{pointer}/{}", segment.replace('~', "~0").replace('/', "~1"))
}

/// Splits a JSON pointer into its parent and its last segment, unescaped. None for the whole document.
pub(crate) fn split(pointer: &str) -> Option<(&str, String)> {
    let (parent, last) = pointer.rsplit_once('/')?;
    Some((parent, last.replace("~1", "/").replace("~0", "~")))
}

/// Whether a JSON pointer leads to a place or to something in it.
pub(crate) fn inside(pointer: &str, place: &str) -> bool {
    pointer.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reports_stay_short() {
        let deep = (0..40).fold(json!("x"), |inner, _| json!([inner]));
        let wide = json!({ "text": "é".repeat(1 << 20), "list": vec![1; 1000], "deep": deep });
        assert!(shorten(&wide).to_string().len() < 1_000);
        assert!(describe(&wide["text"]).len() < 200);
        assert_eq!(shorten(&json!({"a": [1, "b"]})), json!({"a": [1, "b"]}));
    }

    #[test]
    fn pointers_are_escaped() {
        assert_eq!(join("/a", "b~/c"), "/a/b~0~1c");
        assert_eq!(split("/a/b~0~1c"), Some(("/a", "b~/c".into())));
        assert_eq!(split(""), None);
    }

    #[test]
    fn lists_of_words() {
        assert_eq!(any_of(["a".into()]), "a");
        assert_eq!(any_of(["a", "b", "a", "c"].map(String::from)), "a, b or c");
        assert!(any_of((0..100).map(|n| n.to_string())).ends_with("7 or others"));
    }
}
