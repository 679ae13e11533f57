//! Whether an answer is what a case expects.

use std::collections::BTreeMap;

use packhost_core::ErrorCode;
use packhost_tests::host::Ran;
use serde_json::Value;

/// What a case expects of the answer.
pub(crate) struct Expected {
    /// A part of the structured answer.
    pub(crate) expect: Option<Value>,
    /// Pieces of texts in it.
    pub(crate) contains: BTreeMap<String, Vec<String>>,
    /// What is not in these texts.
    pub(crate) excludes: BTreeMap<String, Vec<String>>,
    /// The code of the error that is expected in place of an answer.
    pub(crate) error: Option<ErrorCode>,
}

pub(crate) fn answer(ran: &Ran, expected: &Expected) -> Result<(), String> {
    let said = ran.json();
    let code = said["error"]["code"].as_str();
    match &expected.error {
        Some(error) if code == Some(error.as_str()) && ran.code == i32::from(error.exit()) => return Ok(()),
        Some(error) => return Err(format!("expected {error}, got {ran:?}")),
        None if code.is_some() || ran.code != 0 => return Err(format!("it failed: {ran:?}")),
        None => {}
    }
    let output = &said["output"];
    if let Some(part) = &expected.expect {
        within(part, output, "")?;
    }
    for (field, pieces) in &expected.contains {
        for piece in pieces {
            if !text(output, field)?.contains(piece.as_str()) {
                return Err(format!("{field} has no {piece:?}: {}", output[field]));
            }
        }
    }
    for (field, pieces) in &expected.excludes {
        for piece in pieces {
            if text(output, field)?.contains(piece.as_str()) {
                return Err(format!("{field} has {piece:?}: {}", output[field]));
            }
        }
    }
    Ok(())
}

fn text<'a>(output: &'a Value, field: &str) -> Result<&'a str, String> {
    output[field].as_str().ok_or_else(|| format!("{field} is no text: {output}"))
}

/// Whether `part` is in `whole`: an object's fields are a part of the other's, everything else is the same. The items of
/// a list are compared one by one.
fn within(part: &Value, whole: &Value, at: &str) -> Result<(), String> {
    match (part, whole) {
        (Value::Object(part), Value::Object(_)) => {
            part.iter().try_for_each(|(name, value)| within(value, &whole[name], &format!("{at}/{name}")))
        }
        (Value::Array(part), Value::Array(items)) if part.len() == items.len() => part
            .iter()
            .zip(items)
            .enumerate()
            .try_for_each(|(n, (part, item))| within(part, item, &format!("{at}/{n}"))),
        (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => Ok(()),
        _ if part == whole => Ok(()),
        _ => Err(format!("{at}: expected {part}, got {whole}")),
    }
}
