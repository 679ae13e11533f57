//! Puts rules into the text of a manifest, and leaves the rest of it as it is.
//!
//! The places come from the tree that the parser reads; the lines are put where a person would. What comes out is read again
//! and held against what went in: an edit that says anything else than these rules is not made.

use packhost_core::PackName;

use super::lines::Lines;
use super::{SuggestedRule, yaml};
use crate::diff::{canonical, diff};
use crate::http::HttpRule;
use crate::parse::{Diagnostics, Manifest, Node, Source, Span, Value, read};
use crate::place::Place;

/// Why rules are not put into a manifest. The text has the rules in it, so that they can be put there by hand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The manifest has errors as it is.
    #[error(transparent)]
    Before(Diagnostics),
    /// It has errors with the rules in it, such as a rule beyond its ceiling. The lines are those of the edited text.
    #[error("{errors}\nThese rules were not added:\n{rules}")]
    After {
        /// The errors.
        errors: Diagnostics,
        /// The rules in YAML.
        rules: String,
    },
    /// It is laid out in a way that is not edited.
    #[error("{place}: {why}; add these rules by hand:\n{rules}")]
    ByHand {
        /// Where.
        place: Place,
        /// In which way.
        why: &'static str,
        /// The rules in YAML.
        rules: String,
    },
}

const FLOW: &str = "this is written between brackets, in which nothing is put";
const LAYOUT: &str = "this is laid out in a way that is not edited";
const NO_ENTRY: &str = "there is no entry of the pack to copy";
const ENTRY: &str = "there is an entry of the pack already";
const DENIED: &str = "the pack is denied here, so that no rule counts";

/// The text of a manifest file with these rules in the pack's entry, after those that it has. A pack without an entry gets
/// one, with these rules and nothing else. Everything else stays as it is, byte for byte.
///
/// # Errors
/// Where the file has errors, before or after; and where a list, an entry or the file is written between brackets.
pub fn edit(source: &Source, pack: &PackName, rules: &[SuggestedRule]) -> Result<String, EditError> {
    let before = Manifest::parse(std::slice::from_ref(source)).map_err(EditError::Before)?;
    if rules.is_empty() {
        return Ok(source.text.clone());
    }
    let shown = || rules.iter().map(SuggestedRule::to_string).collect::<Vec<_>>().join("\n");
    let by_hand = |(line, why): (u32, &'static str)| {
        let place = Place { file: source.name.as_str().into(), line };
        EditError::ByHand { place, why, rules: shown() }
    };
    let root = read(&source.text).map_err(|(at, _)| by_hand((at.line, LAYOUT)))?;
    let lines = Lines::of(&source.text);
    let spot = spot(&lines, &root, pack).map_err(by_hand)?;
    let text = lines.with(spot.after, &spot.level.lines(spot.depth, pack, rules));
    let edited = Source { text, ..source.clone() };
    let after = Manifest::parse(std::slice::from_ref(&edited))
        .map_err(|errors| EditError::After { errors, rules: shown() })?;
    if !adds(&before, &after, pack, rules) {
        let line = u32::try_from(spot.after).unwrap_or(u32::MAX);
        return Err(by_hand((line.max(1), LAYOUT)));
    }
    Ok(edited.text)
}

/// The text of a manifest file with the entry that a pack has in another file, such as a shipped one, comments included: an
/// entry of the operator's replaces a shipped one as a whole, so that the edit of one starts with its copy.
///
/// # Errors
/// As [`edit`]; and where this file has an entry of the pack already, or the other one has none that can be copied.
pub fn adopt(source: &Source, from: &Source, pack: &PackName) -> Result<String, EditError> {
    let parse = |source| Manifest::parse(std::slice::from_ref(source)).map_err(EditError::Before);
    let (before, theirs) = (parse(source)?, parse(from)?);
    let failed = |of: &Source, line, why| {
        let place = Place { file: of.name.as_str().into(), line };
        EditError::ByHand { place, why, rules: format!("# the entry of {pack} in {}", from.name) }
    };
    let (there, root) =
        (Lines::of(&from.text), read(&from.text).map_err(|(at, _)| failed(from, at.line, LAYOUT))?);
    let found = child(&root, "packs").and_then(|(_, packs)| child(packs, pack.as_str()));
    let (key, _) = found.ok_or_else(|| failed(from, 1, NO_ENTRY))?;
    let end = there.end_of_block(line(key), depth(key));
    let copied = (line(key)..=end).map(|number| there.get(number).get(depth(key)..).unwrap_or_default());

    let (here, root) =
        (Lines::of(&source.text), read(&source.text).map_err(|(at, _)| failed(source, at.line, LAYOUT))?);
    let spot = spot(&here, &root, pack).map_err(|(line, why)| failed(source, line, why))?;
    if spot.level < Level::Entry {
        return Err(failed(source, 1, ENTRY));
    }
    let (around, depth) = spot.level.around(spot.depth);
    let indented =
        copied.map(|text| if text.is_empty() { String::new() } else { format!("{:depth$}{text}", "") });
    let lines: Vec<String> = around.into_iter().chain(indented).collect();
    let adopted = Source { text: here.with(spot.after, &lines), ..source.clone() };
    let after = parse(&adopted).map_err(|_| failed(from, key.line, LAYOUT))?;
    let rest = diff(&before, &after).packs.iter().all(|change| change.pack == *pack);
    let same = theirs.entry(pack).map(canonical) == after.entry(pack).map(canonical);
    if rest && same { Ok(adopted.text) } else { Err(failed(from, key.line, LAYOUT)) }
}

