//! What holds for every input and every schema of a family.

use std::sync::atomic::{AtomicUsize, Ordering};

use packhost_core::ErrorCode;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::mend::mend;
use crate::{Contract, Mend, MendKind};

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "max_bytes",
        "maxBytes",
        "MaxBytes",
        "url",
        "URL",
        "input",
        "params",
        "a~/b",
        "",
        "0",
    ])
    .prop_map(String::from)
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        prop::sample::select(vec![
            json!(0),
            json!(5),
            json!(-7),
            json!(1.5),
            json!(5.0),
            json!(1e300),
            json!(u64::MAX)
        ]),
        prop::sample::select(vec![
            "5",
            "-7",
            "007",
            "1.5",
            "5.0",
            "1e3",
            "true",
            "False",
            "yes",
            "null",
            "",
            "x",
            "TRUE",
            "[]",
            "[1, \"5\"]",
            "{}",
            "{\"url\": \"5\"}",
            "{\"max_bytes\": 5}",
            "[",
            "a, b",
            "18446744073709551615",
            "99999999999999999999",
        ])
        .prop_map(Value::from),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name(), inner), 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

fn part() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        prop::sample::select(vec!["integer", "number", "string", "boolean", "object", "array", "null"])
            .prop_map(|kind| json!({"type": kind})),
        prop::sample::select(vec!["integer", "string", "boolean", "object"])
            .prop_map(|kind| json!({"type": [kind, "null"]})),
        prop::sample::subsequence(vec![json!("5"), json!(5), json!(true), json!("x"), json!("X")], 1..5)
            .prop_map(|options| json!({"enum": options})),
        scalar().prop_map(|constant| json!({"const": constant})),
        Just(json!({"type": "string", "minLength": 1, "pattern": "^[a-z0-9]*$"})),
        Just(json!({"type": "integer", "minimum": 1, "maximum": 9})),
        Just(json!({"$ref": "#/$defs/shared"})),
        any::<bool>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        let parts = prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            3 => object(inner.clone()),
            1 => inner.clone().prop_map(|items| json!({"type": "array", "items": items, "maxItems": 3})),
            1 => (inner.clone(), inner).prop_map(|(first, rest)| json!({"type": "array", "prefixItems": [first], "items": rest})),
            1 => parts.clone().prop_map(|parts| json!({"anyOf": parts})),
            1 => parts.clone().prop_map(|parts| json!({"oneOf": parts})),
            1 => parts.prop_map(|parts| json!({"allOf": parts})),
        ]
    })
}

fn object(inner: impl Strategy<Value = Value> + Clone) -> impl Strategy<Value = Value> {
    let extra =
        prop_oneof![3 => Just(Some(json!(false))), 1 => Just(None), 1 => inner.clone().prop_map(Some)];
    (prop::collection::vec((name(), inner, any::<bool>()), 0..4), extra).prop_map(|(properties, extra)| {
        let required: Vec<_> = properties.iter().filter(|p| p.2).map(|p| p.0.clone()).collect();
        let required: Value = required
            .iter()
            .enumerate()
            .filter(|(n, r)| !required[..*n].contains(r))
            .map(|(_, r)| r.clone())
            .collect();
        let properties: serde_json::Map<_, _> =
            properties.into_iter().map(|(name, part, _)| (name, part)).collect();
        let mut schema = json!({"type": "object", "properties": properties, "required": required});
        if let Some(extra) = extra {
            schema["additionalProperties"] = extra;
        }
        schema
    })
}

fn schema() -> impl Strategy<Value = Value> {
    (prop_oneof![3 => object(part().boxed()), 1 => part()], part()).prop_filter_map(
        "an object schema",
        |(root, shared)| {
            let Value::Object(mut root) = root else { return None };
            root.insert("$defs".into(), json!({"shared": shared}));
            Some(Value::Object(root))
        },
    )
}

/// What is sent: anything, or what the schema suggests with slips in it.
#[derive(Debug, Clone)]
enum Sent {
    Any(Value),
    Slipped(Vec<u8>),
}

fn sent() -> impl Strategy<Value = Sent> {
    prop_oneof![value().prop_map(Sent::Any), prop::collection::vec(0..8_u8, 0..8).prop_map(Sent::Slipped),]
}

impl Sent {
    fn to(&self, schema: &Value) -> Value {
        match self {
            Self::Any(value) => value.clone(),
            Self::Slipped(slips) => {
                let right = crate::invent::invent(schema, schema).map_or(Value::Null, |made| made.value);
                slipped(right, &mut slips.iter().copied())
            }
        }
    }
}

fn slipped(value: Value, slips: &mut impl Iterator<Item = u8>) -> Value {
    let value = match value {
        Value::Object(map) => map.into_iter().map(|(name, item)| (name, slipped(item, slips))).collect(),
        Value::Array(items) => items.into_iter().map(|item| slipped(item, slips)).collect(),
        plain => plain,
    };
    match (slips.next(), value) {
        (Some(1), value @ (Value::Number(_) | Value::Bool(_))) => value.to_string().into(),
        (Some(2), value @ (Value::Array(_) | Value::Object(_))) => value.to_string().into(),
        (Some(3), Value::Array(mut items)) if items.len() == 1 => items.remove(0),
        (Some(4), Value::Object(map)) => {
            map.into_iter().map(|(name, item)| (name.to_uppercase(), item)).collect()
        }
        (Some(5), Value::String(text)) => text.to_uppercase().into(),
        (Some(6), Value::String(text)) => serde_json::from_str(&text).unwrap_or(text.into()),
        (Some(7), value) => json!({ "input": value }),
        (_, value) => value,
    }
}

