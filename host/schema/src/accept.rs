//! The two questions that a call asks: is this input acceptable, and is this output what was promised.

use jsonschema::ValidationError;
use packhost_core::{ErrorCode, Failure};
use serde_json::Value;

use crate::contract::{Contract, Inner};
use crate::{Mend, example, explain, mend, wording};

/// The most JSON values of an input that is mended or explained as a whole; the validator names every objection at once,
/// which costs memory per value.
const NODES: usize = 4096;
/// The most text in such an input, in bytes.
const BYTES: usize = 1 << 20;
/// The deepest such an input nests.
const DEPTH: usize = 128;

/// An input that matches the schema.
#[derive(Debug, Clone, PartialEq)]
pub struct Accepted {
    /// The input, mended where that was needed.
    pub value: Value,
    /// What was mended, in order; empty for an input that was valid as it came.
    pub mends: Vec<Mend>,
}

impl Contract {
    /// Takes an input as it is if it is valid, mended if that can be done in one way only. Of an input of more than 4096
    /// values or 1 MiB of text, only those properties are mended that are not so large themselves.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidInput`] with a place, what was expected and found there, and an input that is valid where
    /// one can be made.
    pub fn accept(&self, mut input: Value) -> Result<Accepted, Failure> {
        let inner = &*self.inner;
        if inner.validator.is_valid(&input) {
            return Ok(Accepted { value: input, mends: Vec::new() });
        }
        let mends = if mendable(&input) {
            mend::mend(inner, &mut input)
        } else {
            mend::mend_parts(inner, &mut input)
        };
        if inner.validator.is_valid(&input) {
            let mends = mends.into_iter().map(Mend::shortened).collect();
            return Ok(Accepted { value: input, mends });
        }
        Err(if mendable(&input) { refusal(inner, &input) } else { too_large(inner) })
    }

    /// Checks what a pack answered.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidOutput`]. The message names the place, never the value; the cause has what the validator
    /// says of it, without the value.
    pub fn check(&self, output: &Value) -> Result<(), Failure> {
        let inner = &*self.inner;
        if inner.validator.is_valid(output) {
            return Ok(());
        }
        let what = "The pack answered something that its own output schema does not allow";
        if !mendable(output) {
            return Err(Failure::new(ErrorCode::InvalidOutput, format!("{what}.")));
        }
        let errors: Vec<ValidationError<'_>> = inner.validator.iter_errors(output).collect();
        let Some(worst) = explain::worst(inner, &errors) else {
            return Err(Failure::new(ErrorCode::InvalidOutput, format!("{what}.")));
        };
        let finding = explain::finding(inner, worst);
        let message = match finding.pointer.as_str() {
            "" => format!("{what}: expected {}.", finding.expected),
            pointer => format!("{what}: at {pointer}, expected {}.", finding.expected),
        };
        let masked = wording::cut_to(&worst.masked().to_string(), 500);
        let cause = format!("{}: {masked} (schema: {})", finding.pointer, worst.schema_path());
        let mut failure = Failure::new(ErrorCode::InvalidOutput, message).cause(cause);
        failure.advice.pointer = Some(finding.pointer);
        failure.advice.expected = Some(finding.expected);
        Err(failure)
    }
}

/// Whether objections to the value may be collected: how much they cost is bounded by what is in it.
pub(crate) fn mendable(value: &Value) -> bool {
    fn fits(value: &Value, depth: usize, nodes: &mut usize, bytes: &mut usize) -> bool {
        *nodes += 1;
        if depth > DEPTH || *nodes > NODES || *bytes > BYTES {
            return false;
        }
        match value {
            Value::String(text) => {
                *bytes += text.len();
                *bytes <= BYTES
            }
            Value::Array(items) => items.iter().all(|item| fits(item, depth + 1, nodes, bytes)),
            Value::Object(map) => map.iter().all(|(key, item)| {
                *bytes += key.len();
                fits(item, depth + 1, nodes, bytes)
            }),
            _ => true,
        }
    }
    fits(value, 0, &mut 0, &mut 0)
}

fn refusal(inner: &Inner, value: &Value) -> Failure {
    let errors: Vec<ValidationError<'_>> = inner.validator.iter_errors(value).collect();
    let Some(worst) = explain::worst(inner, &errors) else { return too_large(inner) };
    let finding = explain::finding(inner, worst);
    let message = match explain::strangers(&errors, worst) {
        Some(strangers) => format!("{} {strangers}", finding.message),
        None => finding.message,
    };
    let mut failure = Failure::new(ErrorCode::InvalidInput, message);
    failure.advice.pointer = Some(finding.pointer);
    failure.advice.expected = Some(finding.expected);
    failure.advice.got = Some(finding.got);
    failure.advice.example = example::corrected(inner, value);
    with_fix(failure, finding.fix)
}

fn too_large(inner: &Inner) -> Failure {
    let message = "The input does not match the schema, and it is too large to say where.";
    let mut failure = Failure::new(ErrorCode::InvalidInput, message);
    failure.advice.example = example::known(inner);
    with_fix(failure, "Send a smaller input that matches the schema.".into())
}

fn with_fix(failure: Failure, fix: String) -> Failure {
    let fix =
        if failure.advice.example.is_some() { format!("{fix} The example is a valid input.") } else { fix };
    failure.fix(fix)
}
