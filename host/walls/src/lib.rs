//! What the host process gives up after start-up, so that a hole in a runtime still meets the kernel: new privileges, the system
//! calls that it never makes (seccomp), and all files, ports, signals and sockets that its plan does not name (Landlock). And what
//! it never leaves behind: [core dumps](forgo_dumps).
//!
//! [`raise`] is the last step of start-up: configuration is read and directories exist, but no thread has been started.
//! Both mechanisms are inherited by later threads and can never be undone. What must stay outside them, because it mounts or
//! starts programs, is forked before `raise` and spoken to over a socket pair: afterwards the host can neither start it nor
//! signal it, nor reach it by a named or abstract socket.
//!
//! This crate refuses to raise walls in a process that already has threads, to grant the running of programs, and, when walls
//! are [`Requirement::Required`], to go on without them. It does not drop capabilities or change the user, and holds nothing
//! back that was opened before. Linux on x86-64 and AArch64; elsewhere `Required` is an error and the rest does nothing.

mod plan;
mod status;

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod denials;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod dumps;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod kernel;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod landlock;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod seccomp;

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
#[path = "elsewhere.rs"]
mod kernel;

use std::io;

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub use denials::{Answer, Denial, denials};
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub use dumps::forgo_dumps;
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
pub use kernel::forgo_dumps;
pub use kernel::{raise, status};
pub use plan::{Connect, Plan, Requirement};
pub use status::{InForce, Lack, Landlock, Seccomp, Status};

/// The Landlock ABI without which [`Requirement::Required`] refuses: 4, Linux 6.7. Below it the kernel cannot hold TCP ports (4)
/// or keep a read-only file from being truncated (3). Later ones add device ioctl (5), signals and abstract sockets (6), paths
/// of Unix sockets (9) and UDP (10); what a kernel lacks of them is in [`Landlock::missing`].
pub const MINIMUM_LANDLOCK_ABI: u32 = 4;

/// Why the walls are not up. After any of these the process may be confined in part: the caller ends it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WallsError {
    /// [`Requirement::Required`] on a kernel that cannot do it. Nothing was changed.
    #[error("walls are required, but {0}; start with best-effort walls to go on without")]
    Lacking(String),
    /// `raise` came too late. Nothing was changed.
    #[error("walls must go up while the process has one thread; it has {0}")]
    Threads(usize),
    /// A path to write or a socket of the plan cannot be opened.
    #[error("{path}: cannot be granted: {source}", path = .path.display())]
    #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
    Path {
        /// The path as the plan has it.
        path: std::path::PathBuf,
        /// What opening it met.
        source: ::landlock::PathFdError,
    },
    /// The kernel refused a Landlock rule.
    #[error("Landlock: {0}")]
    #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
    Landlock(#[from] ::landlock::RulesetError),
    /// The kernel refused a seccomp filter.
    #[error("seccomp: {0}")]
    #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
    Seccomp(#[from] seccompiler::Error),
    /// The kernel accepted everything, yet says that this part is not in force.
    #[error("{0} was raised, but the kernel says that it is not in force")]
    NotEnforced(&'static str),
    /// `/proc/self` or a `prctl` answered with an error.
    #[error("{asked}: {source}")]
    Kernel {
        /// What was read or called.
        asked: &'static str,
        /// The answer.
        source: io::Error,
    },
}
