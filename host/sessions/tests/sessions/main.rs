//! Backends against what they run on; and the host's side of the session protocol against a supervisor that is a script, over
//! streams that break at any byte.

mod breaks;
mod docker;
mod execs;
mod fake;
mod files;
mod hostile;
mod inward;
mod outward;
mod wire;
