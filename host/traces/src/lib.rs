//! Traces of calls, for a collector that speaks OTLP.
//!
//! Owns: which spans a call is ([`spans`]), in the words of OpenTelemetry's conventions for MCP, and that they reach the
//! collector through the host's one way out without any call waiting for it. Refuses: deciding what is known of a call. What is in
//! a span is on [the record](packhost_audit), so no secret, no input and no output is. A collector that is away costs spans and
//! nothing else.

mod collector;
mod spans;
mod traced;

pub use collector::{Collector, CollectorError, Traces};
pub use spans::spans;
pub use traced::Traced;
