//! What is inside an encrypted export: names, bindings and values, as JSON of a written version.
//!
//! `{ "packhost_vault": 1, "credentials": [{ "name": …, "value": BASE64, "bindings": […] }] }`. The value is base64 so that
//! no parser has to take an escape out of it, into memory that nobody wipes.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use packhost_core::{CredentialName, ErrorCode, Failure};
use packhost_vault::{Binding, Carried, Secret};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::exit::Error;

/// The version that is written, and the only one that is read.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document<'a> {
    packhost_vault: u32,
    #[serde(borrow)]
    credentials: Vec<Entry<'a>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry<'a> {
    name: String,
    value: &'a str,
    bindings: Vec<Value>,
}

/// What every version begins with.
#[derive(Deserialize)]
struct Head {
    packhost_vault: u32,
}

/// The document of these credentials.
pub(super) fn write(carried: &[Carried]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let values: Vec<Zeroizing<String>> =
        carried.iter().map(|one| Zeroizing::new(STANDARD.encode(one.value.expose()))).collect();
    let entries = carried.iter().zip(&values).map(|(one, value)| Entry {
        name: one.name.to_string(),
        value,
        bindings: one.bindings.iter().map(|binding| json!(binding)).collect(),
    });
    let document = Document { packhost_vault: VERSION, credentials: entries.collect() };
    let failed = |error: serde_json::Error| Error::failed(format!("the export cannot be written: {error}"));
    let mut size = Size(0);
    serde_json::to_writer(&mut size, &document).map_err(failed)?;
    // A buffer that grows would leave copies behind.
    let mut plain = Zeroizing::new(Vec::with_capacity(size.0));
    serde_json::to_writer(&mut *plain, &document).map_err(failed)?;
    Ok(plain)
}

/// The credentials of a document, all of them good. The error says what is wrong with each, and repeats no value.
pub(super) fn read(plain: &[u8]) -> Result<Vec<Carried>, Error> {
    let head: Head = serde_json::from_slice(plain).map_err(|error| broken(&error))?;
    if head.packhost_vault != VERSION {
        let found = head.packhost_vault;
        return Err(wrong(format!("The export is of version {found}; this packhost reads {VERSION}.")));
    }
    let document: Document<'_> = serde_json::from_slice(plain).map_err(|error| broken(&error))?;
    let (mut carried, mut problems) = (Vec::<Carried>::new(), Vec::new());
    for entry in document.credentials {
        match one(&entry) {
            Ok(new) if carried.iter().any(|known| known.name == new.name) => {
                problems.push(format!("{}: it is in the file twice", new.name));
            }
            Ok(new) => carried.push(new),
            Err(why) => problems.push(format!("{}: {why}", entry.name.escape_debug())),
        }
    }
    if problems.is_empty() {
        return Ok(carried);
    }
    Err(wrong(format!("Nothing was imported, because of what is in the file.\n  {}", problems.join("\n  "))))
}

fn one(entry: &Entry<'_>) -> Result<Carried, String> {
    let name: CredentialName = entry.name.parse().map_err(|error| format!("{error}"))?;
    let value = STANDARD.decode(entry.value).map(Zeroizing::new).map_err(|_| "the value is not base64")?;
    let value = Secret::new(&value).map_err(|error| error.to_string())?;
    let bindings = entry.bindings.iter().map(Binding::deserialize).collect::<Result<_, _>>();
    Ok(Carried { name, value, bindings: bindings.map_err(|error| error.to_string())? })
}

/// The parser's own words would show what stands there.
fn broken(error: &serde_json::Error) -> Error {
    let (line, column) = (error.line(), error.column());
    wrong(format!(
        "The file was opened, and is no export of packhost: see line {line}, column {column} of what is in it."
    ))
}

fn wrong(message: String) -> Error {
    Failure::new(ErrorCode::InvalidInput, message).into()
}

/// Counts what is written.
struct Size(usize);

impl Write for Size {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUE: &str = "marker \"7f3a\" \\ €-not-a-real-token";

    fn carried(name: &str) -> Carried {
        let binding = r#"{ "hosts": ["a.example"], "places": ["body"], "packs": ["web.*"] }"#;
        Carried {
            name: name.parse().expect("a good name"),
            value: Secret::new(VALUE.as_bytes()).expect("a good value"),
            bindings: vec![serde_json::from_str(binding).expect("a good binding")],
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let plain = write(&[carried("A"), carried("B")]).expect("written");
        assert_eq!(plain.len(), plain.capacity(), "it was written in place");
        let read = read(&plain).expect("good");
        let names: Vec<_> = read.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["A", "B"]);
        assert!(read.iter().all(|one| one.value == carried("A").value));
        assert!(read.iter().all(|one| one.bindings == carried("A").bindings));
        assert!(super::read(&write(&[]).expect("written")).expect("good").is_empty());
    }

    #[test]
    fn everything_that_is_wrong_is_said_and_no_value_is_repeated() {
        let marker = "marker-7f3a-marker";
        let encoded = STANDARD.encode(marker);
        let short = STANDARD.encode("short");
        let entry = |name: &str, value: &str, bindings: &str| {
            format!(r#"{{ "name": "{name}", "value": "{value}", "bindings": {bindings} }}"#)
        };
        let all = [
            entry("A", &encoded, "[]"),
            entry("A", &encoded, "[]"),
            entry("1", &encoded, "[]"),
            entry("B", marker, "[]"),
            entry("C", &short, "[]"),
            entry("D", &encoded, "[{}]"),
        ];
        let text = format!(r#"{{ "packhost_vault": 1, "credentials": [{}] }}"#, all.join(", "));
        let refused = read(text.as_bytes()).expect_err("most of it is wrong").to_string();
        for words in ["A: it is in the file twice", "1: the name", "B: ", "C: the value is shorter", "D: "] {
            assert!(refused.contains(words), "{words} is not in {refused}");
        }
        assert!(!refused.contains(marker), "{refused}");
        for text in [
            String::new(),
            "{}".into(),
            format!("\"{marker}\""),
            format!(r#"{{ "packhost_vault": 1, "credentials": "{marker}" }}"#),
            format!(r#"{{ "packhost_vault": 1, "credentials": [], "{marker}": 1 }}"#),
            format!(
                r#"{{ "packhost_vault": 1, "credentials": [{{ "name": "A", "value": ["{marker}"] }}] }}"#
            ),
            r#"{ "packhost_vault": 2, "anything": true }"#.into(),
        ] {
            let refused = read(text.as_bytes()).expect_err(&text).to_string();
            assert!(!refused.contains(marker), "{refused}");
        }
    }
}
