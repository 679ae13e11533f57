//! JSON text from a stranger. What `parse` takes, serde_json takes and reads as the same value; what it refuses is no
//! JSON, or breaks one of its limits: length, depth, a key that is there twice.

use std::collections::HashSet;
use std::fmt;

use packhost_core::ErrorCode;
use packhost_schema::{Limits, parse};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// The defaults, limits that small inputs reach, and the deepest that serde_json reads at all.
const LIMITS: [Limits; 3] = [
    Limits { bytes: 4 << 20, depth: 64 },
    Limits { bytes: 48, depth: 2 },
    Limits { bytes: usize::MAX, depth: usize::MAX },
];

pub(crate) fn fuzz(text: &[u8]) {
    let reference = serde_json::from_slice::<Value>(text);
    let shape = serde_json::from_slice::<Shape>(text).ok();
    for limits in LIMITS {
        let within = |shape: &Shape| {
            text.len() <= limits.bytes && shape.depth <= limits.depth && !shape.has_a_key_twice
        };
        match (parse(text, limits), &reference) {
            (Ok(value), Ok(expected)) => {
                assert_eq!(value, *expected);
                assert!(shape.as_ref().is_some_and(within), "{limits:?}: what is beyond a limit was taken");
            }
            (Ok(value), Err(error)) => panic!("{value} was read out of what is no JSON: {error}"),
            (Err(failure), reference) => {
                assert_eq!(failure.code, ErrorCode::InvalidInput);
                assert!(failure.to_json().to_string().len() < 4096, "a refusal stays short");
                let good = reference.is_ok() && shape.as_ref().is_some_and(within);
                assert!(!good, "{limits:?}: good JSON was refused: {failure}");
            }
        }
    }
}

/// How deep a text nests, and whether any object in it names a key twice.
struct Shape {
    depth: usize,
    has_a_key_twice: bool,
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Flat)
    }
}

struct Flat;

impl Flat {
    const SCALAR: Shape = Shape { depth: 0, has_a_key_twice: false };
}

impl<'de> Visitor<'de> for Flat {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Shape, E> {
        Ok(Self::SCALAR)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Shape, E> {
        Ok(Self::SCALAR)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Shape, E> {
        Ok(Self::SCALAR)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Shape, E> {
        Ok(Self::SCALAR)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Shape, E> {
        Ok(Self::SCALAR)
    }

    fn visit_str<E>(self, _: &str) -> Result<Shape, E> {
        Ok(Self::SCALAR)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Shape, A::Error> {
        let mut around = Shape { depth: 1, has_a_key_twice: false };
        while let Some(item) = items.next_element::<Shape>()? {
            around.holds(&item);
        }
        Ok(around)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Shape, A::Error> {
        let mut around = Shape { depth: 1, has_a_key_twice: false };
        let mut keys = HashSet::new();
        while let Some((key, item)) = entries.next_entry::<String, Shape>()? {
            around.has_a_key_twice |= !keys.insert(key);
            around.holds(&item);
        }
        Ok(around)
    }
}

impl Shape {
    fn holds(&mut self, item: &Shape) {
        self.depth = self.depth.max(item.depth + 1);
        self.has_a_key_twice |= item.has_a_key_twice;
    }
}
