//! Holds a tree against the table of keys.

use std::sync::Arc;

use super::Source;
use super::diagnostic::Diagnostic;
use super::node::{Node, Span, Value};
use crate::limits::{Limit, LimitKind};
use crate::shape::{Object, Shape};

const LATER: &str = "a later version has it; nothing enforces it here";

/// A file that is being read, and the errors found in it so far.
pub(crate) struct Reader<'a> {
    source: &'a Source,
    /// The file's name, shared by every place in it.
    pub(crate) file: Arc<str>,
    pub(crate) errors: Vec<Diagnostic>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(source: &'a Source) -> Self {
        Self { source, file: Arc::from(source.name.as_str()), errors: Vec::new() }
    }

    /// Records an error.
    pub(crate) fn error(&mut self, at: Span, message: impl Into<String>) {
        self.errors.push(Diagnostic::new(self.source, at, message, None));
    }

    /// Records an error and what to do instead.
    pub(crate) fn hint(&mut self, at: Span, message: impl Into<String>, suggestion: impl Into<String>) {
        self.errors.push(Diagnostic::new(self.source, at, message, Some(suggestion.into())));
    }

    /// Records whatever in `node` is not of this shape. `name` is the key that the node belongs to.
    pub(crate) fn check(&mut self, name: &str, node: &Node, shape: &Shape) {
        match (shape, &node.value) {
            (Shape::OrNothing(_), Value::Nothing) => {}
            (Shape::OrNothing(inner), _) => self.check(name, node, inner),
            (Shape::Object(object), Value::Map(_)) => self.object(node, object),
            (Shape::Map { value, .. }, Value::Map(entries)) => {
                self.repeated(node);
                for (key, child) in entries {
                    self.check(&key.value, child, value);
                }
            }
            (Shape::List(item), Value::List(items)) => {
                items.iter().for_each(|child| self.check(name, child, item))
            }
            (Shape::Choice(words), Value::Text(text)) if !words.contains(&text.as_str()) => {
                let suggestion = nearest(text, words)
                    .map_or_else(|| one_of(words), |word| format!("did you mean \"{word}\"?"));
                self.hint(node.at, format!("\"{}\" is no value of {name}", cut(text)), suggestion);
            }
            (Shape::Growing { later, .. }, Value::Text(text)) if later.contains(&text.as_str()) => {
                let message = format!("\"{text}\" is no value of {name} in version 1 of the manifest");
                self.hint(node.at, message, LATER);
            }
            (Shape::Growing { words, .. }, Value::Text(_)) => self.check(name, node, &Shape::Choice(words)),
            (Shape::Integer(min, max), Value::Integer(n)) if n < min || n > max => {
                let range = if min == max { format!("{min}") } else { format!("between {min} and {max}") };
                self.error(node.at, format!("{name} is {range}, not {n}"));
            }
            (Shape::Choice(_) | Shape::Text(_), Value::Text(_)) | (Shape::Integer(..), Value::Integer(_)) => {
            }
            (Shape::True, Value::Bool(true)) => {}
            (Shape::Limit | Shape::Time(_), Value::Text(_) | Value::Integer(_)) | (Shape::Json, _) => {}
            (Shape::JsonMap, Value::Map(_)) => self.repeated_at_any_depth(node),
            _ => self.mismatch(name, node, shape),
        }
    }

    fn object(&mut self, node: &Node, object: &Object) {
        self.repeated(node);
        for (key, child) in node.entries() {
            let name = key.value.as_str();
            match object.keys.iter().find(|known| known.name == name) {
                Some(known) => self.check(name, child, &known.shape),
                None => self.unknown(Span::of(&key.referenced), name, object),
            }
        }
        for key in object.keys.iter().filter(|key| key.required && node.get(key.name).is_none()) {
            self.error(node.at, format!("\"{}\" is missing from this {}", key.name, object.name));
        }
        let present: Vec<&&str> = object.one_of.iter().filter(|name| node.get(name).is_some()).collect();
        if present.len() != 1 && !object.one_of.is_empty() {
            let found = if present.is_empty() { "none" } else { "more than one" };
            self.hint(
                node.at,
                format!("this {} has {found} of {}", object.name, object.one_of.join(", ")),
                "it has exactly one",
            );
        }
    }

    fn unknown(&mut self, at: Span, name: &str, object: &Object) {
        let names: Vec<&str> = object.keys.iter().map(|key| key.name).collect();
        if object.later.contains(&name) {
            let message = format!("\"{name}\" is not in version 1 of the manifest");
            return self.hint(at, message, LATER);
        }
        if let Some((_, why)) = object.elsewhere.iter().find(|(key, _)| *key == name) {
            return self.hint(at, format!("\"{name}\" has no place in this {}", object.name), *why);
        }
        let suggestion = nearest(name, &names)
            .map_or_else(|| one_of(&names), |known| format!("did you mean \"{known}\"?"));
        self.hint(at, format!("unknown key \"{}\"", cut(name)), suggestion);
    }

    fn repeated(&mut self, node: &Node) {
        for (index, (key, _)) in node.entries().iter().enumerate() {
            let first = node.entries()[..index].iter().find(|(earlier, _)| earlier.value == key.value);
            if let Some((first, _)) = first {
                let message = format!(
                    "\"{}\" is here twice; first on line {}",
                    cut(&key.value),
                    first.referenced.line()
                );
                self.error(Span::of(&key.referenced), message);
            }
        }
    }

    fn repeated_at_any_depth(&mut self, node: &Node) {
        self.repeated(node);
        node.entries().iter().for_each(|(_, child)| self.repeated_at_any_depth(child));
        node.items().iter().for_each(|child| self.repeated_at_any_depth(child));
    }

    fn mismatch(&mut self, name: &str, node: &Node, shape: &Shape) {
        let expected = match shape {
            Shape::Object(_) | Shape::Map { .. } | Shape::JsonMap => "a map".to_owned(),
            Shape::List(_) => "a list".to_owned(),
            Shape::Choice(words) | Shape::Growing { words, .. } => one_of(words),
            Shape::Text(word) => word.what.to_owned(),
            Shape::Integer(..) => "a whole number".to_owned(),
            Shape::True => "true: leave the key out for the opposite".to_owned(),
            Shape::Time(limit) => limit.grammar().to_owned(),
            Shape::Limit => Limit::named(name).map_or("a limit", Limit::grammar).to_owned(),
            Shape::Json => return,
            Shape::OrNothing(inner) => return self.mismatch(name, node, inner),
        };
        let message = format!("\"{}\" must be {}; this is {}", cut(name), expected, node.kind());
        match (shape, &node.value) {
            (Shape::List(_), Value::Text(_) | Value::Map(_)) => {
                self.hint(node.at, message, "write it as [ … ]")
            }
            (Shape::List(_), Value::Nothing) => self.hint(node.at, message, "[] is the empty list"),
            (Shape::Text(_), Value::Bool(_) | Value::Integer(_) | Value::Float(_)) => {
                self.hint(node.at, message, "put it in quotes to make it a text");
            }
            _ => self.error(node.at, message),
        }
    }

    /// The value of a limit. What is wrong with it is recorded.
    pub(crate) fn limit(&mut self, limit: &Limit, node: &Node) -> Option<u64> {
        let read = match (&node.value, limit.kind) {
            (Value::Integer(n), LimitKind::Count) => limit.read(&n.to_string()),
            (Value::Integer(n), _) => Err(format!("\"{n}\" is not {}", limit.grammar())),
            (Value::Text(_), LimitKind::Count) => {
                Err(format!("{} is a whole number, without quotes or unit", limit.name))
            }
            (Value::Text(text), _) => limit.read(text),
            _ => return None,
        };
        read.map_err(|why| self.error(node.at, why)).ok()
    }
}

/// The known word that was probably meant.
pub(crate) fn nearest<'w>(word: &str, known: &[&'w str]) -> Option<&'w str> {
    // A text from a stranger may be long; no word of the format is.
    if word.len() > 64 {
        return None;
    }
    let score = |candidate: &str| strsim::jaro_winkler(&word.to_lowercase(), candidate);
    let best = known.iter().copied().max_by(|a, b| score(a).total_cmp(&score(b)))?;
    (score(best) > 0.8).then_some(best)
}

fn one_of(words: &[&str]) -> String {
    match words {
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("one of {} and {last}", most.join(", ")),
        [] => "nothing".to_owned(),
    }
}

/// A text from a file, short enough for a sentence and safe for a terminal.
pub(crate) fn cut(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(60).collect()
}
