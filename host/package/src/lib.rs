//! A component as a pack: the custom section that describes it, and what can be learnt from its bytes alone.
//!
//! Owns: the `packhost:pack` section (reading it without running anything; with the feature `stamp`, writing it at
//! build time, after building the component) and the outline of a component: imports, exports, how many core instances one instance needs.
//! Refuses: running guests on the host, policy, compiling.

mod description;
mod error;
#[cfg(feature = "stamp")]
pub mod nested;
#[cfg(feature = "stamp")]
mod outer;
mod outline;
#[cfg(feature = "stamp")]
pub mod stamp;
mod walk;

pub use description::{Description, Effects, SECTION, Wants};
pub use error::PackageError;
pub use outline::{Needs, Outline};
