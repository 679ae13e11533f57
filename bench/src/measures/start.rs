//! From starting the process to the first answered `tools/call`, over stdio.

use std::process::Command;
use std::time::Instant;

use super::Bench;
use crate::Outcome;
use crate::client::Pipes;
use crate::host;
use crate::report::{Goal, Report, Row};
use crate::rounds::rounds;

pub(crate) const GROUP: &str = "Start to first answer, all packs";

/// With a cache that holds every pack, in milliseconds.
const WARM: f64 = 100.0;
const AGAINST: &str = "a native rmcp server";

pub(super) fn run(bench: &Bench, report: &mut Report) -> Outcome<()> {
    let native = || first_answer(&mut bench.native_mcp("stdio"));
    let warm = || first_answer(bench.packhost(bench.state()?).arg("mcp"));
    let pairs = rounds("every pack compiled", bench.effort.rounds, warm, native)?;
    report.rows.push(Row::new(GROUP, "warm cache", "ms", AGAINST, &pairs).goal(Goal::HostBelow(WARM)));
    let cold = || {
        let state = host::fresh_state()?;
        first_answer(bench.packhost(state.path()).arg("mcp"))
    };
    let pairs = rounds("no pack compiled", bench.effort.slow_rounds, cold, native)?;
    report.rows.push(Row::new(GROUP, "cold cache", "ms", AGAINST, &pairs));
    Ok(())
}

/// In milliseconds.
fn first_answer(command: &mut Command) -> Outcome<f64> {
    let since = Instant::now();
    let answer = Pipes::open(command)?.answer()?;
    let took = since.elapsed().as_secs_f64() * 1e3;
    if answer.is_object() { Ok(took) } else { Err("the first call was not answered".into()) }
}
