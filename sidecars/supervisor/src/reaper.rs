//! Children of the supervisor: those that it started and waits for, and those that came to it as orphans.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::io;

use rustix::process::{Pid, WaitStatus, getpid, getsid};
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

    /// Kills what came here as an orphan, with all below it: left by a keeper that was killed. Every program begins a
    /// session of its own, and what the supervisor forks for itself stays in the supervisor's: that tells them apart.
    pub(crate) fn kill_strays(&self) -> io::Result<()> {
        let own = getpid();
        let ours = getsid(None)?;
        let all = tree::below(own, &HashSet::new())?;
        let of_ours = |pid: &Pid| getsid(Some(*pid)).is_ok_and(|session| session == ours);
        tree::kill(own, &all.into_iter().filter(of_ours).collect())
    }
}
