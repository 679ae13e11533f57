//! Reads a pack that is a program.

use super::check::Reader;
use super::node::{Node, Span};
use crate::session::CommandPack;

/// Keys of an entry that are about a component, and what to write instead where there is none.
const OF_A_COMPONENT: [(&str, &str); 6] = [
    ("http", "what leaves its sandbox is under session.http"),
    (
        "fs",
        "what it may touch in its sandbox is under session.files; what it shares with other packs is a workspace",
    ),
    ("env", "the environment of programs is under session.env"),
    ("config", "delete the key, or put the value under session.env"),
    ("ask", "delete the key"),
    ("report", "delete the key: what leaves a sandbox is not in report mode"),
];

impl Reader<'_> {
    /// The command of an entry, `entry`; `at` is the place of its key.
    pub(super) fn command(&mut self, at: Span, node: &Node, entry: &Node) -> Option<CommandPack> {
        if entry.get("session").is_none() {
            self.hint(at, "a command runs in a sandbox, and this entry has no session", "add \"session\"");
        }
        for (key, instead) in OF_A_COMPONENT {
            let found = entry.entries().iter().find(|(name, _)| name.value == key);
            if let Some((name, _)) = found {
                let message = format!("\"{key}\" is for a component, and this pack is a command");
                self.hint(Span::of(&name.referenced), message, instead);
            }
        }
        let run = self.argv(node.get("run")?);
        let title = node.get("title").and_then(|item| self.words(item, "title", CommandPack::TITLE));
        let description = self.words(node.get("description")?, "description", CommandPack::DESCRIPTION)?;
        let examples = node.get("examples").map_or(&[][..], Node::items);
        Some(CommandPack {
            run,
            title,
            description,
            input: node.get("input")?.to_json(),
            output: node.get("output").map(Node::to_json),
            examples: examples.iter().map(Node::to_json).collect(),
            place: self.place(at),
        })
    }

    fn argv(&mut self, list: &Node) -> Vec<String> {
        let items = list.items();
        if items.is_empty() && matches!(list.value, super::Value::List(_)) {
            self.hint(list.at, "\"run\" is empty", "name the program, such as [/usr/local/bin/tool]");
        }
        if items.len() > CommandPack::ARGUMENTS {
            self.error(list.at, format!("\"run\" has more than {} texts", CommandPack::ARGUMENTS));
        }
        let mut argv = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let Some(text) = item.text() else { continue };
            if text.contains("${") {
                let why = "arguments are taken as they stand: the input comes on standard input";
                self.error(item.at, why);
            } else if text.contains('\0') || text.len() > CommandPack::ARGUMENT {
                self.error(item.at, "a text of \"run\" is at most 4 KiB and holds no NUL");
            } else if index == 0 && text.is_empty() {
                self.error(item.at, "the program has no name");
            }
            argv.push(text.to_owned());
        }
        argv
    }

    /// A text for people: something, and no more than fits.
    fn words(&mut self, item: &Node, key: &str, most: usize) -> Option<String> {
        let text = item.text()?.trim();
        if text.is_empty() {
            self.error(item.at, format!("\"{key}\" is empty"));
        } else if text.len() > most {
            self.error(item.at, format!("\"{key}\" is at most {most} bytes"));
        }
        Some(text.to_owned())
    }
}
