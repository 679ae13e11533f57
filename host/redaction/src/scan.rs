//! One look through a text: what is in it, and what may be the beginning of something.

use zeroize::Zeroizing;

use crate::escape::Escape;
use crate::pattern::{is_base64, patterns};
use crate::search::Search;

/// What stands in place of a value where even the shortest label would hold one.
const SHORT: &str = "***";

pub(crate) struct Scanner {
    search: Search,
    /// What stands in place of each value.
    labels: Vec<String>,
    /// The values in lower case.
    lower: Vec<Zeroizing<Vec<u8>>>,
    escapes: Vec<Escape>,
}

/// A value in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Found {
    pub(crate) start: usize,
    pub(crate) end: usize,
    value: usize,
}

/// What a text holds.
pub(crate) struct Scan {
    /// In order, none over another.
    pub(crate) found: Vec<Found>,
    /// From here on it is not yet known what it holds.
    pub(crate) known: usize,
}

/// A stretch of a text in which something is escaped, as it reads without that.
struct Stretch {
    text: Vec<u8>,
    /// For each byte of it, where its unit begins and ends.
    units: Vec<(usize, usize)>,
    /// Where a unit begins that the text ends in.
    cut: Option<usize>,
    /// From where on every unit is one byte that stands for itself.
    plain: usize,
    /// Where it ends.
    end: usize,
}

impl Scanner {
    pub(crate) fn new(values: &[(&str, &[u8])]) -> Self {
        let contains = |label: &str| {
            values.iter().any(|(_, value)| label.as_bytes().windows(value.len()).any(|part| part == *value))
        };
        let labels = values.iter().map(|(label, _)| {
            let long = format!("[redacted:{label}]");
            if contains(&long) { SHORT.to_owned() } else { long }
        });
        let mut escapes = vec![Escape::Percent, Escape::Json, Escape::Html];
        if values.iter().any(|(_, value)| value.contains(&b' ')) {
            escapes.push(Escape::Form);
        }
        Self {
            labels: labels.collect(),
            lower: values.iter().map(|(_, value)| Zeroizing::new(value.to_ascii_lowercase())).collect(),
            search: Search::new(patterns(values)),
            escapes,
        }
    }

    pub(crate) fn values(&self) -> usize {
        self.labels.len()
    }

    pub(crate) fn finds_in_lower_case(&self, bytes: &[u8]) -> bool {
        !self.scan(bytes, true).found.is_empty()
            || self.lower.iter().any(|value| bytes.windows(value.len()).any(|part| part == &***value))
    }

    /// Looks through a text; `last` says that nothing follows it.
    pub(crate) fn scan(&self, text: &[u8], last: bool) -> Scan {
        let mut found = Vec::new();
        let mut known = text.len();
        self.search.each(text, |at, pattern| {
            let mut end = at + pattern.bytes.len();
            if pattern.goes_on {
                match text.get(end) {
                    Some(next) if is_base64(*next) => end += 1,
                    None if !last => known = known.min(at),
                    _ => {}
                }
            }
            found.push(Found { start: at, end, value: pattern.value });
        });
        if !last {
            known = known.min(self.search.unfinished(text).unwrap_or(text.len()));
        }
        let mut units = Vec::new();
        for escape in &self.escapes {
            self.unescaped(*escape, text, last, &mut found, &mut known, &mut units);
        }
        settle(found, known, &units)
    }

    /// The same for what is escaped. Notes the units of more than one byte, which must not be cut.
    fn unescaped(
        &self,
        escape: Escape,
        text: &[u8],
        last: bool,
        found: &mut Vec<Found>,
        known: &mut usize,
        units: &mut Vec<(usize, usize)>,
    ) {
        let reach = self.search.longest();
        let (mut after, mut plain) = (0, 0);
        while let Some(next) = escape.next(&text[after..]) {
            // A value may begin before the first of its characters that is escaped.
            let start = (after + next).saturating_sub(reach).max(plain);
            let stretch = Stretch::read(escape, text, start, reach, last);
            self.search.each(&stretch.text, |at, pattern| {
                let mut end = at + pattern.bytes.len() - 1;
                if pattern.goes_on {
                    match stretch.text.get(end + 1) {
                        Some(next) if is_base64(*next) => end += 1,
                        None if !last && stretch.end == text.len() => {
                            *known = (*known).min(stretch.units[at].0)
                        }
                        _ => {}
                    }
                }
                found.push(Found {
                    start: stretch.units[at].0,
                    end: stretch.units[end].1,
                    value: pattern.value,
                });
            });
            if !last && (stretch.end == text.len() || stretch.cut.is_some()) {
                let cut = stretch.cut.unwrap_or(text.len());
                let begun = self.search.unfinished(&stretch.text).map_or(cut, |at| stretch.units[at].0);
                *known = (*known).min(begun).min(cut);
            }
            let wide = stretch.units.iter().filter(|(start, end)| end - start > 1);
            units.extend(wide.copied());
            if stretch.cut.is_some() {
                return;
            }
            (after, plain) = (stretch.end, stretch.plain);
        }
    }

    /// The text with labels in place of what was found.
    pub(crate) fn replace(&self, text: &[u8], found: &[Found]) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len());
        let mut after = 0;
        for one in found {
            out.extend_from_slice(&text[after..one.start]);
            out.extend_from_slice(self.labels[one.value].as_bytes());
            after = one.end;
        }
        out.extend_from_slice(&text[after..]);
        out
    }
}

impl Stretch {
    /// From `start` until nothing has been escaped for so many bytes.
    fn read(escape: Escape, text: &[u8], start: usize, reach: usize, last: bool) -> Self {
        let mut stretch = Self { text: Vec::new(), units: Vec::new(), cut: None, plain: start, end: start };
        let mut escaped = false;
        while stretch.end < text.len() && !(escaped && stretch.end - stretch.plain > reach) {
            let Some(unit) = escape.unit(&text[stretch.end..], last) else {
                stretch.cut = Some(stretch.end);
                break;
            };
            let place = (stretch.end, stretch.end + unit.width);
            let is_escape = unit.bytes() != &text[place.0..place.1];
            escaped |= is_escape || escape.next(&text[place.0..=place.0]).is_some();
            if is_escape {
                stretch.plain = place.1;
            }
            stretch.text.extend_from_slice(unit.bytes());
            stretch.units.extend(std::iter::repeat_n(place, unit.bytes().len()));
            stretch.end = place.1;
        }
        stretch
    }
}

/// Puts what was found in order, one over another together, and draws a line before what is not yet known.
fn settle(mut found: Vec<Found>, mut known: usize, units: &[(usize, usize)]) -> Scan {
    found.sort_unstable();
    let mut merged: Vec<Found> = Vec::new();
    for one in found {
        match merged.last_mut() {
            Some(before) if one.start < before.end => before.end = before.end.max(one.end),
            _ => merged.push(one),
        }
    }
    // The line cuts neither what was found nor an escape: from there on everything is read again.
    loop {
        let found = merged.iter().map(|one| (one.start, one.end));
        let cut = found.chain(units.iter().copied()).find(|(start, end)| *start < known && known < *end);
        match cut {
            Some((start, _)) => known = start,
            None => break,
        }
    }
    merged.retain(|one| one.end <= known);
    Scan { found: merged, known }
}
