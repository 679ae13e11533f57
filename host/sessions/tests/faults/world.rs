//! The host that faults befall, what it has acknowledged, and whoever looks after it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use packhost_sessions::link::{Link, LinkSettings};
use packhost_sessions::{HostId, SandboxId, SandboxState, SessionRuntime, Sessions};
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;

use crate::bench::{Place, until};
use crate::events::Event;
use crate::host::{ROLE, STOP, WORKERS};
use crate::room::get;
use crate::ward::Home;
use crate::{docker, need, process};

/// Longer than a host says nothing on a slow machine, whatever is wrong.
const HANGS: Duration = Duration::from_secs(90);
/// Puts of a sandbox that are looked at, the last ones.
const LOOKS: u64 = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum On {
    Process,
    Docker,
}

struct Host {
    child: Child,
    words: ChildStdin,
    said: mpsc::UnboundedReceiver<String>,
    helper: Option<u32>,
}

pub(crate) struct World {
    told: String,
    host: Option<Host>,
    /// What looks on: another process of the same host, which does nothing by itself.
    place: Option<Box<dyn Place>>,
    runtime: Arc<dyn SessionRuntime>,
    sessions: Sessions,
    /// Sandboxes that calls have, and how many puts each has answered.
    pub(crate) live: BTreeMap<SandboxId, u64>,
    ever: BTreeSet<SandboxId>,
    names: Vec<String>,
    /// Sandboxes of which calls may fail from now on.
    pub(crate) struck: BTreeSet<SandboxId>,
    /// Whether any call may fail now.
    pub(crate) failing: bool,
    /// Whether what moves a file may: unlike programs, it does not go on over another stream.
    pub(crate) cut: bool,
    pub(crate) failed: usize,
    pub(crate) home: Home,
}

impl World {
    pub(crate) fn new(on: On) -> Self {
        let home = Home::new();
        let mut told = home.path().display().to_string();
        let place = match on {
            On::Process => process::shared(home.path()),
            On::Docker => {
                let (socket, host) = (docker::engine().socket(), HostId::fresh());
                told += &format!("\n{}\n{host}", socket.display());
                docker::shared(home.path(), socket, host)
            }
        };
        let runtime = place.host();
        let sessions = need::sessions(&home.path().join("db"), Arc::clone(&runtime));
        Self {
            told,
            host: None,
            place: Some(place),
            runtime,
            sessions,
            live: BTreeMap::new(),
            ever: BTreeSet::new(),
            names: Vec::new(),
            struck: BTreeSet::new(),
            failing: false,
            cut: false,
            failed: 0,
            home,
        }
    }

    pub(crate) fn place(&self) -> &dyn Place {
        self.place.as_deref().expect("until the end")
    }

    fn host(&mut self) -> &mut Host {
        self.host.as_mut().expect("it was started")
    }

    /// Starts a host, and waits until it serves.
    pub(crate) async fn start(&mut self) {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.env_clear().env(ROLE, &self.told).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("a host");
        let (words, output) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
        let (sender, said) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        self.host = Some(Host { child, words, said, helper: None });
        let up = self.event().await;
        assert!(matches!(up, Some(Event::Up(_))), "{up:?}");
    }

    pub(crate) fn helper(&mut self) -> Option<u32> {
        self.host().helper
    }

    pub(crate) fn say(&mut self, word: &str) {
        writeln!(self.host().words, "{word}").expect("it listens");
    }

    /// What the host says next; none once it is gone.
    pub(crate) async fn event(&mut self) -> Option<Event> {
        let line = tokio::time::timeout(HANGS, self.host().said.recv())
            .await
            .expect("the host says nothing any more")?;
        let event: Event = line.parse().expect("a host says events");
        self.note(&event);
        Some(event)
    }

    /// What the host does next, which is there.
    pub(crate) async fn goes_on(&mut self) -> Event {
        self.event().await.expect("the host goes on")
    }

    fn note(&mut self, event: &Event) {
        match event {
            Event::Up(helper) => self.host().helper = *helper,
            Event::Made(id) => {
                self.ever.insert(id.clone());
                self.live.insert(id.clone(), 0);
            }
            Event::Put(id, number) => {
                if let Some(last) = self.live.get_mut(id) {
                    *last = *number;
                }
            }
            Event::Ending(id) => drop(self.live.remove(id)),
            Event::Failed(id, why) => {
                self.failed += 1;
                let is_file = why.starts_with("put") || why.starts_with("get");
                let expected = self.failing
                    || self.cut && is_file && why.contains("the connection to the sandbox broke")
                    || id.as_ref().is_some_and(|id| self.struck.contains(id));
                assert!(expected, "a call failed that nothing had happened to: {id:?}: {why}");
                id.as_ref().map(|id| self.live.remove(id));
            }
            Event::Lost(id, number) => panic!("put {number} of {id} was answered and is not there"),
            Event::Cycle(_) | Event::Drained => {}
        }
    }

