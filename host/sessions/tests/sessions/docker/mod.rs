//! The Docker backend against an engine that the tests start.

#[allow(dead_code, reason = "the faults use the rest")]
mod engine;
mod life;
mod making;
mod support;
mod walls;
