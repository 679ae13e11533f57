//! What the end-to-end suites share: the built binary, raw protocol clients, guests, and servers to be reached.
//!
//! Owns: starting what is tested as its user would start it. Refuses: knowing how the host works inside.

pub mod guests;
pub mod host;
pub mod http;
pub mod record;
pub mod rpc;
pub mod tools;
pub mod web;