    /// Waits until every worker has begun and ended a call since now.
    pub(crate) async fn recovers(&mut self) {
        while let Ok(line) = self.host().said.try_recv() {
            let event: Event = line.parse().expect("a host says events");
            self.note(&event);
        }
        let mut calls = [0; WORKERS];
        // The first may have begun before.
        while calls.iter().any(|calls| *calls < 2) {
            if let Event::Cycle(worker) = self.goes_on().await {
                calls[worker] += 1;
            }
        }
        (self.failing, self.cut) = (false, false);
    }

    /// Every sandbox that lives is written down.
    pub(crate) async fn is_accounted_for(&self) {
        let before = self.runtime.list().await.expect("a list");
        let rows = self.sessions.list().await.expect("rows");
        let after = self.runtime.list().await.expect("a list");
        for sandbox in before.iter().filter(|sandbox| after.iter().any(|later| later.id == sandbox.id)) {
            assert!(rows.iter().any(|row| row.id == sandbox.id), "{} is written down nowhere", sandbox.id);
        }
    }

    /// Kills the host. Everything that it has acknowledged is there, and goes when the next host has come.
    pub(crate) async fn kill_host(&mut self) {
        let mut child = self.host.take().expect("it was started");
        child.child.kill().expect("it runs");
        child.child.wait().expect("it was a child");
        drop(child.words);
        // Ends when the process that works for it has ended as well.
        while let Some(line) =
            tokio::time::timeout(HANGS, child.said.recv()).await.expect("its launcher ends")
        {
            if let Ok(event) = line.parse() {
                self.note(&event);
            }
        }
        let left: Vec<SandboxId> =
            self.runtime.list().await.expect("a list").into_iter().map(|sandbox| sandbox.id).collect();
        self.is_accounted_for().await;
        for (id, last) in std::mem::take(&mut self.live) {
            if !self.struck.contains(&id) {
                self.keeps(&id, last).await;
            }
        }
        self.start().await;
        until("what the dead host had is gone", async || {
            let there = self.runtime.list().await.expect("a list");
            !there.iter().any(|sandbox| left.contains(&sandbox.id))
        })
        .await;
    }

    /// A sandbox has every file whose put it has answered.
    async fn keeps(&mut self, id: &SandboxId, last: u64) {
        let state = self.runtime.get(id).await.map(|status| status.state);
        assert_eq!(state, Ok(SandboxState::Running), "{id} ended with its host");
        self.names.extend(self.place().names(id).await);
        let link = Link::connect(Arc::clone(&self.runtime), id.clone(), None, LinkSettings::default()).await;
        let link = link.unwrap_or_else(|error| panic!("{id}: {error}"));
        for number in last.saturating_sub(LOOKS) + 1..=last {
            let (_, mut reader) = link.get(get(need::path(number))).await.expect("it was answered");
            let mut content = Vec::new();
            reader.read_to_end(&mut content).await.expect("it is read");
            assert!(content == need::content(id, number), "put {number} of {id} is not what it was");
        }
    }

    /// Lets the host end, and sees that nothing is left of anything.
    pub(crate) async fn end(mut self) {
        self.say(STOP);
        while self.event().await.is_some_and(|event| event != Event::Drained) {}
        let mut host = self.host.take().expect("it was started");
        assert!(host.child.wait().expect("it was a child").success());
        until("every session is over", async || {
            self.sessions.sweep().await.expect("swept");
            self.sessions.drain().await;
            self.sessions.list().await.expect("rows").is_empty()
        })
        .await;
        assert_eq!(self.runtime.list().await, Ok(Vec::new()));
        assert_eq!(self.place().left().await, Vec::<String>::new());
        drop(self.place.take());
        self.names.extend(self.ever.iter().map(|id| id.as_str().to_owned()));
        crate::bench::soon("nothing is left", async || match traces(&self.names, self.home.path()) {
            left if left.is_empty() => Ok(()),
            left => Err(format!("{left:?}")),
        })
        .await;
        process::forget(self.home.path());
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(host) = &mut self.host {
            let _ = host.child.kill();
            let _ = host.child.wait();
        }
    }
}

/// What the machine still has under these names, and processes that have to do with the home.
fn traces(names: &[String], home: &Path) -> Vec<String> {
    let mut left = crate::machine::traces(names);
    let home = home.as_os_str().as_encoded_bytes();
    for entry in std::fs::read_dir("/proc").expect("a /proc").flatten() {
        let read = |name: &str| std::fs::read(entry.path().join(name)).unwrap_or_default();
        let all = [read("environ"), read("cmdline")].concat();
        if all.windows(home.len()).any(|part| part == home) {
            left.push(format!("process {}", entry.file_name().display()));
        }
        // What an engine has beside each container is told its name.
        let cmdline = String::from_utf8_lossy(&read("cmdline")).into_owned();
        if names.iter().any(|name| cmdline.contains(name.as_str())) {
            left.push(format!("process {}: {cmdline}", entry.file_name().display()));
        }
    }
    left
}
