//! Paths that were asked for, as patterns, and patterns of several paths.

use std::collections::{BTreeMap, BTreeSet};

use crate::paths::{PathPattern, Segment, request_segments};

/// How many values of one segment make a `*`.
const VALUES: usize = 3;
/// The most segments that a suggested pattern has; what follows is `**`. One less than a pattern may have.
const SEGMENTS: usize = 63;

const AMBIGUOUS: &str = "servers read its path in different ways (an encoded slash, a step up), and no pattern \
                         matches it: only a rule without `paths` allows it";
const TOO_WIDE: &str = "its path starts with a segment that is longer than what is kept, or empty: only a rule for \
                        every path would allow it";

/// The narrowest pattern that matches a path, and where the path is cut, whatever follows it.
pub(super) fn pattern(path: &str, cut: bool) -> Result<PathPattern, &'static str> {
    if path.is_empty() {
        return Err(TOO_WIDE);
    }
    let known = request_segments(path).ok_or(AMBIGUOUS)?;
    let last = known.len() - 1;
    let named = |(index, segment): &(usize, &String)| !segment.is_empty() || (*index == last && !cut);
    let segments: Vec<Segment> =
        known.iter().enumerate().take_while(named).take(SEGMENTS).map(|(_, text)| segment(text)).collect();
    if segments.is_empty() {
        return Err(TOO_WIDE);
    }
    let rest = cut || segments.len() < known.len();
    Ok(PathPattern::of(segments, rest))
}

/// The segment as it stands, where a pattern can spell it and a person can read it; otherwise any.
fn segment(text: &str) -> Segment {
    let plain = |c: char| c.is_alphanumeric() || c.is_ascii_graphic() || c == ' ';
    let parsed = format!("/{text}").parse::<PathPattern>().ok().filter(|_| text.chars().all(plain));
    match parsed.as_ref().map(PathPattern::segments) {
        Some([Segment::Text(same)]) if same == text => Segment::Text(same.clone()),
        _ => Segment::Any,
    }
}

/// Puts `*` where patterns differ in one segment alone and have at least [`VALUES`] values there, and leaves out what another
/// pattern covers.
pub(super) fn generalise(mut paths: BTreeSet<PathPattern>) -> BTreeSet<PathPattern> {
    let deepest = paths.iter().map(|path| path.segments().len()).max().unwrap_or(0);
    loop {
        let before = paths.len();
        // From the back: what differs is more often the last segment, such as an item of a collection.
        for index in (0..deepest).rev() {
            paths = merged(paths, index);
        }
        if paths.len() == before {
            break;
        }
    }
    let covered = |path: &PathPattern| paths.iter().any(|other| other != path && covers(other, path));
    paths.iter().filter(|path| !covered(path)).cloned().collect()
}

/// The patterns, with `*` at this segment where enough of them differ there alone.
fn merged(paths: BTreeSet<PathPattern>, index: usize) -> BTreeSet<PathPattern> {
    let mut alike: BTreeMap<PathPattern, Vec<PathPattern>> = BTreeMap::new();
    let mut result = BTreeSet::new();
    for path in paths {
        match path.segments().get(index) {
            // A trailing slash is an empty segment, which "*" does not match.
            Some(Segment::Text(text)) if !text.is_empty() => {
                let mut segments = path.segments().to_vec();
                segments[index] = Segment::Any;
                alike.entry(PathPattern::of(segments, path.has_rest())).or_default().push(path);
            }
            _ => {
                result.insert(path);
            }
        }
    }
    for (general, paths) in alike {
        if paths.len() >= VALUES {
            result.insert(general);
        } else {
            result.extend(paths);
        }
    }
    result
}

/// Whether `outer` matches everything that `inner` does. Neither has a template.
fn covers(outer: &PathPattern, inner: &PathPattern) -> bool {
    let (own, other) = (outer.segments(), inner.segments());
    let long_enough = if outer.has_rest() {
        other.len() >= own.len()
    } else {
        other.len() == own.len() && !inner.has_rest()
    };
    let holds = |(own, other): (&Segment, &Segment)| match (own, other) {
        (Segment::Any, Segment::Text(text)) => !text.is_empty(),
        (own, other) => own == other,
    };
    long_enough && own.iter().zip(other).all(holds)
}
