//! Reads rules and entries out of a tree that has been checked. What has the wrong shape has been reported and is skipped.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use packhost_core::{Caller, Group, PackName};

use super::check::{Reader, cut};
use super::node::{Node, Span, Value};
use crate::ceiling::Ceiling;
use crate::entry::{AskRule, Callers, Entry};
use crate::limits::{Limit, Limits};
use crate::place::Place;

pub(super) const VARIABLE: &str = "the name of a variable: letters, digits and _";
const CONFIG_KEY: &str = "the name of a config value: letters, digits and _ . / -";

/// Whether rules are read for a pack, for its sandboxes, or for the ceiling, which has no input.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    Entry,
    Session,
    Ceiling,
}

impl Reader<'_> {
    pub(crate) fn place(&self, at: Span) -> Place {
        Place { file: self.file.clone(), line: at.line }
    }

    /// The entry of a pack.
    pub(crate) fn entry(&mut self, pack: PackName, at: Span, node: &Node) -> Entry {
        let http = self.http_rules(node, For::Entry);
        let fs = self.fs_rules(node, For::Entry);
        let mut keys = BTreeMap::new();
        for (name, item) in node.entries() {
            keys.insert(name.value.clone(), self.place(Span::of(&name.referenced)));
            let nested = matches!(name.value.as_str(), "limits" | "session");
            for (key, _) in item.entries().iter().filter(|_| nested) {
                keys.insert(format!("{}.{}", name.value, key.value), self.place(Span::of(&key.referenced)));
            }
        }
        let key = |name: &str| node.entries().iter().find(|(key, _)| key.value == name);
        let session = key("session").map(|(key, item)| self.session(Span::of(&key.referenced), item));
        let command =
            key("command").and_then(|(key, item)| self.command(Span::of(&key.referenced), item, node));
        let mut entry = Entry {
            pack,
            denied: is_true(node, "deny"),
            http,
            report: is_true(node, "report"),
            record_input: is_true(node, "record_input"),
            fs,
            env: self.values(node.get("env"), variable, VARIABLE),
            config: self.values(node.get("config"), config_key, CONFIG_KEY),
            ask: self.ask(node),
            session,
            workspace: is_true(node, "workspace"),
            artifacts: is_true(node, "artifacts"),
            command,
            callers: self.callers(node),
            limits: self.limits(node),
            narrowings: Vec::new(),
            place: self.place(at),
            keys,
        };
        entry.narrowings = self.narrowings(node, &entry);
        entry
    }

    /// The ceiling.
    pub(crate) fn ceiling(&mut self, at: Span, node: &Node) -> Ceiling {
        let env = self.names(node.get("env"), variable, VARIABLE);
        let config = self.names(node.get("config"), config_key, CONFIG_KEY);
        let ask = self.ask(node);
        let limits = self.named_limits(node).into_iter().map(|(limit, value)| (limit.name, value)).collect();
        let http = self.http_rules(node, For::Ceiling);
        let fs = self.fs_rules(node, For::Ceiling);
        let [report, workspace, artifacts] =
            ["report", "workspace", "artifacts"].map(|key| is_true(node, key));
        let session = node.get("session").map(|item| self.session_ceiling(item));
        Ceiling {
            http,
            report,
            fs,
            env,
            config,
            ask,
            session,
            workspace,
            artifacts,
            limits,
            place: self.place(at),
        }
    }

    pub(super) fn parsed<T: FromStr<Err: Display>>(&mut self, item: &Node, key: &str) -> Option<T> {
        let text = item.text()?;
        text.parse().map_err(|why| self.error(item.at, format!("{key}: \"{}\": {why}", cut(text)))).ok()
    }

    pub(super) fn no_template(&mut self, item: &Node, of: For) -> bool {
        let template = of == For::Ceiling && item.text().is_some_and(|text| text.contains("${input"));
        if template {
            self.error(item.at, "a ceiling has no input: no template can stand here");
        }
        !template
    }

    /// The names of a list, as a ceiling has them.
    pub(super) fn names(&mut self, node: Option<&Node>, named: fn(&str) -> bool, what: &str) -> Vec<String> {
        let mut names = Vec::new();
        for item in node.map_or(&[][..], Node::items) {
            match item.text() {
                Some(name) if named(name) => names.push(name.to_owned()),
                Some(name) => self.error(item.at, format!("\"{}\" is not {what}", cut(name))),
                None => {}
            }
        }
        names
    }

    pub(super) fn values(
        &mut self,
        node: Option<&Node>,
        named: fn(&str) -> bool,
        what: &str,
    ) -> BTreeMap<String, String> {
        let mut values = BTreeMap::new();
        for (key, item) in node.map_or(&[][..], Node::entries) {
            if !named(&key.value) {
                self.error(Span::of(&key.referenced), format!("\"{}\" is not {what}", cut(&key.value)));
            }
            let Some(text) = item.text() else { continue };
            if text.contains("${") {
                self.error(
                    item.at,
                    "values are taken as they stand: \"${\" is not in version 1 of the manifest",
                );
            } else if text.contains('\0') || text.len() > 32 << 10 {
                self.error(item.at, "a value is at most 32 KiB and holds no NUL");
            } else {
                values.insert(key.value.clone(), text.to_owned());
            }
        }
        values
    }

    fn ask(&mut self, node: &Node) -> AskRule {
        let named = |name: &str| {
            node.get("ask").is_some_and(|list| list.items().iter().any(|item| item.text() == Some(name)))
        };
        AskRule { user: named("user"), model: named("model") }
    }

    pub(super) fn callers(&mut self, node: &Node) -> Callers {
        let Some(list) = node.get("callers") else { return Callers::Every };
        let mut names = Vec::new();
        for item in list.items() {
            let Some(text) = item.text() else { continue };
            if is_caller(text) {
                names.push(text.to_owned());
            } else {
                self.hint(
                    item.at,
                    format!("\"{}\" is not a caller", cut(text)),
                    "local, \"token:\" and the token's name, \"oauth:\", the issuer, a colon and the subject, or \"group:\" and a group",
                );
            }
        }
        names.sort();
        names.dedup();
        Callers::Only(names)
    }

    fn limits(&mut self, node: &Node) -> Limits {
        let mut limits = Limits::default();
        for (limit, value) in self.named_limits(node) {
            limits.set(limit.name, value);
        }
        limits
    }

    pub(super) fn named_limits(&mut self, node: &Node) -> Vec<(&'static Limit, u64)> {
        let Some(node) = node.get("limits") else { return Vec::new() };
        let mut named = Vec::new();
        for (key, item) in node.entries() {
            let Some(limit) = Limit::named(&key.value) else { continue };
            if let Some(value) = self.limit(limit, item) {
                named.push((limit, value));
            }
        }
        named
    }
}

fn is_caller(text: &str) -> bool {
    let token =
        |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    match text.strip_prefix(Callers::GROUP) {
        Some(group) => group.parse::<Group>().is_ok(),
        None => {
            Caller::recorded(text).is_some_and(|caller| !caller.is_nobody())
                && text.strip_prefix("token:").is_none_or(token)
        }
    }
}

fn is_true(node: &Node, key: &str) -> bool {
    matches!(node.get(key).map(|node| &node.value), Some(Value::Bool(true)))
}

pub(super) fn variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn config_key(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'/' | b'-'))
}
