//! Bytes that claim to be a component. No bytes make the readers panic or take long, and a description that is read
//! is read again from what it was written as.
//!
//! What does not start as WebAssembly does is taken for the sections of a component, so that mutations stay inside one.

use std::borrow::Cow;

use packhost_package::{Description, Needs, Outline, PackageError, SECTION};

/// What every component starts with.
const PREAMBLE: &[u8] = b"\0asm\x0d\0\x01\0";

pub(crate) fn fuzz(bytes: &[u8]) {
    let component = if bytes.starts_with(b"\0asm") {
        Cow::Borrowed(bytes)
    } else {
        Cow::Owned([PREAMBLE, bytes].concat())
    };
    let outline = Outline::read(&component);
    let described = Description::read(&component);
    match (&outline, &described) {
        (Ok(outline), _) => sensible(outline, &component),
        (Err(error), _) => short(error),
    }
    appended_is_read(PREAMBLE, bytes);
    match described {
        Ok(None) => appended_is_read(&component, bytes),
        Ok(Some(description)) => survives_writing(&description),
        Err(error) => short(&error),
    }
}

/// What an outline counts is in the bytes: each name, and each instance, takes at least one.
fn sensible(outline: &Outline, component: &[u8]) {
    let names = outline.imports.iter().chain(&outline.exports);
    assert!(names.map(|name| name.len() + 1).sum::<usize>() <= component.len());
    if outline.imports.is_empty() && component.len() == PREAMBLE.len() {
        assert_eq!(outline.needs, Needs::default());
    }
}

/// A section at the end is the component's own, and its content is judged as [`Description::from_json`] judges it.
fn appended_is_read(component: &[u8], content: &[u8]) {
    let alone = Description::from_json(content);
    let within = Description::read(&with_section(component, content));
    match alone {
        Ok(description) => {
            survives_writing(&description);
            assert_eq!(within, Ok(Some(description)));
        }
        Err(error) => {
            short(&error);
            assert_eq!(within, Err(error));
        }
    }
}

fn survives_writing(description: &Description) {
    let written = serde_json::to_vec(description).expect("a description is JSON");
    assert_eq!(Description::from_json(&written).as_ref(), Ok(description));
}

fn short(error: &PackageError) {
    assert!(error.to_string().len() < 2048, "an error stays short");
}

/// The component with one more custom section (WebAssembly core specification, 5.5.3).
fn with_section(component: &[u8], content: &[u8]) -> Vec<u8> {
    let mut body = leb128(SECTION.len());
    body.extend(SECTION.bytes());
    body.extend(content);
    [component, &[0], &leb128(body.len()), &body].concat()
}

fn leb128(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}
