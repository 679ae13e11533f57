//! Stamping: what the build writes is what the host reads.
#![allow(clippy::unwrap_used, reason = "tests")]

use packhost_package::stamp::{StampError, stamp};
use packhost_package::{Description, Outline, PackageError};

const JSON: &str = r#"{"contract":"0.1.0","name":"a.b","version":"1.0.0","title":"T","description":"D.","input_schema":{"type":"object","properties":{"z":{},"a":{}}}}"#;

/// A component whose describe function has this body and whose memory holds `json`.
fn component(json: &str, body: &str) -> Vec<u8> {
    let data = json.replace('"', "\\22");
    let text = format!(
        r#"(component (core module $m
            (import "host" "ask" (func $ask (result i64)))
            (memory (export "memory") 1) (data (i32.const 16) "{data}")
            (func (export "packhost_describe") (result i64) {body})))"#
    );
    wat::parse_str(text).unwrap()
}

fn answer(json: &str) -> String {
    format!("(i64.or (i64.const {}) (call $ask))", (16_u64 << 32) | json.len() as u64)
}

#[test]
fn a_stamp_is_read_back_and_changes_nothing_else() {
    let plain = component(JSON, &answer(JSON));
    let stamped = stamp(&plain).unwrap();
    assert!(stamped.starts_with(&plain));
    let read = Description::read(&stamped).unwrap().unwrap();
    assert_eq!(read.name.as_str(), "a.b");
    let keys: Vec<&String> = read.input_schema["properties"].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["z", "a"], "the author's order of inputs is kept");
    assert_eq!(Outline::read(&stamped), Outline::read(&plain));
    assert_eq!(stamp(&stamped).unwrap(), stamped, "a second stamp takes the place of the first");
}

#[test]
fn what_cannot_be_stamped_says_why() {
    let run = |body: &str| stamp(&component(JSON, body)).unwrap_err();
    assert!(matches!(run("(loop $l (br $l)) (i64.const 0)"), StampError::Run(_)), "endless");
    assert!(matches!(run("unreachable"), StampError::Run(_)), "trap");
    assert!(matches!(run("(i64.const -1)"), StampError::Run(_)), "out of bounds");
    assert!(matches!(run("(i64.const 0)"), StampError::Package(PackageError::Section(_))), "empty");
    let none = wat::parse_str("(component (core module (memory 1)))").unwrap();
    assert!(matches!(stamp(&none), Err(StampError::NoDescribe)));
    let module = wat::parse_str("(module)").unwrap();
    assert!(matches!(stamp(&module), Err(StampError::Package(PackageError::CoreModule))));
}
