//! The host's side of the session protocol against a supervisor that is a script, over streams that break at any byte; and
//! the backends against what they run on.

mod breaks;
mod docker;
mod execs;
mod fake;
mod files;
mod hostile;
mod inward;
mod leases;
mod outward;
mod process;
mod ready;
mod wire;
