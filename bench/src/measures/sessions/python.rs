//! A whole call of `python.run`: over MCP into the built binary, and back with what the code printed.

use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use super::super::Bench;
use super::{docker_run, took};
use crate::Outcome;
use crate::client::Pipes;
use crate::docker::PYTHON;
use crate::report::{Report, Row};
use crate::rounds::{median, rounds};

pub(crate) const GROUP: &str = "python.run, a whole call";

const CODE: &str = "print(sum(range(10)))";
const PRINTED: &str = "45\n";
const AGAINST: &str = "docker run python3 -c";
/// Beyond this it is not the machine.
const FAR_OFF: f64 = 3.0;
/// Calls of one round.
const CALLS: usize = 3;

pub(crate) fn run(bench: &Bench, report: &mut Report) -> Outcome<()> {
    if !Path::new(PYTHON).exists() {
        return report.misses(GROUP, "python3", format!("no {PYTHON} here"));
    }
    let mut host = Pipes::open(bench.packhost(bench.state()?).arg("mcp"))?;
    let workspace = match call(&mut host, None) {
        Ok((_, workspace)) => workspace,
        Err(why) => return report.misses(GROUP, "process backend", why.to_string()),
    };
    let docker = match bench.docker() {
        Ok(docker) => docker,
        Err(why) => return report.misses(GROUP, AGAINST, why),
    };
    let by_hand = || took(&mut docker_run(docker, &[PYTHON, "-c", CODE]));
    let mut measure = |what: &'static str, workspace: Option<&Value>| {
        let calls = || {
            let took = (0..CALLS).map(|_| Ok(call(&mut host, workspace)?.0));
            Ok(median(&took.collect::<Outcome<Vec<_>>>()?))
        };
        let pairs = rounds(what, bench.effort.rounds, calls, by_hand)?;
        report.rows.push(Row::new(GROUP, what, "ms", AGAINST, &pairs).guard(FAR_OFF));
        Outcome::Ok(())
    };
    measure("in a new sandbox", None)?;
    measure("again in its workspace", Some(&workspace))
}

/// Milliseconds, and the workspace that the call was in.
fn call(host: &mut Pipes, workspace: Option<&Value>) -> Outcome<(f64, Value)> {
    let mut input = json!({ "code": CODE });
    if let Some(workspace) = workspace {
        input["workspace"] = workspace.clone();
    }
    let since = Instant::now();
    let mut result = host.call("python_run", &input)?;
    let took = since.elapsed().as_secs_f64() * 1e3;
    let on = &result["_meta"]["packhost/session"]["backend"];
    if result["structuredContent"]["stdout"] != PRINTED || on != "process" {
        return Err(result.to_string().into());
    }
    Ok((took, result["structuredContent"]["workspace"].take()))
}
