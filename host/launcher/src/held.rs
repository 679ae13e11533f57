//! The sandboxes of one host, as this launcher sees them: those it made, and those that it found.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::event::PollFd;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

use crate::cgroup::Cgroups;
use crate::logs::Logs;
use crate::process::Process;
use crate::recipe::{Recipe, bounds};
use crate::sandbox::{self, During, Handles, Plan, Power};
use crate::serve::TICK;
use crate::settings::Settings;
use crate::shelf::{Found, Record, Shelf, Turn, at, now_ms};
use crate::wire::{About, Answer, End, Fault, PAGE, Refusal, Sandbox, Started, State, Usage};
use crate::worker::Worker;

/// How long the end of a killed sandbox is waited for: its processes may be in the middle of something in the kernel.
const DYING: Duration = Duration::from_secs(20);
/// How long the end of what was left half made is waited for, by the launcher itself: in one look for all of it together, and for
/// each only the first time. It comes back to it after a tick.
const MOMENT: Duration = Duration::from_secs(1);

pub(crate) struct Held {
    settings: Settings,
    power: Result<Power, String>,
    /// The supervisor, in memory that nobody can change any more.
    program: OwnedFd,
    shelf: Shelf,
    cgroups: Cgroups,
    sandboxes: BTreeMap<String, Kept>,
    /// Those that a worker makes or ends, with the first user of those that are made. What becomes of them is seen when it is
    /// done.
    busy: BTreeMap<String, Option<u32>>,
    /// What was left behind and could not be removed, and when that is tried again.
    stuck: BTreeMap<String, Instant>,
    logs: Logs,
}

struct Kept {
    owner: String,
    created_ms: u64,
    uid: u32,
    life: Life,
}

enum Life {
    Running(Process),
    Ended(End),
}

impl Held {
    /// Finds everything that other launchers of the host have made, and removes what they have left half done.
    pub(crate) fn new(mut settings: Settings) -> io::Result<Self> {
        let shelf = Shelf::open(&settings.state)?;
        settings.state = settings.state.canonicalize().map_err(at(&settings.state))?;
        settings.readable = canonical(&settings.readable);
        settings.mountable = canonical(&settings.mountable);
        settings.images = settings.images.and_then(|images| images.canonicalize().ok());
        let mut held = Self {
            power: Power::here(&settings.uids),
            program: program(&settings.supervisor)?,
            cgroups: Cgroups::here(&settings.host),
            shelf,
            settings,
            sandboxes: BTreeMap::new(),
            busy: BTreeMap::new(),
            stuck: BTreeMap::new(),
            logs: Logs::new(),
        };
        let _turn = held.turn()?;
        held.look()?;
        let known = held.shelf.names()?;
        for id in held.cgroups.names() {
            if !known.contains(&id)
                && let Err(error) = held.cgroups.remove(&id)
            {
                left(&id, &error);
            }
        }
        Ok(held)
    }

    /// Waits until no other launcher of the host does anything.
    pub(crate) fn turn(&mut self) -> io::Result<Turn> {
        self.shelf.turn()
    }

    /// Leaves nothing of the host where there is no sandbox.
    pub(crate) fn leave(&mut self) -> io::Result<()> {
        let _turn = self.turn()?;
        self.shelf.close();
        Ok(())
    }

    /// Sees what others have done, and removes what they have left half done.
    pub(crate) fn look(&mut self) -> io::Result<()> {
        let names: BTreeSet<_> = self.shelf.names()?.into_iter().collect();
        let busy = &self.busy;
        self.sandboxes.retain(|id, kept| {
            let there = names.contains(id) || busy.contains_key(id);
            if let Life::Running(process) = &kept.life
                && !there
            {
                // It has ended, and may be a child of this process.
                let _ = process.wait(Duration::ZERO);
            }
            there
        });
        self.stuck.retain(|id, _| names.contains(id));
        let now = Instant::now();
        for id in names {
            let again = self.stuck.get(&id).copied();
            let later = again.is_some_and(|again| again > now);
            if later || self.sandboxes.contains_key(&id) || self.busy.contains_key(&id) {
                continue;
            }
            let patience = patience(again, now + MOMENT, Instant::now());
            // What cannot be cleaned up is no reason to make no sandboxes.
            if let Err(error) = self.adopt(id.clone(), patience) {
                left(&id, &error);
                self.stuck.insert(id, now + TICK);
            }
        }
        Ok(())
    }

