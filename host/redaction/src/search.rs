//! Many patterns in one text, most of which is passed over.
//!
//! After Wu and Manber ("A fast algorithm for multi-pattern searching", 1994): the last three bytes of a window of eight say
//! how far the next window may be that a pattern can begin at.

use crate::pattern::Pattern;

/// Every pattern is at least as long.
const WINDOW: usize = crate::SHORTEST;
const BLOCK: usize = 3;
/// How far it goes on where no pattern has the block.
const FURTHEST: u8 = (WINDOW - BLOCK + 1) as u8;

pub(crate) struct Search {
    /// Sorted.
    patterns: Vec<Pattern>,
    /// The first eight bytes of patterns, sorted, and where those begin that have them.
    starts: Vec<(u64, usize)>,
    shift: Vec<u8>,
    bits: u32,
    longest: usize,
}

impl Search {
    pub(crate) fn new(patterns: Vec<Pattern>) -> Self {
        let mut starts: Vec<(u64, usize)> =
            patterns.iter().enumerate().map(|(at, pattern)| (key(&pattern.bytes), at)).collect();
        starts.dedup_by_key(|(key, _)| *key);
        // So few of the entries are taken that hardly a block of a text meets one by chance.
        let bits = (starts.len() * 64).next_power_of_two().trailing_zeros().clamp(10, 18);
        let mut shift = vec![FURTHEST; 1 << bits];
        for pattern in &patterns {
            for (at, block) in pattern.bytes[..WINDOW].windows(BLOCK).enumerate() {
                let entry = &mut shift[hash(block, bits)];
                *entry = (*entry).min((WINDOW - BLOCK - at) as u8);
            }
        }
        let longest = patterns.iter().map(|pattern| pattern.bytes.len()).max().unwrap_or_default();
        Self { patterns, starts, shift, bits, longest }
    }

    /// The length of the longest pattern.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    /// Every occurrence of a pattern, by where it begins.
    pub(crate) fn each(&self, text: &[u8], mut found: impl FnMut(usize, &Pattern)) {
        let mut at = 0;
        while let Some(window) = text.get(at..at + WINDOW) {
            let shift = self.shift[hash(&window[WINDOW - BLOCK..], self.bits)];
            if shift > 0 {
                at += usize::from(shift);
                continue;
            }
            for pattern in self.beginning_with(window) {
                if text[at..].starts_with(&pattern.bytes) {
                    found(at, pattern);
                }
            }
            at += 1;
        }
    }

    /// Where, at the end of the text, a pattern begins that may go on after it.
    pub(crate) fn unfinished(&self, text: &[u8]) -> Option<usize> {
        let first = text.len().saturating_sub(self.longest.saturating_sub(1));
        (first..text.len()).find(|at| self.may_begin(&text[*at..]))
    }

    fn may_begin(&self, rest: &[u8]) -> bool {
        if let Some(window) = rest.get(..WINDOW) {
            return self.shift[hash(&window[WINDOW - BLOCK..], self.bits)] == 0
                && self
                    .beginning_with(window)
                    .iter()
                    .any(|pattern| pattern.bytes.len() > rest.len() && pattern.bytes.starts_with(rest));
        }
        let next = self.patterns.partition_point(|pattern| pattern.bytes.as_slice() < rest);
        self.patterns.get(next).is_some_and(|pattern| pattern.bytes.starts_with(rest))
    }

    fn beginning_with(&self, window: &[u8]) -> &[Pattern] {
        match self.starts.binary_search_by_key(&key(window), |(key, _)| *key) {
            Err(_) => &[],
            Ok(at) => {
                let end = self.starts.get(at + 1).map_or(self.patterns.len(), |(_, end)| *end);
                &self.patterns[self.starts[at].1..end]
            }
        }
    }
}

/// The first eight bytes, in an order that is that of the bytes.
fn key(bytes: &[u8]) -> u64 {
    bytes[..WINDOW].iter().fold(0, |key, byte| key << 8 | u64::from(*byte))
}

fn hash(block: &[u8], bits: u32) -> usize {
    let block = u32::from(block[0]) | u32::from(block[1]) << 8 | u32::from(block[2]) << 16;
    (block.wrapping_mul(0x9e37_79b1) >> (32 - bits)) as usize
}
