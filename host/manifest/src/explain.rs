//! An entry in sentences, each with the line that it comes from.

use std::time::Duration;

use packhost_core::{CredentialName, PackName};
use serde::Serialize;

use crate::diff::{ARTIFACTS, ON_RECORD, REPORT, WORKSPACE};
use crate::entry::{Callers, Entry};
use crate::fs::{FsMode, FsRule};
use crate::http::{CONNECT, HttpRule, Target};
use crate::limits::{Limit, Limits};
use crate::parse::Manifest;
use crate::place::Place;
use crate::session::{IDLE, INSIDE, Session};

/// What a pack may do, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The pack.
    pub pack: PackName,
    /// What it may do, a rule each. Empty where it may do nothing but compute, or may not be called at all.
    pub may: Vec<Sentence>,
    /// What it may not do, and why nobody may call it where that is so.
    pub may_not: Vec<Sentence>,
    /// How the entry stands to the ceiling, where there is one.
    pub ceiling: Option<Sentence>,
}

/// A few words, and the line that says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sentence {
    /// The words; they continue "may" or "may not".
    pub text: String,
    /// Where it is written; `None` where it follows from what is not written.
    pub place: Option<Place>,
}

/// What a manifest lets a pack do.
pub fn explain(manifest: &Manifest, pack: &PackName) -> Explanation {
    let mut explanation =
        Explanation { pack: pack.clone(), may: Vec::new(), may_not: Vec::new(), ceiling: None };
    let Some(entry) = manifest.entry(pack) else {
        explanation.may_not.push(said("be called: the manifest has no entry for it", None));
        return explanation;
    };
    if entry.denied {
        explanation.may_not.push(said("be called: deny is true", Some(entry.place_of("deny"))));
        return explanation;
    }
    explanation.may = may(entry);
    explanation.may_not = may_not(entry);
    explanation.ceiling = manifest.ceiling().map(|ceiling| {
        let text =
            "within the ceiling (proved: whatever the input, it allows nothing that the ceiling does not)";
        said(text, Some(&ceiling.place))
    });
    explanation
}

fn said(text: impl Into<String>, place: Option<&Place>) -> Sentence {
    Sentence { text: text.into(), place: place.cloned() }
}

fn may(entry: &Entry) -> Vec<Sentence> {
    let mut may: Vec<Sentence> =
        entry.http.iter().map(|rule| said(request(rule), Some(&rule.place))).collect();
    if entry.report {
        may.push(said(REPORT, Some(entry.place_of("report"))));
    }
    may.extend(entry.fs.iter().map(|rule| said(directory(rule), Some(&rule.place))));
    if !entry.env.is_empty() {
        let names: Vec<&str> = entry.env.keys().map(String::as_str).collect();
        may.push(said(format!("see {} in its environment", list(&names)), Some(entry.place_of("env"))));
    }
    if !entry.config.is_empty() {
        let names: Vec<&str> = entry.config.keys().map(String::as_str).collect();
        may.push(said(format!("read {} from its config", list(&names)), Some(entry.place_of("config"))));
    }
    for words in entry.ask.facts() {
        may.push(said(words, Some(entry.place_of("ask"))));
    }
    if let Some(session) = &entry.session {
        may.extend(sandbox(entry, session));
    }
    if entry.workspace {
        let most = limit(entry, "workspace");
        let text = format!("{WORKSPACE} of at most {most}, which \"workspace\" of the input names");
        may.push(said(text, Some(entry.place_of("workspace"))));
    }
    if entry.artifacts {
        let text = format!("{ARTIFACTS}, each for {}", limit(entry, "keep"));
        may.push(said(text, Some(entry.place_of("artifacts"))));
    }
    if entry.record_input {
        may.push(said(ON_RECORD, Some(entry.place_of("record_input"))));
    }
    if let Some(command) = &entry.command {
        may.push(said(command.words(), Some(&command.place)));
    }
    match &entry.callers {
        Callers::Every => {}
        Callers::Only(names) if names.is_empty() => {}
        Callers::Only(names) => {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            may.push(said(format!("be called by {} alone", list(&names)), Some(entry.place_of("callers"))));
        }
    }
    may.push(said(use_of(entry), entry.keys.get("limits")));
    may.extend(entry.narrowings.iter().map(|narrowing| {
        let text = format!("{}, when called by {}", narrowing.words(), list(&narrowing.callers));
        said(text, Some(&narrowing.place))
    }));
    may
}

/// What a pack may do with sandboxes, and in one.
fn sandbox(entry: &Entry, session: &Session) -> Vec<Sentence> {
    let at = |key: &str| Some(entry.place_of(&format!("session.{key}")));
    let mut may = vec![said(session.start(), at("on"))];
    may.extend(session.files.words().map(|words| said(words, at("files"))));
    may.extend(session.http.iter().map(|rule| {
        let ended = if rule.terminate { ", the host ending its TLS" } else { "" };
        said(format!("from inside its sandbox, {}{ended}", request(rule)), Some(&rule.place))
    }));
    if !session.env.is_empty() {
        let names: Vec<&str> = session.env.keys().map(String::as_str).collect();
        may.push(said(format!("{INSIDE}, see {} in the environment", list(&names)), at("env")));
    }
    let time = |time: Duration| IDLE.show(time.as_millis().try_into().unwrap_or(u64::MAX));
    let (idle, lifetime) = (time(session.idle), time(session.lifetime));
    let kept = if session.idle.is_zero() {
        format!("keep a sandbox until its call ends, and no longer than {lifetime}")
    } else {
        format!(
            "keep an unused sandbox for {idle}, for the same caller and workspace, and none for longer than {lifetime}"
        )
    };
    let key = if entry.keys.contains_key("session.idle") { "session.idle" } else { "session.lifetime" };
    may.push(said(kept, Some(entry.keys.get(key).unwrap_or(&session.place))));
    may.extend(session.ready().map(|words| said(words, at("warm"))));
    may
}

