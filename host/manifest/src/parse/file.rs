//! One file of a set.

use packhost_core::PackName;

use super::check::{Reader, cut};
use super::diagnostic::Diagnostic;
use super::node::{Node, Span, Value, read};
use super::{Origin, Source};
use crate::ceiling::{Ceiling, Counterexample};
use crate::entry::Entry;
use crate::shape::{FILE, Shape};

/// The largest file that is read, in bytes.
const MAX: usize = 1 << 20;

/// What a file says, and what is wrong with it.
pub(crate) struct File<'s> {
    source: &'s Source,
    pub(crate) extends: bool,
    pub(crate) entries: Vec<(Span, Entry)>,
    pub(crate) ceiling: Option<(Span, Ceiling)>,
    pub(crate) errors: Vec<Diagnostic>,
}

impl<'s> File<'s> {
    /// Reads a file. Never fails: what is wrong is in `errors`.
    pub(crate) fn read(source: &'s Source) -> Self {
        let mut file =
            Self { source, extends: false, entries: Vec::new(), ceiling: None, errors: Vec::new() };
        let mut reader = Reader::new(source);
        let start = Span { line: 1, column: 1, len: 1 };
        if source.text.len() > MAX {
            reader.error(start, "the file is larger than 1 MiB");
        } else {
            match read(&source.text) {
                // It grants nothing, which is what an operator's directory without a word in it means.
                Ok(node) if matches!(node.value, Value::Nothing) => {}
                Ok(node) if is_cases(&node) => {
                    reader.hint(
                        node.at,
                        "this is a file of cases, not a manifest",
                        format!("run it with `packhost policy test {}`", cut(&source.name)),
                    );
                }
                Ok(node) => {
                    reader.check("the file", &node, &Shape::Object(&FILE));
                    file.fill(&mut reader, &node);
                }
                Err((at, message)) => reader.error(at, message),
            }
        }
        file.errors = reader.errors;
        file
    }

    fn fill(&mut self, reader: &mut Reader<'_>, node: &Node) {
        self.extends = node.get("extends").is_some_and(|item| item.text() == Some("shipped"));
        for (key, item) in node.entries() {
            let at = Span::of(&key.referenced);
            let own = matches!(key.value.as_str(), "extends" | "ceiling");
            if own && self.source.origin == Origin::Shipped {
                reader.error(at, format!("\"{}\" belongs in a file of the operator", key.value));
            }
            match key.value.as_str() {
                "ceiling" => self.ceiling = Some((at, reader.ceiling(at, item))),
                "packs" => {
                    for (name, entry) in item.entries() {
                        let at = Span::of(&name.referenced);
                        match name.value.parse::<PackName>() {
                            Ok(pack) => self.entries.push((at, reader.entry(pack, at, entry))),
                            Err(why) => reader.error(at, why.to_string()),
                        }
                    }
                }
                _ => {}
            }
        }
    }

    pub(crate) fn origin(&self) -> Origin {
        self.source.origin
    }

    pub(crate) fn error(&self, at: Span, message: String, suggestion: &str) -> Diagnostic {
        Diagnostic::new(self.source, at, message, Some(suggestion.to_owned()))
    }

    /// The error of an entry that the ceiling does not cover.
    pub(crate) fn beyond(&self, entry: Span, beyond: &Counterexample) -> Diagnostic {
        let at = if beyond.place.line == entry.line {
            entry
        } else {
            let line = self
                .source
                .text
                .lines()
                .nth(beyond.place.line.saturating_sub(1) as usize)
                .unwrap_or_default();
            let indent = line.chars().take_while(|c| c.is_whitespace() || *c == '-').count();
            let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
            Span {
                line: beyond.place.line,
                column: number(indent + 1),
                len: number(line.trim().chars().count()),
            }
        };
        Diagnostic::new(
            self.source,
            at,
            beyond.to_string(),
            Some(format!("the ceiling is at {}", beyond.ceiling)),
        )
    }
}

/// Whether a tree is a list of things that a pack tries, which is what [`Cases`](crate::Cases) reads.
fn is_cases(node: &Node) -> bool {
    node.items().first().is_some_and(|first| first.get("pack").is_some() && first.get("expect").is_some())
}
