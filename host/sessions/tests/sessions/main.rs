//! Backends against what they run on.

mod docker;
