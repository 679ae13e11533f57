//! `cargo xtask test`: everything that has to hold.

use std::process::Command;

use crate::step::{Done, cargo, root, run};
use crate::{bench, fuzz, tools};

/// Fuzzing in a test run, per target, in seconds.
const FUZZ: u32 = 12;

/// What is built for tests; see the profile in Cargo.toml.
const PROFILE: &str = "ci";

pub(crate) fn all() -> Done {
    tools::all()?;
    check()?;
    build()?;
    run("tests", &mut nextest(&["--workspace", "--no-fail-fast"]))?;
    let packs = ["packhost-sdk", "packhost-github", "email-send"].map(|name| ["-p", name]).concat();
    let mut packs_tests = cargo(&["test", "--locked", "--quiet", "--target", fuzz::TARGET]);
    packs_tests.args(packs).args(["--features", "packhost-sdk/api"]);
    run("tests of the packs", in_packs(&mut packs_tests))?;
    run(
        "examples in the documentation",
        &mut cargo(&["test", "--profile", PROFILE, "--doc", "--workspace", "--locked", "--quiet"]),
    )?;
    bench::guard(PROFILE)?;
    fuzz::run(FUZZ, Some(1))?;
    eprintln!("\n── everything holds");
    Ok(())
}

/// What can be said without running anything of ours.
pub(crate) fn check() -> Done {
    run("format", &mut cargo(&["fmt", "--all", "--check"]))?;
    for apart in ["packs-wasm", "fuzz"] {
        let mut format = cargo(&["fmt", "--all", "--check"]);
        run(&format!("format of {apart}"), format.current_dir(root().join(apart)))?;
    }
    run("lints", &mut clippy(&["--workspace", "--all-targets", "--profile", PROFILE]))?;
    run(
        "lints of the packs",
        in_packs(&mut clippy(&["--workspace", "--release", "--target", "wasm32-wasip2"])),
    )?;
    // What is checked is every dependency, also those of other machines, which nothing here has downloaded.
    run("fetch", &mut cargo(&["fetch", "--locked", "--quiet"]))?;
    let mut deny = Command::new(tools::deny_binary());
    run("dependencies", deny.args(["--offline", "check", "bans", "licenses", "sources"]).current_dir(root()))
}

/// The official MCP conformance suite alone.
pub(crate) fn conformance() -> Done {
    tools::all()?;
    build()?;
    run("MCP conformance", &mut nextest(&["-p", "packhost-tests", "--test", "conformance"]))
}

fn build() -> Done {
    run("build", &mut cargo(&["build", "--profile", PROFILE, "--workspace", "--all-targets", "--locked"]))
}

fn clippy(words: &[&str]) -> Command {
    let mut command = cargo(&["clippy", "--locked"]);
    command.args(words).args(["--", "-D", "warnings"]);
    command
}

fn in_packs(command: &mut Command) -> &mut Command {
    command.current_dir(root().join("packs-wasm"))
}

/// The Python client is a peer in the end-to-end tests. Random tests are the same in every run, so that one which fails has
/// found something in what was changed.
fn nextest(words: &[&str]) -> Command {
    let mut command = cargo(&["nextest", "run", "--cargo-profile", PROFILE, "--locked"]);
    command.args(words).env("PACKHOST_TEST_PYTHON", tools::venv("python"));
    command.env("PROPTEST_RNG_SEED", "1");
    command
}
