//! A program in a sandbox that runs already, from asking for it to its exit code, against `docker exec`.

use std::time::Instant;

use packhost_sessions::Backend;

use super::super::Bench;
use super::took;
use crate::Outcome;
use crate::report::{Goal, Report, Row};
use crate::rounds::{Sample, median, rounds};
use crate::sandboxes::{Room, Sandboxes, program, ran};

pub(crate) const GROUP: &str = "A program in a running sandbox";

/// So many times faster than `docker exec`, and under so many milliseconds.
const GOAL: Goal = Goal::Faster { times: 40.0, host: 2.0 };
/// Less than ten times faster is not the machine.
const FAR_OFF: f64 = 0.1;
const AGAINST: &str = "docker exec";
/// Of which a round has this many.
const BY_HAND: usize = 5;
/// A round has one program for so many calls of other measures.
const CALLS: usize = 15;

pub(crate) fn run(bench: &Bench, report: &mut Report) -> Outcome<()> {
    let (sandboxes, docker) = bench.sandboxes()?;
    let docker = match docker {
        Ok(docker) => docker,
        Err(why) => return report.misses(GROUP, AGAINST, why),
    };
    let container = sandboxes.room(Backend::Docker, None)?;
    let name = format!("packhost-{}", container.id);
    let by_hand = || {
        let exec = ["exec", "--user", "1000:1000", "--workdir", "/sandbox", &name, "/bin/true"];
        let took = (0..BY_HAND).map(|_| took(&mut docker.command(&exec)));
        Ok(median(&took.collect::<Outcome<Vec<_>>>()?))
    };
    let mut measure = |what: &str, room: &Room| {
        let execs = || execs(&sandboxes, room, bench.effort.calls / CALLS);
        let pairs = rounds(what, bench.effort.rounds, execs, by_hand)?;
        report.rows.push(Row::new(GROUP, what, "ms", AGAINST, &pairs).goal(GOAL).guard(FAR_OFF));
        Outcome::Ok(())
    };
    measure("docker backend, p50", &container)?;
    match sandboxes.room(Backend::Process, None) {
        Ok(room) => {
            measure("process backend, p50", &room)?;
            sandboxes.end(room)?;
        }
        Err(why) => report.misses(GROUP, "process backend", why.to_string())?,
    }
    sandboxes.end(container)
}

/// Milliseconds of the median program.
fn execs(sandboxes: &Sandboxes, room: &Room, programs: usize) -> Outcome<f64> {
    let link = room.link.clone();
    let sample = sandboxes.on(async move {
        let since = Instant::now();
        let mut took = Vec::with_capacity(programs);
        for _ in 0..programs {
            let began = Instant::now();
            ran(&link, program("/bin/true")).await?;
            took.push(began.elapsed());
        }
        Ok(Sample::of(&took, since))
    })?;
    Ok(sample.p50 / 1e3)
}
