//! Whether an edit takes something away from a pack, so that its calls have to stop.

use std::collections::BTreeMap;

use ipnet::IpNet;

use crate::entry::{Callers, Entry};
use crate::fs::FsRule;
use crate::http::{HttpRule, Target};
use crate::limits::Limits;
use crate::paths::PathPattern;

impl Entry {
    /// Whether `new` takes something away that this entry gave. Errs on the side of yes: a rule is held against rules for the
    /// same hosts and directories, as they are written, and not against what other rules add up to.
    pub fn loses_under(&self, new: &Self) -> bool {
        let http = allow_all_of(&new.http, &self.http);
        let fs = self.fs.iter().all(|old| {
            let same = |rule: &FsRule| (&rule.host, &rule.guest) == (&old.host, &old.guest);
            new.fs.iter().any(|rule| same(rule) && rule.mode >= old.mode)
        });
        let limits =
            Limits::TABLE.iter().all(|limit| new.limits.value(limit.name) >= self.limits.value(limit.name));
        let asks = (new.ask.user || !self.ask.user) && (new.ask.model || !self.ask.model);
        let values = holds(&new.env, &self.env) && holds(&new.config, &self.config);
        let report = new.report || !self.report;
        let session =
            self.session.as_ref().is_none_or(|old| new.session.as_ref().is_some_and(|s| s.holds(old)));
        // Another program is another pack; what is said about it may change.
        let program = |entry: &Self| entry.command.as_ref().map(|command| command.run.clone());
        let keeps = new.artifacts || !self.artifacts;
        let sandboxes = session && (new.workspace || !self.workspace) && program(self) == program(new);
        let callers = new.callers.hold(&self.callers);
        let kept = http && report && fs && limits && asks && values && sandboxes && keeps && callers;
        let mut named = self.named_with(Some(new)).into_iter();
        !self.denied
            && (new.denied || !kept || named.any(|name| self.for_name(name).loses_under(&new.for_name(name))))
    }
}

/// Whether each method and path of each old rule is in some new rule.
pub(crate) fn allow_all_of(new: &[HttpRule], old: &[HttpRule]) -> bool {
    old.iter().all(|old| {
        let paths: Vec<Option<&PathPattern>> = match &old.paths {
            None => vec![None],
            Some(paths) => paths.iter().map(Some).collect(),
        };
        let allowed = |method, path| new.iter().any(|new| new.allows(method, path, old));
        old.methods.iter().all(|method| paths.iter().all(|path| allowed(method, *path)))
    })
}

impl HttpRule {
    /// Whether this rule allows what `old` does, with this method and on this path.
    fn allows(&self, method: &String, path: Option<&PathPattern>, old: &Self) -> bool {
        let path = match (&self.paths, path) {
            (None, _) => true,
            (Some(own), Some(path)) => own.contains(path),
            (Some(_), None) => false,
        };
        let within = |net: &IpNet| self.addresses.iter().any(|own| own.contains(net));
        path && self.methods.contains(method)
            && old.addresses.iter().all(within)
            && old.credentials.iter().all(|name| self.credentials.contains(name))
            && self.target.holds(&old.target)
    }
}

impl Target {
    /// Whether this is the same target, perhaps with more ports.
    pub(crate) fn holds(&self, old: &Self) -> bool {
        let (own, ports) = (self.ports(), old.ports());
        let more = own.is_empty() || (!ports.is_empty() && ports.iter().all(|port| own.contains(port)));
        let same = match (self, old) {
            (Self::Host { host: a, scheme: b, .. }, Self::Host { host: c, scheme: d, .. }) => {
                (a, b) == (c, d)
            }
            (Self::Origin { url: a, scheme: b, .. }, Self::Origin { url: c, scheme: d, .. }) => {
                a == c && (b.is_none() || b == d)
            }
            (Self::Any { scheme: a, .. }, Self::Any { scheme: b, .. }) => a.is_none() || a == b,
            _ => false,
        };
        same && more
    }
}

impl Callers {
    fn hold(&self, old: &Self) -> bool {
        match (self, old) {
            (Self::Every, _) => true,
            (Self::Only(_), Self::Every) => false,
            (Self::Only(new), Self::Only(old)) => old.iter().all(|name| new.contains(name)),
        }
    }
}

/// Whether every old value is there and the same.
pub(crate) fn holds(new: &BTreeMap<String, String>, old: &BTreeMap<String, String>) -> bool {
    old.iter().all(|(name, value)| new.get(name) == Some(value))
}
