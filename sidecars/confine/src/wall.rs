//! The wall itself: prepared whole in the parent, raised in the child in the one order that works.

use packhost_session_protocol::message::{Confinement, Rlimits, User};

use crate::ConfineError;
use crate::landlock::Rules;
use crate::seccomp::Filter;
use crate::{identity, landlock, limits, seccomp};

/// Everything that will hold one program, ready to be put in force: opened paths, a compiled filter, numbers.
///
/// Owns one file descriptor (close-on-exec), for as long as it is neither raised nor dropped; shared with [`Walls`](crate::Walls)
/// where that made it.
#[derive(Debug)]
pub struct Wall {
    user: Option<User>,
    rlimits: Rlimits,
    rules: Rules,
    filter: Filter,
    lacking: Vec<String>,
}

impl Wall {
    /// Opens the paths and compiles the filter.
    ///
    /// Fails when `confinement.required` and the kernel cannot hold a program so ([`ConfineError::Lacking`]: no seccomp, or a
    /// Landlock ABI below `confinement.landlock_abi`). Where it is not required, the wall is what the kernel can, and
    /// [`Wall::lacking`] says what it is not. A path that is there and cannot be opened is an error in both cases.
    pub fn prepare(confinement: &Confinement) -> Result<Self, ConfineError> {
        Self::with(confinement, || Rules::prepare(confinement))
    }

    pub(crate) fn with(
        confinement: &Confinement,
        rules: impl FnOnce() -> Result<Rules, ConfineError>,
    ) -> Result<Self, ConfineError> {
        let lacking: Vec<String> =
            [landlock::lacks(confinement.landlock_abi), seccomp::lacks()].into_iter().flatten().collect();
        if confinement.required && !lacking.is_empty() {
            return Err(ConfineError::Lacking(lacking.join("; and ")));
        }
        Ok(Self {
            user: confinement.user,
            rlimits: confinement.rlimits,
            rules: rules()?,
            filter: Filter::prepare()?,
            lacking,
        })
    }

    /// What the kernel cannot do of what was asked, a sentence each; empty when it can do all.
    pub fn lacking(&self) -> &[String] {
        &self.lacking
    }

    /// Confines the calling thread for good, and with it all that it starts. For the child, between fork and exec.
    ///
    /// After an error the child is confined in part: it must exit, not go on.
    pub fn raise(self) -> Result<(), ConfineError> {
        limits::set(&self.rlimits)?;
        // Between here and exec the child is a copy of the supervisor that belongs to the program's user.
        identity::hide_memory()?;
        identity::become_user(self.user)?;
        identity::forgo_privileges()?;
        self.rules.raise()?;
        // Last: from here on the list answers, and a limit of core files, for one, is no longer set.
        self.filter.raise()
    }
}

/// What the running kernel holds no program to, whatever is asked of a wall: a sentence each, for whoever operates the machine.
/// Empty where there is nothing to say.
pub fn not_held() -> Vec<String> {
    landlock::not_held(landlock::landlock_abi()).into_iter().chain(seccomp::lacks()).collect()
}