/// Does what a report says, by itself, and objects when the report does not fit the value.
fn replay(mut value: Value, mends: &[Mend]) -> Value {
    for mend in mends {
        let found =
            value.pointer(&mend.pointer).unwrap_or_else(|| panic!("{mend:?} is about nothing")).clone();
        let (parent, last) = mend.pointer.rsplit_once('/').unwrap_or_default();
        let last = last.replace("~1", "/").replace("~0", "~");
        match mend.kind {
            MendKind::Renamed => {
                let to = mend.to.as_str().expect("a name").to_owned();
                let map = value.pointer_mut(parent).and_then(Value::as_object_mut).expect("an object");
                assert_eq!(mend.from, last);
                assert!(!map.contains_key(&to), "{mend:?} overwrites");
                map.shift_remove(&last);
                map.insert(to, found);
            }
            MendKind::NullDropped => {
                assert!(found.is_null());
                value
                    .pointer_mut(parent)
                    .and_then(Value::as_object_mut)
                    .expect("an object")
                    .shift_remove(&last);
            }
            MendKind::Unwrapped => value = found,
            _ => {
                assert_eq!(found, mend.from);
                *value.pointer_mut(&mend.pointer).expect("a place") = mend.to.clone();
            }
        }
        means_the_same(mend);
    }
    value
}

fn means_the_same(mend: &Mend) {
    match (mend.kind, &mend.from, &mend.to) {
        (MendKind::FromString, Value::String(from), to) => {
            let spelled = if to.is_boolean() { from.to_lowercase() } else { from.clone() };
            assert_eq!(serde_json::from_str::<Value>(&spelled).ok().as_ref(), Some(to));
        }
        (MendKind::FromJson, Value::String(from), to) => {
            assert_eq!(serde_json::from_str(from).ok().as_ref(), Some(to))
        }
        (MendKind::Recased, Value::String(from), Value::String(to)) => {
            assert!(from != to && from.to_lowercase() == to.to_lowercase());
        }
        (MendKind::ToString, from, Value::String(to)) => assert_eq!(&from.to_string(), to),
        (MendKind::ToList, from, Value::Array(to)) => assert_eq!(std::slice::from_ref(from), to.as_slice()),
        (MendKind::Renamed | MendKind::NullDropped | MendKind::Unwrapped, _, _) => {}
        _ => panic!("{mend:?} turns one thing into another"),
    }
}

#[test]
fn a_mend_is_minimal_reported_and_final() {
    let (valid, mended, refused) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let count = |counter: &AtomicUsize| counter.fetch_add(1, Ordering::Relaxed);
    let mut runner = TestRunner::new(Config { cases: 3000, ..Config::default() });
    let result = runner.run(&(schema(), sent()), |(schema, sent)| {
        let value = sent.to(&schema);
        let contract = Contract::compile(&schema).expect("the family is of schemas");
        let reference = jsonschema::draft202012::new(&schema).expect("a schema");
        match contract.accept(value.clone()) {
            Ok(accepted) => {
                prop_assert!(reference.is_valid(&accepted.value), "{} is not valid", accepted.value);
                let again = contract.accept(accepted.value.clone()).expect("what was accepted is accepted");
                prop_assert_eq!(&again.value, &accepted.value);
                prop_assert!(again.mends.is_empty());
                if reference.is_valid(&value) {
                    prop_assert_eq!(&accepted.value, &value);
                    prop_assert!(accepted.mends.is_empty());
                    count(&valid);
                } else {
                    let mut by_mends = value.clone();
                    let mends = mend(&contract.inner, &mut by_mends);
                    prop_assert_eq!(replay(value.clone(), &mends), accepted.value);
                    count(&mended);
                }
            }
            Err(failure) => {
                prop_assert!(!reference.is_valid(&value));
                prop_assert_eq!(failure.code, ErrorCode::InvalidInput);
                prop_assert!(failure.to_json().to_string().len() < 8_192);
                if let Some(example) = &failure.advice.example {
                    prop_assert!(reference.is_valid(example), "the example {} is not valid", example);
                }
                count(&refused);
            }
        }
        prop_assert_eq!(contract.check(&value).is_ok(), reference.is_valid(&value));
        Ok(())
    });
    result.expect("the properties hold");
    for (counter, what) in [(valid, "valid"), (mended, "mended"), (refused, "refused")] {
        let seen = counter.into_inner();
        assert!(seen > 30, "only {seen} inputs were {what}; the family proves too little");
    }
}

proptest! {
    #[test]
    fn no_json_makes_the_compiler_panic(schema in value(), keyword in "[a-zA-Z$]{2,20}", inner in value()) {
        drop(Contract::compile(&schema));
        drop(Contract::compile(&json!({keyword: inner})));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in any::<Vec<u8>>(), almost in "[\\[\\]{}:,\"\\\\a0-9.eE+\\- ]{0,64}") {
        drop(crate::parse(&text, crate::Limits::default()));
        if let Ok(value) = crate::parse(almost.as_bytes(), crate::Limits::default()) {
            prop_assert_eq!(serde_json::from_str::<Value>(&almost).ok(), Some(value));
        }
    }
}
