//! Reads rules and entries out of a tree that has been checked. What has the wrong shape has been reported and is skipped.

use std::collections::BTreeMap;
use std::str::FromStr;

use ipnet::IpNet;
use packhost_core::PackName;

use super::check::{Reader, cut};
use super::node::{Node, Span, Value};
use crate::addresses::never;
use crate::ceiling::Ceiling;
use crate::entry::{AskRule, Callers, Entry};
use crate::fs::{FsHost, FsMode, FsRule, guest_path};
use crate::hosts::HostPattern;
use crate::http::{HttpRule, Scheme, Target, target_of_url};
use crate::limits::{Limit, Limits};
use crate::place::Place;
use crate::template::Template;

/// Whether rules are read for a pack or for the ceiling, which has no input.
#[derive(Clone, Copy, PartialEq, Eq)]
enum For {
    Entry,
    Ceiling,
}

impl Reader<'_> {
    pub(crate) fn place(&self, at: Span) -> Place {
        Place { file: self.file.clone(), line: at.line }
    }

    /// The entry of a pack.
    pub(crate) fn entry(&mut self, pack: PackName, at: Span, node: &Node) -> Entry {
        let denied = matches!(node.get("deny").map(|node| &node.value), Some(Value::Bool(true)));
        let http = self.http_rules(node, For::Entry);
        let fs = self.fs_rules(node, For::Entry);
        let mut keys = BTreeMap::new();
        for (name, item) in node.entries() {
            keys.insert(name.value.clone(), self.place(Span::of(&name.referenced)));
            for (limit, _) in item.entries().iter().filter(|_| name.value == "limits") {
                keys.insert(format!("limits.{}", limit.value), self.place(Span::of(&limit.referenced)));
            }
        }
        Entry {
            pack,
            denied,
            http,
            fs,
            env: self.values(node.get("env"), variable, "the name of a variable: letters, digits and _"),
            config: self.values(
                node.get("config"),
                config_key,
                "the name of a config value: letters, digits and _ . / -",
            ),
            ask: self.ask(node),
            callers: self.callers(node),
            limits: self.limits(node),
            place: self.place(at),
            keys,
        }
    }

    /// The ceiling.
    pub(crate) fn ceiling(&mut self, at: Span, node: &Node) -> Ceiling {
        let mut env = Vec::new();
        for item in node.get("env").map_or(&[][..], Node::items) {
            match item.text() {
                Some(name) if variable(name) => env.push(name.to_owned()),
                Some(name) => self.error(item.at, format!("\"{}\" is not the name of a variable", cut(name))),
                None => {}
            }
        }
        let ask = self.ask(node);
        let limits = self.named_limits(node).into_iter().map(|(limit, value)| (limit.name, value)).collect();
        let http = self.http_rules(node, For::Ceiling);
        let fs = self.fs_rules(node, For::Ceiling);
        Ceiling { http, fs, env, ask, limits, place: self.place(at) }
    }

    fn http_rules(&mut self, node: &Node, of: For) -> Vec<HttpRule> {
        let items = node.get("http").map_or(&[][..], Node::items);
        items.iter().filter_map(|item| self.http_rule(item, of)).collect()
    }

    fn http_rule(&mut self, node: &Node, of: For) -> Option<HttpRule> {
        let ports = self.list(node, "ports", |_, item| match item.value {
            Value::Integer(port) => u16::try_from(port).ok().filter(|port| *port > 0),
            _ => None,
        });
        let scheme = node.get("scheme").and_then(Node::text).and_then(Scheme::named);
        let methods = self.list(node, "methods", |reader, item| reader.method(item));
        let methods = methods.unwrap_or_else(|| vec!["GET".into(), "HEAD".into()]);
        let paths = self.list(node, "paths", |reader, item| {
            let pattern = reader.parsed(item, "paths")?;
            reader.no_template(item, of).then_some(pattern)
        });
        let mut addresses =
            self.list(node, "addresses", |reader, item| reader.network(item)).unwrap_or_default();
        let target = self.target(node, of, scheme, ports)?;
        if let Target::Host { host: HostPattern::Address(ip), .. } = &target {
            let net = IpNet::from(*ip);
            if let Some(block) = never(&net) {
                self.error(node.at, format!("{ip} is in {block}, which no rule can open"));
            }
            addresses.push(net);
        }
        let addresses = IpNet::aggregate(&addresses);
        Some(HttpRule { target, methods, paths, addresses, place: self.place(node.at) })
    }

    fn target(
        &mut self,
        node: &Node,
        of: For,
        scheme: Option<Scheme>,
        ports: Option<Vec<u16>>,
    ) -> Option<Target> {
        match (node.get("host"), node.get("url")) {
            (Some(_), Some(_)) | (None, None) => None,
            (Some(item), None) => {
                let host: HostPattern = self.parsed(item, "host")?;
                let scheme = scheme.unwrap_or(Scheme::Https);
                let ports = ports.unwrap_or_else(|| vec![scheme.default_port()]);
                self.no_template(item, of).then_some(Target::Host { host, scheme, ports })
            }
            (None, Some(item)) => self.url_target(node, item, of, scheme, ports),
        }
    }

    fn url_target(
        &mut self,
        node: &Node,
        item: &Node,
        of: For,
        scheme: Option<Scheme>,
        ports: Option<Vec<u16>>,
    ) -> Option<Target> {
        let text = item.text()?;
        if text == "any" {
            if of == For::Entry {
                self.hint(
                    item.at,
                    "\"url: any\" belongs in a ceiling",
                    "name hosts, or take the origin from the input",
                );
            }
            return (of == For::Ceiling).then_some(Target::Any { scheme, ports: ports.unwrap_or_default() });
        }
        if text.contains("${") {
            let template = self.parsed::<Template>(item, "url")?;
            let Some(url) = template.sole_reference().cloned() else {
                self.hint(
                    item.at,
                    "a URL is taken from the input as a whole",
                    "write host, scheme and ports instead",
                );
                return None;
            };
            return self.no_template(item, of).then_some(Target::Origin {
                url,
                scheme,
                ports: ports.unwrap_or_default(),
            });
        }
        for key in ["scheme", "ports"] {
            if let Some(extra) = node.get(key) {
                self.error(extra.at, format!("\"{key}\" is already part of the url"));
            }
        }
        target_of_url(text).map_err(|why| self.error(item.at, format!("\"{}\" {why}", cut(text)))).ok()
    }

    /// The items of a list that say what they should; `None` where the key is absent.
    fn list<T: Ord>(
        &mut self,
        node: &Node,
        key: &str,
        read: impl Fn(&mut Self, &Node) -> Option<T>,
    ) -> Option<Vec<T>> {
        let list = node.get(key)?;
        if matches!(&list.value, Value::List(items) if items.is_empty()) {
            self.hint(
                list.at,
                format!("with no {key} the rule allows nothing"),
                "name some, or delete the rule",
            );
        }
        let mut items: Vec<T> = list.items().iter().filter_map(|item| read(self, item)).collect();
        items.sort();
        items.dedup();
        Some(items)
    }

    fn parsed<T: FromStr<Err: std::fmt::Display>>(&mut self, item: &Node, key: &str) -> Option<T> {
        let text = item.text()?;
        text.parse().map_err(|why| self.error(item.at, format!("{key}: \"{}\": {why}", cut(text)))).ok()
    }

    fn no_template(&mut self, item: &Node, of: For) -> bool {
        let template = of == For::Ceiling && item.text().is_some_and(|text| text.contains("${input"));
        if template {
            self.error(item.at, "a ceiling has no input: no template can stand here");
        }
        !template
    }

    fn method(&mut self, item: &Node) -> Option<String> {
        let text = item.text()?;
        let token = (1..=32).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'-')
            && text.starts_with(|c: char| c.is_ascii_uppercase());
        if !token {
            let upper = text.to_ascii_uppercase();
            self.hint(
                item.at,
                format!("\"{}\" is not a method in upper case", cut(text)),
                format!("such as \"{}\"", cut(&upper)),
            );
            return None;
        }
        if matches!(text, "CONNECT" | "TRACE") {
            self.error(
                item.at,
                format!("{text} cannot be granted: it is not a request to the host that it names"),
            );
            return None;
        }
        Some(text.to_owned())
    }

    fn network(&mut self, item: &Node) -> Option<IpNet> {
        let text = item.text()?;
        let Ok(net) = text.parse::<IpNet>() else {
            self.hint(
                item.at,
                format!("\"{}\" is not a network", cut(text)),
                "such as \"10.0.0.0/8\" or \"fd00::/8\"",
            );
            return None;
        };
        if net != net.trunc() {
            self.hint(
                item.at,
                format!("{net} has bits beyond its prefix"),
                format!("did you mean \"{}\"?", net.trunc()),
            );
            return None;
        }
        if let Some(block) = never(&net) {
            self.error(item.at, format!("{net} is in {block}, which no rule can open"));
            return None;
        }
        Some(net)
    }

    fn fs_rules(&mut self, node: &Node, of: For) -> Vec<FsRule> {
        let mut rules: Vec<FsRule> = Vec::new();
        for item in node.get("fs").map_or(&[][..], Node::items) {
            let Some(rule) = self.fs_rule(item, of) else { continue };
            let same = rules.iter().find(|other| of == For::Entry && other.guest == rule.guest);
            if let Some(first) = same {
                let message =
                    format!("guest path {} is here twice; first on line {}", rule.guest, first.place.line);
                self.error(item.at, message);
            }
            rules.push(rule);
        }
        rules
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
        if of == For::Ceiling && !host.is_literal() {
            self.no_template(item, of);
            return None;
        }
        Some(FsRule { host, guest, mode, place: self.place(node.at) })
    }

    fn values(
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

    fn callers(&mut self, node: &Node) -> Callers {
        let Some(list) = node.get("callers") else { return Callers::Every };
        let mut names = Vec::new();
        for item in list.items() {
            let Some(text) = item.text() else { continue };
            let token = |name: &str| {
                !name.is_empty()
                    && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
            };
            if text == "local" || text.strip_prefix("token:").is_some_and(token) {
                names.push(text.to_owned());
            } else {
                self.hint(
                    item.at,
                    format!("\"{}\" is not a caller", cut(text)),
                    "local, or \"token:\" and the token's name",
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

    fn named_limits(&mut self, node: &Node) -> Vec<(&'static Limit, u64)> {
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

fn variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn config_key(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'/' | b'-'))
}
