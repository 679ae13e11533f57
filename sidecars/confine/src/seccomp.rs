//! The written list in force: one filter, compiled once.

use std::io;
use std::sync::OnceLock;

use seccompiler::{BpfProgram, apply_filter};

use crate::ConfineError;
use crate::denials::list;
use crate::program::compile;

/// What is missing, in a sentence.
pub(crate) fn lacks() -> Option<String> {
    available().err().map(|error| {
        format!(
            "this kernel cannot filter system calls by seccomp ({error}); Linux with CONFIG_SECCOMP_FILTER can, unless a \
             container keeps the call from it"
        )
    })
}

fn available() -> io::Result<()> {
    let action: u32 = libc::SECCOMP_RET_KILL_PROCESS;
    // SAFETY: SECCOMP_GET_ACTION_AVAIL reads one u32 through a pointer that is valid for the call, and changes nothing.
    let answer =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_ACTION_AVAIL, 0, &raw const action) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The list as the kernel takes it. None where the kernel has no seccomp.
#[derive(Debug)]
pub(crate) struct Filter(Option<&'static BpfProgram>);

impl Filter {
    /// Compiles it, the first time in this process.
    pub(crate) fn prepare() -> Result<Self, ConfineError> {
        static PROGRAM: OnceLock<BpfProgram> = OnceLock::new();

        if available().is_err() {
            return Ok(Self(None));
        }
        if let Some(program) = PROGRAM.get() {
            return Ok(Self(Some(program)));
        }
        let program = compile(list())?;
        Ok(Self(Some(PROGRAM.get_or_init(|| program))))
    }

    /// Allocates nothing.
    pub(crate) fn raise(&self) -> Result<(), ConfineError> {
        Ok(self.0.map_or(Ok(()), |program| apply_filter(program))?)
    }
}
