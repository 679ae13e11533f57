//! Real calls: guests that give back what they get.

use packhost_schema::Contract;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use wasmtime::component::Val;

use super::generate::{shape, value, wat};
use super::{Ready, engine};
use crate::wit_json::Lifted;
use crate::wit_json::lift::lift;
use crate::wit_json::shape::{Int, Shape};

/// A guest whose functions take a list and give it back: in the canonical ABI that is a pointer and a length, whatever
/// the items are.
fn echo(item: &Shape) -> String {
    let mut types = String::new();
    let item = wat(item, &mut types, &mut 0);
    format!(
        r#"(component
            {types}
            (core module $m
                (memory (export "memory") 1)
                (global $next (mut i32) (i32.const 64))
                (func (export "realloc") (param $old i32) (param $len i32) (param $align i32) (param $new i32)
                    (result i32) (local $at i32)
                    (local.set $at (i32.and
                        (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
                        (i32.sub (i32.const 0) (local.get $align))))
                    (global.set $next (i32.add (local.get $at) (local.get $new)))
                    (block $enough (loop $grow
                        (br_if $enough
                            (i32.le_u (global.get $next) (i32.mul (memory.size) (i32.const 65536))))
                        (br_if $grow (i32.ge_s (memory.grow (i32.const 1)) (i32.const 0)))
                        unreachable))
                    (local.get $at))
                (func (export "echo") (param i32 i32) (result i32)
                    (i32.store (i32.const 16) (local.get 0))
                    (i32.store (i32.const 20) (local.get 1))
                    (i32.const 16)))
            (core instance $i (instantiate $m))
            (type $list (list {item}))
            (func (export "echo") (param "items" $list) (result $list)
                (canon lift (core func $i "echo") (memory $i "memory") (realloc (func $i "realloc")))))"#
    )
}

#[test]
fn values_of_any_type_survive_a_guest() {
    let engine = engine();
    let case = shape().prop_flat_map(|shape| {
        let values = vec(value(&shape), 0..4).prop_map(Val::List);
        (Just(shape), vec(values, 4))
    });
    let mut runner = TestRunner::new(Config::with_cases(48));
    let outcome = runner.run(&case, |(item, lists)| {
        let mut guest = Ready::new(&engine, &echo(&item));
        let signature = &guest.signatures[0];
        let list = signature.result.clone().expect("it has a result");
        let expected = match &item {
            Shape::Int(Int::U8) => Shape::Bytes(None),
            item => Shape::List(item.clone().into(), None),
        };
        prop_assert_eq!(&list, &expected, "read back from the component");
        let input = Contract::compile(&signature.input_schema()).expect("the input schema is one");
        let output = signature.output_schema().expect("it has an output");
        let output = Contract::compile(&output).expect("the output schema is one");
        for value in lists {
            let json = lift(&list, value).expect("a generated value is of its shape");
            let sent = json!({"items": json});
            prop_assert!(input.check(&sent).is_ok(), "{sent}");
            let Lifted::Ok(Some(got)) = guest.call("echo", &sent) else { panic!("echo gives a value") };
            prop_assert!(output.check(&got).is_ok(), "{got}");
            prop_assert_eq!(got, json!({"result": json}));
        }
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

fn echoes(item: &Shape, items: &Value) {
    let got = Ready::new(&engine(), &echo(item)).call("echo", &json!({"items": items}));
    assert_eq!(got, Lifted::Ok(Some(json!({"result": items}))));
}

#[test]
fn extremes_survive_a_guest() {
    echoes(
        &Shape::Int(Int::U64),
        &json!([0, 9_007_199_254_740_991_u64, "9007199254740992", u64::MAX.to_string()]),
    );
    echoes(
        &Shape::Int(Int::S64),
        &json!([-9_007_199_254_740_991_i64, "-9007199254740992", i64::MIN.to_string()]),
    );
    echoes(&Shape::F64, &json!(["NaN", "Infinity", "-Infinity", -0.0, 5e-324, 0.1, f64::MAX]));
    echoes(&Shape::F32, &json!(["NaN", "Infinity", 0.1, f64::from(f32::MAX), 1.175_494_4e-38]));
    echoes(&Shape::String, &json!(["", "\u{0}", "a\"b\\", "žluťoučký", "👩‍👩‍👧", "x".repeat(100_000)]));
    echoes(&Shape::Char, &json!(["\u{0}", "é", "👋", "\u{10ffff}"]));
    let maybe = |shape| Shape::Option(Box::new(shape));
    echoes(
        &maybe(maybe(maybe(Shape::Bool))),
        &json!([
            null, {"some": null}, {"some": {"some": null}}, {"some": {"some": true}}
        ]),
    );
}

#[test]
fn bytes_travel_as_base64() {
    let mut guest = Ready::new(&engine(), &echo(&Shape::Int(Int::U8)));
    assert_eq!(
        guest.signatures[0].input_schema()["properties"]["items"],
        json!({
            "type": "string", "contentEncoding": "base64"
        })
    );
    let got = guest.call("echo", &json!({"items": "AP+/"}));
    assert_eq!(got, Lifted::Ok(Some(json!({"result": "AP+/"}))));
}

/// One guest for what a function's result can be.
const OUTCOMES: &str = r#"(component
    (core module $m
        (memory (export "memory") 1)
        (func (export "nothing"))
        (func (export "add") (param i32 i64) (result i64) (i64.add (i64.extend_i32_u (local.get 0)) (local.get 1)))
        ;; 0 is ok; the payload is 4 bytes further on
        (func (export "divide") (param i32 i32) (result i32)
            (i32.store8 (i32.const 16) (i32.eqz (local.get 1)))
            (if (local.get 1)
                (then (i32.store (i32.const 20) (i32.div_u (local.get 0) (local.get 1))))
                (else (i32.store8 (i32.const 20) (i32.const 1))))
            (i32.const 16))
        (func (export "point") (param i32 i32 i32) (result i32)
            (i32.store (i32.const 16) (local.get 0))
            (i32.store8 (i32.const 20) (local.get 1))
            (i32.store8 (i32.const 21) (local.get 2))
            (i32.const 16))
        (func (export "check") (param i32) (result i32) (local.get 0))
        (func (export "trap") unreachable))
    (core instance $i (instantiate $m))
    (type $why' (enum "overflow" "by-zero")) (export $why "why" (type $why'))
    (type $point' (record (field "x" s32) (field "z-index" (option u8)))) (export $point "point-type" (type $point'))
    (func (export "nothing") (canon lift (core func $i "nothing")))
    (func (export "trap") (canon lift (core func $i "trap")))
    (func (export "add") (param "a" u32) (param "b" u64) (result u64) (canon lift (core func $i "add")))
    (func (export "divide") (param "a" u32) (param "b" u32) (result (result u32 (error $why)))
        (canon lift (core func $i "divide") (memory $i "memory")))
    (func (export "move") (param "at" $point) (result $point)
        (canon lift (core func $i "point") (memory $i "memory")))
    (func (export "check") (param "bad" bool) (result (result)) (canon lift (core func $i "check"))))"#;