    fn adopt(&mut self, id: String, patience: Duration) -> io::Result<()> {
        let (record, life) = match self.shelf.find(&id)? {
            Found::Whole(record, Some(process), _) => (record, Life::Running(process)),
            Found::Whole(record, None, Some(end)) => (record, Life::Ended(end)),
            Found::Whole(record, None, None) => {
                let end = self.ended(&id, End::Unknown);
                (record, Life::Ended(end))
            }
            Found::Making => return Ok(()),
            Found::Broken(process) => {
                if let Some(process) = process {
                    process.kill()?;
                    if process.wait(patience)?.is_none() {
                        return Err(io::Error::other(format!("process {} does not end", process.pid)));
                    }
                }
                self.cgroups.remove(&id)?;
                return self.shelf.remove(&id);
            }
        };
        let Record { recipe, created_ms, uid } = *record;
        self.logs.add(&id, &self.shelf.log_path(&id));
        self.sandboxes.insert(id, Kept { owner: recipe.owner, created_ms, uid, life });
        Ok(())
    }

    /// Tries what it can do here.
    pub(crate) fn about(&self) -> Result<Worker, Refusal> {
        let about = || {
            let unusable = match &self.power {
                Ok(power) => sandbox::try_out(*power).err(),
                Err(why) => Some(why.clone()),
            };
            Ok(Answer::About(About {
                unusable,
                two_users: self.power == Ok(Power::Root),
                images: self.settings.images.is_some(),
                lacking: self.cgroups.lacking().into_iter().chain(packhost_confine::not_held()).collect(),
            }))
        };
        Ok(Worker::start(&[], about).during("starting a worker")?)
    }

