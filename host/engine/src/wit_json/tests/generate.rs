//! Shapes, their values, and their spelling as WAT.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::subsequence;
use serde_json::{Map, Value, json};
use wasmtime::component::Val;

use crate::wit_json::shape::{Case, Int, Member, Shape};

const INTS: [Int; 8] = [Int::U8, Int::U16, Int::U32, Int::U64, Int::S8, Int::S16, Int::S32, Int::S64];
/// Some of them mean something in the JSON form as well.
const NAMES: [&str; 9] = ["tag", "val", "some", "result", "ok", "err", "kebab-case", "x", "type"];

fn names() -> impl Strategy<Value = Vec<String>> {
    subsequence(&NAMES[..], 1..=4)
        .prop_shuffle()
        .prop_map(|names| names.into_iter().map(String::from).collect())
}

fn list(item: Shape, len: Option<u32>) -> Shape {
    if item == Shape::Int(Int::U8) { Shape::Bytes(len) } else { Shape::List(item.into(), len) }
}

fn case(tag: &str, payload: Option<Shape>) -> Case {
    Case { tag: tag.into(), payload: payload.map(Box::new) }
}

/// Any type that a component can have, a few levels deep.
pub(super) fn shape() -> impl Strategy<Value = Shape> {
    let key = prop_oneof![Just(Shape::String), Just(Shape::Int(Int::U64)), Just(Shape::Char)];
    let leaf = prop_oneof![
        Just(Shape::Bool),
        proptest::sample::select(&INTS[..]).prop_map(Shape::Int),
        Just(Shape::F32),
        Just(Shape::F64),
        Just(Shape::Char),
        Just(Shape::String),
        Just(Shape::Bytes(None)),
        names().prop_map(Shape::Enum),
        names().prop_map(Shape::Flags),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        let payloads = vec(proptest::option::of(inner.clone()), 4);
        prop_oneof![
            inner.clone().prop_map(|item| list(item, None)),
            (inner.clone(), 1_u32..4).prop_map(|(item, len)| list(item, Some(len))),
            (key.clone(), inner.clone()).prop_map(|(key, item)| Shape::Map(key.into(), item.into())),
            (names(), vec(inner.clone(), 4)).prop_map(|(names, shapes)| {
                Shape::Record(
                    names.into_iter().zip(shapes).map(|(name, shape)| Member { name, shape }).collect(),
                )
            }),
            vec(inner.clone(), 1..4).prop_map(Shape::Tuple),
            (names(), payloads).prop_map(|(names, payloads)| {
                Shape::Variant(
                    names.iter().zip(payloads).map(|(name, payload)| case(name, payload)).collect(),
                )
            }),
            inner.clone().prop_map(|some| Shape::Option(some.into())),
            (proptest::option::of(inner.clone()), proptest::option::of(inner))
                .prop_map(|(ok, err)| Shape::Result([case("ok", ok), case("err", err)])),
        ]
    })
}

fn int(int: Int) -> BoxedStrategy<Val> {
    match int {
        Int::U8 => any::<u8>().prop_map(Val::U8).boxed(),
        Int::U16 => any::<u16>().prop_map(Val::U16).boxed(),
        Int::U32 => any::<u32>().prop_map(Val::U32).boxed(),
        Int::U64 => prop_oneof![any::<u64>(), (1_u64 << 53) - 3..(1 << 53) + 3].prop_map(Val::U64).boxed(),
        Int::S8 => any::<i8>().prop_map(Val::S8).boxed(),
        Int::S16 => any::<i16>().prop_map(Val::S16).boxed(),
        Int::S32 => any::<i32>().prop_map(Val::S32).boxed(),
        Int::S64 => prop_oneof![any::<i64>(), (-1_i64 << 53) - 3..(-1 << 53) + 3].prop_map(Val::S64).boxed(),
    }
}

fn payload(shape: Option<&Shape>) -> BoxedStrategy<Option<Box<Val>>> {
    match shape {
        Some(shape) => value(shape).prop_map(|value| Some(value.into())).boxed(),
        None => Just(None).boxed(),
    }
}

