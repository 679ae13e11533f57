//! Programs: started confined, fed, read from, ended with all that they started, and kept for a host that comes back.
//!
//! A program is its process tree. Each has a *keeper*, a forked child of the supervisor that its command is a child of and
//! that its orphans go to: when the command has ended, the keeper ends what is left, and then there is nothing left.

mod command;
mod exchange;
mod input;
mod keeper;
mod memory;
mod output;
mod plan;
mod program;
mod spawn;
mod table;

pub(crate) use exchange::{attach, start};
pub(crate) use table::Execs;
