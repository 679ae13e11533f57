//! Why a program cannot be held.

use std::io;
use std::path::PathBuf;

/// Why a wall could not be prepared or raised. A program whose wall fails must not be started.
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    /// The kernel cannot hold the program as is required of it. The sentence says what is missing and what to change.
    #[error("{0}")]
    Lacking(String),
    /// A path to grant is relative.
    #[error("the path to grant {0:?} is not absolute; write it from /")]
    Relative(PathBuf),
    /// A path to grant is there but cannot be opened.
    #[error(
        "{path:?} cannot be granted: {source}; take it out of the profile or let the supervisor reach it"
    )]
    Path {
        /// Which.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel refused a Landlock rule.
    #[error("Landlock refused the rules: {0}")]
    Landlock(#[from] Box<landlock::RulesetError>),
    /// The system call filter could not be compiled, or the kernel refused it.
    #[error("the system call filter was refused: {0}")]
    Seccomp(#[from] seccompiler::Error),
    /// The supervisor cannot become the program's user.
    #[error(
        "the program cannot run as user {uid}, group {gid}: {asked}: {source}; the supervisor needs CAP_SETUID and CAP_SETGID, \
         and both numbers must exist in its user namespace"
    )]
    User {
        /// The user's number.
        uid: u32,
        /// The group's.
        gid: u32,
        /// The system call.
        asked: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel refused something else.
    #[error("{asked} failed: {source}")]
    Kernel {
        /// The system call.
        asked: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// A call succeeded and had no effect.
    #[error("{0} is not in force although the kernel took it; the program was not started")]
    NotEnforced(&'static str),
}

impl ConfineError {
    /// Makes an error of rustix one that says which call was refused.
    pub(crate) fn kernel(asked: &'static str) -> impl Fn(rustix::io::Errno) -> Self {
        move |errno| Self::Kernel { asked, source: errno.into() }
    }
}

impl From<landlock::RulesetError> for ConfineError {
    fn from(error: landlock::RulesetError) -> Self {
        Self::Landlock(Box::new(error))
    }
}

impl From<seccompiler::BackendError> for ConfineError {
    fn from(error: seccompiler::BackendError) -> Self {
        Self::Seccomp(error.into())
    }
}
