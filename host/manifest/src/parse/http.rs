//! Reads the rules of `http`.

use ipnet::IpNet;

use super::check::{Reader, cut};
use super::node::{Node, Value};
use super::rules::For;
use crate::addresses::{needed, reachable, translated, unlistable};
use crate::hosts::HostPattern;
use crate::http::{CONNECT, HttpRule, Scheme, Target, is_method, never_granted, target_of_url};
use crate::template::Template;

impl Reader<'_> {
    pub(super) fn http_rules(&mut self, node: &Node, of: For) -> Vec<HttpRule> {
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
        let credentials = self.list(node, "credentials", |reader, item| reader.parsed(item, "credentials"));
        let credentials = credentials.unwrap_or_default();
        let target = self.target(node, of, scheme, ports)?;
        let terminate = of == For::Session && node.get("tls").is_some();
        let tunnels = methods.iter().any(|method| method == CONNECT);
        if tunnels && !terminate {
            self.tunnel(node, &target, methods.len() == 1);
        }
        if of == For::Session {
            self.inside(node, &target, terminate, (tunnels, tunnels && methods.len() == 1));
        }
        if let Target::Host { host: HostPattern::Address(ip), .. } = &target {
            let own: Vec<IpNet> = needed(*ip).into_iter().map(IpNet::from).collect();
            if let Err(closed) = reachable(*ip, &own) {
                self.error(node.at, format!("{ip} is {}: no rule can open it", closed.reach));
            }
            addresses.extend(own);
        }
        let addresses = IpNet::aggregate(&addresses);
        Some(HttpRule {
            target,
            methods,
            paths,
            addresses,
            credentials,
            terminate,
            place: self.place(node.at),
        })
    }

    /// What a rule that names CONNECT cannot say besides, because nobody could hold a tunnel to it.
    fn tunnel(&mut self, node: &Node, target: &Target, alone: bool) {
        if let Some(paths) = node.get("paths") {
            self.hint(
                paths.at,
                "CONNECT cannot be granted for some paths: the host sees none in a tunnel",
                "grant CONNECT in a rule of its own, without paths",
            );
        }
        if target.scheme() == Some(Scheme::Http) {
            self.hint(
                node.at,
                "CONNECT cannot be granted over http: where a tunnel leads is checked by its TLS",
                "grant the methods that are sent, or the https origin",
            );
        }
        if let Some(credentials) = node.get("credentials").filter(|_| alone) {
            self.hint(
                credentials.at,
                "a tunnel carries no credential: the host cannot put one in",
                "grant the methods of the requests that carry it, or delete the key",
            );
        }
    }

    /// What a rule of a session has to say of https: whether the host looks into it.
    fn inside(
        &mut self,
        node: &Node,
        target: &Target,
        terminate: bool,
        (tunnels, only_tunnels): (bool, bool),
    ) {
        let at = |key: &str| node.get(key).map_or(node.at, |item| item.at);
        let is_http = target.scheme() == Some(Scheme::Http);
        if terminate && is_http {
            self.hint(
                at("tls"),
                "\"tls: terminate\" is for https: over http there is no TLS to end",
                "delete the key",
            );
        } else if terminate && tunnels {
            self.hint(
                at("methods"),
                "CONNECT asks for a tunnel that nobody looks into, and \"tls: terminate\" looks into it",
                "name the methods of the requests inside",
            );
        } else if !(terminate || is_http || only_tunnels) {
            let key = ["methods", "paths", "credentials"].into_iter().find(|key| node.get(key).is_some());
            self.hint(
                key.map_or(node.at, at),
                "of https from a sandbox the host sees the host and the port alone: no method and no path",
                "needs `tls: terminate`, or `methods: [CONNECT]` for a tunnel that is not looked into",
            );
        }
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
            if of != For::Ceiling {
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
            // Ports, methods and paths narrow a rule, the others add to it.
            let (message, hint) = match key {
                "addresses" | "credentials" => {
                    (format!("\"{key}\" is empty"), "name some, or delete the key")
                }
                _ => (format!("with no {key} the rule allows nothing"), "name some, or delete the rule"),
            };
            self.hint(list.at, message, hint);
        }
        let mut items: Vec<T> = list.items().iter().filter_map(|item| read(self, item)).collect();
        items.sort();
        items.dedup();
        Some(items)
    }

    fn method(&mut self, item: &Node) -> Option<String> {
        let text = item.text()?;
        if !is_method(text) {
            let upper = text.to_ascii_uppercase();
            self.hint(
                item.at,
                format!("\"{}\" is not a method in upper case", cut(text)),
                format!("such as \"{}\"", cut(&upper)),
            );
            return None;
        }
        if never_granted(text) {
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
        if let Some(inside) = translated(&net) {
            let message = format!("{net} stands for IPv4 addresses (NAT64, RFC 6052)");
            let hint = match unlistable(&inside) {
                None => format!("{inside} opens them, in both forms"),
                Some(_) => "list the IPv4 networks that are meant, such as 10.0.0.0/8".into(),
            };
            self.hint(item.at, message, hint);
            return None;
        }
        if let Some((block, reach)) = unlistable(&net) {
            let how = if block.contains(&net) { "is in" } else { "holds" };
            let private = match net {
                IpNet::V4(_) => "10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or 127.0.0.0/8",
                IpNet::V6(_) => "fd00::/8 or ::1/128",
            };
            self.hint(
                item.at,
                format!("{net} {how} {block} ({}, {}), which no rule can open", reach.name, reach.source),
                format!("name the private networks that are meant, such as {private}"),
            );
            return None;
        }
        Some(net)
    }
}
