//! From asking for a session to the exit code of its first program: a new one of each backend, and one that an earlier call
//! has left.

use std::process::Command;
use std::time::Instant;

use packhost_sessions::{Backend, Sessions};

use super::super::Bench;
use super::{bwrap, docker_run, took};
use crate::Outcome;
use crate::docker::succeed;
use crate::report::{Goal, Report, Row};
use crate::rounds::{median, rounds};
use crate::sandboxes::{Sandboxes, need, program, ran};

pub(crate) const GROUP: &str = "A session and its first program";

/// What a new container may take, of `docker run`.
const OF_DOCKER_RUN: f64 = 1.1;
/// What a new sandbox of the process backend may take, of bubblewrap.
const OF_BWRAP: f64 = 2.0;
/// What a session may take that is there already, in milliseconds.
const WARM: f64 = 20.0;
/// Beyond these it is not the machine.
const FAR_OFF: [f64; 2] = [3.0, 5.0];
/// Of what takes milliseconds a round has this many.
const QUICK: usize = 5;
const TRUE: [&str; 1] = ["/bin/true"];

pub(crate) fn run(bench: &Bench, report: &mut Report) -> Outcome<()> {
    let (sandboxes, docker) = bench.sandboxes()?;
    let times = bench.effort.rounds;
    match docker {
        Ok(docker) => {
            let by_hand = || took(&mut docker_run(docker, &TRUE));
            let pairs = rounds("new, docker", times, || cold(&sandboxes, Backend::Docker), by_hand)?;
            let row = Row::new(GROUP, "new, docker backend", "ms", "docker run", &pairs);
            report.rows.push(row.goal(Goal::AtMost(OF_DOCKER_RUN)).guard(FAR_OFF[0]));
            warm(bench, &sandboxes, Backend::Docker, 1, report)?;
        }
        Err(why) => report.misses(GROUP, "docker backend", why)?,
    }
    if let Err(why) = cold(&sandboxes, Backend::Process) {
        return report.misses(GROUP, "process backend", why.to_string());
    }
    match succeed(Command::new("bwrap").arg("--version")) {
        Ok(()) => {
            let by_hand = || several(|| took(&mut bwrap(&TRUE)));
            let new = || several(|| cold(&sandboxes, Backend::Process));
            let pairs = rounds("new, process", times, new, by_hand)?;
            let row = Row::new(GROUP, "new, process backend", "ms", "bwrap --unshare-all", &pairs);
            report.rows.push(row.goal(Goal::AtMost(OF_BWRAP)).guard(FAR_OFF[1]));
        }
        Err(_) => report.misses(GROUP, "bwrap --unshare-all", "no bubblewrap here")?,
    }
    warm(bench, &sandboxes, Backend::Process, QUICK, report)
}

/// A session that is kept, against a new one of the same backend.
fn warm(bench: &Bench, sandboxes: &Sandboxes, on: Backend, new: usize, report: &mut Report) -> Outcome<()> {
    let sessions = sandboxes.sessions()?;
    let first = sessions.clone();
    sandboxes.on(async move {
        first.acquire(need(on)?).await?.put_back();
        Ok(())
    })?;
    let kept = || several(|| again(sandboxes, &sessions, on));
    let fresh = || {
        let took = (0..new).map(|_| cold(sandboxes, on)).collect::<Outcome<Vec<_>>>()?;
        Ok(median(&took))
    };
    let what = format!("kept, {on} backend");
    let pairs = rounds(&what, bench.effort.rounds, kept, fresh)?;
    report.rows.push(Row::new(GROUP, what, "ms", "a new one", &pairs).goal(Goal::HostBelow(WARM)));
    sandboxes.on(async move {
        sessions.drain().await;
        Ok(())
    })
}

/// Milliseconds with a session that is kept, which is kept again.
fn again(sandboxes: &Sandboxes, sessions: &Sessions, on: Backend) -> Outcome<f64> {
    let sessions = sessions.clone();
    sandboxes.on(async move {
        let since = Instant::now();
        let held = sessions.acquire(need(on)?).await?;
        ran(held.link(), program(TRUE[0])).await?;
        let took = since.elapsed();
        let reused = held.is_reused();
        held.put_back();
        if reused { Ok(took.as_secs_f64() * 1e3) } else { Err("the session was not kept".into()) }
    })
}

/// Milliseconds with a new session. Its end is waited for and not counted: no call waits for that.
fn cold(sandboxes: &Sandboxes, on: Backend) -> Outcome<f64> {
    let sessions = sandboxes.sessions()?;
    sandboxes.on(async move {
        let since = Instant::now();
        let held = sessions.acquire(need(on)?).await?;
        ran(held.link(), program(TRUE[0])).await?;
        let took = since.elapsed();
        drop(held);
        sessions.drain().await;
        Ok(took.as_secs_f64() * 1e3)
    })
}

/// The median of a few.
fn several(one: impl Fn() -> Outcome<f64>) -> Outcome<f64> {
    let took = (0..QUICK).map(|_| one()).collect::<Outcome<Vec<_>>>()?;
    Ok(median(&took))
}
