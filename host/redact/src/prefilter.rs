//! Where in a text a form of a value may begin. Owns what makes that fast: most of a text is skipped, and what is left is
//! proposed. It proposes too much, never too little; [`crate::search`] decides.
//!
//! A form begins in one of two ways. Either its first [`Prefilter::window`] places stand in the text as they are: that is
//! found by the skip table of Wu and Manber (1994) over blocks of three bytes, case aside. Or there is an escape among them, or
//! what parts digits, and before the first of those at most `window - 1` places that stand as they are: that is found from
//! there backwards. Most of those begin with one of five bytes, which memchr finds. A space or a colon is in every line, and is
//! looked for together with the digits around it: see [`dump`].

use memchr::{memchr2_iter, memchr3_iter};
use zeroize::Zeroizing;

use crate::dump;
use crate::pattern::Pattern;
use crate::unit::{self, LONGEST, Read};

/// The longest window, in places. A longer one skips more and fills the table more.
const WINDOW: usize = 32;

/// Bytes that one step of the skip table looks at.
const BLOCK: usize = 3;

/// The skip table has two to the power of so many entries of one byte: half of a small first-level cache.
const BITS: u32 = 14;

/// Which patterns there are, by a key. `starts[key]..starts[key + 1]` are the entries of a key.
struct ByKey {
    starts: Vec<u32>,
    entries: Zeroizing<Vec<Place>>,
}

/// A place of a pattern.
type Place = (u16, u8);

/// A state of a search that may become a match: a pattern, of which so many places are found before a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Thread {
    pub(crate) pattern: u16,
    /// The next place.
    pub(crate) place: u32,
    /// Where in the text the next place is to be found.
    pub(crate) at: usize,
    /// Where in the text the first place was found.
    pub(crate) start: usize,
}

pub(crate) struct Prefilter {
    window: usize,
    /// How far the window may be moved when its last block has this hash.
    skips: Zeroizing<Vec<u8>>,
    /// The patterns whose window ends in a block with this hash, sorted.
    ends: Zeroizing<Vec<(u16, u16)>>,
    /// The patterns that begin with a byte, taken as it is.
    plain: ByKey,
    /// The places within the window that an escape for a byte fits.
    escaped: ByKey,
    /// The patterns of which one place stands before what parts them, by that byte and the one behind: see [`pair`].
    parted_early: ByKey,
    /// How many places of a pattern stand before what parts them within the window, by the last two of them: see [`pair`].
    parted: ByKey,
}

impl Prefilter {
    /// For so many patterns as 16 bits can count, each of at least eight places.
    pub(crate) fn new(patterns: &[Pattern]) -> Self {
        let window = patterns.iter().map(Pattern::len).fold(WINDOW, usize::min);
        let furthest = (window + 1).saturating_sub(BLOCK).to_le_bytes()[0];
        let mut filter = Self {
            window,
            skips: Zeroizing::new(vec![furthest; 1 << BITS]),
            ends: Zeroizing::new(Vec::new()),
            plain: ByKey::default(),
            escaped: ByKey::default(),
            parted_early: ByKey::default(),
            parted: ByKey::default(),
        };
        let (mut plain, mut escaped) = (Vec::new(), Vec::new());
        let (mut parted_early, mut parted) = (Vec::new(), Vec::new());
        for (pattern, number) in patterns.iter().zip(0..) {
            let fitting: Vec<_> = (0..window).map(|place| Zeroizing::new(pattern.fitting(place))).collect();
            plain.extend(fitting[0].iter().map(|byte| (u16::from(*byte), (number, 0))));
            filter.add_window(number, &fitting);
            if pattern.is_digits() {
                parted_early.extend(pairs(&fitting[..2]).map(|key| (key, (number, 1))));
                for (last, count) in fitting[..window - 1].windows(2).zip(2..) {
                    parted.extend(pairs(last).map(|key| (key, (number, count))));
                }
            }
            for place in 0..window {
                let means = |byte: &u8| pattern.means(place, *byte);
                let meant = (0..=u8::MAX).filter(means);
                escaped.extend(meant.map(|byte| (u16::from(byte), (number, place.to_le_bytes()[0]))));
            }
        }
        filter.ends.sort_unstable();
        filter.ends.dedup();
        filter.plain = ByKey::new(&mut plain);
        filter.escaped = ByKey::new(&mut escaped);
        filter.parted_early = ByKey::new(&mut parted_early);
        filter.parted = ByKey::new(&mut parted);
        filter
    }

