//! The programs that a supervisor knows: those that run, and those that have ended and that a host may still ask for.

use std::cell::RefCell;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use packhost_confine::Walls;
use packhost_session_protocol::limits;
use packhost_session_protocol::message::{Attach, ExecId, Fault, Refusal, RunningExecs, Start};
use tokio::io::Interest;
use tokio::sync::Notify;
use tokio::task::spawn_local;

use super::memory::Killed;
use super::program::{Program, Watched};
use super::{command, plan, spawn};
use crate::descriptor;
use crate::reaper::Reaper;

/// Ended programs that are kept at most. The one that ended first makes room.
pub(crate) const ENDED: usize = limits::EXECS;

/// How long a program may take until it runs: its directory and its file may be on a file system that does not answer.
const BEGIN: Duration = Duration::from_secs(30);

/// The programs that a supervisor knows.
#[derive(Debug)]
pub(crate) struct Execs {
    /// In the order of their start.
    programs: RefCell<Vec<(ExecId, Slot)>>,
    reaper: Rc<Reaper>,
    killed: Rc<Killed>,
    proxy_port: Option<u16>,
    walls: RefCell<Walls>,
}

#[derive(Debug, Clone)]
enum Slot {
    /// It is being started; who waits for that is told.
    Starting(Rc<Notify>),
    Started(Rc<Program>),
}

impl Execs {
    /// No programs yet. What is started gets its end from this reaper, and is told of the proxy on this port.
    pub(crate) fn new(reaper: Rc<Reaper>, proxy_port: Option<u16>) -> Rc<Self> {
        let (programs, walls) = (RefCell::default(), RefCell::default());
        Rc::new(Self { programs, reaper, killed: Rc::new(Killed::find()), proxy_port, walls })
    }

    /// All of them.
    pub(crate) fn list(&self) -> RunningExecs {
        let programs = self.programs.borrow();
        let started = programs.iter().filter_map(|(_, slot)| match slot {
            Slot::Started(program) => Some(program.describe()),
            Slot::Starting(_) => None,
        });
        RunningExecs { execs: started.collect() }
    }

    /// The program of this name, started now unless it was before.
    pub(super) async fn start(self: &Rc<Self>, start: Start) -> Result<Rc<Program>, Refusal> {
        let id = start.id;
        if let Some(program) = self.find(id).await {
            return Ok(program);
        }
        self.make_room()?;
        let started = Rc::new(Notify::new());
        self.programs.borrow_mut().push((id, Slot::Starting(Rc::clone(&started))));
        let program = self.begin(start).await;
        self.put(id, program.as_ref().ok().map(Rc::clone));
        started.notify_waiters();
        program
    }

    /// The program that a host wants to take up again.
    pub(super) async fn attach(&self, attach: &Attach) -> Result<Rc<Program>, Refusal> {
        self.find(attach.id).await.ok_or_else(|| {
            Refusal::new(Fault::NotFound, "no such program is known: it was never started, or was forgotten")
        })
    }

    async fn find(&self, id: ExecId) -> Option<Rc<Program>> {
        loop {
            let slot = self.programs.borrow().iter().find(|(known, _)| *known == id)?.1.clone();
            match slot {
                Slot::Started(program) => return Some(program),
                Slot::Starting(started) => started.notified().await,
            }
        }
    }

    fn put(&self, id: ExecId, program: Option<Rc<Program>>) {
        let mut programs = self.programs.borrow_mut();
        match (programs.iter().position(|(known, _)| *known == id), program) {
            (Some(at), Some(program)) => programs[at].1 = Slot::Started(program),
            (Some(at), None) => drop(programs.remove(at)),
            (None, _) => {}
        }
    }

    fn make_room(&self) -> Result<(), Refusal> {
        let programs = self.programs.borrow();
        let ended = |slot: &Slot| match slot {
            Slot::Started(program) => program.exit().is_some(),
            Slot::Starting(_) => false,
        };
        let ended: Vec<_> = programs.iter().filter(|(_, slot)| ended(slot)).collect();
        if programs.len() - ended.len() >= limits::EXECS {
            let message =
                format!("{} programs run in this sandbox already, which are the most", limits::EXECS);
            return Err(Refusal::new(Fault::Busy, message));
        }
        if ended.len() >= ENDED
            && let Some((_, Slot::Started(first))) = ended.first()
        {
            first.forget();
        }
        Ok(())
    }

    async fn begin(self: &Rc<Self>, start: Start) -> Result<Rc<Program>, Refusal> {
        let plan = plan::plan(&start, self.proxy_port, &mut self.walls.borrow_mut())?;
        let spawned = spawn::spawn(&start, plan)?;
        let gone = self.reaper.child(spawned.keeper);
        // From here on, a socket to the keeper that is dropped ends the program.
        let failed =
            |error: io::Error| Refusal::new(Fault::Busy, format!("the program cannot be watched: {error}"));
        let told = tokio::time::timeout(BEGIN, news(spawned.news)).await.map_err(|_| {
            Refusal::new(Fault::Failed, format!("the program did not begin within {} s", BEGIN.as_secs()))
        })?;
        let pid = command::told(&told.map_err(failed)?)?;
        let watched = Watched::new(spawned.streams).map_err(failed)?;
        let program = Rc::new(
            Program::new(start, pid, spawned.control, &watched, Rc::clone(&self.killed)).map_err(failed)?,
        );
        let (execs, running) = (Rc::clone(self), Rc::clone(&program));
        spawn_local(async move {
            running.run(watched, &execs.reaper, gone).await;
            execs.put(running.id, None);
        });
        Ok(program)
    }
}

/// All that the command tells before it is the program.
async fn news(from: OwnedFd) -> io::Result<Vec<u8>> {
    let from = descriptor::readable(from)?;
    let mut all = Vec::new();
    loop {
        let mut piece = [0; command::TOLD];
        let read = |fd: &OwnedFd| Ok(rustix::io::read(fd, &mut piece)?);
        match from.async_io(Interest::READABLE, read).await? {
            0 => return Ok(all),
            read => all.extend_from_slice(&piece[..read]),
        }
    }
}
