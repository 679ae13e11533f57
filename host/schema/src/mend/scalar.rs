//! Single values that were sent as another type.

use jsonschema::{JsonType, JsonTypeSet};
use serde_json::{Number, Value};

use super::MendKind;
use crate::parse::{Limits, parse};

/// Decimal digits that a double always keeps (IEEE 754 binary64).
const EXACT_DIGITS: usize = 15;

/// What a JSON text inside a string may be.
const INNER: Limits = Limits { bytes: 1 << 20, depth: 64 };

/// Every way in which `value` can be read as one of `types`; one of them at most is ever used.
pub(super) fn readings(value: &Value, types: JsonTypeSet) -> Vec<(MendKind, Value)> {
    let mut found = Vec::new();
    match value {
        Value::String(text) => {
            if let Some(number) = number(text, types) {
                found.push((MendKind::FromString, number.into()));
            }
            if let Some(flag) = flag(text).filter(|_| types.contains(JsonType::Boolean)) {
                found.push((MendKind::FromString, flag.into()));
            }
            if let Some(inner) = json(text, types) {
                found.push((MendKind::FromJson, inner));
            }
        }
        Value::Number(_) | Value::Bool(_) if types.contains(JsonType::String) => {
            found.extend(text(value).map(|text| (MendKind::ToString, text.into())));
        }
        _ => {}
    }
    found
}

/// The text that was meant by a number or boolean. A fraction has none: 3.10 arrives as 3.1, and an integer of more than
/// 64 bits arrives rounded.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) if !number.is_f64() => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// The number that is spelled by the text as JSON spells it, if nothing is lost by reading it.
fn number(text: &str, types: JsonTypeSet) -> Option<Number> {
    // serde_json skips white space around a number, and nothing with a sign, a prefix or leading zeros is JSON.
    let first = text.bytes().next()?;
    if !(first == b'-' || first.is_ascii_digit()) || !text.bytes().last()?.is_ascii_digit() {
        return None;
    }
    let number: Number = serde_json::from_str(text).ok()?;
    if !number.is_f64() {
        return (types.contains(JsonType::Integer) || types.contains(JsonType::Number)).then_some(number);
    }
    // "1.0" is not how anybody spells an integer, so a fraction or an exponent never becomes one.
    let exact = types.contains(JsonType::Number)
        && text.bytes().any(|b| matches!(b, b'.' | b'e' | b'E'))
        && number.as_f64().is_some_and(f64::is_normal)
        && digits(text) <= EXACT_DIGITS;
    exact.then_some(number)
}

/// The significant digits of a JSON number.
fn digits(text: &str) -> usize {
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    digits.trim_start_matches('0').len()
}

/// JSON's spelling and Python's.
fn flag(text: &str) -> Option<bool> {
    match text {
        "true" | "True" => Some(true),
        "false" | "False" => Some(false),
        _ => None,
    }
}

/// The object or list that a string holds as JSON text.
pub(super) fn json(text: &str, types: JsonTypeSet) -> Option<Value> {
    let wanted = match text.trim_start().bytes().next()? {
        b'{' => JsonType::Object,
        b'[' => JsonType::Array,
        _ => return None,
    };
    if types.contains(wanted) { parse(text.as_bytes(), INNER).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn as_type(value: Value, kind: JsonType) -> Vec<Value> {
        readings(&value, JsonTypeSet::empty().insert(kind)).into_iter().map(|(_, value)| value).collect()
    }

    #[test]
    fn a_number_only_as_json_spells_it() {
        for (text, value) in
            [("5", json!(5)), ("-12", json!(-12)), ("0", json!(0)), ("18446744073709551615", json!(u64::MAX))]
        {
            assert_eq!(as_type(text.into(), JsonType::Integer), std::slice::from_ref(&value), "{text}");
            assert_eq!(as_type(text.into(), JsonType::Number), [value], "{text}");
        }
        for (text, value) in [("0.5", json!(0.5)), ("1e3", json!(1000.0)), ("-1.50", json!(-1.5))] {
            assert_eq!(as_type(text.into(), JsonType::Number), [value], "{text}");
            assert!(as_type(text.into(), JsonType::Integer).is_empty(), "{text} was taken for an integer");
        }
        let not = [
            "",
            " ",
            "5 ",
            " 5",
            "007",
            "+5",
            "0x10",
            "1_000",
            "1,000",
            "five",
            "5 MB",
            "NaN",
            "1.",
            ".5",
            "--1",
            "18446744073709551616",
            "0.12345678901234567",
            "1e400",
            "1e-320",
            "-0",
            "5\n",
            "٥",
        ];
        for text in not {
            assert!(as_type(text.into(), JsonType::Number).is_empty(), "{text:?} was taken for a number");
        }
    }

    #[test]
    fn a_boolean_only_as_json_and_python_spell_it() {
        assert_eq!(as_type("true".into(), JsonType::Boolean), [json!(true)]);
        assert_eq!(as_type("False".into(), JsonType::Boolean), [json!(false)]);
        for text in ["yes", "no", "1", "0", "on", "", "TRUE ", "t"] {
            assert!(as_type(text.into(), JsonType::Boolean).is_empty(), "{text:?} was taken for a boolean");
        }
        assert!(as_type(json!(1), JsonType::Boolean).is_empty());
        assert!(as_type(json!(true), JsonType::Integer).is_empty());
    }

    #[test]
    fn a_text_only_where_no_digit_can_be_lost() {
        assert_eq!(as_type(json!(42), JsonType::String), [json!("42")]);
        assert_eq!(as_type(json!(false), JsonType::String), [json!("false")]);
        for lossy in [json!(3.1), json!(5.0), json!(1e30), json!(null), json!([1]), json!({})] {
            assert!(as_type(lossy.clone(), JsonType::String).is_empty(), "{lossy}");
        }
    }

    #[test]
    fn an_object_or_list_from_json_text() {
        assert_eq!(as_type(" {\"a\": [1]}\n".into(), JsonType::Object), [json!({"a": [1]})]);
        assert_eq!(as_type("[]".into(), JsonType::Array), [json!([])]);
        for text in ["{a: 1}", "{'a': 1}", "{\"a\": 1, \"a\": 2}", "{\"a\": 1", "[1]", "null", "\"{}\""] {
            assert!(as_type(text.into(), JsonType::Object).is_empty(), "{text} was taken for an object");
        }
    }
}
