//! A process and everything below it: found in `/proc`, and ended so that nothing escapes.

use std::collections::{HashMap, HashSet};
use std::{fs, io};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process};

/// How often the tree is looked through for a process that was not stopped yet, before killing begins all the same. A tree
/// that grows faster than that is held by the sandbox's limit of processes, not by this.
const LOOKS: usize = 64;

/// Everything below `root`, without the processes in `but` and what is below these.
///
/// # Errors
///
/// `/proc` cannot be read.
pub(crate) fn below(root: Pid, but: &HashSet<Pid>) -> io::Result<Vec<Pid>> {
    let mut children = HashMap::<Pid, Vec<Pid>>::new();
    for entry in fs::read_dir("/proc")? {
        let Ok(name) = entry?.file_name().into_string() else { continue };
        let Some(pid) = name.parse().ok().and_then(Pid::from_raw) else { continue };
        if let Some(parent) = parent(pid).and_then(Pid::from_raw) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let (mut found, mut next) = (Vec::new(), vec![root]);
    while let Some(pid) = next.pop() {
        for child in children.remove(&pid).unwrap_or_default() {
            if !but.contains(&child) {
                found.push(child);
                next.push(child);
            }
        }
    }
    Ok(found)
}

/// The parent of a process, 0 for one outside of this namespace; `None` for a process that is not there.
pub(crate) fn parent(pid: Pid) -> Option<i32> {
    let stat = fs::read(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // The name, in parentheses, may have any bytes; what follows the last parenthesis has not: state and parent.
    let after = stat.iter().rposition(|byte| *byte == b')')?;
    let mut words = stat.get(after + 1..)?.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    std::str::from_utf8(words.nth(1)?).ok()?.parse().ok()
}

/// Sends SIGKILL to everything below `root`, but for `but`, once nothing of it can start anything any more. Does not wait.
pub(crate) fn kill(root: Pid, but: &HashSet<Pid>) -> io::Result<()> {
    let mut stopped = HashSet::new();
    for _ in 0..LOOKS {
        let fresh: Vec<Pid> = below(root, but)?.into_iter().filter(|pid| stopped.insert(*pid)).collect();
        if fresh.is_empty() {
            break;
        }
        for pid in fresh {
            let _ = kill_process(pid, Signal::STOP);
        }
    }
    for pid in below(root, but)? {
        let _ = kill_process(pid, Signal::KILL);
    }
    Ok(())
}

/// Ends everything below this process and waits until nothing is left; says of each child how it ended. This process has to
/// be a subreaper (`PR_SET_CHILD_SUBREAPER`), or what is orphaned on the way is not found again.
pub(crate) fn end(mut ended: impl FnMut(Pid, WaitStatus)) -> io::Result<()> {
    // Mostly nothing is left, and then there is nothing to look for.
    if reap(&mut ended) == Left::Nobody {
        return Ok(());
    }
    let own = rustix::process::getpid();
    loop {
        kill(own, &HashSet::new())?;
        // All that were there are dying. One that is orphaned by that comes here, and is looked for again.
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) => ended(pid, status),
            Err(Errno::CHILD) => return Ok(()),
            Ok(None) | Err(_) => {}
        }
        if reap(&mut ended) == Left::Nobody {
            return Ok(());
        }
    }
}

/// Whether there are children.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// There are, and none of them has ended.
    Somebody,
    /// There are none.
    Nobody,
}

/// Takes every child that has ended.
pub(crate) fn reap(ended: &mut impl FnMut(Pid, WaitStatus)) -> Left {
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) => ended(pid, status),
            Ok(None) => return Left::Somebody,
            Err(Errno::INTR) => {}
            Err(_) => return Left::Nobody,
        }
    }
}
