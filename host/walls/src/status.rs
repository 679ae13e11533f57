//! What is in force, as data and as the one line that people see.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// What [`raise`](crate::raise) put in force. Its `Display` is the line of the start-up banner.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct InForce {
    /// The process and what it might start can gain no rights by set-user-id bits or file capabilities.
    pub no_new_privs: bool,
    /// The system call filter, absent where the kernel has none or walls are off.
    pub seccomp: Option<Seccomp>,
    /// The rules on files, ports and signals, absent where the kernel has none or walls are off.
    pub landlock: Option<Landlock>,
    /// Paths of [`Plan::read`](crate::Plan::read) that did not exist or could not be reached: not granted.
    pub skipped: Vec<PathBuf>,
    /// Why a part is off, or weaker than it should be, although the kernel was asked for it.
    pub lacking: Vec<Lack>,
}

/// Something that walls need and that is not there. Displays as one sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lack {
    /// What is lacking.
    pub what: String,
    /// What to do about it.
    pub fix: &'static str,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what, self.fix)
    }
}

/// The system call filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Seccomp {
    /// Number of system calls that are denied, in whole or for some arguments.
    pub denied: usize,
}

/// The rules on files, ports and signals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Landlock {
    /// The kernel's Landlock ABI, from 1.
    pub abi: u32,
    /// What this kernel cannot hold, so that the plan's silence about it does not deny it.
    pub missing: Vec<&'static str>,
}

impl fmt::Display for InForce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        line(f, self.seccomp.is_some(), self.landlock.as_ref().map(|rules| rules.abi), self.no_new_privs)?;
        match self.landlock.as_ref().map(|rules| rules.missing.as_slice()) {
            None | Some([]) => Ok(()),
            Some(missing) => write!(f, " · not held by this kernel: {}", missing.join(", ")),
        }
    }
}

/// The walls of the running process as the kernel reports them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Status {
    /// No program started from here can gain rights by set-user-id bits or file capabilities.
    pub no_new_privs: bool,
    /// Number of seccomp filters on this thread; 0 is none. A kernel before 5.9 does not count: 1 stands for any.
    pub seccomp_filters: u32,
    /// The Landlock ABI that the kernel offers; 0 when it has none or has it switched off.
    pub landlock_abi: u32,
    /// Whether the root directory cannot be listed, which every user can where no Landlock rule forbids it. The kernel has no
    /// question that asks for this directly; a plan that grants `/` itself reads as `false`.
    pub landlock_confined: bool,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let landlock = self.landlock_confined.then_some(self.landlock_abi);
        line(f, self.seccomp_filters > 0, landlock, self.no_new_privs)
    }
}

/// `walls: seccomp on · landlock on (ABI 7) · no-new-privs on`
pub(crate) fn line(
    f: &mut fmt::Formatter<'_>,
    seccomp: bool,
    landlock: Option<u32>,
    privs: bool,
) -> fmt::Result {
    let on = |on: bool| if on { "on" } else { "off" };
    write!(f, "walls: seccomp {} · landlock {}", on(seccomp), on(landlock.is_some()))?;
    if let Some(abi) = landlock {
        write!(f, " (ABI {abi})")?;
    }
    write!(f, " · no-new-privs {}", on(privs))
}
