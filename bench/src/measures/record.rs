//! What it costs that a call is on record: a record by itself, against writing as many bytes to a file; and a call with it, against
//! one without.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use packhost_audit::{Call, Contact, Event, Log, Recorder, Settings};
use packhost_core::Digest;
use packhost_keyring::Keyring;

use super::Bench;
use crate::host::{Host, fresh_state};
use crate::report::{Goal, Report, Row};
use crate::rounds::rounds;
use crate::{Outcome, job};

pub(crate) const GROUP: &str = "The record of a call";

/// Microseconds of a record, with 16 writers.
const MOST: f64 = 10.0;
const WRITERS: usize = 16;

pub(super) fn run(bench: &Bench, report: &mut Report) -> Outcome<()> {
    let (times, records) = (bench.effort.rounds, bench.effort.calls);
    let state = fresh_state()?;
    let log = log(state.path())?;
    let event = Event::Call(Box::new(call()));
    let line = serde_json::to_vec(&event)?;
    let file = OpenOptions::new().append(true).create(true).open(state.path().join("plain"))?;
    for writers in [1, WRITERS] {
        let ours = || each(writers, records, || Ok(log.record(&event)?));
        let plain = || each(writers, records, || Ok((&file as &File).write_all(&line)?));
        let pairs = rounds(&format!("{writers} writing"), times, ours, plain)?;
        let row =
            Row::new(GROUP, format!("a record, {writers} writing"), "µs", "a write of as many bytes", &pairs);
        report.rows.push(if writers == WRITERS { row.goal(Goal::HostBelow(MOST)) } else { row });
    }
    let (with, without) = (Host::recorded(bench.state()?, log)?, Host::shipped(bench.state()?)?);
    let input = job::input();
    for callers in [1, WRITERS] {
        let sample = |host: &Host| {
            host.sample(job::PACK, &input, records, callers).map(|sample| 1e6 / sample.per_second)
        };
        let pairs =
            rounds(&format!("calls, {callers} in flight"), times, || sample(&with), || sample(&without))?;
        let what = format!("a call with it, {callers} in flight");
        report.rows.push(Row::new(GROUP, what, "µs", "a call without", &pairs));
    }
    Ok(())
}

fn log(state: &std::path::Path) -> Outcome<Arc<Log>> {
    let keyring = Arc::new(Keyring::open(state.join("keys"))?);
    Ok(Arc::new(Log::open(state.join("audit"), keyring, Settings::default())?))
}

/// Microseconds for each, where so many threads share the work.
fn each(threads: usize, times: usize, once: impl Fn() -> Outcome<()> + Sync) -> Outcome<f64> {
    let share = times / threads;
    let since = Instant::now();
    thread::scope(|scope| {
        let work = || (0..share).try_for_each(|_| once().map_err(|error| error.to_string()));
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        running.into_iter().try_for_each(|one| one.join().map_err(|_| "a thread panicked".to_owned())?)
    })?;
    Ok(since.elapsed().as_secs_f64() * 1e6 / (share * threads) as f64)
}

/// A call of the usual size, which reached one host.
fn call() -> Call {
    let digest = Digest::of(b"some bytes");
    Call {
        run: "01957f7c-2a6e-7c2e-8d0e-3f5a1b2c3d4e".into(),
        caller: "token:laptop".into(),
        door: "http".into(),
        protocol: Some("2026-07-28".into()),
        pack: Some("http.fetch".into()),
        tool: "http_fetch".into(),
        digest: Some(digest),
        revision: Some("0123456789ab".into()),
        input_sha256: Some(digest),
        output_sha256: Some(digest),
        grants: vec!["http (/etc/packhost/policies/policy.yaml:4)".into()],
        contacts: vec![Contact {
            host: "api.example.com".into(),
            port: 443,
            address: Some([203, 0, 113, 7].into()),
            decision: Contact::ALLOWED.into(),
            sent: 412,
            received: 5120,
            ..Contact::default()
        }],
        total_us: 1234,
        memory: 131_072,
        requests: 1,
        ..Call::default()
    }
}
