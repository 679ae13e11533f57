//! The `packhost` binary.
//!
//! Owns: the command line, where files are, how the rooms are wired together, what a person sees. Refuses: rules
//! of any kind; those are in the rooms.

mod args;
mod artifacts;
mod binary;
mod callers;
mod credentials;
mod denials;
mod desk;
mod dirs;
mod exit;
mod host;
mod output;
mod own;
mod packs;
mod policies;
mod record;
mod reload;
mod sessions;
mod state;
mod traces;
mod verbs;
mod walls;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Verb};
use output::Output;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return exit::not_started(&error),
    };
    let global = &args.global;
    if let Verb::LaunchSandboxes(verb) = &args.verb {
        output::log_to_stderr(global, "warn");
        // Without what follows here: it has no credentials to lose, and without a user to become it has to write into its
        // own /proc.
        return sessions::launch(verb)
            .unwrap_or_else(|error| exit::code(Err(error), Output::to_stderr(false)));
    }
    let output = match args.verb {
        // stdout is the protocol's.
        Verb::Mcp(_) => Output::to_stderr(global.json),
        // It is the encrypted file.
        Verb::Vault(ref verb) if verb.owns_stdout() => Output::to_stderr(global.json),
        Verb::Artifacts(ref verb) if verb.owns_stdout() => Output::to_stderr(global.json),
        _ => Output::new(global.json),
    };
    let calls = match args.verb {
        Verb::Serve(_) => "info",
        // Its own message says the same.
        Verb::Call(_) => "error",
        _ => "warn",
    };
    output::log_to_stderr(global, calls);
    if let Err(error) = packhost_walls::forgo_dumps() {
        tracing::warn!(target: "packhost", %error, "a crash may write a core file, with credentials in it");
    }
    let done = match args.verb {
        Verb::Serve(verb) => verbs::serve::run(global, &verb, output),
        Verb::Mcp(verb) => verbs::mcp::run(global, &verb, output),
        Verb::Call(verb) => verbs::call::run(global, &verb, output),
        Verb::Packs(verb) => verbs::packs::run(global, &verb, output),
        Verb::Policy(verb) => verbs::policy::run(global, &verb, output),
        Verb::Vault(verb) => verbs::vault::run(global, &verb, output),
        Verb::Tokens(verb) => verbs::tokens::run(global, &verb, output),
        Verb::Audit(verb) => verbs::audit::run(global, &verb, output),
        Verb::Sessions(verb) => verbs::sessions::run(global, &verb, output),
        Verb::Workspaces(verb) => verbs::workspaces::run(global, &verb, output),
        Verb::Artifacts(verb) => verbs::artifacts::run(global, &verb, output),
        Verb::Images(verb) => verbs::images::run(global, &verb, output),
        // Answered above.
        Verb::LaunchSandboxes(_) => Ok(()),
        Verb::Doctor => verbs::doctor::run(global, output),
        Verb::Demo(_) => verbs::demo::run(global, output),
        Verb::Connect(verb) => verbs::connect::run(global, &verb, output),
        Verb::Completions { shell } => verbs::completions::run(shell),
    };
    exit::code(done, output)
}
