//! Walls for one program after the other: what was prepared for one serves the next, as long as it would come out the same.

use std::collections::VecDeque;

use packhost_session_protocol::message::Confinement;

use crate::landlock::Rules;
use crate::{ConfineError, Wall};

/// Rules that are kept at most. Most sandboxes have one kind of program; the one whose last use is longest ago makes room.
pub const KEPT: usize = 8;

/// Prepares walls, and keeps what of them is the same for the next.
///
/// Rules are about files, not about paths. They are used again only where each path of the confinement still leads to the file
/// that it led to, by ways that may be followed, or still to nothing; otherwise they are made anew. So a wall is what one that
/// is prepared afresh would be, whatever a program put in the place of a path meanwhile.
///
/// While rules are kept, the kernel keeps the files that they name, also when these were removed: one that was takes its space
/// until then.
#[derive(Debug, Default)]
pub struct Walls {
    /// The one that was used last is last.
    kept: VecDeque<Rules>,
}

impl Walls {
    /// As [`Wall::prepare`], in less time where it was done before.
    ///
    /// # Errors
    ///
    /// Those of [`Wall::prepare`].
    pub fn prepare(&mut self, confinement: &Confinement) -> Result<Wall, ConfineError> {
        Wall::with(confinement, || self.rules(confinement))
    }

    fn rules(&mut self, confinement: &Confinement) -> Result<Rules, ConfineError> {
        let at = self.kept.iter().position(|rules| rules.are_for(confinement));
        let kept = at.and_then(|at| self.kept.remove(at)).filter(Rules::hold);
        let rules = kept.map_or_else(|| Rules::prepare(confinement), Ok)?;
        if self.kept.len() >= KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(rules.clone());
        Ok(rules)
    }
}
