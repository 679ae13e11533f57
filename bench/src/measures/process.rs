//! The same job where it would run without this host: in a process of its own, and in a container.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::Bench;
use crate::docker::{Docker, STATS};
use crate::host::Host;
use crate::report::{Report, Row};
use crate::rounds::rounds;
use crate::{Outcome, job};

pub(crate) const GROUP: &str = "The same job elsewhere";

/// Jobs of one round.
const JOBS: usize = 20;

pub(super) fn run(bench: &Bench, report: &mut Report) -> Outcome<()> {
    let host = Host::shipped(bench.state()?)?;
    let input = job::input();
    let dispatch = || Ok(host.sample(job::PACK, &input, bench.effort.calls, 1)?.p50 / 1e3);
    let binary = bench.binaries.join("native-stats");
    let subprocess = || jobs(JOBS, || Command::new(&binary));
    let pairs = rounds("subprocess", bench.effort.rounds, dispatch, subprocess)?;
    report.rows.push(Row::new(GROUP, "Engine::dispatch, a call", "ms", "a native subprocess", &pairs));
    let docker = match bench.docker() {
        Ok(docker) => docker,
        Err(why) => return report.misses(GROUP, "docker run", why),
    };
    image(docker, &binary)?;
    let container = || {
        jobs(1, || {
            let mut command = docker.command(&["run", "--rm", "-i", "--network", "none", STATS]);
            command.arg(&binary);
            command
        })
    };
    let pairs = rounds("docker run", bench.effort.slow_rounds, dispatch, container)?;
    report.rows.push(Row::new(GROUP, "Engine::dispatch, a call", "ms", "docker run", &pairs));
    Ok(())
}

/// Milliseconds of the median job of a round.
fn jobs(jobs: usize, command: impl Fn() -> Command) -> Outcome<f64> {
    let input = job::input().to_string();
    let mut took = Vec::with_capacity(jobs);
    for _ in 0..jobs {
        let since = Instant::now();
        let mut child =
            command().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        child.stdin.take().ok_or("no stdin")?.write_all(input.as_bytes())?;
        let output = child.wait_with_output()?;
        took.push(since.elapsed().as_secs_f64() * 1e3);
        serde_json::from_slice::<serde_json::Value>(&output.stdout)?;
    }
    Ok(crate::rounds::median(&took))
}

/// An image with the native binary and the libraries that it loads, and nothing else.
fn image(docker: &Docker, binary: &Path) -> Outcome<()> {
    let linked = Command::new("ldd").arg(binary).output()?;
    let linked = String::from_utf8(linked.stdout)?;
    let libraries = linked.split_whitespace().filter(|word| word.starts_with('/'));
    let mut tar = Command::new("tar")
        .args(["--create", "--dereference", "--absolute-names"])
        .arg(binary)
        .args(libraries)
        .stdout(Stdio::piped())
        .spawn()?;
    docker.import(STATS, tar.stdout.take().ok_or("tar has no stdout")?)?;
    if tar.wait()?.success() { Ok(()) } else { Err("no image could be made".into()) }
}