#[test]
fn results_become_outcomes() {
    let mut guest = Ready::new(&engine(), OUTCOMES);
    let ok = |value| Lifted::Ok(Some(value));
    assert_eq!(guest.call("nothing", &json!({})), Lifted::Ok(None));
    assert_eq!(
        guest.call("add", &json!({"a": 1, "b": "18446744073709551614"})),
        ok(json!({"result": u64::MAX.to_string()}))
    );
    assert_eq!(guest.call("add", &json!({"a": 1, "b": 2})), ok(json!({"result": 3})));
    assert_eq!(guest.call("divide", &json!({"a": 7, "b": 2})), ok(json!({"result": 3})));
    assert_eq!(guest.call("divide", &json!({"a": 7, "b": 0})), Lifted::Err(json!("by-zero")));
    assert_eq!(
        guest.call("move", &json!({"at": {"x": -3, "z-index": 9}})),
        ok(json!({"x": -3, "z-index": 9}))
    );
    assert_eq!(guest.call("move", &json!({"at": {"x": -3, "z-index": null}})), ok(json!({"x": -3})));
    assert_eq!(guest.call("check", &json!({"bad": false})), Lifted::Ok(None));
    assert_eq!(guest.call("check", &json!({"bad": true})), Lifted::Err(Value::Null));
}

#[test]
fn schemas_say_what_a_function_takes_and_gives() {
    let guest = Ready::new(&engine(), OUTCOMES);
    let find =
        |name| guest.signatures.iter().find(|signature| signature.name == name).expect("it is exported");
    let number = json!({"type": "integer", "minimum": 0, "maximum": u32::MAX});
    assert_eq!(
        find("divide").input_schema(),
        json!({
            "type": "object", "properties": {"a": number, "b": number}, "required": ["a", "b"],
            "additionalProperties": false
        })
    );
    assert_eq!(
        find("divide").output_schema(),
        Some(json!({
            "type": "object", "properties": {"result": number}, "required": ["result"], "additionalProperties": false
        }))
    );
    assert_eq!(
        find("move").output_schema(),
        Some(json!({
            "type": "object",
            "properties": {
                "x": {"type": "integer", "minimum": i32::MIN, "maximum": i32::MAX},
                "z-index": {"type": ["integer", "null"], "minimum": 0, "maximum": 255}
            },
            "required": ["x"],
            "additionalProperties": false
        }))
    );
    assert_eq!(
        find("nothing").input_schema(),
        json!({
            "type": "object", "properties": {}, "additionalProperties": false
        })
    );
    assert_eq!((find("nothing").output_schema(), find("check").output_schema()), (None, None));
}

#[test]
fn a_trap_is_an_error_and_not_a_value() {
    let mut guest = Ready::new(&engine(), OUTCOMES);
    let trap = guest.signatures.iter().find(|signature| signature.name == "trap").expect("it is exported");
    let ended = guest.runtime.block_on(trap.call(&guest.instance, &mut guest.store, &[]));
    assert!(ended.is_err_and(|error| error.is::<wasmtime::Trap>()));
}

#[test]
fn a_signature_of_another_component_is_refused() {
    let engine = engine();
    let other = Ready::new(&engine, OUTCOMES);
    let mut guest = Ready::new(&engine, &echo(&Shape::Bool));
    let call = other.signatures[0].call(&guest.instance, &mut guest.store, &[]);
    assert!(guest.runtime.block_on(call).is_err());
}

#[test]
fn functions_that_are_lifted_as_async_are_called_alike() {
    let mut guest = Ready::new(
        &engine(),
        r#"(component
            (core module $m
                (import "" "return" (func $return (param i32)))
                (func (export "twice") (param i32) (result i32)
                    (call $return (i32.mul (local.get 0) (i32.const 2)))
                    (i32.const 0))
                (func (export "callback") (param i32 i32 i32) (result i32) unreachable))
            (core func $return (canon task.return (result u32)))
            (core instance $i (instantiate $m (with "" (instance (export "return" (func $return))))))
            (func (export "twice") async (param "n" u32) (result u32)
                (canon lift (core func $i "twice") async (callback (func $i "callback")))))"#,
    );
    assert_eq!(guest.call("twice", &json!({"n": 21})), Lifted::Ok(Some(json!({"result": 42}))));
}
