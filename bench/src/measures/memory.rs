//! Memory of instances that are alive at once: calls that all wait inside a host call. Each number is taken in a process
//! of its own, so that nothing is left over from another.

use std::borrow::Cow;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use packhost_engine::{PackSource, Settings};
use packhost_manifest::{Manifest, Origin, Source};
use serde_json::json;

use super::Bench;
use crate::bare::{Bare, current_thread};
use crate::host::{self, Host};
use crate::report::{Goal, Report, Row};
use crate::rounds::rounds;
use crate::{Outcome, proc};

pub(crate) const GROUP: &str = "Memory per live instance";

/// The host may take this many times what the bare loop takes.
const MOST: f64 = 1.2;
/// Beyond this something that lives as long as a call has grown: memory does not depend on the machine's speed.
const FAR_OFF: f64 = 1.4;
const LIVE: [usize; 2] = [1_000, 10_000];
/// Calls of one pack that a manifest lets run at once, at most.
const OF_ONE: usize = 1_000;
/// Longer than any of this takes, in milliseconds; the most that a manifest gives a call.
const SLEEP: u64 = 600_000;
/// All instances sleep once the process has used less than `IDLE` of a processor for a `WINDOW`.
const WINDOW: Duration = Duration::from_millis(200);
const IDLE: Duration = Duration::from_millis(20);
/// The word by which the bench starts itself to hold instances.
pub(crate) const HOLD: &str = "hold";

pub(super) fn run(bench: &Bench, report: &mut Report) -> Outcome<()> {
    for live in LIVE {
        let what = format!("{live} live");
        let one = |kind: &'static str| move || held(kind, live);
        match rounds(&what, bench.effort.slow_rounds, one("host"), one("bare")) {
            Ok(pairs) => {
                let row = Row::new(GROUP, what, "KiB", "the bare loop", &pairs);
                report.rows.push(row.goal(Goal::AtMost(MOST)).guard(FAR_OFF));
            }
            // Each instance takes several mappings, and how many a process may have is the kernel's setting.
            Err(error) => report.misses(GROUP, what, error.to_string())?,
        }
    }
    Ok(())
}

/// KiB per instance, from a process of its own.
fn held(kind: &str, live: usize) -> Outcome<f64> {
    let output = Command::new(std::env::current_exe()?).args([HOLD, kind, &live.to_string()]).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().into());
    }
    let kib: f64 = String::from_utf8(output.stdout)?.trim().parse()?;
    Ok(kib / live as f64)
}

/// In the process of its own: so many KiB more than before.
pub(crate) fn hold(kind: &str, live: usize) -> Outcome<u64> {
    let guest = std::fs::read(packhost_tests::guests::misbehave())?;
    match kind {
        "host" => hold_host(&guest, live),
        _ => hold_bare(&guest, live),
    }
}

fn hold_bare(guest: &[u8], live: usize) -> Outcome<u64> {
    let bare = Bare::new(guest, u32::try_from(live)?)?;
    current_thread()?.block_on(async {
        bare.call(&json!({ "do": "echo" }).to_string()).await?;
        let before = proc::memory_kib()?;
        let ended = Arc::new(AtomicUsize::new(0));
        for _ in 0..live {
            let (bare, ended) = (bare.clone(), Arc::clone(&ended));
            tokio::spawn(async move {
                let _ = bare.call(&sleep().to_string()).await;
                ended.fetch_add(1, Ordering::Relaxed);
            });
        }
        settled(&ended).await?;
        Ok(proc::memory_kib()?.saturating_sub(before))
    })
}

fn hold_host(guest: &[u8], live: usize) -> Outcome<u64> {
    let state = host::fresh_state()?;
    let mut settings = Settings::new(state.path().to_owned(), host::cache(state.path()));
    settings.calls = u32::try_from(live)?;
    settings.calls_per_caller = settings.calls;
    let packs = live.div_ceil(OF_ONE);
    let names: Vec<String> = (0..packs).map(|number| format!("sleeper{number:02}")).collect();
    let sources = names.iter().map(|name| named(guest, name)).collect::<Outcome<_>>()?;
    let host = Host::start(settings, sources, manifest(&names)?)?;
    for name in &names {
        host.answer(name, json!({ "do": "echo" }))?;
    }
    let before = proc::memory_kib()?;
    let ended = Arc::new(AtomicUsize::new(0));
    for number in 0..live {
        let (engine, ended) = (host.engine.clone(), Arc::clone(&ended));
        let call = host::call(&names[number % packs], sleep());
        host.runtime.spawn(async move {
            engine.dispatch(call).await;
            ended.fetch_add(1, Ordering::Relaxed);
        });
    }
    host.runtime.block_on(settled(&ended))?;
    let held = proc::memory_kib()?.saturating_sub(before);
    host.runtime.shutdown_background();
    Ok(held)
}

fn sleep() -> serde_json::Value {
    json!({ "do": "sleep", "amount": SLEEP })
}

/// Ready when nothing runs any more, because every instance waits.
async fn settled(ended: &AtomicUsize) -> Outcome<()> {
    let mut used = proc::processor_time()?;
    loop {
        tokio::time::sleep(WINDOW).await;
        let now = proc::processor_time()?;
        if ended.load(Ordering::Relaxed) > 0 {
            return Err("this machine does not hold that many instances".into());
        }
        if now.saturating_sub(used) < IDLE {
            return Ok(());
        }
        used = now;
    }
}

/// The guest under another name: a manifest bounds how many calls of one pack run at once, so more need more packs.
fn named(guest: &[u8], name: &str) -> Outcome<PackSource> {
    const OWN: &[u8] = b"\"name\":\"misbehave\"";
    let at = guest.windows(OWN.len()).rposition(|window| window == OWN).ok_or("the guest has no name")?;
    let mut bytes = guest.to_vec();
    bytes.splice(at..at + OWN.len(), format!("\"name\":\"{name}\"").into_bytes());
    Ok(PackSource { name: name.to_owned(), origin: "bench".into(), bytes: Cow::Owned(bytes), digest: None })
}

fn manifest(names: &[String]) -> Outcome<Manifest> {
    let mut text = String::from("version: 1\npacks:\n");
    for name in names {
        let limits = format!("{{ time: {}s, concurrency: {OF_ONE} }}", SLEEP / 1000);
        text.push_str(&format!("  {name}: {{ limits: {limits} }}\n"));
    }
    let source = Source { name: "bench.yaml".into(), text, origin: Origin::Operator };
    Ok(Manifest::parse(&[source])?)
}
