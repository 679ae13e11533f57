//! What an edit changes, in words.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use ipnet::IpNet;
use packhost_core::PackName;
use serde::Serialize;

use crate::ceiling::{Ceiling, SessionCeiling};
use crate::entry::{AskRule, Callers, Entry};
use crate::fs::{FsMode, FsRule};
use crate::http::HttpRule;
use crate::limits::{Limit, Limits};
use crate::parse::Manifest;
use crate::session::{CommandPack, IDLE, Session};

/// What changes from one manifest to another. Displays as text; serializes for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// The revision before.
    pub from: String,
    /// The revision after.
    pub to: String,
    /// Packs for which something changes, sorted.
    pub packs: Vec<PackDiff>,
    /// What entries may grant now and could not before; each ends the sentence "they may …". A ceiling that is taken away
    /// is one line.
    pub ceiling_gained: Vec<String>,
    /// What entries could grant before and cannot any more. A ceiling where there was none is one line.
    pub ceiling_lost: Vec<String>,
}

/// What changes for one pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PackDiff {
    /// The pack.
    pub pack: PackName,
    /// What it may do now and might not before; each ends the sentence "it may …".
    pub gained: Vec<String>,
    /// What it might do before and may not any more.
    pub lost: Vec<String>,
}

/// What an entry in report mode may do; it ends the sentence "it may …".
pub(crate) const REPORT: &str = "send every request to a public host, also where no rule allows it (report)";

/// What an entry with a workspace may do.
pub(crate) const WORKSPACE: &str = "work in a workspace";

/// What an entry with artifacts may do.
pub(crate) const ARTIFACTS: &str = "keep what its calls make as artifacts";

/// What an entry with `record_input` may do.
pub(crate) const ON_RECORD: &str = "have the input of its calls put on record as it was sent";

/// What changes from `old` to `new`. Rules are compared as they are written: a rule that another one makes superfluous
/// is still listed where it comes or goes.
pub fn diff(old: &Manifest, new: &Manifest) -> Diff {
    let names: BTreeSet<&PackName> = old.entries().chain(new.entries()).map(|entry| &entry.pack).collect();
    let packs = names.into_iter().filter_map(|pack| {
        let (gained, lost) = changes_of_entry(old.entry(pack), new.entry(pack));
        (!gained.is_empty() || !lost.is_empty()).then(|| PackDiff { pack: pack.clone(), gained, lost })
    });
    let (ceiling_gained, ceiling_lost) = match (old.ceiling(), new.ceiling()) {
        (Some(old), Some(new)) => changes(&bounds(old), &bounds(new)),
        (Some(_), None) => (vec!["grant without bounds: there is no ceiling any more".into()], Vec::new()),
        (None, Some(_)) => (Vec::new(), vec!["grant without bounds: there is a ceiling now".into()]),
        (None, None) => Default::default(),
    };
    Diff {
        from: old.revision().into(),
        to: new.revision().into(),
        packs: packs.collect(),
        ceiling_gained,
        ceiling_lost,
    }
}

/// What changes for every caller, and what for some alone.
fn changes_of_entry(old: Option<&Entry>, new: Option<&Entry>) -> (Vec<String>, Vec<String>) {
    let changes_for = |name: Option<&str>| {
        let facts = |entry: Option<&Entry>| match (entry, name) {
            (Some(entry), Some(name)) => facts(&entry.for_name(name)),
            (Some(entry), None) => facts(entry),
            (None, _) => BTreeMap::new(),
        };
        changes(&facts(old), &facts(new))
    };
    let (mut gained, mut lost) = changes_for(None);
    let of_all = (gained.clone(), lost.clone());
    // Where the pack comes or goes as a whole, that is said once.
    let (Some(old), Some(new)) = (old, new) else { return (gained, lost) };
    for name in old.named_with(Some(new)) {
        let only = |lines: Vec<String>, all: &[String]| {
            let own = lines.into_iter().filter(|line| !all.contains(line));
            own.map(|line| format!("{line}, when called by {name}")).collect::<Vec<_>>()
        };
        let (more, less) = changes_for(Some(name));
        gained.extend(only(more, &of_all.0));
        lost.extend(only(less, &of_all.1));
    }
    (gained, lost)
}

/// Something that a pack may do: it may or it may not, or up to a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fact {
    Has,
    /// A limit of the table, which the words name.
    UpTo(u64),
    /// Milliseconds.
    Lasts(u64),
}

