//! What the sandbox uses, as far as the supervisor can see it.

mod cgroup;
mod mounts;
mod processes;

use packhost_session_protocol::message::Usage;

use cgroup::Groups;
use mounts::Mounts;
use processes::Processes;

/// What is used now. `execs` is 0: who starts programs knows how many run.
///
/// Memory and CPU time are those of the sandbox's cgroup where it can be seen, version 2 or 1 (cgroups(7)), otherwise the sum
/// over the processes in `/proc`. What cannot be read counts as nothing. Reads a file for each process, at most
/// [`PROCESSES`].
pub fn now() -> Usage {
    let processes = Processes::read();
    let mounts = Mounts::read();
    let groups = Groups::read(&mounts);
    Usage {
        memory: groups.memory().unwrap_or(processes.resident),
        processes: processes.count,
        cpu_us: groups.cpu_us().unwrap_or(processes.cpu_us),
        execs: 0,
        disk: mounts.used(),
    }
}

pub use processes::PROCESSES;

/// The most bytes that are read of a file in `/proc` or of a cgroup.
const FILE: u64 = 1024 * 1024;

/// A small file of the kernel's. What in it is not UTF-8 is replaced.
fn read(path: impl AsRef<std::path::Path>) -> Option<String> {
    use std::io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(path).ok()?.take(FILE).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
