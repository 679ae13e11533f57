//! The pack `fs.patch`: exact search and replace in one file. Refuses to guess which of several places is meant.

use std::fs;

use packhost_sdk::{Deserialize, Error, JsonSchema, Serialize, files};
use sha2::{Digest, Sha256};

/// The longest file that is patched, in bytes.
const LONGEST: u64 = 8 << 20;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The file to change, such as "src/main.rs".
    path: String,
    /// The exact text to find. It must occur once; add lines around it until it does.
    search: Option<String>,
    /// The text to put in its place.
    replace: Option<String>,
    /// Several changes at once, in order, instead of search and replace. All are made or none.
    #[serde(default)]
    edits: Vec<Edit>,
    /// Change the first so many places instead of exactly one.
    #[schemars(range(min = 1))]
    occurrences: Option<usize>,
    /// A directory that the path is relative to, such as one that repo.fetch returned.
    clone_path: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Edit {
    /// The exact text to find.
    search: String,
    /// The text to put in its place.
    replace: String,
}

#[derive(Serialize, JsonSchema)]
struct Output {
    /// The file that was changed.
    path: String,
    /// How many places were changed.
    applied: usize,
    /// Size of the file afterwards, in bytes.
    size: usize,
    /// SHA-256 of the file afterwards, in hex.
    sha256: String,
}

packhost_sdk::pack! {
    name: "fs.patch",
    title: "Change a part of a file",
    description: "Replaces an exact piece of text in a file with another. The text to find is literal, not a regular \
                  expression, and must occur exactly once.",
    effects: [destructive],
    wants: { fs: "to change the files that it is asked to change" },
    examples: [{ "path": "src/main.rs", "search": "let port = 80;", "replace": "let port = 8080;" }],
    run: patch,
}

fn patch(input: Input) -> Result<Output, Error> {
    let edits = match (input.search, input.replace) {
        _ if !input.edits.is_empty() => input.edits,
        (Some(search), Some(replace)) => vec![Edit { search, replace }],
        _ => return Err(Error::invalid_input("Nothing to change was given.").fix("Give search and replace.")),
    };
    let path = files::resolve(&input.path, input.clone_path.as_deref())?;
    let mut text = String::from_utf8(files::read(&path, LONGEST)?).map_err(|_| {
        Error::invalid_input("The file is not UTF-8 text, so it cannot be patched.").pointer("/path")
    })?;
    let mut applied = 0;
    for (number, edit) in edits.iter().enumerate() {
        let found = text.matches(&edit.search).count();
        let wanted = input.occurrences.map_or(1, |most| most.min(found));
        check(&text, edit, found, input.occurrences).map_err(|error| match edits.len() {
            1 => error.pointer("/search"),
            _ => error.pointer(format!("/edits/{number}/search")),
        })?;
        text = text.replacen(&edit.search, &edit.replace, wanted);
        applied += wanted;
    }
    fs::write(&path, &text).map_err(|error| files::explain(&path, &error))?;
    let sha256 = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Output { path: input.path, applied, size: text.len(), sha256 })
}

fn check(text: &str, edit: &Edit, found: usize, occurrences: Option<usize>) -> Result<(), Error> {
    if edit.search.is_empty() {
        return Err(Error::invalid_input("The text to find is empty."));
    }
    match found {
        0 => Err(Error::not_found("The text to find is not in the file; nothing was changed.")
            .fix("Read the file with fs.read and copy the text exactly, spaces and line breaks included.")),
        2.. if occurrences.is_none() => {
            let lines: Vec<String> = text
                .match_indices(&edit.search)
                .take(5)
                .map(|(at, _)| (text[..at].matches('\n').count() + 1).to_string())
                .collect();
            let message = format!(
                "The text to find occurs {found} times (lines {}…); nothing was changed.",
                lines.join(", ")
            );
            Err(Error::invalid_input(message)
                .fix("Add the lines before and after it to search, so that it occurs once."))
        }
        _ => Ok(()),
    }
}
