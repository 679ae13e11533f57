//! What is read from components, from broken ones and from no components at all.
#![allow(clippy::unwrap_used, reason = "tests")]

use packhost_package::{Description, Needs, Outline, PackageError, SECTION};
use proptest::prelude::*;
use serde_json::json;

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

fn with_section(mut component: Vec<u8>, content: &[u8]) -> Vec<u8> {
    let leb = |mut value: usize| {
        let mut bytes = Vec::new();
        while value > 0x7f {
            bytes.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
        bytes
    };
    component.push(0);
    component.extend(leb(1 + SECTION.len() + content.len()));
    component.push(SECTION.len() as u8);
    component.extend(SECTION.bytes());
    component.extend(content);
    component
}

fn description() -> serde_json::Value {
    json!({
        "contract": "0.1.0", "name": "text.stats", "version": "1.2.3", "title": "T", "description": "D.",
        "input_schema": { "type": "object" }
    })
}

const NESTED: &str = r#"(component
    (import "wasi:io/poll@0.2.6" (instance))
    (core module $m (memory 1) (memory 2) (table 1 funcref) (func (export "f")))
    (component $inner
        (core module $n (memory 1))
        (core instance (instantiate $n))
        (core instance (instantiate $n))
        (alias outer 1 $m (core module $again))
        (core instance (instantiate $again)))
    (core instance $i (instantiate $m))
    (core instance (export "f" (func $i "f")))
    (instance (instantiate $inner))
    (instance (instantiate $inner))
    (func (export "go") (canon lift (core func $i "f"))))"#;

#[test]
fn a_description_is_read_from_the_top_alone() {
    let bare = wat("(component)");
    assert_eq!(Description::read(&bare), Ok(None));
    let json = description().to_string();
    let read = Description::read(&with_section(bare.clone(), json.as_bytes())).unwrap().unwrap();
    assert_eq!((read.name.as_str(), read.version.as_str()), ("text.stats", "1.2.3"));
    assert!(!read.effects.read_only && read.wants.http.is_none());

    let mut nested = bare.clone();
    let inner = with_section(bare, json.as_bytes());
    nested.extend([4, inner.len() as u8 | 0x80, (inner.len() >> 7) as u8]);
    nested.extend(inner);
    assert_eq!(Description::read(&nested), Ok(None));
}

#[test]
fn what_is_not_a_description_is_an_error() {
    let bare = || wat("(component)");
    let json = description().to_string();
    let twice = with_section(with_section(bare(), json.as_bytes()), json.as_bytes());
    assert_eq!(Description::read(&twice), Err(PackageError::DuplicateSection));
    let long = vec![b' '; Description::MAX + 1];
    assert_eq!(
        Description::read(&with_section(bare(), &long)),
        Err(PackageError::SectionTooLarge(long.len()))
    );
    let mut wrong = vec![b"".to_vec(), b"{}".to_vec(), b"[".repeat(100_000), b"\xff".to_vec()];
    for (key, value) in
        [("surprise", json!(1)), ("name", json!("No")), ("input_schema", json!(true)), ("title", json!(" "))]
    {
        let mut changed = description();
        changed[key] = value;
        wrong.push(changed.to_string().into_bytes());
    }
    for content in wrong {
        let read = Description::read(&with_section(bare(), &content));
        assert!(matches!(read, Err(PackageError::Section(_))), "{read:?}");
    }
}

#[test]
fn what_is_not_a_component_says_what_it_is() {
    assert_eq!(Outline::read(b""), Err(PackageError::NotWasm));
    assert_eq!(Outline::read(b"#!/bin/sh\n"), Err(PackageError::NotWasm));
    assert_eq!(Outline::read(&wat("(module)")), Err(PackageError::CoreModule));
    let whole = wat(NESTED);
    assert!(Outline::read(&whole).is_ok());
    // A cut between two sections leaves a shorter component, which is whole.
    let cut = (8..whole.len()).filter(|end| Outline::read(&whole[..*end]).is_err()).count();
    assert!(cut > whole.len() / 2, "only {cut} of {} cuts were noticed", whole.len());
}

