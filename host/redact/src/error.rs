//! Why values cannot be looked for. No text here holds a value.

use crate::redactor::Redactor;

/// Why there is no [`Redactor`] for some values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedactError {
    /// Less than [`Redactor::MIN`] bytes: it would be found in what is not it.
    #[error("the value of {0} is shorter than {min} bytes; give it a longer one", min = Redactor::MIN)]
    TooShort(String),
    /// More than [`Redactor::MAX`] bytes.
    #[error("the value of {0} is longer than {max} bytes; give it a shorter one", max = Redactor::MAX)]
    TooLong(String),
    /// More than [`Redactor::MOST`] values.
    #[error("there are more than {most} values to look for; use fewer at once", most = Redactor::MOST)]
    TooMany,
    /// Not UTF-8, or with a control character, which has escapes that are not looked for.
    #[error("the value of {0} is not text (UTF-8) without control characters; give it one that is")]
    NotText(String),
    /// A label that could be read as something else than a label.
    #[error("a label is 1 to {longest} ASCII letters, digits, _, . and -; choose such a name", longest = Redactor::LABEL)]
    Label,
    /// The values leave no text that could stand in their place and be no part of one of them.
    #[error(
        "nothing can stand in the place of these values that is not a part of one of them; use fewer at once"
    )]
    NoReplacement,
}
