//! Files into a workspace, and what a program has left there.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use packhost_sdk::{Deserialize, Error, JsonSchema, Serialize, files};

use crate::WORKSPACE;

/// How many files are looked at, before and after.
const LOOKED_AT: usize = 20_000;
/// How many files are told of.
const TOLD: usize = 200;
/// How deep directories are looked into.
const DEEPEST: usize = 32;

/// A file to write before the program runs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InputFile {
    /// Where, in the workspace: "data/input.csv".
    pub path: String,
    /// What is in it.
    pub content: String,
    /// "utf8" for text, "base64" for anything else.
    #[serde(default)]
    pub encoding: Encoding,
}

/// How the content of a file is written.
#[derive(Debug, Default, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// As it is.
    #[default]
    Utf8,
    /// RFC 4648, section 4.
    Base64,
}

/// Writes files into the workspace.
///
/// # Errors
///
/// For a path outside it, content that is no base64, or no room.
pub fn put(list: &[InputFile]) -> Result<(), Error> {
    for (at, file) in list.iter().enumerate() {
        let pointer = |part: &str| format!("/files/{at}/{part}");
        let path =
            files::resolve(&file.path, Some(WORKSPACE)).map_err(|error| error.pointer(pointer("path")))?;
        let bytes = match file.encoding {
            Encoding::Utf8 => file.content.clone().into_bytes(),
            Encoding::Base64 => BASE64_STANDARD.decode(file.content.trim()).map_err(|error| {
                Error::invalid_input(format!("The content is not base64: {error}."))
                    .pointer(pointer("content"))
            })?,
        };
        let failed = |error: std::io::Error| files::explain(&path, &error).pointer(pointer("path"));
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        fs::write(&path, bytes).map_err(failed)?;
    }
    Ok(())
}

/// A file that a program has made or changed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Changed {
    /// Where it is in the workspace.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
}

/// The files of the workspace at one moment.
#[derive(Debug)]
pub struct Snapshot(HashMap<PathBuf, (u64, Option<SystemTime>)>);

impl Snapshot {
    /// As they are now.
    pub fn take() -> Self {
        let mut found = HashMap::new();
        look(Path::new(WORKSPACE), DEEPEST, &mut found);
        Self(found)
    }

    /// What is new or different by now, sorted, and whether there is more than is told.
    pub fn changed(&self) -> (Vec<Changed>, bool) {
        let mut changed: Vec<_> = Self::take()
            .0
            .into_iter()
            .filter(|(path, about)| self.0.get(path) != Some(about))
            .filter_map(|(path, (size, _))| {
                let path = path.strip_prefix(WORKSPACE).ok()?.to_str()?.to_owned();
                Some(Changed { path, size })
            })
            .collect();
        changed.sort_by(|a, b| a.path.cmp(&b.path));
        let more = changed.len() > TOLD;
        changed.truncate(TOLD);
        (changed, more)
    }
}

/// What cannot be read is not looked at: the program's own business.
fn look(dir: &Path, depth: usize, found: &mut HashMap<PathBuf, (u64, Option<SystemTime>)>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let Ok(about) = entry.metadata() else { continue };
        if found.len() >= LOOKED_AT {
            return;
        }
        if about.is_file() {
            found.insert(entry.path(), (about.len(), about.modified().ok()));
        } else if about.is_dir() && !about.is_symlink() && depth > 0 {
            look(&entry.path(), depth - 1, found);
        }
    }
}
