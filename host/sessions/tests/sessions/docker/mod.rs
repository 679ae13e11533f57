//! The Docker backend against an engine that the tests start.

mod life;
mod making;
mod support;
mod walls;