impl Fact {
    /// Whether this is more of the same.
    fn exceeds(self, other: Self) -> bool {
        match (self, other) {
            (Self::UpTo(own), Self::UpTo(other)) | (Self::Lasts(own), Self::Lasts(other)) => own > other,
            _ => false,
        }
    }
}

fn changes(before: &BTreeMap<String, Fact>, after: &BTreeMap<String, Fact>) -> (Vec<String>, Vec<String>) {
    let (mut gained, mut lost) = (Vec::new(), Vec::new());
    for (words, fact) in after {
        match (before.get(words), fact) {
            (None, _) => gained.push(sentence(words, *fact)),
            (Some(old), new) if new.exceeds(*old) => gained.push(change(words, *old, *new)),
            (Some(old), new) if old.exceeds(*new) => lost.push(change(words, *old, *new)),
            _ => {}
        }
    }
    lost.extend(
        before
            .iter()
            .filter(|(words, _)| !after.contains_key(*words))
            .map(|(words, fact)| sentence(words, *fact)),
    );
    (gained, lost)
}

fn show(words: &str, fact: Fact) -> String {
    match fact {
        Fact::Has => String::new(),
        Fact::UpTo(value) => Limit::named(words).map_or_else(|| value.to_string(), |limit| limit.show(value)),
        Fact::Lasts(value) => IDLE.show(value),
    }
}

fn sentence(words: &str, fact: Fact) -> String {
    match fact {
        Fact::Has => words.to_owned(),
        Fact::UpTo(_) => format!("use {words} up to {}", show(words, fact)),
        Fact::Lasts(_) => format!("{words} for {}", show(words, fact)),
    }
}

fn change(words: &str, old: Fact, new: Fact) -> String {
    format!("{} (before: {})", sentence(words, new), show(words, old))
}

fn facts(entry: &Entry) -> BTreeMap<String, Fact> {
    if entry.denied {
        return BTreeMap::new();
    }
    let mut words: Vec<String> = match &entry.callers {
        Callers::Every => vec!["be called by every caller".into()],
        Callers::Only(names) => names.iter().map(|name| format!("be called by {name}")).collect(),
    };
    words.extend(entry.http.iter().flat_map(HttpRule::facts));
    words.extend(entry.report.then(|| REPORT.to_owned()));
    words.extend(entry.fs.iter().flat_map(FsRule::facts));
    words.extend(entry.env.iter().map(|(name, value)| format!("see {name}={value:?} in its environment")));
    words.extend(entry.config.iter().map(|(name, value)| format!("read {name}={value:?} from its config")));
    words.extend(entry.ask.facts());
    words.extend(entry.session.iter().flat_map(Session::facts));
    words.extend(entry.workspace.then(|| WORKSPACE.to_owned()));
    words.extend(entry.artifacts.then(|| ARTIFACTS.to_owned()));
    words.extend(entry.record_input.then(|| ON_RECORD.to_owned()));
    words.extend(entry.command.iter().flat_map(CommandPack::facts));
    let mut facts: BTreeMap<String, Fact> = words.into_iter().map(|words| (words, Fact::Has)).collect();
    facts.extend(entry.session.iter().flat_map(|session| lasts(session.idle, session.lifetime)));
    let value = |name: &str| entry.limits.value(name).unwrap_or_default();
    facts.extend(Limits::TABLE.iter().map(|limit| (limit.name.to_owned(), Fact::UpTo(value(limit.name)))));
    facts
}

fn lasts(idle: Duration, lifetime: Duration) -> [(String, Fact); 2] {
    let fact = |time: Duration| Fact::Lasts(time.as_millis().try_into().unwrap_or(u64::MAX));
    [("keep an unused sandbox", fact(idle)), ("keep a sandbox", fact(lifetime))]
        .map(|(words, fact)| (words.into(), fact))
}

