//! The host that faults befall: calls that use sessions without a pause, in a process of its own.

use std::collections::HashMap;
use std::io::BufRead;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use packhost_sessions::{Held, Need, SandboxId, Sessions};
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::bench::Place;
use crate::cut::Cutting;
use crate::events::Event;
use crate::random::Random;
use crate::room::{get, put, shell};
use crate::{docker, need, process};

/// Tells a copy of this program that it is the host, of what and where.
pub(crate) const ROLE: &str = "PACKHOST_FAULTS_HOST";
/// Calls at once.
pub(crate) const WORKERS: usize = 3;
/// After a call that failed, before the next.
const PAUSE: Duration = Duration::from_millis(20);

/// What it is to do; a line on its standard input.
pub(crate) const CUT: &str = "cut";
pub(crate) const STOP: &str = "stop";

/// In the copy. `told` is the home, and for containers the engine's socket and the host's id, in lines.
pub(crate) fn be(told: &str) -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let mut lines = told.lines();
        let home = PathBuf::from(lines.next().expect("a home"));
        let place = match (lines.next(), lines.next()) {
            (Some(socket), Some(host)) => docker::shared(&home, socket.into(), host.parse().expect("an id")),
            _ => process::shared(&home),
        };
        serve(&*place, &home.join("db")).await;
    });
    ExitCode::SUCCESS
}

async fn serve(place: &dyn Place, state: &std::path::Path) {
    let cutting = Cutting::new(place.host());
    let sessions = need::sessions(state, cutting.clone());
    let backend = sessions.runtimes()[0].backend();
    let keeping = tokio::spawn({
        let sessions = sessions.clone();
        async move { sessions.keep().await }
    });
    Event::Up(place.helper()).say();
    let calls = Arc::new(Calls {
        sessions: sessions.clone(),
        need: need::need(backend, place.image()),
        puts: Mutex::default(),
        stop: CancellationToken::new(),
    });
    let workers: Vec<_> = (0..WORKERS)
        .map(|number| {
            let calls = Arc::clone(&calls);
            tokio::spawn(async move { calls.work(number).await })
        })
        .collect();
    let mut words = words();
    loop {
        match words.recv().await.as_deref() {
            Some(CUT) => cutting.cut(),
            Some(STOP) => break,
            // Nobody is there any more who could see what becomes of it.
            _ => std::process::exit(1),
        }
    }
    calls.stop.cancel();
    for worker in workers {
        worker.await.expect("a worker does not panic");
    }
    keeping.abort();
    sessions.drain().await;
    Event::Drained.say();
}

fn words() -> mpsc::UnboundedReceiver<String> {
    let (said, words) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if said.send(line).is_err() {
                return;
            }
        }
    });
    words
}

struct Calls {
    sessions: Sessions,
    need: Need,
    /// How many puts each sandbox has answered.
    puts: Mutex<HashMap<SandboxId, u64>>,
    stop: CancellationToken,
}

impl Calls {
    async fn work(&self, number: usize) {
        let mut random = Random::of(crate::random::seed().wrapping_add(number as u64));
        while !self.stop.is_cancelled() {
            let mut id = None;
            match self.call(&mut id, &mut random).await {
                Ok(()) => Event::Cycle(number).say(),
                Err(why) => {
                    Event::Failed(id, why).say();
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn call(&self, id: &mut Option<SandboxId>, random: &mut Random) -> Result<(), String> {
        let held =
            self.sessions.acquire(self.need.clone()).await.map_err(|error| format!("acquire: {error}"))?;
        let sandbox = held.id().clone();
        *id = Some(sandbox.clone());
        if !held.is_reused() {
            Event::Made(sandbox.clone()).say();
        }
        let number = self.next(&sandbox);
        let content = need::content(&sandbox, number);
        let answered = held.link().put(put(need::path(number)), &content[..]).await;
        answered.map_err(|error| format!("put: {error}"))?;
        Event::Put(sandbox.clone(), number).say();
        self.look_back(&held, number, random).await?;
        self.run(&held, number, random).await?;
        if random.below(4) == 0 {
            Event::Ending(sandbox).say();
            drop(held);
        } else {
            held.put_back();
        }
        Ok(())
    }

    /// The number of the next put; nobody else has this sandbox now.
    fn next(&self, id: &SandboxId) -> u64 {
        let mut puts = self.puts.lock().expect("no panic holds it");
        let number = puts.entry(id.clone()).or_default();
        *number += 1;
        *number
    }

    async fn look_back(&self, held: &Held, last: u64, random: &mut Random) -> Result<(), String> {
        let number = 1 + random.below(usize::try_from(last).unwrap_or(usize::MAX)) as u64;
        let said = |error: &dyn std::fmt::Display| format!("get of {number}: {error}");
        let reader = held.link().get(get(need::path(number))).await;
        let (_, mut reader) = reader.map_err(|error| said(&error))?;
        let mut content = Vec::new();
        reader.read_to_end(&mut content).await.map_err(|error| said(&error))?;
        if content != need::content(held.id(), number) {
            Event::Lost(held.id().clone(), number).say();
        }
        Ok(())
    }

    async fn run(&self, held: &Held, number: u64, random: &mut Random) -> Result<(), String> {
        // Some leave a tree behind that has to end with them.
        let tree = if random.below(3) == 0 { "setsid sleep 600 & sleep 600 & " } else { "" };
        let exec = held.link().exec(shell(&format!("{tree}echo {number}; exit 3"))).await;
        let exec = exec.map_err(|error| format!("exec: {error}"))?;
        let finished = exec.output(1000).await.map_err(|error| format!("output: {error}"))?;
        let right = finished.exit.code == Some(3) && finished.stdout == format!("{number}\n").as_bytes();
        if right { Ok(()) } else { Err(format!("a program: {finished:?}")) }
    }
}