fn limit(entry: &Entry, name: &str) -> String {
    let value = |limit: &Limit| limit.show(entry.limits.value(name).unwrap_or(limit.default));
    Limit::named(name).map(value).unwrap_or_default()
}

fn use_of(entry: &Entry) -> String {
    let has_session = entry.session.is_some();
    let relevant = |limit: &&Limit| match limit.name {
        "requests" | "transfer" => {
            entry.may_send() || entry.session.as_ref().is_some_and(|s| !s.http.is_empty())
        }
        "processes" | "sandbox_memory" | "disk" | "cpu_millis" | "execs" | "sessions" => has_session,
        "memory" => entry.command.is_none(),
        "time" | "output" => true,
        name => entry.keys.contains_key(&format!("limits.{name}")),
    };
    let shown = |limit: &Limit| {
        let value = limit.show(entry.limits.value(limit.name).unwrap_or(limit.default));
        match limit.name {
            "time" => format!("{value} a call"),
            "memory" => format!("{value} of memory"),
            "sandbox_memory" => format!("{value} of memory in a sandbox"),
            "cpu_millis" => format!("{value} thousandths of a processor"),
            "sessions" => format!("{value} sandboxes for each caller"),
            name => format!("{value} {name}"),
        }
    };
    let parts: Vec<String> = Limits::TABLE.iter().filter(relevant).map(shown).collect();
    format!("use at most {}", list(&parts.iter().map(String::as_str).collect::<Vec<_>>()))
}

fn may_not(entry: &Entry) -> Vec<Sentence> {
    let mut none = Vec::new();
    if matches!(&entry.callers, Callers::Only(names) if names.is_empty()) {
        none.push(said("be called: callers is an empty list", Some(entry.place_of("callers"))));
    }
    // What programs leave in `out/` of a workspace is kept as well.
    let leaves_files = entry.workspace && entry.session.is_some();
    let inside = entry.session.iter().flat_map(|session| &session.http);
    let absent = [
        (!entry.may_send(), "requests"),
        (entry.fs.is_empty(), "files"),
        (entry.env.is_empty(), "environment"),
        (entry.config.is_empty(), "config"),
        (!entry.ask.user && !entry.ask.model, "questions"),
        (entry.http.iter().chain(inside).all(|rule| rule.credentials.is_empty()), "credentials"),
        (entry.session.is_none(), "sessions"),
        (!entry.artifacts && !leaves_files, "artifacts"),
    ];
    let absent = absent.into_iter().filter(|(is, _)| *is).map(|(_, name)| format!("no {name}"));
    let absent: Vec<String> = absent.collect();
    if entry.session.as_ref().is_some_and(|session| session.http.is_empty()) {
        none.push(said("reach anything from inside its sandbox: session has no http", None));
    }
    none.push(said(format!("do anything else: {}", absent.join(", ")), None));
    none
}

fn request(rule: &HttpRule) -> String {
    let methods: Vec<&str> = rule.methods.iter().map(String::as_str).collect();
    let mut text = match &rule.target {
        Target::Origin { url, .. } => {
            format!("send {} to the origin given in \"{}\", only", list(&methods), url.path())
        }
        target => format!("send {} to {target}", list(&methods)),
    };
    if let Target::Origin { scheme: Some(scheme), .. } = &rule.target {
        text.push_str(&format!(", over {} only", scheme.as_str()));
    }
    if let Target::Origin { ports, .. } = &rule.target
        && !ports.is_empty()
    {
        let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
        text.push_str(&format!(", on port {} only", ports.join(" or ")));
    }
    if let Some(paths) = &rule.paths {
        let paths: Vec<String> = paths.iter().map(ToString::to_string).collect();
        text.push_str(&format!(", path {}", paths.join(" or ")));
    }
    if methods.contains(&CONNECT) {
        text.push_str(", CONNECT being tunnels that the host does not see into");
    }
    if !rule.addresses.is_empty() {
        let nets: Vec<String> = rule.addresses.iter().map(ToString::to_string).collect();
        text.push_str(&format!(", also at addresses in {}", nets.join(" and ")));
    }
    if !rule.credentials.is_empty() {
        let names: Vec<&str> = rule.credentials.iter().map(CredentialName::as_str).collect();
        text.push_str(&format!(", with {} of the vault, where bound", list(&names)));
    }
    text
}

fn directory(rule: &FsRule) -> String {
    let verb = if rule.mode == FsMode::ReadWrite { "read and write" } else { "read" };
    format!("{verb} {}, which it sees as {}", rule.host, rule.guest)
}

pub(crate) fn list(words: &[impl AsRef<str>]) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    match words.as_slice() {
        [] => "nothing".into(),
        [one] => (*one).into(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}
