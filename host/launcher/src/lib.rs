//! Sandboxes from the kernel's own means: namespaces, mounts, cgroups; no daemon.
//!
//! Owns: making a sandbox from a [`Recipe`], finding those that an earlier launcher made, and ending them with all that
//! belongs to them. Two sides: [`serve`] is a process of its own, started before the host puts up its walls; [`Launcher`] is the
//! host's side of the socket pair between the two, the only thing that they share.
//! Refuses: what is not in its [`Settings`]. The host may be in the hands of an attacker, so which parts of the machine may
//! come into a sandbox is told to the launcher once, at its start, and a recipe can only choose among them. What happens inside a
//! sandbox is the supervisor's, and of the bytes to it the launcher sees none.
//!
//! Linux only; the process that calls [`serve`] must have one thread.

mod cgroup;
mod client;
mod desk;
#[cfg(fuzzing)]
pub mod fuzzing;
mod held;
mod logs;
mod process;
mod recipe;
mod sandbox;
mod serve;
mod settings;
mod shelf;
mod wire;
mod worker;

pub use client::{Launcher, LauncherError};
pub use recipe::{Access, Files, Limits, Mount, Recipe, bounds};
pub use serve::serve;
pub use settings::{Settings, UIDS, Uids};
pub use wire::{About, End, Fault, Refusal, Sandbox, Started, State, Usage, channel};
