//! The pack `fs.patch`: exact search and replace in one file. Refuses to guess which of several places is meant.

mod edit;

use edit::{Change, Edit};
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
    /// The text to put in its place; "" deletes it. Always needed with search.
    replace: Option<String>,
    /// Several changes at once, in order, instead of search and replace. All are made or none.
    #[serde(default)]
    edits: Vec<Edit>,
    /// Change the first so many places instead of exactly one; 0 changes all of them.
    occurrences: Option<usize>,
    /// A directory that the path is relative to.
    clone_path: Option<String>,
    /// The workspace that the path is in, where another tool answered with one: the host shows it in place of all else.
    #[serde(rename = "workspace")]
    _workspace: Option<String>,
    /// Ignored; callers that are used to sessions may send one.
    #[serde(rename = "_session_id")]
    _session: Option<String>,
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
    description: "Replaces an exact piece of text in a file with another. Give path, search and replace; for several \
                  changes at once, path and edits. The text to find is literal, not a regular expression, and must \
                  occur exactly once.",
    effects: [destructive],
    wants: { fs: "to change the files that it is asked to change" },
    examples: [
        { "path": "src/main.rs", "search": "let port = 80;", "replace": "let port = 8080;" },
        { "path": "notes.md", "edits": [{ "search": "Teh", "replace": "The" }, { "search": "draft", "replace": "" }] },
    ],
    run: patch,
}

fn patch(input: Input) -> Result<Output, Error> {
    let changes = edit::changes(input.search, input.replace, input.edits)?;
    let path = files::resolve(&input.path, input.clone_path.as_deref())?;
    let text = String::from_utf8(files::read(&path, LONGEST)?).map_err(|_| {
        Error::invalid_input("The file is not UTF-8 text, so it cannot be patched.").pointer("/path")
    })?;
    let (text, applied) = apply(text, changes, input.occurrences)?;
    files::replace(&path, text.as_bytes())?;
    let sha256 = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Output { path: input.path, applied, size: text.len(), sha256 })
}

/// The text with all changes made, and how many places that were.
fn apply(
    mut text: String,
    changes: Vec<Change>,
    occurrences: Option<usize>,
) -> Result<(String, usize), Error> {
    let changes = match edit::ends_lines_with_crlf(&text) {
        true => changes.iter().map(Change::with_crlf).collect(),
        false => changes,
    };
    let mut applied = 0;
    for change in changes {
        let found = text.matches(&change.search).count();
        let wanted = match occurrences {
            Some(0) => found,
            Some(most) => most.min(found),
            None => 1,
        };
        check(&text, &change, found, occurrences)?;
        text = text.replacen(&change.search, &change.replace, wanted);
        applied += wanted;
    }
    Ok((text, applied))
}

fn check(text: &str, change: &Change, found: usize, occurrences: Option<usize>) -> Result<(), Error> {
    match found {
        0 => Err(Error::not_found("The text to find is not in the file; nothing was changed.")
            .fix("Read the file with fs.read and copy the text exactly, spaces and line breaks included.")
            .pointer(&change.pointer)),
        2.. if occurrences.is_none() => {
            let lines: Vec<String> = text
                .match_indices(&change.search)
                .take(5)
                .map(|(at, _)| (text[..at].matches('\n').count() + 1).to_string())
                .collect();
            let more = if found > lines.len() { ", …" } else { "" };
            let message = format!(
                "The text to find occurs {found} times (lines {}{more}); nothing was changed.",
                lines.join(", ")
            );
            Err(Error::invalid_input(message)
                .fix("Add the lines before and after it to search, so that it occurs once.")
                .pointer(&change.pointer))
        }
        _ => Ok(()),
    }
}
