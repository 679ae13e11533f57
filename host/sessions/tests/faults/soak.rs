//! Sessions one after another: what the host and the machine have for them does not grow.

use std::fs;

use tokio::io::AsyncReadExt;
use tokio::runtime::Handle;

use crate::bench::{Place, until};
use crate::room::{get, put, shell};
use crate::world::On;
use crate::{docker, fault, machine, need, process, random};

/// How many: of processes, and of containers. Another number is told as `PACKHOST_SOAK_ROUNDS`.
const ROUNDS: (u64, u64) = (150, 18);
/// Counts may differ by this much: a thread of a pool, a connection to an engine.
const SLACK: usize = 6;
/// Bytes of memory that may differ: allocators keep some of what was freed.
const MEMORY: u64 = 12 << 20;

/// What the host, the process that works for it, and the machine have now.
#[derive(Debug)]
pub(crate) struct Use {
    descriptors: usize,
    threads: usize,
    processes: usize,
    mounts: usize,
    files: usize,
    /// Resident, in bytes.
    pub(crate) memory: u64,
}

impl Use {
    pub(crate) fn now(place: &dyn Place) -> Self {
        let own: Vec<u32> = [Some(std::process::id()), place.helper()].into_iter().flatten().collect();
        let entries = |name: &str| -> usize {
            own.iter().map(|pid| fs::read_dir(format!("/proc/{pid}/{name}")).map_or(0, Iterator::count)).sum()
        };
        let mounts = fs::read_to_string("/proc/self/mountinfo").expect("a /proc");
        Self {
            descriptors: entries("fd"),
            threads: entries("task"),
            processes: fault::below(std::process::id()).len(),
            mounts: mounts.lines().count(),
            files: files(place.home()),
            memory: own.iter().map(|pid| machine::resident_of(*pid)).sum(),
        }
    }

    fn counts(&self) -> [usize; 5] {
        [self.descriptors, self.threads, self.processes, self.mounts, self.files]
    }
}

fn files(directory: &std::path::Path) -> usize {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let below = |entry: fs::DirEntry| {
        let within = entry.file_type().is_ok_and(|kind| kind.is_dir()).then(|| files(&entry.path()));
        1 + within.unwrap_or_default()
    };
    entries.map(below).sum()
}

pub(crate) fn stays_flat(on: On) {
    let most = match on {
        On::Process => ROUNDS.0,
        On::Docker => ROUNDS.1,
    };
    let rounds = random::told("PACKHOST_SOAK_ROUNDS").unwrap_or(most);
    Handle::current().block_on(async {
        let place = match on {
            On::Process => process::place(),
            On::Docker => docker::place(),
        };
        let runtime = place.host();
        let state = tempfile::tempdir().expect("a directory");
        let sessions = need::sessions(state.path(), runtime.clone());
        let need = need::need(runtime.backend(), place.image());
        let (mut before, mut names) = (None, Vec::new());
        for round in 0..rounds {
            if round == rounds / 3 {
                before = Some(Use::now(&*place));
            }
            let held = sessions.acquire(need.clone()).await.expect("a session");
            names.extend(place.names(held.id()).await);
            let content = need::content(held.id(), round);
            held.link().put(put("/sandbox/file"), &content[..]).await.expect("it is written");
            let exec = held.link().exec(shell("sleep 600 & wc -c < file")).await.expect("it starts");
            let said = exec.output(100).await.expect("an end").stdout;
            assert_eq!(String::from_utf8_lossy(&said).trim(), content.len().to_string());
            let (_, mut reader) = held.link().get(get("/sandbox/file")).await.expect("it is there");
            let mut back = Vec::new();
            reader.read_to_end(&mut back).await.expect("it is read");
            assert!(back == content);
            drop(reader);
            drop(held);
            sessions.drain().await;
        }
        let (before, after) = (before.expect("a third"), Use::now(&*place));
        let grown = before.counts().iter().zip(after.counts()).any(|(before, after)| after > before + SLACK);
        assert!(!grown && after.memory <= before.memory + MEMORY, "{before:?}\n{after:?}");
        assert_eq!(place.left().await, Vec::<String>::new());
        until("nothing is left", async || machine::traces(&names).is_empty()).await;
    });
}
