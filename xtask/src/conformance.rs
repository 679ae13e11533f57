//! The official MCP conformance suite against the built binary, with fixture packs that are real components.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::step::{self, Done, cargo, root};
use crate::tools;

/// The protocol versions that one endpoint serves.
const VERSIONS: &[&str] = &["2025-11-25", "2026-07-28"];

fn run_suite(url: &str, version: &str) -> Done {
    let node = tools::node()?.join("bin/node");
    let expected = root().join(format!("tests/conformance/expected-failures-{version}.yml"));
    let mut suite = Command::new(node);
    suite.arg(tools::conformance_script()).args(["server", "--url", url, "--suite", "all"]);
    suite.args(["--spec-version", version, "--expected-failures"]).arg(expected);
    suite.arg("-o").arg(root().join("target/conformance").join(version)).current_dir(root());
    step::run(&format!("MCP conformance {version}"), &mut suite)
}

pub(crate) fn run() -> Done {
    step::run(
        "build the host",
        &mut cargo(&["build", "--release", "--locked", "-p", "packhost", "-p", "packhost-tests"]),
    )?;
    let (mut host, url) = start()?;
    let done = VERSIONS.iter().try_for_each(|version| run_suite(&url, version));
    // It is ours, and it is over.
    let _ = host.kill();
    let _ = host.wait();
    done
}

/// The host with the fixture packs, on a port of the system's choice.
fn start() -> Result<(Child, String), String> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), Into::into);
    let mut host = Command::new(target.join("release/packhost"))
        .args(["--json", "--log", "error", "--state"])
        .arg(target.join("conformance/state"))
        .arg("--packs")
        .arg(target.join("conformance/packs"))
        .arg("--policy")
        .arg(root().join("tests/conformance/policy.yaml"))
        .args(["serve", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("the host did not start: {error}"))?;
    let mut line = String::new();
    let stdout = host.stdout.take().ok_or("the host has no stdout")?;
    BufReader::new(stdout).read_line(&mut line).map_err(|error| format!("the host says nothing: {error}"))?;
    let url = line.split('"').find(|part| part.starts_with("http://")).map(str::to_owned);
    url.map(|url| (host, url)).ok_or_else(|| format!("the host did not say where it listens: {line}"))
}
