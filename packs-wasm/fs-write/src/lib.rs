//! The pack `fs.write`: a file with the given content in a granted directory. The whole of it or nothing.

use std::fs;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use packhost_sdk::{Deserialize, Error, JsonSchema, Serialize, files};
use sha2::{Digest, Sha256};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The file to write, such as "notes/today.md". Directories on the way are made.
    path: String,
    /// The whole new content.
    content: String,
    /// How `content` is written: "utf8" for text, "base64" for anything else.
    #[serde(default)]
    encoding: Encoding,
    /// A directory that the path is relative to.
    clone_path: Option<String>,
    /// The workspace that the path is in, where another tool answered with one: the host shows it in place of all else.
    #[serde(rename = "workspace")]
    _workspace: Option<String>,
    /// Ignored; callers that are used to sessions may send one.
    #[serde(rename = "_session_id")]
    _session: Option<String>,
}

#[derive(Deserialize, Serialize, JsonSchema, Default)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    #[default]
    Utf8,
    Base64,
}

#[derive(Serialize, JsonSchema)]
struct Output {
    /// The file that was written.
    path: String,
    /// Bytes written.
    size: usize,
    /// SHA-256 of the file in hex.
    sha256: String,
    /// The file was not there before.
    created: bool,
}

packhost_sdk::pack! {
    name: "fs.write",
    title: "Write a file",
    description: "Writes a file, replacing what was in it. To change a part of a file, use fs.patch.",
    effects: [destructive, idempotent],
    wants: { fs: "to write the files that it is asked to write" },
    examples: [{ "path": "notes/today.md", "content": "# Today\n" }],
    run: write,
}

fn write(input: Input) -> Result<Output, Error> {
    let path = files::resolve(&input.path, input.clone_path.as_deref())?;
    let bytes = match input.encoding {
        Encoding::Utf8 => input.content.into_bytes(),
        Encoding::Base64 => BASE64_STANDARD.decode(input.content.trim()).map_err(|error| {
            Error::invalid_input(format!("The content is not base64: {error}.")).pointer("/content")
        })?,
    };
    if let Some(parent) = path.parent()
        && !parent.is_dir()
    {
        fs::create_dir_all(parent).map_err(|error| files::explain(parent, &error))?;
    }
    let created = files::replace(&path, &bytes)?;
    let sha256 = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Output { path: input.path, size: bytes.len(), sha256, created })
}