    /// Makes a sandbox from a recipe that keeps its bounds; after an error there is nothing of it. It is known once the worker is
    /// done and [`Self::settle`] was told.
    pub(crate) fn start(&mut self, recipe: &Recipe) -> Result<Worker, Refusal> {
        let power = self.power.clone().map_err(|why| Refusal::new(Fault::Unavailable, why))?;
        let making = self.busy.iter().filter(|(id, _)| !self.sandboxes.contains_key(*id)).count();
        // What is left of others may still have a process.
        if self.sandboxes.len() + making + self.stuck.len() >= bounds::SANDBOXES {
            let message = format!("this host has {} sandboxes, which is the most", bounds::SANDBOXES);
            return Err(Refusal::new(Fault::Exhausted, message));
        }
        let taken = |uid| {
            self.sandboxes.values().any(|kept| kept.uid == uid)
                || self.busy.values().any(|one| *one == Some(uid))
        };
        let uid = sandbox::draw(&self.settings.uids, taken)?;
        let record = Record { recipe: recipe.clone(), created_ms: now_ms(), uid };
        let lock = match self.shelf.begin(&record) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                return Err(Refusal::new(Fault::Failed, "there is a sandbox of that name"));
            }
            other => other.during("writing down the sandbox")?,
        };
        let kept = [self.program.as_raw_fd(), lock.as_raw_fd()];
        let worker = Worker::start(&kept, || self.make(&record, power, lock)).during("starting a worker")?;
        self.busy.insert(record.recipe.id, Some(uid));
        Ok(worker)
    }

    /// A worker is done with this one.
    pub(crate) fn settle(&mut self, id: &str) {
        self.busy.remove(id);
    }

    /// In a worker.
    fn make(&self, record: &Record, power: Power, making: OwnedFd) -> Result<Answer, Refusal> {
        match self.make_whole(record, power, making) {
            Ok(process) => Ok(Answer::Started(Started { pid: process.pid })),
            Err(refusal) => {
                let id = &record.recipe.id;
                self.cgroups.remove(id).and_then(|()| self.shelf.remove(id)).during("cleaning up")?;
                Err(refusal)
            }
        }
    }

    fn make_whole(&self, record: &Record, power: Power, making: OwnedFd) -> Result<Process, Refusal> {
        let Record { recipe, uid, .. } = record;
        let id = recipe.id.as_str();
        let handles = Handles {
            making,
            program: self.program.try_clone().during("handing over the supervisor")?,
            listener: self.shelf.listen(id).during("making the supervisor's socket")?,
            log: self.shelf.log(id).during("making the log")?,
        };
        let (anchor, shown) = (self.shelf.directory(id), self.cgroups.shown());
        let plan = Plan::new(recipe, &self.settings, power, *uid, anchor, handles, shown)?;
        let process = sandbox::make(&plan, |process| {
            self.shelf.live(id, process, false).during("writing down the process")?;
            self.cgroups.create(id, &recipe.limits).during("making cgroups")?;
            Ok(self.cgroups.enter(id, process.pid).during("putting the sandbox into its cgroups")?)
        })?;
        // As long as the plan lives, nobody takes it for left behind.
        self.shelf.live(id, &process, true).during("writing down the process")?;
        Ok(process)
    }

    /// A connection to the supervisor.
    pub(crate) fn open(&mut self, id: &str) -> Result<OwnedFd, Refusal> {
        match self.get(id)?.life {
            Life::Ended(_) => return Err(Refusal::new(Fault::Ended, "the sandbox has ended")),
            Life::Running(_) => {}
        }
        self.shelf.connect(id).map_err(|error| match error.kind() {
            ErrorKind::ConnectionRefused | ErrorKind::NotFound => {
                Refusal::new(Fault::Ended, "the supervisor does not listen any more")
            }
            ErrorKind::WouldBlock => {
                Refusal::new(Fault::Exhausted, "too many connections wait for the supervisor")
            }
            _ => Refusal::new(Fault::Failed, format!("connecting to the supervisor: {error}")),
        })
    }

    /// Ends a sandbox and removes everything of it; no worker where there is none. It is forgotten once the worker is done and
    /// [`Self::settle`] was told.
    pub(crate) fn kill(&mut self, id: &str) -> Result<Option<Worker>, Refusal> {
        let Some(kept) = self.sandboxes.get(id) else { return Ok(None) };
        let process = match &kept.life {
            Life::Running(process) => Some(process),
            Life::Ended(_) => None,
        };
        let kept: Vec<_> = process.into_iter().map(AsRawFd::as_raw_fd).collect();
        let worker = Worker::start(&kept, || self.end(id, process)).during("starting a worker")?;
        self.busy.insert(id.to_owned(), None);
        Ok(Some(worker))
    }

    /// In a worker.
    fn end(&self, id: &str, process: Option<&Process>) -> Result<Answer, Refusal> {
        if let Some(process) = process {
            process.kill().during("ending the sandbox")?;
            if process.wait(DYING).during("waiting for the end of the sandbox")?.is_none() {
                let message = format!("process {} does not end: it hangs in the kernel", process.pid);
                return Err(Refusal::new(Fault::Failed, message));
            }
        }
        self.cgroups.remove(id).during("removing cgroups")?;
        self.shelf.remove(id).during("removing the sandbox's directory")?;
        Ok(Answer::Done)
    }

    pub(crate) fn status(&self, id: &str) -> Result<Sandbox, Refusal> {
        Ok(sandbox_of(id, self.get(id)?))
    }

    pub(crate) fn list(&self, after: &str) -> Vec<Sandbox> {
        let range = (std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded);
        self.sandboxes.range::<str, _>(range).take(PAGE).map(|(id, kept)| sandbox_of(id, kept)).collect()
    }

    pub(crate) fn usage(&self, id: &str) -> Result<Usage, Refusal> {
        self.get(id).map(|_| self.cgroups.usage(id))
    }

    pub(crate) fn log(&self, id: &str) -> Result<OwnedFd, Refusal> {
        self.get(id)?;
        Ok(self.shelf.read_log(id).during("opening the log")?)
    }

    fn get(&self, id: &str) -> Result<&Kept, Refusal> {
        self.sandboxes.get(id).ok_or_else(|| Refusal::new(Fault::NotFound, "there is no such sandbox"))
    }

    /// What becomes readable when a sandbox ends or its log grows.
    pub(crate) fn interests(&self) -> impl Iterator<Item = PollFd<'_>> {
        let ends = self.sandboxes.values().filter_map(|kept| match &kept.life {
            Life::Running(process) => Some(process.interest()),
            Life::Ended(_) => None,
        });
        ends.chain(self.logs.interest())
    }

    /// Sees which sandboxes have ended by themselves, and how.
    pub(crate) fn reap(&mut self) {
        let over = |(id, kept): (&String, &Kept)| match &kept.life {
            Life::Running(process) => Some((id.clone(), process.wait(Duration::ZERO).ok()??)),
            Life::Ended(_) => None,
        };
        let over: Vec<_> = self.sandboxes.iter().filter_map(over).collect();
        for (id, end) in over {
            // One that is being ended leaves nothing to be told.
            let end = if self.busy.contains_key(&id) { end } else { self.ended(&id, end) };
            if let Some(kept) = self.sandboxes.get_mut(&id) {
                kept.life = Life::Ended(end);
            }
        }
    }

    /// Writes down how a sandbox ended. What cannot be removed now is removed with the sandbox, and its errors told then.
    fn ended(&self, id: &str, end: End) -> End {
        const KILL: i32 = 9;
        let starved = self.cgroups.usage(id).oom_kills.is_some_and(|kills| kills > 0);
        let end = match end {
            End::Signalled(KILL) | End::Unknown if starved => End::OutOfMemory,
            end => end,
        };
        // Only its parent knows how a process ended; of what another launcher has made, that one knows more.
        if end == End::Unknown
            && let Some(known) = self.shelf.ended(id)
        {
            return known;
        }
        let _ = self.shelf.end(id, end);
        let _ = self.cgroups.remove(id);
        end
    }

    /// Keeps logs that have grown within their bound.
    pub(crate) fn trim_grown_logs(&mut self) {
        for id in self.logs.written() {
            let _ = self.shelf.trim_log(&id);
        }
    }

    /// Keeps all logs within their bound, also where none is watched.
    pub(crate) fn trim_logs(&self) {
        for id in self.sandboxes.keys() {
            let _ = self.shelf.trim_log(id);
        }
    }
}

