//! Reads the rules of `fs`.

use super::check::{Reader, cut};
use super::node::Node;
use super::rules::For;
use crate::fs::{FsHost, FsMode, FsRule, guest_path, nested};

impl Reader<'_> {
    pub(super) fn fs_rules(&mut self, node: &Node, of: For) -> Vec<FsRule> {
        let mut rules: Vec<FsRule> = Vec::new();
        for item in node.get("fs").map_or(&[][..], Node::items) {
            let Some(rule) = self.fs_rule(item, of) else { continue };
            if of == For::Entry {
                rules.iter().for_each(|other| self.beside(item, &rule, other));
            }
            rules.push(rule);
        }
        rules
    }

    /// Records what is wrong with two rules of one pack together: a pack must find one directory under one path, and a
    /// directory must be as closed as each rule about it says.
    fn beside(&mut self, node: &Node, rule: &FsRule, other: &FsRule) {
        let at = |key: &str| node.get(key).map_or(node.at, |item| item.at);
        let line = other.place.line;
        if other.guest == rule.guest {
            let message = format!("guest path {} is here twice; first on line {line}", rule.guest);
            return self.error(at("guest"), message);
        }
        if other.mode == rule.mode {
            return;
        }
        let (mode, other_mode) = (rule.mode.as_str(), other.mode.as_str());
        if nested(&rule.guest, &other.guest) {
            let message = format!(
                "guest path {} is {mode}, and {} on line {line} is {other_mode}: one lies in the other",
                rule.guest, other.guest
            );
            self.hint(at("guest"), message, "give both one mode, or paths beside each other");
        }
        if rule.host.may_hold(&other.host) || other.host.may_hold(&rule.host) {
            let message = format!(
                "{} is {mode}, and {} on line {line} is {other_mode}: one can lie in the other",
                rule.host, other.host
            );
            self.hint(at("host"), message, "give both one mode, or grant directories beside each other");
        }
    }

    fn fs_rule(&mut self, node: &Node, of: For) -> Option<FsRule> {
        let guest = node.get("guest").filter(|_| of == For::Entry);
        let guest = match guest.and_then(|item| Some((item, item.text()?))) {
            Some((item, text)) => guest_path(text)
                .map_err(|why| self.error(item.at, format!("guest: \"{}\" {why}", cut(text))))
                .ok()?,
            None if of == For::Entry => return None,
            None => String::new(),
        };
        let mode = match node.get("mode").map(|item| item.text()) {
            None => FsMode::ReadOnly,
            Some(Some("read-write")) => FsMode::ReadWrite,
            Some(_) => FsMode::ReadOnly,
        };
        let item = node.get("host")?;
        let text = item.text()?;
        let host = FsHost::parse(text)
            .map_err(|why| self.error(item.at, format!("host: \"{}\" {why}", cut(text))))
            .ok()?;
        if of == For::Entry && host.is_everything() {
            self.error(item.at, "the whole file system cannot be granted");
            return None;
        }
        if let Some((why, instead)) = host.reserved().filter(|_| of == For::Entry) {
            self.hint(item.at, format!("host: \"{}\" {why}", cut(text)), instead);
            return None;
        }
        if of == For::Ceiling && !host.is_literal() {
            self.no_template(item, of);
            return None;
        }
        Some(FsRule { host, guest, mode, place: self.place(node.at) })
    }
}
