//! The search itself: from where a form may begin to where it ends. Owns the threads that are not decided, and which bytes
//! of the text they need.
//!
//! A place of a form is either a byte as it is or an escape, and a value may hold what looks like an escape. So there may be
//! more than one way through the same bytes, and each is followed. The digits of an encoded form may be parted, by line breaks
//! for example.

use std::collections::BTreeSet;

use crate::pattern::Pattern;
use crate::prefilter::{Prefilter, Thread};
use crate::unit::{self, Read};

/// A value in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Match {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Which value.
    pub(crate) value: usize,
}

/// Where a search through a text that comes in parts has got to. Positions count from the first byte that is kept.
#[derive(Default)]
pub(crate) struct Search {
    /// What needs more text to be decided.
    threads: Vec<Thread>,
    /// What is found, in no order.
    pub(crate) matches: Vec<Match>,
}

impl Search {
    /// Goes on from `from`, which is where the text ended the last time. Without `more`, the text ends here.
    pub(crate) fn advance(
        &mut self,
        patterns: &[Pattern],
        prefilter: &Prefilter,
        text: &[u8],
        from: usize,
        more: bool,
    ) {
        let mut threads = std::mem::take(&mut self.threads);
        prefilter.propose(patterns, text, from, more, &mut threads);
        for thread in threads {
            self.follow(&patterns[usize::from(thread.pattern)], text, thread, more);
        }
        // Two that are at the same place of the same form end alike; the one that began first covers the other.
        self.threads.sort_unstable();
        self.threads.dedup_by_key(|thread| (thread.pattern, thread.place, thread.at));
    }

    /// The first byte that may be part of a match that is not found yet, or the end of the text.
    pub(crate) fn decided(&self, text: &[u8]) -> usize {
        self.threads.iter().map(|thread| thread.start).fold(text.len(), usize::min)
    }

    /// Takes the positions back by so many bytes, which are not kept; every thread and match begins after them.
    pub(crate) fn forget(&mut self, bytes: usize) {
        for thread in &mut self.threads {
            thread.start -= bytes;
            thread.at -= bytes;
        }
        for found in &mut self.matches {
            found.start -= bytes;
            found.end -= bytes;
        }
    }

    /// Follows one thread as far as the text goes, on each of its ways.
    fn follow(&mut self, pattern: &Pattern, text: &[u8], thread: Thread, more: bool) {
        let mut next = Some((thread.at, thread.place));
        // By position, so that each state comes up once.
        let mut others = BTreeSet::new();
        while let Some((mut at, mut place)) = next {
            loop {
                let index = place as usize;
                if index == pattern.len() {
                    self.matches.push(Match { start: thread.start, end: at, value: pattern.value });
                    break;
                }
                let Some(byte) = text.get(at) else {
                    if more {
                        self.threads.push(Thread { at, place, ..thread });
                    }
                    break;
                };
                if unit::is_lead(*byte) {
                    match unit::read(&text[at..]) {
                        Read::Partial if more => {
                            self.threads.push(Thread { at, place, ..thread });
                            break;
                        }
                        Read::Unit(unit) if pattern.takes(index, unit.bytes()) => {
                            others.insert((at + unit.len, place + count(unit.bytes())));
                        }
                        _ => {}
                    }
                }
                if pattern.is_digits() && unit::may_part(*byte) {
                    match past(pattern, text, at, place) {
                        Past::Waits if more => {
                            self.threads.push(Thread { at, place, ..thread });
                            break;
                        }
                        Past::Goes(at, place) => {
                            others.insert((at, place));
                        }
                        _ => {}
                    }
                }
                if !pattern.fits(index, *byte) {
                    break;
                }
                (at, place) = (at + 1, place + 1);
                if !others.is_empty() {
                    others.insert((at, place));
                    break;
                }
            }
            next = others.pop_first();
        }
    }
}

/// What comes of something between two digits and the place after it.
enum Past {
    /// The next state.
    Goes(usize, u32),
    /// The text ends before that can be said.
    Waits,
    /// They are not there.
    Ends,
}

/// Takes what parts two digits together with the place that follows on it, so that there is no more than that between them:
/// what is held back has a bound.
fn past(pattern: &Pattern, text: &[u8], at: usize, place: u32) -> Past {
    let index = place as usize;
    let at = match unit::between(&text[at..]) {
        Read::Unit(unit) if pattern.is_parted(index, unit.first()) => at + unit.len,
        Read::Partial if index > 0 => return Past::Waits,
        _ => return Past::Ends,
    };
    let Some(byte) = text.get(at) else { return Past::Waits };
    match unit::read(&text[at..]) {
        Read::Partial => Past::Waits,
        Read::Unit(unit) if pattern.takes(index, unit.bytes()) => {
            Past::Goes(at + unit.len, place + count(unit.bytes()))
        }
        // No digit begins an escape.
        Read::None if pattern.fits(index, *byte) => Past::Goes(at + 1, place + 1),
        Read::Unit(_) | Read::None => Past::Ends,
    }
}

/// How many places an escape takes: four at the most.
fn count(bytes: &[u8]) -> u32 {
    bytes.iter().map(|_| 1).sum()
}
