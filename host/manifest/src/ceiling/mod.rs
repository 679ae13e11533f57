//! The most that any entry may grant, and the decision whether an entry stays within it.
//!
//! The decision is exact, not a sample. What an entry's rule allows is a product of dimensions (scheme, port, method, host,
//! path, address, credential). In each of them the patterns are such that there is a hardest value: one that a pattern of the ceiling
//! matches only if it matches everything that the rule allows there (a label, segment or port that no pattern of the
//! ceiling names), or a short list of them. So the rule is within the ceiling exactly if the ceiling allows each
//! combination of the hardest values, and a combination that it does not allow is a request to show.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::diff::{ARTIFACTS, REPORT, WORKSPACE};
use crate::entry::{AskRule, Entry};
use crate::fs::{FsMode, FsRule};
use crate::http::HttpRule;
use crate::limits::Limit;
use crate::place::Place;

mod requests;
mod session;

use requests::Bounds;
pub use session::SessionCeiling;

/// The ceiling of a set. What it does not name, no entry may grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ceiling {
    /// Requests.
    pub http: Vec<HttpRule>,
    /// Whether entries may have `report: true`.
    pub report: bool,
    /// Directories; `guest` is empty.
    pub fs: Vec<FsRule>,
    /// Names of environment variables.
    pub env: Vec<String>,
    /// Names of config values.
    pub config: Vec<String>,
    /// Questions back.
    pub ask: AskRule,
    /// Sandboxes; `None`: no entry may have one.
    pub session: Option<SessionCeiling>,
    /// Whether entries may have `workspace: true`.
    pub workspace: bool,
    /// Whether entries may have `artifacts: true`.
    pub artifacts: bool,
    /// The most for each limit that it names, in milliseconds, bytes or things.
    pub limits: BTreeMap<&'static str, u64>,
    /// Where it is written.
    pub place: Place,
}

/// Something that an entry allows and the ceiling does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Counterexample {
    /// One thing that the pack may do, in words: a request, a path, a variable or a limit.
    pub what: String,
    /// The rule of the entry that allows it.
    pub place: Place,
    /// Where the ceiling is.
    pub ceiling: Place,
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "beyond the ceiling: {}", self.what)
    }
}

impl Ceiling {
    /// Decides whether everything that an entry allows, whatever the input of a call, is within the ceiling.
    pub fn covers(&self, entry: &Entry) -> Result<(), Counterexample> {
        if entry.denied {
            return Ok(());
        }
        let beyond = |place: &Place, what: String| {
            Err(Counterexample {
                what: format!("{} may {what}", entry.pack),
                place: place.clone(),
                ceiling: self.place.clone(),
            })
        };
        for rule in &entry.http {
            if let Some(request) = Bounds(&self.http).request_beyond(rule) {
                return beyond(&rule.place, request);
            }
        }
        if entry.report && !self.report {
            return beyond(entry.place_of("report"), REPORT.into());
        }
        for rule in &entry.fs {
            let above = |mode| self.fs.iter().any(|own| own.mode >= mode && own.host.covers(&rule.host));
            if !above(FsMode::ReadOnly) {
                return beyond(&rule.place, format!("read {}", rule.host.example()));
            }
            if !above(rule.mode) {
                return beyond(&rule.place, format!("write {}", rule.host.example()));
            }
        }
        if let Some(name) = entry.env.keys().find(|name| !self.env.contains(name)) {
            return beyond(entry.place_of("env"), format!("have the environment variable {name}"));
        }
        if let Some(name) = entry.config.keys().find(|name| !self.config.contains(name)) {
            return beyond(entry.place_of("config"), format!("have the config value {name}"));
        }
        for (asks, own, whom) in
            [(entry.ask.user, self.ask.user, "user"), (entry.ask.model, self.ask.model, "model")]
        {
            if asks && !own {
                return beyond(entry.place_of("ask"), format!("ask the {whom}"));
            }
        }
        if let Some((place, what)) = self.sandbox_beyond(entry) {
            return beyond(&place, what);
        }
        if entry.workspace && !self.workspace {
            return beyond(entry.place_of("workspace"), WORKSPACE.into());
        }
        if entry.artifacts && !self.artifacts {
            return beyond(entry.place_of("artifacts"), ARTIFACTS.into());
        }
        for (name, most) in &self.limits {
            let value = entry.limits.value(name).unwrap_or(u64::MAX);
            if let Some(limit) = Limit::named(name).filter(|_| value > *most) {
                let (value, most) = (limit.show(value), limit.show(*most));
                let place = entry.place_of(&format!("limits.{name}"));
                return beyond(place, format!("use {name} {value}, and the ceiling is {most}"));
            }
        }
        Ok(())
    }

    /// Sets the limits and times that an entry does not name to the ceiling's where that is lower than the default.
    pub(crate) fn lower_defaults(&self, entry: &mut Entry) {
        let named = |key: &str| entry.keys.contains_key(key);
        let (idle, lifetime) = (named("session.idle"), named("session.lifetime"));
        if let (Some(own), Some(session)) = (&self.session, &mut entry.session) {
            session.idle = if idle { session.idle } else { session.idle.min(own.idle) };
            session.lifetime = if lifetime { session.lifetime } else { session.lifetime.min(own.lifetime) };
        }
        for (name, most) in &self.limits {
            let named = entry.keys.contains_key(&format!("limits.{name}"));
            if !named && entry.limits.value(name).is_some_and(|value| value > *most) {
                entry.limits.set(name, *most);
            }
        }
    }
}
