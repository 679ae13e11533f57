//! Errors that point at the place in the file.

use std::fmt;

use serde::Serialize;

use super::Source;
use super::node::Span;

/// One error of a manifest, with the line it stands on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// The file as named in its source.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// What is wrong, in a sentence without capital and full stop.
    pub message: String,
    /// The line as shown: tabs as spaces, control characters replaced, long lines cut. Empty where there is none.
    pub snippet: String,
    /// Where in `snippet` the mark starts, in characters from 0, and how many characters it has (at least one).
    pub caret: (usize, usize),
    /// What to do instead, where there is something to say.
    pub suggestion: Option<String>,
}

/// Every error that was found, in the order of files and lines; at least one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(transparent)]
pub struct Diagnostics(pub Vec<Diagnostic>);

/// The longest line that is shown, in characters.
const WIDTH: usize = 120;
/// The longest message, in characters. Messages repeat what was written, and what was written may be long.
const MESSAGE: usize = 1000;

/// What is shown of a character, so that no text from a file can act on a terminal.
fn printable(c: char) -> char {
    match c {
        '\t' | '\n' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}

impl Diagnostic {
    pub(crate) fn new(
        source: &Source,
        at: Span,
        message: impl Into<String>,
        suggestion: Option<String>,
    ) -> Self {
        let line = source.text.lines().nth(at.line.saturating_sub(1) as usize).unwrap_or_default();
        let column = at.column.saturating_sub(1) as usize;
        let length = line.chars().count();
        let start = column.min(length);
        let from = if start + 20 > WIDTH { start.saturating_sub(WIDTH / 2) } else { 0 };
        let snippet: String = line.chars().skip(from).take(WIDTH).map(printable).collect();
        let room = snippet.chars().count().saturating_sub(start - from);
        let caret = (start - from, (at.len as usize).min(room).max(1));
        let snippet = snippet.trim_end().to_owned();
        Self {
            file: source.name.clone(),
            line: at.line,
            column: at.column,
            message: message.into().chars().take(MESSAGE).map(printable).collect(),
            snippet,
            caret,
            suggestion: suggestion.map(|text| text.chars().map(printable).collect()),
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}:{}:{}  error: {}", self.file, self.line, self.column, self.message)?;
        writeln!(f, "{:>5} | {}", self.line, self.snippet)?;
        let (start, length) = self.caret;
        write!(f, "{:>5} | {}{}", "", " ".repeat(start), "^".repeat(length))?;
        match &self.suggestion {
            Some(suggestion) => write!(f, " {suggestion}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.0.iter().enumerate() {
            write!(f, "{}{diagnostic}", if index == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Manifest, Origin};
    use super::*;

    fn errors(text: String) -> Diagnostics {
        let source = Source { name: "a.yaml".into(), text, origin: Origin::Operator };
        Manifest::parse(&[source]).expect_err("a wrong manifest")
    }

    #[test]
    fn no_text_from_a_file_acts_on_a_terminal() {
        let shown = errors("version: 1\npacks: {\"\\e[1m\": {}, a: {http: [{host: \"\\e[2J\"}]}}".into());
        assert_eq!(shown.0.len(), 2);
        let shown = shown.to_string();
        assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown:?}");
    }

    #[test]
    fn a_long_name_makes_no_long_message() {
        let shown = errors(format!("version: 1\npacks: {{{}: {{}}}}", "A".repeat(100_000)));
        assert!(shown.to_string().len() < 2000, "{}", shown.to_string().len());
    }
}