#[test]
fn what_is_nested_must_be_there_as_a_whole() {
    for text in [
        "(component (core module (type (func)) (memory 1) (func (type 0))))",
        "(component (component (core module (memory 1)) (core instance (instantiate 0))))",
    ] {
        let whole = wat(text);
        assert!(Outline::read(&whole).is_ok());
        // Only the bare header is a component too.
        for end in 9..whole.len() {
            let read = Outline::read(&whole[..end]);
            assert!(matches!(read, Err(PackageError::Malformed { .. })), "{end} bytes of {text}: {read:?}");
            assert!(Description::read(&whole[..end]).is_err(), "{end} bytes of {text}");
        }
    }
}

#[test]
fn an_outline_counts_through_nested_components() {
    let outline = Outline::read(&wat(NESTED)).unwrap();
    assert_eq!(outline.imports, ["wasi:io/poll@0.2.6"]);
    assert_eq!(outline.exports, ["go"]);
    assert!(!outline.uses_async);
    // $m once outside and once in each inner instance (2 memories, 1 table); $n twice in each (1 memory).
    let needs = Needs { core_instances: 7, memories: 10, tables: 3, component_instances: 2 };
    assert_eq!(outline.needs, needs);
}

#[test]
fn counts_saturate_where_instances_multiply() {
    let mut text = "(component $c0 (core module $m (memory 1)) (core instance (instantiate $m)))".to_owned();
    for level in 1..40 {
        let inner = format!("(instance (instantiate $c{}))", level - 1);
        text = format!("(component $c{level} {text} {inner} {inner})");
    }
    let outline = Outline::read(&wat(&text)).unwrap();
    assert_eq!(outline.needs.memories, u32::MAX);
}

#[test]
fn async_is_seen_wherever_it_stands() {
    let asynchronous = [
        r#"(component (type (stream u8)))"#,
        r#"(component (type (instance (type (future string)))))"#,
        r#"(component (type (func async)))"#,
        r#"(component (core func (canon task.cancel)))"#,
        r#"(component (component (core func (canon waitable-set.new))))"#,
        r#"(component (import "wasi:clocks/monotonic-clock@0.3.0" (instance)))"#,
    ];
    for text in asynchronous {
        assert!(Outline::read(&wat(text)).unwrap().uses_async, "{text}");
    }
    assert!(
        !Outline::read(&wat(r#"(component (import "wasi:clocks/monotonic-clock@0.2.6" (instance)))"#))
            .unwrap()
            .uses_async
    );
}

#[test]
fn types_nested_without_end_are_refused() {
    let levels = 200_000;
    let mut types = vec![1];
    types.extend([0x42, 1, 1].repeat(levels));
    types.push(0x73);
    let mut component = wat("(component)");
    component.push(7);
    let mut size = types.len();
    while size > 0x7f {
        component.push((size & 0x7f) as u8 | 0x80);
        size >>= 7;
    }
    component.push(size as u8);
    component.extend(types);
    assert!(matches!(Outline::read(&component), Err(PackageError::TooDeep { .. })));
}

fn survives(bytes: &[u8]) {
    let _ = Outline::read(bytes);
    let _ = Description::read(bytes);
    let _ = packhost_package::stamp::stamp(bytes);
}

proptest! {
    #[test]
    fn no_bytes_panic(body in prop::collection::vec(any::<u8>(), 0..300), component in any::<bool>()) {
        let mut bytes = if component { wat("(component)") } else { Vec::new() };
        bytes.extend(body);
        survives(&bytes);
    }

    #[test]
    fn no_damage_panics(cut in any::<prop::sample::Index>(), changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6)) {
        let mut bytes = with_section(wat(NESTED), description().to_string().as_bytes());
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        survives(&bytes);
    }
}
