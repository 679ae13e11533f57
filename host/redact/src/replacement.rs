//! What stands in the place of a value. Owns that it is no part of any value itself, nor becomes one together with what is
//! around it.

use crate::error::RedactError;

/// What may be around a label, in the order of preference. None of them is in an escape, a base64 or a hexadecimal text, so
/// that only a value itself, as it is, can reach into a replacement.
const AROUND: [(char, char); 11] = [
    ('[', ']'),
    ('(', ')'),
    ('{', '}'),
    ('<', '>'),
    ('|', '|'),
    ('*', '*'),
    ('~', '~'),
    ('^', '^'),
    ('!', '!'),
    ('$', '$'),
    ('@', '@'),
];

/// If the values leave none of those: block elements and geometric shapes (Unicode). Of more than 128 characters at least
/// one is neither the first nor the last of any of 64 values.
const SHAPES: std::ops::RangeInclusive<char> = '\u{2580}'..='\u{25ff}';

/// One replacement for each label. `finds` says whether a value is in a text.
pub(crate) fn replacements(
    labels: &[&str],
    values: &[&[u8]],
    finds: impl Fn(&[u8]) -> bool,
) -> Result<Vec<String>, RedactError> {
    let around = || AROUND.into_iter().chain(SHAPES.map(|shape| (shape, shape)));
    let fits = |replacement: &String| {
        !finds(replacement.as_bytes()) && !values.iter().any(|value| meet(replacement.as_bytes(), value))
    };
    let with_name = around().map(|(open, close)| -> Vec<String> {
        labels.iter().map(|label| format!("{open}redacted:{label}{close}")).collect()
    });
    let nameless = around().map(|(open, close)| vec![format!("{open}***{close}"); labels.len()]);
    with_name
        .chain(nameless)
        .find(|replacements| replacements.iter().all(&fits))
        .ok_or(RedactError::NoReplacement)
}

/// Whether a value can begin in a replacement and go on after it, end in it and begin before it, or reach over all of it.
fn meet(replacement: &[u8], value: &[u8]) -> bool {
    let shared = 1..=replacement.len().min(value.len());
    shared.into_iter().any(|length| {
        let (head, tail) = (&replacement[..length], &replacement[replacement.len() - length..]);
        value.starts_with(tail) || value.ends_with(head)
    }) || memchr::memmem::find(value, replacement).is_some()
}
