//! Nothing is lost between JSON and values, and the schema says exactly what is taken.

use packhost_schema::Contract;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

use super::generate::{respelled, shape, value};
use crate::wit_json::lift::lift;
use crate::wit_json::lower::lower;
use crate::wit_json::schema::schema;
use crate::wit_json::shape::Shape;
use wasmtime::component::Val;

fn shape_and_value() -> impl Strategy<Value = (Shape, Val)> {
    shape().prop_flat_map(|shape| {
        let value = value(&shape);
        (Just(shape), value)
    })
}

fn contract(shape: &Shape) -> Contract {
    Contract::compile(&schema(shape)).expect("the schema is a schema")
}

/// What no shape takes everywhere.
fn junk() -> impl Strategy<Value = Value> {
    let junk = [
        json!(null),
        json!(true),
        json!(-1),
        json!(300),
        json!(3.5),
        json!(7.0),
        json!(1e300),
        json!(-0.0),
        json!(""),
        json!("x"),
        json!("12"),
        json!("-7"),
        json!("NaN"),
        json!([]),
        json!([null]),
        json!(["x", "x"]),
        json!({}),
        json!({"some": null}),
        json!({"tag": "ok"}),
        json!({"tag": "ok", "val": null}),
        json!({"x": 1}),
    ];
    select(junk.to_vec())
}

/// Every place of a value, outermost first.
fn places(value: &Value, at: &str, out: &mut Vec<String>) {
    out.push(at.to_owned());
    let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, item)| places(item, &format!("{at}/{i}"), out));
        }
        Value::Object(map) => {
            map.iter().for_each(|(key, item)| places(item, &format!("{at}/{}", escaped(key)), out));
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_value_survives_json((shape, value) in shape_and_value()) {
        let json = lift(&shape, value.clone()).expect("a generated value is of its shape");
        prop_assert!(contract(&shape).check(&json).is_ok(), "{} does not allow {json}", schema(&shape));
        // As text, since that is what crosses a door.
        let read: Value = serde_json::from_str(&json.to_string()).expect("it is JSON");
        let back = lower(&shape, &read);
        prop_assert_eq!(back.as_ref().ok(), Some(&value), "{:?} from {}", &back, json);
    }

    #[test]
    fn another_spelling_is_the_same_value((shape, value) in shape_and_value(), twist: bool) {
        let json = lift(&shape, value).expect("a generated value is of its shape");
        let other = respelled(&shape, &json, twist);
        prop_assert!(contract(&shape).check(&other).is_ok(), "{} does not allow {other}", schema(&shape));
        let value = lower(&shape, &other);
        prop_assert!(value.is_ok(), "{:?}", value);
        let again = value.ok().and_then(|value| lift(&shape, value).ok());
        prop_assert_eq!(again, Some(json), "{}", other);
    }

    #[test]
    fn the_schema_and_the_lowering_agree(
        (shape, value) in shape_and_value(), place: Index, junk in junk(), add: bool,
    ) {
        let mut json = lift(&shape, value).expect("a generated value is of its shape");
        let mut all = Vec::new();
        places(&json, "", &mut all);
        let spot = json.pointer_mut(place.get(&all).as_str()).expect("the place was found in it");
        match spot {
            Value::Object(map) if add => drop(map.insert("more".into(), junk)),
            Value::Array(items) if add => items.push(junk),
            spot => *spot = junk,
        }
        let allowed = contract(&shape).check(&json).is_ok();
        let lowered = lower(&shape, &json);
        prop_assert!(allowed || lowered.is_err(), "{} does not allow {json}, but it is taken", schema(&shape));
        // A schema cannot ask whether base64 decodes.
        if !format!("{shape:?}").contains("Bytes") {
            prop_assert!(!allowed || lowered.is_ok(), "{} allows {json}: {lowered:?}", schema(&shape));
        }
    }
}
