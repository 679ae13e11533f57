//! Reads what is said of sandboxes.

use std::time::Duration;

use super::check::{Reader, cut};
use super::node::{Node, Span, Value};
use super::rules::{For, VARIABLE, variable};
use crate::ceiling::SessionCeiling;
use crate::fs::guest_path;
use crate::http::{CONNECT, HttpRule};
use crate::limits::Limit;
use crate::session::{IDLE, LIFETIME, OWN, SHARED_MEMORY, Session, SessionBackend, SessionFiles, path_holds};

impl Reader<'_> {
    /// The session of an entry. `at` is the place of its key.
    pub(super) fn session(&mut self, at: Span, node: &Node) -> Session {
        let on = self.backends(node);
        let image = node.get("image").and_then(|item| self.parsed(item, "image"));
        let files = self.files(node, For::Session);
        if node.get("image").is_none() {
            self.without_image(at, node, &files);
        }
        let http = self.http_rules(node, For::Session);
        self.hidden_tunnels(node, &http);
        let env = self.values(node.get("env"), variable, VARIABLE);
        let (idle, lifetime) = (self.time(node, &IDLE), self.time(node, &LIFETIME));
        let [idle, lifetime] =
            [(idle, &IDLE), (lifetime, &LIFETIME)].map(|(time, limit)| time.unwrap_or(millis(limit.default)));
        let warm = node.get("warm").map_or(0, warm);
        Session { on, image, files, http, env, idle, lifetime, warm, place: self.place(at) }
    }

    /// The ceiling of sessions.
    pub(super) fn session_ceiling(&mut self, node: &Node) -> SessionCeiling {
        let on = self.backends(node);
        let images = node.get("images").map_or(&[][..], Node::items);
        let images = images.iter().filter_map(|item| self.parsed(item, "images")).collect();
        let files = self.files(node, For::Ceiling);
        let http = self.http_rules(node, For::Ceiling);
        let env = self.names(node.get("env"), variable, VARIABLE);
        let [idle, lifetime] =
            [&IDLE, &LIFETIME].map(|limit| self.time(node, limit).unwrap_or(millis(limit.max)));
        SessionCeiling { on, images, files, http, env, idle, lifetime }
    }

    fn backends(&mut self, node: &Node) -> Vec<SessionBackend> {
        let mut on: Vec<SessionBackend> = Vec::new();
        let Some(list) = node.get("on") else { return on };
        for item in list.items() {
            // What is no backend has been reported.
            let Some(backend) = item.text().and_then(SessionBackend::named) else { continue };
            if on.contains(&backend) {
                self.hint(item.at, format!("{backend} is here twice"), "each once; the first is preferred");
            }
            on.push(backend);
        }
        if list.items().is_empty() && matches!(list.value, Value::List(_)) {
            self.hint(
                list.at,
                "with nothing that makes sandboxes there are none",
                "name some, or delete the session",
            );
        }
        on
    }

    /// What a session without an image cannot say.
    fn without_image(&mut self, at: Span, node: &Node, files: &SessionFiles) {
        let on = node.get("on").map_or(&[][..], Node::items);
        if let Some(item) = on.iter().find(|item| item.text() == Some(SessionBackend::Docker.as_str())) {
            self.hint(
                item.at,
                "docker makes sandboxes of an image, and this session names none",
                "name one under \"image\", or keep to process",
            );
        } else if files.read_only.is_empty() && node.get("files").and_then(|n| n.get("read_only")).is_none() {
            self.hint(
                at,
                "without an image a sandbox is made of what files.read_only names, and it names nothing",
                "name what its programs need, such as /usr and /lib, or an image",
            );
        }
    }

    fn files(&mut self, node: &Node, of: For) -> SessionFiles {
        let Some(node) = node.get("files") else { return SessionFiles::default() };
        let mut written = self.inside_paths(node, "read_write", of);
        let mut read = self.inside_paths(node, "read_only", of);
        if of == For::Session {
            self.apart(&written, &read);
        }
        let sorted = |paths: &mut Vec<(Span, String)>| {
            let mut paths: Vec<String> = paths.drain(..).map(|(_, path)| path).collect();
            paths.sort();
            paths
        };
        SessionFiles { read_write: sorted(&mut written), read_only: sorted(&mut read) }
    }

    /// Records what nothing could hold: a path that is the sandbox's own, and a read-only path where all may be written.
    fn apart(&mut self, written: &[(Span, String)], read: &[(Span, String)]) {
        for (at, path) in written {
            let own = OWN.iter().find(|own| path_holds(own, path) && !path_holds(SHARED_MEMORY, path));
            if let Some(own) = own {
                let message = format!("{path} cannot be written: {own} is the sandbox's own");
                self.hint(*at, message, "name it under \"read_only\", or another path here");
            }
        }
        for (at, path) in read {
            if let Some((_, outer)) = written.iter().find(|(_, outer)| path_holds(outer, path)) {
                self.hint(
                    *at,
                    format!("{path} is read-only, and {outer}, in which it lies, is read-write"),
                    "give both one mode, or name paths beside each other",
                );
            }
        }
    }

    fn inside_paths(&mut self, node: &Node, key: &str, of: For) -> Vec<(Span, String)> {
        let mut paths: Vec<(Span, String)> = Vec::new();
        let items = node.get(key).map_or(&[][..], Node::items);
        if let Some(item) = items.get(SessionFiles::PATHS) {
            self.error(item.at, format!("{key} has more than {} paths", SessionFiles::PATHS));
        }
        for item in items.iter().take(SessionFiles::PATHS) {
            let Some(text) = item.text() else { continue };
            let path = match guest_path(text) {
                Ok(path) => path,
                Err(_) if text == "/" && of == For::Ceiling => text.to_owned(),
                Err(_) if text == "/" => {
                    self.error(item.at, "the whole file system cannot be granted");
                    continue;
                }
                Err(_) => {
                    let message = format!("{key}: \"{}\" is not a plain absolute path", cut(text));
                    self.hint(item.at, message, "such as /sandbox, without \"..\" and \"${\"");
                    continue;
                }
            };
            if paths.iter().any(|(_, known)| *known == path) {
                self.error(item.at, format!("{path} is here twice"));
            }
            paths.push((item.at, path));
        }
        paths
    }

    /// A tunnel to where another rule ends the TLS is one that nobody ever gets.
    fn hidden_tunnels(&mut self, node: &Node, http: &[HttpRule]) {
        let tunnels =
            |rule: &&HttpRule| !rule.terminate && rule.methods.iter().any(|method| method == CONNECT);
        for tunnel in http.iter().filter(tunnels) {
            let ends = |rule: &&HttpRule| rule.terminate && rule.target.holds(&tunnel.target);
            let Some(ends) = http.iter().find(ends) else { continue };
            let items = node.get("http").map_or(&[][..], Node::items);
            let at = items.iter().map(|item| item.at).find(|at| self.place(*at) == tunnel.place);
            let message = format!(
                "a tunnel to {} is never opened: the rule on line {} ends the TLS of what goes there",
                tunnel.target, ends.place.line
            );
            self.hint(at.unwrap_or(node.at), message, "delete one of the two");
        }
    }

    fn time(&mut self, node: &Node, limit: &Limit) -> Option<Duration> {
        node.get(limit.name).and_then(|item| self.limit(limit, item)).map(millis)
    }
}

/// What is out of bounds has been reported.
fn warm(node: &Node) -> u32 {
    let Value::Integer(many) = node.value else { return 0 };
    u32::try_from(many).ok().filter(|many| *many <= Session::WARM).unwrap_or(0)
}

fn millis(value: u64) -> Duration {
    Duration::from_millis(value)
}
