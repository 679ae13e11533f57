//! Templates: values of one call's input inside a rule.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

/// A text with places for values of the call's input.
///
/// ```text
/// template  = *( text / "${input" 1*("." key) "}" )
/// key       = 1*( ALPHA / DIGIT / "_" / "-" )
/// ```
///
/// A key names a member of an object, or, where the value is an array and the key is all digits, an element. A value
/// that stands in a template must be a string or a number. What it may hold depends on where the template stands: one
/// host label, one path segment, one file name. Anything else grants nothing, and the call's notes say why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Template(Vec<Part>);

/// A piece of a [`Template`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Text, as it stands.
    Text(String),
    /// A value of the input.
    Input(Reference),
}

/// The place of a value in a call's input: the `repo.owner` of `${input.repo.owner}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference(Vec<String>);

/// Why a text is not a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// `${` without `}`.
    #[error("\"${{\" is not closed by \"}}\"")]
    Unclosed,
    /// A name inside `${…}` that this place does not know.
    #[error("\"${{{0}}}\" is not known here: a value of the input is ${{input.name}}")]
    Unknown(String),
}

impl Template {
    /// Reads a template. A text without `${` is a template of one text.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, tail) = after.split_once('}').ok_or(TemplateError::Unclosed)?;
            if !before.is_empty() {
                parts.push(Part::Text(before.into()));
            }
            parts.push(Part::Input(Reference::parse(name)?));
            rest = tail;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.into()));
        }
        Ok(Self(parts))
    }

    /// The pieces, in order.
    pub fn parts(&self) -> &[Part] {
        &self.0
    }

    /// Whether no value of the input stands in it.
    pub fn is_literal(&self) -> bool {
        !self.0.iter().any(|part| matches!(part, Part::Input(_)))
    }

    /// The reference, where the template is that and nothing else.
    pub fn sole_reference(&self) -> Option<&Reference> {
        match self.0.as_slice() {
            [Part::Input(reference)] => Some(reference),
            _ => None,
        }
    }

    /// The text with the input's values in place, each of which `fits` must accept. The error says what is wrong with
    /// which value.
    pub(crate) fn fill(
        &self,
        input: &Value,
        fits: impl Fn(&str) -> Result<(), &'static str>,
    ) -> Result<String, String> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Input(reference) => {
                    let value = reference.text(input)?;
                    fits(&value).map_err(|why| format!("\"{}\" of the input {why}", reference.path()))?;
                    text.push_str(&value);
                }
            }
        }
        Ok(text)
    }

    /// The text with `value` at every place of the input: one of the many that the template can become.
    pub(crate) fn with(&self, value: &str) -> String {
        self.0.iter().map(|part| if let Part::Text(text) = part { text } else { value }).collect()
    }
}

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        Self::parse(text)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(text),
            Part::Input(reference) => write!(f, "${{input.{}}}", reference.path()),
        })
    }
}

impl Reference {
    fn parse(name: &str) -> Result<Self, TemplateError> {
        let unknown = || TemplateError::Unknown(name.chars().take(60).collect());
        let keys: Vec<String> =
            name.strip_prefix("input.").ok_or_else(unknown)?.split('.').map(String::from).collect();
        let plain = |key: &String| {
            !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        };
        if keys.iter().all(plain) { Ok(Self(keys)) } else { Err(unknown()) }
    }

    /// The keys joined by dots.
    pub fn path(&self) -> String {
        self.0.join(".")
    }

    /// The value as text. Strings and numbers have one; the error says what is there instead.
    pub fn text(&self, input: &Value) -> Result<String, String> {
        let mut value = input;
        for key in &self.0 {
            let next = match value {
                Value::Object(map) => map.get(key),
                Value::Array(items) if key.bytes().all(|b| b.is_ascii_digit()) => {
                    key.parse::<usize>().ok().and_then(|index| items.get(index))
                }
                _ => None,
            };
            value = next.ok_or_else(|| format!("the input has no \"{}\"", self.path()))?;
        }
        match value {
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) => Ok(number.to_string()),
            _ => Err(format!("\"{}\" of the input is neither a text nor a number", self.path())),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_stand_where_they_are_named() {
        let template = Template::parse("a-${input.list.1}/${input.o.n}").expect("a template");
        let input = json!({"list": ["x", "y"], "o": {"n": 5, "deep": {}}});
        assert_eq!(template.fill(&input, |_| Ok(())).as_deref(), Ok("a-y/5"));
        assert_eq!(template.to_string(), "a-${input.list.1}/${input.o.n}");
        assert!(template.fill(&json!({}), |_| Ok(())).is_err());
        for (name, value) in [("o", json!({})), ("o", json!([])), ("o", json!(null)), ("o", json!(true))] {
            let one = Template::parse("${input.o}").expect("a template");
            assert!(one.fill(&json!({ name: value }), |_| Ok(())).is_err());
        }
    }

    #[test]
    fn what_is_not_an_input_is_refused() {
        for bad in [
            "${",
            "${}",
            "${input}",
            "${input.}",
            "${input..a}",
            "${env.HOME}",
            "${vault:x}",
            "${input.a b}",
            "${input.*}",
        ] {
            assert!(Template::parse(bad).is_err(), "{bad} was taken for a template");
        }
        assert!(Template::parse("$input.x {} $").expect("a text").is_literal());
    }
}