/// How long the end of something half made is waited for now, in a look that may wait `until` then: a process that hangs in the
/// kernel is not waited for a second time, and many hold up the launcher no longer than one.
fn patience(again: Option<Instant>, until: Instant, now: Instant) -> Duration {
    match again {
        Some(_) => Duration::ZERO,
        None => until.saturating_duration_since(now),
    }
}

fn left(id: &str, error: &io::Error) {
    eprintln!("packhost: what is left of sandbox {id} cannot be removed: {error}");
}

fn sandbox_of(id: &str, kept: &Kept) -> Sandbox {
    let state = match &kept.life {
        Life::Running(process) => State::Running(process.pid),
        Life::Ended(end) => State::Ended(*end),
    };
    Sandbox { id: id.to_owned(), owner: kept.owner.clone(), created_ms: kept.created_ms, state }
}

/// Those that are there, without symbolic links.
fn canonical(paths: &[PathBuf]) -> Vec<PathBuf> {
    paths.iter().filter_map(|path| fs::canonicalize(path).ok()).collect()
}

fn program(bytes: &[u8]) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Kernels since 6.3 want to be told that it is to be executed, older ones do not know the word.
    let file = memfd_create("packhost-supervisor", flags | MemfdFlags::EXEC)
        .or_else(|_| memfd_create("packhost-supervisor", flags))?;
    let mut file = File::from(file);
    file.write_all(bytes)?;
    fcntl_add_seals(file.as_fd(), SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_hang_a_look_waits_for_one_moment_and_for_each_once() {
        let began = Instant::now();
        let until = began + MOMENT;
        let (mut now, mut waited) = (began, Duration::ZERO);
        for _ in 0..100 {
            // Each hangs for as long as it is waited for.
            let patience = patience(None, until, now);
            (now, waited) = (now + patience, waited + patience);
        }
        assert_eq!(waited, MOMENT);
        assert_eq!(patience(Some(began), until, began), Duration::ZERO);
    }
}
