//! JSON text, guarded: for every door that takes some.

use std::fmt;

use packhost_core::{ErrorCode, Failure};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::wording;

/// How much JSON a door takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest text, in bytes.
    pub bytes: usize,
    /// The deepest nesting of objects and arrays: 1 is `[]`. More than 127 is the same as 127.
    pub depth: usize,
}

impl Default for Limits {
    /// 4 MiB, 64 levels.
    fn default() -> Self {
        Self { bytes: 4 << 20, depth: 64 }
    }
}

/// Reads one JSON text (RFC 8259) in UTF-8. A key that is named twice in one object is refused, because readers
/// disagree on which one counts (RFC 8259 section 4); so is a number too large for a double.
///
/// # Errors
/// [`ErrorCode::InvalidInput`] when it is not JSON, longer or deeper than `limits`, or names a key twice.
pub fn parse(text: &[u8], limits: Limits) -> Result<Value, Failure> {
    if text.len() > limits.bytes {
        let (got, most) = (text.len(), limits.bytes);
        let mut failure = refusal(
            format!("The JSON text has {got} bytes; at most {most} are taken."),
            "Send less in one call.",
        );
        failure.advice.expected = Some(format!("at most {most} bytes"));
        failure.advice.got = Some(format!("{got} bytes"));
        return Err(failure);
    }
    let mut reader = serde_json::Deserializer::from_slice(text);
    Bounded(limits.depth).deserialize(&mut reader).and_then(|value| reader.end().map(|()| value)).map_err(
        |error| {
            let mut failure =
                refusal(format!("This is not usable JSON: {error}."), "Send one valid JSON text.");
            failure.advice.expected = Some("one JSON text".into());
            failure
        },
    )
}

fn refusal(message: String, fix: &str) -> Failure {
    Failure::new(ErrorCode::InvalidInput, message).fix(fix)
}

/// Builds a value that nests at most this many levels more.
#[derive(Clone, Copy)]
struct Bounded(usize);

impl Bounded {
    fn inside<E: Error>(self) -> Result<Self, E> {
        self.0.checked_sub(1).map(Self).ok_or_else(|| E::custom("objects and lists are nested too deep"))
    }
}

impl<'de> DeserializeSeed<'de> for Bounded {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(flag.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        Number::from_f64(number).map(Value::Number).ok_or_else(|| E::custom("the number is out of range"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let inside = self.inside()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(inside)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let inside = self.inside()?;
        let mut object = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(A::Error::custom(format_args!(
                    "the key {} is there twice",
                    wording::quote(&key)
                )));
            }
            let value = map.next_value_seed(inside)?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Result<Value, Failure> {
        parse(text.as_bytes(), Limits::default())
    }

    #[test]
    fn limits_hold_at_their_edge() {
        let limits = Limits { bytes: 8, depth: 2 };
        assert_eq!(parse(b"[[1234]]", limits), Ok(json!([[1234]])));
        for bad in ["[[12345]]", "[[[1]]]", "[[{}]]", r#"{"a":"#] {
            let failure = parse(bad.as_bytes(), limits).expect_err(bad);
            assert_eq!(failure.code, ErrorCode::InvalidInput);
        }
        assert!(parse(b"1", Limits { bytes: 1, depth: 0 }).is_ok());
        assert!(parse("[".repeat(1 << 20).as_bytes(), Limits { bytes: 1 << 20, depth: usize::MAX }).is_err());
    }

    #[test]
    fn what_readers_disagree_on_is_refused() {
        let twice = read(r#"{"a": {"path": 1, "path": 2}}"#).expect_err("a key twice");
        assert!(twice.message.contains(r#"the key "path" is there twice at line 1"#), "{}", twice.message);
        for bad in ["1e999", "NaN", "{} {}", "", "\u{feff}1", "'a'", "{a: 1}", "[1,]"] {
            assert!(read(bad).is_err(), "{bad:?} was taken for JSON");
        }
    }

    #[test]
    fn values_come_out_as_they_went_in() {
        let text = r#"{"z":[1,-2,3.5,true,null,"é\n"],"a":{"deep":18446744073709551615}}"#;
        assert_eq!(read(text).map(|value| value.to_string()), Ok(text.replace("\\u00e9", "é")));
    }

    /// The JSON Parsing Test Suite: `y_` must be taken, `n_` refused, `i_` is the parser's choice.
    #[test]
    fn json_parsing_test_suite() {
        let corpora = std::env::var_os("PACKHOST_CORPORA").map_or_else(
            || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpora")),
            PathBuf::from,
        );
        let folder = corpora.join("json/test_parsing");
        let Ok(entries) = std::fs::read_dir(&folder) else {
            eprintln!(
                "json_parsing_test_suite: not run, {} is not there (PACKHOST_CORPORA)",
                folder.display()
            );
            return;
        };
        let mut seen = 0;
        for entry in entries {
            let path = entry.expect("a readable folder").path();
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            let read = parse(&std::fs::read(&path).expect("a readable file"), Limits::default());
            seen += 1;
            match name.as_bytes().first() {
                // RFC 8259 allows a parser to refuse keys that are there twice; this one does.
                Some(b'y') if name.contains("duplicated_key") => assert!(read.is_err(), "{name}"),
                Some(b'y') => assert!(read.is_ok(), "{name}: {read:?}"),
                Some(b'n') => assert!(read.is_err(), "{name} was taken"),
                _ => drop(read),
            }
        }
        assert!(seen > 250, "only {seen} files in {}", folder.display());
    }
}