    /// Enters each block of a window into the skip table, in every spelling.
    fn add_window(&mut self, number: u16, fitting: &[Zeroizing<Vec<u8>>]) {
        let blocks = fitting.len() - BLOCK;
        for (at, block) in fitting.windows(BLOCK).enumerate() {
            let skip = (blocks - at).to_le_bytes()[0];
            for [one, two, three] in spellings(block) {
                let hash = hash([0, one, two, three]);
                let entry = &mut self.skips[usize::from(hash)];
                *entry = skip.min(*entry);
                if skip == 0 {
                    self.ends.push((hash, number));
                }
            }
        }
    }

    /// Proposes every pattern that may begin at `from` or after it. With `more`, what may go on after the end of the text
    /// is proposed as well.
    pub(crate) fn propose(
        &self,
        patterns: &[Pattern],
        text: &[u8],
        from: usize,
        more: bool,
        found: &mut Vec<Thread>,
    ) {
        // Here and after it, what begins may not be whole, and is not found by what follows.
        let tail = if more { self.tail(text).max(from) } else { text.len() };
        self.windows(patterns, text, from..tail, found);
        self.escapes(patterns, text, from..tail, found);
        for start in tail..text.len() {
            for (pattern, _) in self.plain.of(text[start].into()) {
                found.push(Thread { pattern: *pattern, place: 0, at: start, start });
            }
            match unit::read(&text[start..]) {
                Read::Unit(unit) => {
                    let first = self.escaped.of(unit.first().into()).iter().filter(|(_, place)| *place == 0);
                    found.extend(first.map(|(pattern, _)| Thread {
                        pattern: *pattern,
                        place: 0,
                        at: start,
                        start,
                    }));
                }
                Read::Partial => found.extend((0..).take(patterns.len()).map(|pattern| Thread {
                    pattern,
                    place: 0,
                    at: start,
                    start,
                })),
                Read::None => {}
            }
        }
    }

    /// From where on neither a whole window nor a whole escape within one need follow.
    fn tail(&self, text: &[u8]) -> usize {
        let last = text.len().saturating_sub(LONGEST - 1);
        let cut = (last..text.len()).find(|at| unit::read(&text[*at..]) == Read::Partial);
        cut.unwrap_or(text.len()).saturating_sub(self.window - 1)
    }

    /// What stands in the text as it is, for a window at least.
    fn windows(
        &self,
        patterns: &[Pattern],
        text: &[u8],
        starts: std::ops::Range<usize>,
        found: &mut Vec<Thread>,
    ) {
        let mut end = starts.start + self.window;
        // The window is longer than four bytes.
        while let Some(&[_, _, _, _]) = text.get(end - 4..end) {
            let hash = hash([text[end - 4], text[end - 3], text[end - 2], text[end - 1]]);
            let skip = self.skips[usize::from(hash)];
            if skip > 0 {
                end += usize::from(skip);
                continue;
            }
            let start = end - self.window;
            if start >= starts.end {
                return;
            }
            let first = self.ends.partition_point(|(other, _)| *other < hash);
            for (_, number) in self.ends[first..].iter().take_while(|(other, _)| *other == hash) {
                let pattern = &patterns[usize::from(*number)];
                if stands(pattern, &text[start..end]) {
                    found.push(Thread { pattern: *number, place: 0, at: start, start });
                }
            }
            end += 1;
        }
    }

    /// What has an escape within its window, or is parted there.
    fn escapes(
        &self,
        patterns: &[Pattern],
        text: &[u8],
        starts: std::ops::Range<usize>,
        found: &mut Vec<Thread>,
    ) {
        for at in memchr3_iter(b'%', b'\\', b'&', &text[starts.start..]) {
            let at = starts.start + at;
            if unit::may_part_here(&text[at..]) {
                self.parts(patterns, text, at, &starts, found);
            }
            let Read::Unit(unit) = unit::read(&text[at..]) else { continue };
            backwards(patterns, text, at, &starts, self.escaped.of(unit.first().into()), found);
        }
        for at in memchr2_iter(b'\r', b'\n', &text[starts.start..]) {
            self.parts(patterns, text, starts.start + at, &starts, found);
        }
        dump::each(text, starts.start, |at| self.parts(patterns, text, at, &starts, found));
    }