/// The most that entries may grant. A limit that the ceiling does not name has its hard maximum.
fn bounds(ceiling: &Ceiling) -> BTreeMap<String, Fact> {
    let mut words: Vec<String> = ceiling.http.iter().flat_map(HttpRule::facts).collect();
    words.extend(ceiling.report.then(|| REPORT.to_owned()));
    words.extend(ceiling.fs.iter().flat_map(FsRule::facts));
    words.extend(ceiling.env.iter().map(|name| format!("have the environment variable {name}")));
    words.extend(ceiling.config.iter().map(|name| format!("have the config value {name}")));
    words.extend(ceiling.ask.facts());
    words.extend(ceiling.session.iter().flat_map(SessionCeiling::facts));
    words.extend(ceiling.workspace.then(|| WORKSPACE.to_owned()));
    words.extend(ceiling.artifacts.then(|| ARTIFACTS.to_owned()));
    let mut facts: BTreeMap<String, Fact> = words.into_iter().map(|words| (words, Fact::Has)).collect();
    facts.extend(ceiling.session.iter().flat_map(|session| lasts(session.idle, session.lifetime)));
    let most = |limit: &Limit| ceiling.limits.get(limit.name).copied().unwrap_or(limit.max);
    facts.extend(Limits::TABLE.iter().map(|limit| (limit.name.to_owned(), Fact::UpTo(most(limit)))));
    facts
}

/// An entry in lines that do not depend on how it is written.
pub(crate) fn canonical(entry: &Entry) -> Vec<String> {
    let pack = format!("{:?}", entry.pack.as_str());
    let named = entry.named_with(None);
    let narrowed = named
        .into_iter()
        .flat_map(|name| lines(&format!("{pack} called by {name:?}"), &facts(&entry.for_name(name))));
    let all: Vec<String> = lines(&pack, &facts(entry)).into_iter().chain(narrowed).collect();
    std::iter::once(pack).chain(all).collect()
}

/// The ceiling in lines that do not depend on how it is written.
pub(crate) fn canonical_ceiling(ceiling: &Ceiling) -> Vec<String> {
    lines("any entry", &bounds(ceiling))
}

fn lines(who: &str, facts: &BTreeMap<String, Fact>) -> Vec<String> {
    facts.iter().map(|(words, fact)| format!("{who} may {}", sentence(words, *fact))).collect()
}

impl HttpRule {
    /// What the rule allows, one line for each method and path, and for each credential in it.
    pub(crate) fn facts(&self) -> Vec<String> {
        let nets: Vec<String> = self.addresses.iter().map(IpNet::to_string).collect();
        let nets = if nets.is_empty() { String::new() } else { format!(" (also at {})", nets.join(" and ")) };
        let paths: Vec<String> = match &self.paths {
            None => vec![String::new()],
            Some(paths) => paths.iter().map(|path| format!(" {path}")).collect(),
        };
        let line = |method: &String, path: &String| format!("{method} {}{nets}{path}", self.target);
        let requests: Vec<String> =
            self.methods.iter().flat_map(|method| paths.iter().map(move |path| line(method, path))).collect();
        let sent = requests.iter().map(|request| format!("send {request}"));
        let with = |name| requests.iter().map(move |request| format!("put {name} into {request}"));
        sent.chain(self.credentials.iter().flat_map(with)).collect()
    }
}

impl FsRule {
    /// What the rule allows.
    pub(crate) fn facts(&self) -> Vec<String> {
        let at = if self.guest.is_empty() { String::new() } else { format!(" as {:?}", self.guest) };
        let verbs: &[&str] = if self.mode == FsMode::ReadWrite { &["read", "write"] } else { &["read"] };
        verbs.iter().map(|verb| format!("{verb} {}{at}", self.host)).collect()
    }
}

impl AskRule {
    /// What the rule allows.
    pub(crate) fn facts(self) -> Vec<String> {
        let words = [(self.user, "ask the user"), (self.model, "ask the model")];
        words.into_iter().filter(|(may, _)| *may).map(|(_, words)| words.to_owned()).collect()
    }
}

impl Diff {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.packs.is_empty() && self.ceiling_gained.is_empty() && self.ceiling_lost.is_empty()
    }
}

impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return writeln!(f, "nothing changes (revision {})", self.to);
        }
        writeln!(f, "revision {} to {}", self.from, self.to)?;
        let mut block = |name: &str, gained: &[String], lost: &[String]| {
            if gained.is_empty() && lost.is_empty() {
                return Ok(());
            }
            writeln!(f, "{name}")?;
            gained.iter().try_for_each(|line| writeln!(f, "  + may {line}"))?;
            lost.iter().try_for_each(|line| writeln!(f, "  - may no longer {line}"))
        };
        self.packs.iter().try_for_each(|pack| block(pack.pack.as_str(), &pack.gained, &pack.lost))?;
        block("ceiling", &self.ceiling_gained, &self.ceiling_lost)
    }
}