/// What is missing around the rules.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Rules,
    Http,
    Entry,
    Packs,
    File,
}

/// Where lines go: after which line, how deep, and with what around them.
struct Spot {
    after: usize,
    depth: usize,
    level: Level,
}

impl Level {
    /// What is missing around an entry, and how deep the entry stands in it.
    fn around(self, depth: usize) -> (Vec<String>, usize) {
        let mut lines = Vec::new();
        if self == Self::File {
            lines.push("version: 1".to_owned());
        }
        if self >= Self::Packs {
            lines.push("packs:".to_owned());
        }
        (lines, if self >= Self::Packs { depth + 2 } else { depth })
    }

    fn lines(self, depth: usize, pack: &PackName, rules: &[SuggestedRule]) -> Vec<String> {
        let (mut lines, mut depth) = self.around(depth);
        let missing =
            [(Self::Entry, format!("{}:", yaml::key(pack.as_str()))), (Self::Http, "http:".to_owned())];
        for (level, line) in missing {
            if self >= level {
                lines.push(format!("{:depth$}{line}", ""));
                depth += 2;
            }
        }
        lines.extend(rules.iter().flat_map(SuggestedRule::lines).map(|line| format!("{:depth$}{line}", "")));
        lines
    }
}

/// Finds the place for rules. The error is a line and why it cannot be there.
fn spot(lines: &Lines<'_>, root: &Node, pack: &PackName) -> Result<Spot, (u32, &'static str)> {
    let end = lines.len();
    if matches!(root.value, Value::Nothing) {
        return Ok(Spot { after: end, depth: 0, level: Level::File });
    }
    block(lines, root)?;
    let Some((key, packs)) = child(root, "packs") else {
        return Ok(Spot { after: end, depth: 0, level: Level::Packs });
    };
    if matches!(packs.value, Value::Nothing) {
        return Ok(Spot { after: line(key), depth: depth(key) + 2, level: Level::Entry });
    }
    block(lines, packs)?;
    let Some((key, entry)) = child(packs, pack.as_str()) else {
        let last = packs.entries().last().ok_or((packs.at.line, LAYOUT))?;
        let last = Span::of(&last.0.referenced);
        let depth = depth(last);
        return Ok(Spot { after: lines.end_of_block(line(last), depth), depth, level: Level::Entry });
    };
    if matches!(entry.value, Value::Nothing) {
        return Ok(Spot { after: line(key), depth: depth(key) + 2, level: Level::Http });
    }
    block(lines, entry)?;
    if child(entry, "deny").is_some() {
        return Err((key.line, DENIED));
    }
    let Some((_, http)) = child(entry, "http") else {
        let first = entry.entries().first().ok_or((entry.at.line, LAYOUT))?;
        return Ok(Spot {
            after: line(key),
            depth: depth(Span::of(&first.0.referenced)),
            level: Level::Http,
        });
    };
    let last = http.items().last().ok_or((http.at.line, FLOW))?;
    // The place of a list may be that of its first item, which may be written between brackets where the list is not.
    let Some(depth) = dash(lines, last.at) else {
        block(lines, http)?;
        return Err((last.at.line, LAYOUT));
    };
    Ok(Spot { after: lines.end_of_block(line(last.at), depth), depth, level: Level::Rules })
}

fn child<'n>(node: &'n Node, key: &str) -> Option<(Span, &'n Node)> {
    let found = node.entries().iter().find(|(name, _)| name.value == key);
    found.map(|(name, node)| (Span::of(&name.referenced), node))
}

fn line(at: Span) -> usize {
    at.line as usize
}

/// The spaces in front of what stands here.
fn depth(at: Span) -> usize {
    at.column.saturating_sub(1) as usize
}

/// Refuses what is written between brackets.
fn block(lines: &Lines<'_>, node: &Node) -> Result<(), (u32, &'static str)> {
    match lines.get(line(node.at)).chars().nth(depth(node.at)) {
        Some('{' | '[') => Err((node.at.line, FLOW)),
        _ => Ok(()),
    }
}

/// The spaces in front of the `-` of an item that stands in the same line.
fn dash(lines: &Lines<'_>, item: Span) -> Option<usize> {
    let before: String = lines.get(line(item)).chars().take(depth(item)).collect();
    let indent = before.strip_suffix('-').or_else(|| before.trim_end_matches(' ').strip_suffix('-'));
    indent.filter(|spaces| spaces.bytes().all(|b| b == b' ')).map(str::len)
}

/// Whether the edit adds these rules, and nothing else is another than before.
fn adds(before: &Manifest, after: &Manifest, pack: &PackName, rules: &[SuggestedRule]) -> bool {
    let Some(now) = after.entry(pack) else { return false };
    let old = before.entry(pack);
    // Places say where a rule is written and not what it says.
    let placed = |rule: &HttpRule| HttpRule { place: now.place.clone(), ..rule.clone() };
    let expected = old.map_or(&[][..], |entry| &entry.http).iter().map(placed);
    let expected = expected.chain(rules.iter().map(|rule| rule.parsed(&now.place)));
    let facts: Vec<String> = rules.iter().flat_map(|rule| rule.parsed(&now.place).facts()).collect();
    let changes = diff(before, after);
    changes.ceiling_gained.is_empty()
        && changes.ceiling_lost.is_empty()
        && changes.packs.iter().all(|change| {
            let known = |gained: &String| old.is_none() || facts.contains(gained);
            change.pack == *pack && change.lost.is_empty() && change.gained.iter().all(known)
        })
        && now.http.iter().map(placed).eq(expected)
}
