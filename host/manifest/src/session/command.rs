//! A pack without a component.

use serde_json::Value;

use crate::place::Place;

/// A program in a sandbox that is the whole pack: it reads the input as JSON from its standard input and writes the output as
/// JSON to its standard output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandPack {
    /// The program and its arguments, as they stand; at least the program.
    pub run: Vec<String>,
    /// A short name for people.
    pub title: Option<String>,
    /// What it does. The first sentence is enough to choose it.
    pub description: String,
    /// JSON Schema 2020-12 of the input: a map, about which nothing more has been checked.
    pub input: Value,
    /// JSON Schema 2020-12 of the output, of which the same is true.
    pub output: Option<Value>,
    /// Inputs that work as they stand, the simplest first. Not held against the schema.
    pub examples: Vec<Value>,
    /// The line of `command`.
    pub place: Place,
}

impl CommandPack {
    /// The most texts in `run`.
    pub const ARGUMENTS: usize = 64;
    /// The longest text in `run`, in bytes.
    pub const ARGUMENT: usize = 4 << 10;
    /// The longest title, in bytes.
    pub const TITLE: usize = 100;
    /// The longest description, in bytes.
    pub const DESCRIPTION: usize = 8 << 10;
}
