//! The Docker backend against an engine that the tests start.

mod engine;
mod life;
mod making;
mod support;
mod walls;
