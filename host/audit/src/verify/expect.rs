//! Which records may come next.
//!
//! In a log that is whole that is one. After something that is wrong there are a few: so one change is one finding, whatever
//! it was, and not all of the rest of the log.

use crate::log::{Hash, Line, Position};

/// The most that may come next.
const MOST: usize = 8;

/// The places that the next record may stand behind, the most likely first.
pub(super) struct Expect {
    behind: Vec<Position>,
}

impl Expect {
    pub(super) fn behind(position: Position) -> Self {
        Self { behind: vec![position] }
    }

    /// The place that the next record should stand behind.
    pub(super) fn first(&self) -> Position {
        self.behind[0]
    }

    /// The place that this record stands behind, if it is one of them.
    pub(super) fn fits(&self, line: &Line<'_>) -> Option<Position> {
        let fits = |before: &&Position| {
            before.n.checked_add(1) == Some(line.envelope.n) && line.follows(&before.hash)
        };
        self.behind.iter().find(fits).copied()
    }

    /// After a record that fits.
    pub(super) fn go_on(&mut self, position: Position) {
        self.behind.clear();
        self.behind.push(position);
    }

    /// After one that does not: the next may stand behind it as it says it is, as it would be if it had been changed, or as if
    /// it were not there.
    pub(super) fn in_spite_of(&mut self, n: u64, own: Option<Hash>, json: Option<&[u8]>) {
        let computed = json.map(|json| self.first().hash.after(json));
        let mut behind: Vec<Position> =
            [own, computed].into_iter().flatten().map(|hash| Position { n, hash }).collect();
        behind.append(&mut self.behind);
        behind.truncate(MOST);
        self.behind = behind;
    }

    /// The next one is not known, but for what it says itself.
    pub(super) fn restart(&mut self, position: Position) {
        self.behind.insert(0, position);
        self.behind.truncate(MOST);
    }
}