/// Any value of a shape.
pub(super) fn value(shape: &Shape) -> BoxedStrategy<Val> {
    use proptest::num::{f32, f64};
    match shape {
        Shape::Bool => any::<bool>().prop_map(Val::Bool).boxed(),
        Shape::Int(kind) => int(*kind),
        Shape::F32 => f32::ANY.prop_map(Val::Float32).boxed(),
        Shape::F64 => f64::ANY.prop_map(Val::Float64).boxed(),
        Shape::Char => any::<char>().prop_map(Val::Char).boxed(),
        Shape::String => any::<String>().prop_map(Val::String).boxed(),
        Shape::Bytes(None) => vec(int(Int::U8), 0..20).prop_map(Val::List).boxed(),
        Shape::Bytes(Some(len)) => vec(int(Int::U8), *len as usize).prop_map(Val::FixedLengthList).boxed(),
        Shape::List(item, None) => vec(value(item), 0..4).prop_map(Val::List).boxed(),
        Shape::List(item, Some(len)) => {
            vec(value(item), *len as usize).prop_map(Val::FixedLengthList).boxed()
        }
        Shape::Map(key, item) => map(key, item),
        Shape::Record(members) => {
            let names: Vec<_> = members.iter().map(|member| member.name.clone()).collect();
            let values: Vec<_> = members.iter().map(|member| value(&member.shape)).collect();
            values.prop_map(move |values| Val::Record(names.iter().cloned().zip(values).collect())).boxed()
        }
        Shape::Tuple(items) => items.iter().map(value).collect::<Vec<_>>().prop_map(Val::Tuple).boxed(),
        Shape::Variant(cases) => {
            let one = |case: &Case| {
                let tag = case.tag.clone();
                payload(case.payload.as_deref())
                    .prop_map(move |payload| Val::Variant(tag.clone(), payload))
                    .boxed()
            };
            proptest::strategy::Union::new(cases.iter().map(one)).boxed()
        }
        Shape::Result([ok, err]) => prop_oneof![
            payload(ok.payload.as_deref()).prop_map(|ok| Val::Result(Ok(ok))),
            payload(err.payload.as_deref()).prop_map(|err| Val::Result(Err(err))),
        ]
        .boxed(),
        Shape::Enum(names) => proptest::sample::select(names.clone()).prop_map(Val::Enum).boxed(),
        Shape::Flags(names) => {
            let len = names.len();
            subsequence(names.clone(), 0..=len).prop_map(Val::Flags).boxed()
        }
        Shape::Option(some) => {
            prop_oneof![Just(Val::Option(None)), value(some).prop_map(|some| Val::Option(Some(some.into()))),]
                .boxed()
        }
    }
}

/// Keys once each and sorted by their text, so that two maps with the same pairs are equal.
fn map(key: &Shape, item: &Shape) -> BoxedStrategy<Val> {
    let wrap: fn(u64) -> Val = match key {
        Shape::String => |n| Val::String(format!("k{n}/~")),
        Shape::Char => |n| Val::Char(char::from(b'a' + (n % 26) as u8)),
        _ => Val::U64,
    };
    btree_map(0_u64..26, value(item), 0..4)
        .prop_map(move |pairs| Val::Map(pairs.into_iter().map(|(key, item)| (wrap(key), item)).collect()))
        .boxed()
}

