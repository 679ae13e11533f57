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

    /// Each production of RFC 8259, at its edge.
    #[test]
    fn texts_of_the_grammar_are_taken_and_others_refused() {
        let taken = [
            "0",
            "-0",
            "-1",
            "10",
            "1.0",
            "0.1",
            "1e1",
            "1E1",
            "1e+1",
            "1e-1",
            "1.5e-10",
            "1e-400",
            "true",
            "false",
            "null",
            "\"\"",
            "[]",
            "{}",
            " 1 ",
            "\t[\r\n1 , 2 ]\n",
            "[[],{}]",
            "{\"\":0}",
            "{\"a\":1,\"b\":[null]}",
            r#""\"\\\/\b\f\n\r\t""#,
            r#""\u0041""#,
            r#""\u0000""#,
            r#""\uD83D\uDE00""#,
            r#""\uFFFF""#,
            "\"\u{7f}\"",
            "\"\u{2028}é😀\"",
            "\"/\"",
        ];
        for text in taken {
            assert_eq!(read(text).ok(), serde_json::from_str(text).ok(), "{text}");
            assert!(read(text).is_ok(), "{text} was refused");
        }
        let refused = [
            " ",
            "-",
            "+1",
            "01",
            "-01",
            "1.",
            ".1",
            "1.e1",
            "1e",
            "1e+",
            "0x1",
            "1_0",
            "--1",
            "1 2",
            "Infinity",
            "True",
            "nul",
            "tru e",
            "[",
            "]",
            "[1",
            "[,]",
            "[1,,2]",
            "[1,]",
            "[1 2]",
            "[1;2]",
            "{",
            "}",
            "{a:1}",
            "{1:1}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\" 1}",
            "{\"a\":1,}",
            "{,}",
            "{\"a\":1 \"b\":2}",
            "[}",
            "{]",
            "\"",
            "\"a",
            "'a'",
            "\"\n\"",
            "\"\t\"",
            r#""\x""#,
            r#""\u12""#,
            r#""\uZZZZ""#,
            r#""\uD83D""#,
            r#""\uDE00""#,
            r#""\uD83Da""#,
            r#""\""#,
            "1//",
            "/*a*/1",
            "#1",
            "[1]x",
            "\u{a0}1",
            "1\u{0}",
            "\u{feff}{}",
        ];
        for text in refused {
            assert!(read(text).is_err(), "{text:?} was taken for JSON");
        }
        for bytes in [&b"\"\xff\""[..], b"\"\xc0\xaf\"", b"\"\xed\xa0\x80\"", b"\xff\xfe1\x00", b"[\xe9]"] {
            assert!(parse(bytes, Limits::default()).is_err(), "{bytes:?} was taken for UTF-8");
        }
    }
}
