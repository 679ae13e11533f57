//! What fails.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

use crate::random::Random;
use crate::world::On;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The host is killed.
    Host,
    /// The process that makes sandboxes for it is killed, and some time later the host.
    Launcher,
    /// The supervisor of a sandbox is killed, which is the first process there.
    Supervisor,
    /// A process below a supervisor is killed: what keeps a program, a program, or one that serves a file.
    Process,
    /// What the engine has beside a container is killed.
    Shim,
    /// All streams break.
    Streams,
    /// There is no room for anything that the host writes down.
    Disk,
    /// The engine is killed and started again.
    Engine,
    /// The engine is told to end and started again.
    EngineStops,
}

/// Some more often than others.
const OF_PROCESSES: &[Fault] = &[
    Fault::Host,
    Fault::Host,
    Fault::Launcher,
    Fault::Supervisor,
    Fault::Process,
    Fault::Process,
    Fault::Streams,
    Fault::Streams,
    Fault::Disk,
];

const OF_CONTAINERS: &[Fault] = &[
    Fault::Host,
    Fault::Host,
    Fault::Supervisor,
    Fault::Process,
    Fault::Process,
    Fault::Shim,
    Fault::Streams,
    Fault::Streams,
    Fault::Disk,
    Fault::Engine,
    Fault::EngineStops,
];

impl Fault {
    pub(crate) fn any(on: On, random: &mut Random) -> Self {
        let all = match on {
            On::Process => OF_PROCESSES,
            On::Docker => OF_CONTAINERS,
        };
        *random.one(all).expect("there are some")
    }
}

/// Kills a process, which may be gone by now. Whether it was there.
pub(crate) fn kill(pid: u32) -> bool {
    Pid::from_raw(pid.cast_signed()).is_some_and(|pid| kill_process(pid, Signal::KILL).is_ok())
}

/// All that a process has started, as deep as it goes.
pub(crate) fn below(pid: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let children: Vec<u32> = children.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    children.into_iter().flat_map(|child| [vec![child], below(child)].concat()).collect()
}

/// The process that started this one, unless that is the machine's first.
pub(crate) fn above(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
    (parent > 1).then_some(parent)
}
