//! Everything that the engine does around a call, against the bare loop with the same component.

use super::Bench;
use crate::bare::Bare;
use crate::host::Host;
use crate::report::{Goal, Report, Row};
use crate::rounds::{Pair, Sample, rounds};
use crate::{Outcome, job};

pub(crate) const GROUP: &str = "Engine::dispatch of text.stats";

/// A whole call may cost this many times what the bare loop costs.
const MOST: f64 = 3.0;
/// Beyond this it is not the machine.
const FAR_OFF: f64 = 6.0;
/// Instances that the bare loop's pool has room for: as many as the host's.
const INSTANCES: u32 = 256;

pub(super) fn run(bench: &Bench, report: &mut Report) -> Outcome<()> {
    let host = Host::shipped(bench.state()?)?;
    let bytes = packhost_packs::find(job::PACK).ok_or("the pack is not shipped")?.bytes;
    let bare = Bare::new(bytes, INSTANCES)?;
    let (input, text) = (job::input(), job::input().to_string());
    same_answer(&host, &bare, &text)?;
    let (times, calls) = (bench.effort.rounds, bench.effort.calls);
    let hosted = |callers| host.sample(job::PACK, &input, calls, callers);
    let bared = |threads| bare.sample(&text, calls, threads);

    let alone = rounds("one caller", times, || hosted(1), || bared(1))?;
    let alone = row("a call, p50", "µs", "the bare loop", &alone, |s| s.p50);
    report.rows.push(alone.goal(Goal::AtMost(MOST)).guard(FAR_OFF));
    let two = rounds("two callers against one", times, || hosted(2), || hosted(1))?;
    let two = row("two callers at once, in total", "calls/s", "one caller", &two, |s| s.per_second);
    report.rows.push(two.goal(Goal::Above(1.0)));
    let threads = rounds("two callers against two bare loops", times, || hosted(2), || bared(2))?;
    report
        .rows
        .push(row("two callers at once, in total", "calls/s", "two bare loops", &threads, |s| s.per_second));
    Ok(())
}

fn row(
    what: &str,
    unit: &'static str,
    against: &'static str,
    pairs: &[Pair<Sample>],
    of: fn(&Sample) -> f64,
) -> Row {
    let pairs: Vec<_> = pairs.iter().map(|pair| pair.map(of)).collect();
    Row::new(GROUP, what, unit, against, &pairs)
}

/// A ratio between different jobs would mean nothing.
fn same_answer(host: &Host, bare: &Bare, text: &String) -> Outcome<()> {
    let theirs = host.answer(job::PACK, job::input())?.structured;
    let bare = crate::bare::current_thread()?.block_on(bare.call(text))?;
    if theirs == Some(serde_json::from_str(&bare)?) { Ok(()) } else { Err("the answers differ".into()) }
}
