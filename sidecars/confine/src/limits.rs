//! Limits per process, setrlimit(2).

use packhost_session_protocol::message::Rlimits;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::ConfineError;

/// Bytes of a core file. Any core file is larger than this, so none is written; and at exactly 1 (not at 0) the kernel does not
/// start the machine's crash handler either (core(5)), which would read the program's memory as root and outside the sandbox.
/// The seccomp list keeps it at 1.
const CORE: u64 = 1;

/// Seconds of CPU time between `SIGXCPU`, which says why, and `SIGKILL`, which cannot be ignored.
const CPU_GRACE: u64 = 1;

pub(crate) fn set(limits: &Rlimits) -> Result<(), ConfineError> {
    // Raised from 0 where the supervisor may.
    let core = Rlimit { current: Some(CORE), maximum: Some(CORE) };
    setrlimit(Resource::Core, core).or_else(|_| lower(Resource::Core, Some(CORE), 0))?;
    lower(Resource::Nofile, limits.open_files, 0)?;
    lower(Resource::Fsize, limits.file_size, 0)?;
    lower(Resource::Cpu, limits.cpu_seconds, CPU_GRACE)?;
    lower(Resource::Data, limits.data, 0)?;
    lower(Resource::Nproc, limits.processes, 0)
}

/// Sets the soft limit to `limit` and the hard one `grace` above it, never above what the sandbox has: a program that is held
/// tighter than asked is held.
fn lower(resource: Resource, limit: Option<u64>, grace: u64) -> Result<(), ConfineError> {
    let Some(limit) = limit else { return Ok(()) };
    let ceiling = getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let (soft, hard) = (limit.min(ceiling), limit.saturating_add(grace).min(ceiling));
    // The kernel's number for "no limit" is none in rustix's words.
    let word = |value: u64| (value != u64::MAX).then_some(value);
    setrlimit(resource, Rlimit { current: word(soft), maximum: word(hard) })
        .map_err(ConfineError::kernel("setrlimit"))
}
