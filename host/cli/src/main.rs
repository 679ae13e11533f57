//! The `packhost` binary.
//!
//! Owns: the command line, where files are, how the rooms are wired together, what a person sees. Refuses: rules
//! of any kind; those are in the rooms.

mod args;
mod dirs;
mod exit;
mod host;
mod output;
mod packs;
mod policies;
mod reload;
mod verbs;
mod walls;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Verb};
use output::Output;

fn main() -> ExitCode {
    let args = Args::parse();
    let output = Output::new(args.global.json);
    output::log_to_stderr(args.global.log.as_deref(), args.global.json);
    let global = &args.global;
    let done = match args.verb {
        Verb::Serve(verb) => verbs::serve::run(global, &verb, output),
        Verb::Mcp(verb) => verbs::mcp::run(global, &verb),
        Verb::Call(verb) => verbs::call::run(global, &verb, output),
        Verb::Packs(verb) => verbs::packs::run(global, &verb, output),
        Verb::Policy(verb) => verbs::policy::run(global, &verb, output),
        Verb::Doctor => verbs::doctor::run(global, output),
        Verb::Demo(verb) => verbs::demo::run(&verb, output),
        Verb::Connect(verb) => verbs::connect::run(&verb, output),
        Verb::Completions { shell } => verbs::completions::run(shell),
    };
    exit::code(done, output)
}
