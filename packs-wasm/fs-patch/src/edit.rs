//! What is to be changed, as it was asked for: in which of the two ways, under which of the names, with which line ends.

use packhost_sdk::{Deserialize, Error, JsonSchema};

/// One change of several.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Edit {
    /// The exact text to find.
    search: Option<String>,
    /// The text to put in its place; "" deletes it.
    replace: Option<String>,
    /// Another name for search.
    #[serde(rename = "oldText")]
    old_text: Option<String>,
    /// Another name for replace.
    #[serde(rename = "newText")]
    new_text: Option<String>,
}

/// One change, and where in the input its text to find stands.
pub(crate) struct Change {
    pub(crate) search: String,
    pub(crate) replace: String,
    pub(crate) pointer: String,
}

/// The changes that an input asks for; `edits` where both ways are used, since it says more.
pub(crate) fn changes(
    search: Option<String>,
    replace: Option<String>,
    edits: Vec<Edit>,
) -> Result<Vec<Change>, Error> {
    if edits.is_empty() {
        return Ok(vec![change(search, replace, String::new())?]);
    }
    let numbered = edits.into_iter().enumerate();
    numbered
        .map(|(number, edit)| {
            let (search, replace) = (edit.search.or(edit.old_text), edit.replace.or(edit.new_text));
            change(search, replace, format!("/edits/{number}"))
        })
        .collect()
}

fn change(search: Option<String>, replace: Option<String>, at: String) -> Result<Change, Error> {
    let pointer = format!("{at}/search");
    match (search, replace) {
        (Some(search), _) if search.is_empty() => Err(Error::invalid_input("The text to find is empty.")
            .fix("Give the text to change; to write a whole file, use fs.write.")
            .pointer(pointer)),
        (Some(search), Some(replace)) => Ok(Change { search, replace, pointer }),
        (Some(_), None) => {
            Err(Error::invalid_input("It is not said what to put in place of the text to find.")
                .fix("Add replace; to delete the text, set it to \"\".")
                .pointer(format!("{at}/replace")))
        }
        (None, _) => Err(Error::invalid_input("It is not said which text to change.")
            .fix("Give search and replace, or edits.")
            .pointer(pointer)),
    }
}

impl Change {
    /// The same for a file whose lines end in `\r\n`: it has no `\n` alone, so none is meant.
    pub(crate) fn with_crlf(&self) -> Self {
        let crlf = |text: &str| text.replace("\r\n", "\n").replace('\n', "\r\n");
        Self { search: crlf(&self.search), replace: crlf(&self.replace), pointer: self.pointer.clone() }
    }
}

/// Whether every line of the text ends in `\r\n`.
pub(crate) fn ends_lines_with_crlf(text: &str) -> bool {
    let ends = text.matches('\n').count();
    ends > 0 && ends == text.matches("\r\n").count()
}