/// The same JSON value, spelled in another way that the schema allows.
pub(super) fn respelled(shape: &Shape, value: &Value, twist: bool) -> Value {
    match (shape, value) {
        (Shape::Int(int), Value::Number(number)) if int.wide() && twist => number.to_string().into(),
        (Shape::Int(_), Value::Number(number)) => json!(number.as_f64()),
        (Shape::Bytes(_), Value::String(text)) => {
            STANDARD_NO_PAD.encode(STANDARD.decode(text).expect("it was encoded by lift")).into()
        }
        (Shape::List(item, _), Value::Array(items)) => {
            items.iter().map(|v| respelled(item, v, !twist)).collect()
        }
        (Shape::Flags(_), Value::Array(items)) => items.iter().rev().cloned().collect(),
        (Shape::Tuple(shapes), Value::Array(items)) => {
            shapes.iter().zip(items).map(|(shape, value)| respelled(shape, value, !twist)).collect()
        }
        (Shape::Record(members), Value::Object(object)) => {
            let member = |member: &Member| {
                let value =
                    object.get(&member.name).map_or(Value::Null, |v| respelled(&member.shape, v, !twist));
                (member.name.clone(), value)
            };
            members.iter().rev().map(member).collect()
        }
        (Shape::Variant(cases), Value::Object(object)) => retagged(cases, object, twist),
        (Shape::Result(cases), Value::Object(object)) => retagged(cases, object, twist),
        (Shape::Option(some), Value::Object(object)) if some.needs_some() => {
            json!({"some": respelled(some, &object["some"], !twist)})
        }
        (Shape::Option(some), value) if !value.is_null() => respelled(some, value, twist),
        _ => value.clone(),
    }
}

fn retagged(cases: &[Case], object: &Map<String, Value>, twist: bool) -> Value {
    let case = cases.iter().find(|case| object["tag"] == *case.tag).expect("the tag is one of the cases");
    match &case.payload {
        None => json!({"tag": case.tag}),
        Some(shape) => {
            json!({"val": object.get("val").map_or(Value::Null, |v| respelled(shape, v, !twist)), "tag": case.tag})
        }
    }
}

/// Writes the definitions that a shape needs, and gives the WAT that refers to it.
pub(super) fn wat(shape: &Shape, out: &mut String, next: &mut u32) -> String {
    let mut sub = |shape: &Shape, out: &mut String| wat(shape, out, next);
    let payload = |case: &Case, out: &mut String, sub: &mut dyn FnMut(&Shape, &mut String) -> String| {
        case.payload.as_ref().map(|shape| sub(shape, out)).unwrap_or_default()
    };
    let quoted = |names: &[String]| names.iter().map(|name| format!(" \"{name}\"")).collect::<String>();
    let (named, body) = match shape {
        Shape::Bool => return "bool".into(),
        Shape::Int(int) => return format!("{int:?}").to_lowercase(),
        Shape::F32 => return "f32".into(),
        Shape::F64 => return "f64".into(),
        Shape::Char => return "char".into(),
        Shape::String => return "string".into(),
        Shape::Bytes(len) => {
            (false, format!("list u8 {}", len.map(|len| len.to_string()).unwrap_or_default()))
        }
        Shape::List(item, len) => {
            (false, format!("list {} {}", sub(item, out), len.map(|len| len.to_string()).unwrap_or_default()))
        }
        Shape::Map(key, item) => (false, format!("map {} {}", sub(key, out), sub(item, out))),
        Shape::Tuple(items) => (
            false,
            format!("tuple {}", items.iter().map(|item| sub(item, out)).collect::<Vec<_>>().join(" ")),
        ),
        Shape::Option(some) => (false, format!("option {}", sub(some, out))),
        Shape::Result([ok, err]) => {
            let (ok, err) = (payload(ok, out, &mut sub), payload(err, out, &mut sub));
            let err = if err.is_empty() { err } else { format!("(error {err})") };
            (false, format!("result {ok} {err}"))
        }
        Shape::Record(members) => {
            let field = |member: &Member| format!(" (field \"{}\" {})", member.name, sub(&member.shape, out));
            (true, format!("record {}", members.iter().map(field).collect::<String>()))
        }
        Shape::Variant(cases) => {
            let one = |case: &Case| format!(" (case \"{}\" {})", case.tag, payload(case, out, &mut sub));
            (true, format!("variant {}", cases.iter().map(one).collect::<String>()))
        }
        Shape::Enum(names) => (true, format!("enum {}", quoted(names))),
        Shape::Flags(names) => (true, format!("flags {}", quoted(names))),
    };
    let id = *next;
    *next += 1;
    writeln!(out, "(type $t{id} ({body}))").expect("a string takes it");
    if !named {
        return format!("$t{id}");
    }
    writeln!(out, "(export $e{id} \"t{id}\" (type $t{id}))").expect("a string takes it");
    format!("$e{id}")
}
