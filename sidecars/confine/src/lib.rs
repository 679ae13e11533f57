//! What holds a program in a sandbox: its user, no capabilities, no new privileges, Landlock with every right that the kernel
//! knows, a written seccomp list, and limits.
//!
//! Owns: preparing all of it in the parent and putting it in force in the child, between fork and exec. Refuses: making
//! sandboxes, and starting anything.

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
compile_error!("packhost-confine knows the system calls of Linux on x86_64 and aarch64 only");

mod denials;
mod error;
mod identity;
mod kept;
mod landlock;
mod limits;
mod place;
mod program;
mod reach;
mod seccomp;
mod wall;

pub use denials::{Answer, Denial, list};
pub use error::ConfineError;
pub use identity::empty_bounding_set;
pub use kept::{KEPT, Walls};
pub use landlock::landlock_abi;
pub use wall::{Wall, not_held};
