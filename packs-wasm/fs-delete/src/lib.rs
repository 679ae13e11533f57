//! The pack `fs.delete`: removes one file from a granted directory. Refuses directories.

use std::fs;
use std::io::ErrorKind;

use packhost_sdk::{Deserialize, Error, JsonSchema, Serialize, files};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The file to delete, such as "notes/old.md".
    path: String,
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
    /// Always true.
    deleted: bool,
    /// The file that was deleted.
    path: String,
}

packhost_sdk::pack! {
    name: "fs.delete",
    title: "Delete a file",
    description: "Deletes one file. Directories are not deleted. There is no undo.",
    effects: [destructive, idempotent],
    wants: { fs: "to delete the files that it is asked to delete" },
    examples: [{ "path": "notes/old.md" }],
    run: delete,
}

fn delete(input: Input) -> Result<Output, Error> {
    let path = files::resolve(&input.path, input.clone_path.as_deref())?;
    // A symbolic link is deleted itself, not what it leads to.
    let metadata = fs::symlink_metadata(&path).map_err(|error| files::explain(&path, &error))?;
    if metadata.is_dir() {
        return Err(
            files::explain(&path, &ErrorKind::IsADirectory.into()).fix("Delete the files in it one by one.")
        );
    }
    fs::remove_file(&path).map_err(|error| files::explain(&path, &error))?;
    Ok(Output { deleted: true, path: input.path })
}
