//! The supervisor: the one program of ours in every sandbox.
//!
//! Owns: starting programs inside and ending them with all that they started, their streams, files as the sandbox's user
//! sees them, the proxy through which alone anything leaves. Refuses: deciding what may be done; the host says, and the
//! supervisor holds it to that. It runs on one thread, so that it may fork.

mod bridge;
mod descriptor;
pub mod dns;
mod exec;
pub mod files;
pub mod forward;
mod listen;
pub mod net;
mod options;
mod own;
mod pass;
mod peer;
pub mod proxy;
mod reaper;
mod serve;
mod signals;
mod state;
mod tree;
pub mod usage;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

pub use options::{Listen, Options, OptionsError, Serve};

/// The exit code of a supervisor that nobody was connected to for too long.
pub const ORPHANED: u8 = 75;
/// The exit code of a command line that cannot be read.
const USAGE: u8 = 64;
/// The exit code of a supervisor that could not begin, or that lost what it needs.
const FAILED: u8 = 70;

/// Runs the program with these arguments, without its name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let done = match options::parse(arguments) {
        Err(error) => return complain(&error, USAGE),
        Ok(Options::Bridge(path)) => bridge::run(&path),
        Ok(Options::Serve(options)) => serve::run(options),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) => complain(&error, FAILED),
    }
}

fn complain(error: &dyn std::error::Error, code: u8) -> ExitCode {
    // Standard error may be closed; then nobody is there to be told.
    let _ = writeln!(std::io::stderr(), "packhost-supervisor: {error}");
    ExitCode::from(code)
}
