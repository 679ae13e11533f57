//! The bench: what the host costs, as ratios taken in one run.

use std::path::PathBuf;
use std::process::Command;

use crate::step::{self, Done, cargo, root};

/// Builds the bench and the host, and runs it with these options of its own.
pub(crate) fn run(options: &[&str]) -> Done {
    let build = ["build", "--release", "--locked", "-p", "packhost-bench", "-p", "packhost"];
    step::run("build the bench and the host", &mut cargo(&build))?;
    step::run("bench", &mut bench("release", options))
}

/// A few rounds of what was built with this profile: only whether no ratio is far off.
pub(crate) fn guard(profile: &str) -> Done {
    step::run("ratios of the bench", &mut bench(profile, &["--quick", "--guard"]))
}

fn bench(profile: &str, options: &[&str]) -> Command {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let mut command = Command::new(target.join(profile).join("packhost-bench"));
    command.args(options).current_dir(root());
    command
}