    /// What is parted here, if it is: what parts it may be whole, or cut off by the end of the text.
    fn parts(
        &self,
        patterns: &[Pattern],
        text: &[u8],
        at: usize,
        starts: &std::ops::Range<usize>,
        found: &mut Vec<Thread>,
    ) {
        let behind = match unit::between(&text[at..]) {
            Read::Unit(unit) => text.get(at + unit.len).copied(),
            Read::Partial => None,
            Read::None => return,
        };
        let [.., last] = text[..at] else { return };
        match behind.filter(|byte| !unit::is_lead(*byte)) {
            Some(next) => {
                let early = self.parted_early.of(pair(last, next));
                backwards(patterns, text, at, starts, early, found);
            }
            // An escape may be any byte.
            None => {
                let all = patterns.iter().zip(0..).filter(|(pattern, _)| pattern.is_digits());
                let early: Vec<Place> = all.map(|(_, number)| (number, 1)).collect();
                backwards(patterns, text, at, starts, &early, found);
            }
        }
        if let [.., one, two] = text[..at] {
            backwards(patterns, text, at, starts, self.parted.of(pair(one, two)), found);
        }
    }
}

/// Proposes those of the patterns of which so many places stand before this one as they are.
fn backwards(
    patterns: &[Pattern],
    text: &[u8],
    at: usize,
    starts: &std::ops::Range<usize>,
    places: &[Place],
    found: &mut Vec<Thread>,
) {
    for (number, place) in places {
        let Some(start) = at.checked_sub(usize::from(*place)) else { continue };
        if starts.contains(&start) && stands(&patterns[usize::from(*number)], &text[start..at]) {
            found.push(Thread { pattern: *number, place: u32::from(*place), at, start });
        }
    }
}

/// Whether all of a text is the beginning of a pattern, as it is.
fn stands(pattern: &Pattern, text: &[u8]) -> bool {
    // From its end: what brought here is there.
    text.iter().enumerate().rev().all(|(place, byte)| pattern.fits(place, *byte))
}

/// All that three places fit.
fn spellings(block: &[Zeroizing<Vec<u8>>]) -> impl Iterator<Item = [u8; BLOCK]> {
    block[0].iter().flat_map(move |one| {
        block[1].iter().flat_map(move |two| block[2].iter().map(move |three| [*one, *two, *three]))
    })
}

/// Of the last three of four bytes, in whatever case.
fn hash(bytes: [u8; 4]) -> u16 {
    let block = u32::from_le_bytes(bytes) | 0x2020_2000;
    // Knuth's multiplicative hash; what is in the first byte is shifted out.
    let [low, high, _, _] = ((block >> 8).wrapping_mul(0x9e37_79b1) >> (32 - BITS)).to_le_bytes();
    u16::from_le_bytes([low, high])
}

/// The keys of all that two places fit.
fn pairs(places: &[Zeroizing<Vec<u8>>]) -> impl Iterator<Item = u16> {
    places[0].iter().flat_map(|one| places[1].iter().map(|two| pair(*one, *two)))
}

/// A key for two bytes that follow on each other. Others may have the same.
fn pair(one: u8, two: u8) -> u16 {
    u16::from(one & 0x3f) << 6 | u16::from(two & 0x3f)
}

impl Default for ByKey {
    fn default() -> Self {
        Self::new(&mut Vec::new())
    }
}

impl ByKey {
    fn new(entries: &mut Vec<(u16, Place)>) -> Self {
        let keys = entries.iter().map(|(key, _)| usize::from(*key) + 1).fold(0, usize::max);
        let mut starts = vec![0_u32; keys + 1];
        for (key, _) in &*entries {
            starts[usize::from(*key) + 1] += 1;
        }
        for key in 0..keys {
            starts[key + 1] += starts[key];
        }
        let mut next = starts.clone();
        let mut places = Zeroizing::new(vec![(0, 0); entries.len()]);
        for (key, place) in &*entries {
            let next = &mut next[usize::from(*key)];
            places[*next as usize] = *place;
            *next += 1;
        }
        zeroize::Zeroize::zeroize(entries);
        Self { starts, entries: places }
    }

    fn of(&self, key: u16) -> &[Place] {
        let key = usize::from(key);
        match self.starts.get(key..key + 2) {
            Some([start, end]) => &self.entries[*start as usize..*end as usize],
            _ => &[],
        }
    }
}
