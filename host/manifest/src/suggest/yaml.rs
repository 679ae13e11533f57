//! Suggested rules as YAML, laid out as people write it.

use std::fmt;

use super::SuggestedRule;
use crate::paths::PathPattern;

/// The longest list that stands in one line, in bytes.
const LINE: usize = 90;

impl SuggestedRule {
    /// The lines of the rule as an item of a block list, without indentation.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("- host: {}", host(&self.host.to_string()))];
        if self.scheme.as_str() != "https" {
            lines.push(format!("  scheme: {}", self.scheme.as_str()));
        }
        if self.port != self.scheme.default_port() {
            lines.push(format!("  ports: [{}]", self.port));
        }
        let methods: Vec<String> = self.methods.iter().map(|text| method(text)).collect();
        lines.push(format!("  methods: [{}]", methods.join(", ")));
        let paths: Vec<String> = self.paths.iter().map(path).collect();
        let list = paths.join(", ");
        if list.len() <= LINE {
            lines.push(format!("  paths: [{list}]"));
        } else {
            lines.push("  paths:".into());
            lines.extend(paths.iter().map(|path| format!("    - {path}")));
        }
        lines
    }
}

impl fmt::Display for SuggestedRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().join("\n"))
    }
}

/// A text between double quotes. What JSON escapes, YAML reads.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A name with a letter in front and a dot in it is a text to every reader of YAML; others may be numbers or `true`.
fn host(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let name = text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.contains('.');
    if name && text.chars().all(plain) { text.to_owned() } else { quoted(text) }
}

/// The methods of RFC 9110 and 5789 stand as they are; another one may be `TRUE`.
fn method(text: &str) -> String {
    let plain = matches!(text, "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS");
    if plain { text.to_owned() } else { quoted(text) }
}

fn path(pattern: &PathPattern) -> String {
    let text = pattern.to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_');
    if text.chars().all(plain) { text } else { quoted(&text) }
}

/// The name of a pack as a key. Names without a dot may be words that YAML reads as something else.
pub(super) fn key(name: &str) -> String {
    if name.contains('.') { name.to_owned() } else { quoted(name) }
}
