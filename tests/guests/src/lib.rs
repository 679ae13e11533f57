//! What the guests share: the form in which they say what they saw.

use schemars::JsonSchema;
use serde::Serialize;

/// What a guest saw. A refusal is something seen, not an error, so that a suite can tell it from a guest that broke.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Saw {
    /// In the order in which it was seen. What the host refused starts with `refused: `.
    pub saw: Vec<String>,
}

impl Saw {
    /// One thing seen.
    pub fn one(text: impl Into<String>) -> Self {
        Self { saw: vec![text.into()] }
    }

    /// What was tried and is either there or refused.
    pub fn tried<T: Into<String>, E: std::fmt::Display>(result: Result<T, E>) -> Self {
        match result {
            Ok(seen) => Self::one(seen),
            Err(error) => Self::one(format!("refused: {error}")),
        }
    }
}
