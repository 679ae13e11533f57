//! What JSON a pack takes and answers.
//!
//! Owns: JSON Schema 2020-12 validation of inputs and outputs, the mending of slips that can be read in one way
//! only, refusals with a corrected example, and the guards of every door that takes JSON text. Refuses: I/O of any
//! kind (a schema that points elsewhere does not compile), guesses (what could mean two things is refused), and
//! knowledge of what a pack does.

mod accept;
mod contract;
mod example;
mod explain;
mod invent;
mod mend;
mod parse;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod slips;
mod wording;

pub use accept::Accepted;
pub use contract::{Contract, SchemaError};
pub use mend::{Mend, MendKind, closest};
pub use parse::{Limits, parse};
