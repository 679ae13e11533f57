//! What the host remembers of what packs did.
//!
//! Owns: the requests that were denied, or would have been, so that an operator can see which rules a pack is missing.
//! Refuses: deciding anything, and what is no part of a rule: queries, headers, bodies, inputs and values of credentials.

mod denials;

pub use denials::{Bounds, Denials, Denied};
