//! `cargo xtask test`: everything that has to hold.

use std::process::Command;

use crate::step::{Done, cargo, root, run};
use crate::{conformance, fuzz, tools};

/// Fuzzing in a test run, per target, in seconds.
const FUZZ: u32 = 60;

pub(crate) fn all() -> Done {
    tools::all()?;
    check()?;
    run("build", &mut cargo(&["build", "--release", "--workspace", "--all-targets", "--locked"]))?;
    run(
        "tests",
        nextest(&mut cargo(&["nextest", "run", "--release", "--workspace", "--locked", "--no-fail-fast"])),
    )?;
    run(
        "examples in the documentation",
        &mut cargo(&["test", "--release", "--doc", "--workspace", "--locked", "--quiet"]),
    )?;
    conformance::run()?;
    fuzz::run(FUZZ)?;
    eprintln!("\n── everything holds");
    Ok(())
}

/// What can be said without running anything of ours.
pub(crate) fn check() -> Done {
    run("format", &mut cargo(&["fmt", "--all", "--check"]))?;
    run("format of the packs", in_packs(&mut cargo(&["fmt", "--all", "--check"])))?;
    let lint = ["clippy", "--release", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    run("lints", &mut cargo(&lint))?;
    let lint = [
        "clippy",
        "--release",
        "--workspace",
        "--target",
        "wasm32-wasip2",
        "--locked",
        "--",
        "-D",
        "warnings",
    ];
    run("lints of the packs", in_packs(&mut cargo(&lint)))?;
    let mut deny = Command::new(tools::deny_binary());
    run("dependencies", deny.args(["--offline", "check", "bans", "licenses", "sources"]).current_dir(root()))
}

fn in_packs(command: &mut Command) -> &mut Command {
    command.current_dir(root().join("packs-wasm"))
}

/// The Python client is a peer in the end-to-end tests.
fn nextest(command: &mut Command) -> &mut Command {
    command.env("PACKHOST_TEST_PYTHON", tools::venv("python"))
}
