//! Children of the supervisor: those that it started and waits for, and those that came to it as orphans.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::io;

use rustix::process::{Pid, WaitStatus};
use tokio::sync::oneshot;

use crate::tree;

/// Who waits for which child.
#[derive(Debug, Default)]
pub(crate) struct Reaper {
    awaited: RefCell<HashMap<Pid, oneshot::Sender<WaitStatus>>>,
}

impl Reaper {
    /// Gives the end of a child that was just forked. To be called before anything is awaited.
    pub(crate) fn child(&self, pid: Pid) -> oneshot::Receiver<WaitStatus> {
        let (ended, end) = oneshot::channel();
        self.awaited.borrow_mut().insert(pid, ended);
        end
    }

    /// Takes every child that has ended. To be called after SIGCHLD.
    pub(crate) fn reap(&self) {
        let mut ended = |pid: Pid, status: WaitStatus| {
            if let Some(awaiting) = self.awaited.borrow_mut().remove(&pid) {
                // Whoever waited may have stopped to.
                let _ = awaiting.send(status);
            }
        };
        tree::reap(&mut ended);
    }

    /// Kills what came here as an orphan, with all below it: left by a process that was to hold it and was killed.
    pub(crate) fn kill_strays(&self) -> io::Result<()> {
        let known: HashSet<Pid> = self.awaited.borrow().keys().copied().collect();
        tree::kill(rustix::process::getpid(), &known)
    }
}
