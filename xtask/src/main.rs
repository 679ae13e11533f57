//! The repository's own commands: `cargo xtask test`, and the parts of it.
//!
//! Owns: the order of checks, and the tools that they need. Refuses: dependencies; this is the first thing that is
//! built on a fresh machine.

mod bench;
mod fuzz;
mod step;
mod test;
mod tools;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask test          everything: format, lints, dependencies, build, tests, the MCP conformance suite, fuzzing
cargo xtask check         format, lints and dependencies alone
cargo xtask conformance   the official MCP conformance suite against the built binary
cargo xtask bench         what the host costs, as ratios; --quick for few rounds, --guard to fail where one is far off
cargo xtask fuzz [SECS]   every fuzz target, a minute each unless told otherwise
cargo xtask tools         installs what the above need";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        words if fuzz::compiles() => fuzz::compile(words),
        ["test"] => test::all(),
        ["check"] => test::check(),
        ["bench", options @ ..] => bench::run(options),
        ["conformance"] => test::conformance(),
        ["fuzz"] => fuzz::run(60, None),
        ["fuzz", seconds] => {
            seconds.parse().map_err(|_| USAGE.into()).and_then(|seconds| fuzz::run(seconds, None))
        }
        ["tools"] => tools::all(),
        _ => Err(USAGE.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
