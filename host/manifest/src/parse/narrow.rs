//! Reads what an entry says of some callers alone.

use std::collections::BTreeSet;

use packhost_core::CredentialName;

use super::check::{Reader, cut};
use super::node::{Node, Span};
use crate::entry::{Callers, Entry};
use crate::limits::{Limit, Limits};
use crate::narrow::Narrowing;

impl Reader<'_> {
    /// What `narrow` of an entry says. The rest of the entry has been read.
    pub(super) fn narrowings(&mut self, node: &Node, entry: &Entry) -> Vec<Narrowing> {
        let items = node.get("narrow").map_or(&[][..], Node::items);
        items
            .iter()
            .filter(|item| !item.entries().is_empty())
            .map(|item| self.narrowing(item, entry))
            .collect()
    }

    fn narrowing(&mut self, node: &Node, entry: &Entry) -> Narrowing {
        let callers = match self.callers(node) {
            Callers::Only(names) => names,
            Callers::Every => Vec::new(),
        };
        if node.get("callers").is_some_and(|list| list.items().is_empty()) {
            self.error(node.at, "this is about no caller: \"callers\" is empty");
        }
        if node.get("limits").is_none() && node.get("credentials").is_none() {
            self.hint(node.at, "this takes nothing away", "it has limits, credentials, or both");
        }
        let limits = self.narrower(node, entry);
        let credentials = node.get("credentials").map(|list| self.left(list, entry));
        Narrowing { callers, limits, credentials, place: self.place(node.at) }
    }

    fn narrower(&mut self, node: &Node, entry: &Entry) -> Vec<(&'static Limit, u64)> {
        let named = self.named_limits(node);
        let keys = node.get("limits").map_or(&[][..], Node::entries);
        for (key, item) in keys {
            let at = Span::of(&key.referenced);
            let Some((limit, most)) = named.iter().find(|(limit, _)| limit.name == key.value) else {
                continue;
            };
            let own = entry.limits.value(limit.name).unwrap_or(limit.max);
            if !Limits::is_of_one_caller(limit) {
                let message = format!("all callers of a pack share its {}", limit.name);
                self.hint(at, message, "name it under the entry's own limits");
            } else if *most > own {
                let message =
                    format!("{} is more than the {} of the entry itself", limit.show(*most), limit.show(own));
                self.hint(item.at, message, "a narrowing only takes away");
            }
        }
        named
    }

    /// The credentials that are left.
    fn left(&mut self, list: &Node, entry: &Entry) -> BTreeSet<CredentialName> {
        let mut left = BTreeSet::new();
        for item in list.items() {
            let Some(name) = self.parsed::<CredentialName>(item, "credentials") else { continue };
            if entry.credentials().any(|known| *known == name) {
                left.insert(name);
            } else {
                let message = format!("no rule of the entry has the credential {}", cut(name.as_str()));
                self.hint(item.at, message, "a narrowing only takes away");
            }
        }
        left
    }
}
