//! `tools/call` through both doors of the built binary, against the same tool written natively in a bare rmcp server.

use std::process::Command;

use serde_json::Value;

use super::Bench;
use crate::Outcome;
use crate::client::{Http, Pipes};
use crate::host::fresh_state;
use crate::report::{Goal, Report, Row};
use crate::rounds::{Pair, Sample, rounds};

pub(crate) const GROUP: &str = "MCP tools/call of text_stats";

const SLOWER: f64 = 1.3;
/// Beyond this it is not the machine.
const FAR_OFF: f64 = 6.0;
const THROUGHPUT: f64 = 0.8;
/// Microseconds that a token may add.
const NAMING: f64 = 15.0;
const HOLDER: &str = "bench";
const IN_FLIGHT: [usize; 2] = [1, 16];
const AGAINST: &str = "a native rmcp server";

pub(super) fn run(bench: &Bench, report: &mut Report) -> Outcome<()> {
    let (times, calls) = (bench.effort.rounds, bench.effort.calls);
    let mut host = Pipes::open(bench.packhost(bench.state()?).arg("mcp"))?;
    let mut native = Pipes::open(&mut bench.native_mcp("stdio"))?;
    same_answer(host.answer()? == native.answer()?)?;
    for in_flight in IN_FLIGHT {
        let what = format!("stdio, {in_flight} in flight");
        let pairs =
            rounds(&what, times, || host.sample(calls, in_flight), || native.sample(calls, in_flight))?;
        add(report, &what, &pairs);
    }
    drop((host, native));
    let serve = ["--json", "serve", "--listen", "127.0.0.1:0"];
    let mut host = Http::open(bench.packhost(bench.state()?).args(serve))?;
    let mut native = Http::open(&mut bench.native_mcp("http"))?;
    same_answer(host.answer()? == native.answer()?)?;
    for in_flight in IN_FLIGHT {
        let what = format!("HTTP, {in_flight} in flight");
        let pairs =
            rounds(&what, times, || host.sample(calls, in_flight), || native.sample(calls, in_flight))?;
        add(report, &what, &pairs);
    }
    drop((host, native));
    with_a_token(bench, report)
}

/// The same call of somebody who has to show who that is, against one of the local user.
fn with_a_token(bench: &Bench, report: &mut Report) -> Outcome<()> {
    // The local user has no limit; neither has this one.
    let serve = ["--json", "serve", "--listen", "127.0.0.1:0", "--requests-per-minute", "0"];
    let mut open = Http::open(bench.packhost(bench.state()?).args(serve))?;
    // A state with a token answers nobody without.
    let closed = fresh_state()?;
    let of = [bench.state()?.join("."), closed.path().to_owned()];
    let copied = Command::new("cp").arg("-a").args(of).status()?;
    let made = bench.packhost(closed.path()).args(["--json", "tokens", "create", HOLDER]).output()?;
    let made: Value = serde_json::from_slice(&made.stdout)?;
    let token = made["token"].as_str().filter(|_| copied.success()).ok_or("there is no token")?;
    let mut named = Http::named(bench.packhost(closed.path()).args(serve), Some(token))?;
    let calls = bench.effort.calls;
    let pairs = rounds(
        "HTTP, with a token",
        bench.effort.rounds,
        || named.sample(calls, 1).map(|sample| sample.p50),
        || open.sample(calls, 1).map(|sample| sample.p50),
    )?;
    let row = Row::new(GROUP, "HTTP with a token, p50", "µs", "the same without", &pairs);
    report.rows.push(row.goal(Goal::Adds(NAMING)));
    Ok(())
}

fn add(report: &mut Report, what: &str, pairs: &[Pair<Sample>]) {
    let of = |side: fn(&Sample) -> f64| pairs.iter().map(|pair| pair.map(side)).collect::<Vec<_>>();
    let p50 = Row::new(GROUP, format!("{what}, p50"), "µs", AGAINST, &of(|sample| sample.p50));
    report.rows.push(p50.goal(Goal::AtMost(SLOWER)).guard(FAR_OFF));
    let what = format!("{what}, in total");
    let throughput = Row::new(GROUP, what, "calls/s", AGAINST, &of(|sample| sample.per_second));
    report.rows.push(throughput.goal(Goal::AtLeast(THROUGHPUT)));
}

/// A ratio between different jobs would mean nothing.
fn same_answer(same: bool) -> Outcome<()> {
    if same { Ok(()) } else { Err("the native server answers something else".into()) }
}
