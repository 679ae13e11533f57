//! What is taken out of a text, and what is not.

mod bounds;
mod corpora;
mod decoders;
mod json;
mod oracle;
mod properties;
mod scene;
mod spellings;
mod streams;

use packhost_redact::Redactor;

/// A value with all that has escapes of its own, with characters of two and four bytes.
const VALUE: &str = "p4ss/w+rd=\"é\\😀<&>' %41end";

fn knows(values: &[(&str, &str)]) -> Redactor {
    Redactor::new(values.iter().map(|(label, value)| (*label, value.as_bytes()))).expect("good values")
}
