//! The pack `fs.list`: the files in a granted directory. Does not follow symbolic links.

use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use packhost_sdk::files::{self, Listing};
use packhost_sdk::{Deserialize, Error, JsonSchema, Serialize, text};

/// How many names are answered at most.
const MOST: usize = 5000;

/// Bytes that all names may take as JSON: an answer may have 1 MiB as shipped.
const LARGEST: usize = 768 << 10;

/// How deep directories are looked into.
const DEEPEST: usize = 64;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The directory to list.
    #[serde(default = "here")]
    path: String,
    /// Only files that match, such as "*.md" (in any directory) or "src/**/*.rs".
    glob: Option<String>,
    /// Look into directories inside it too.
    #[serde(default = "yes")]
    recursive: bool,
    /// A directory that the path is relative to.
    clone_path: Option<String>,
    /// The workspace that the path is in, where another tool answered with one: the host shows it in place of all else.
    #[serde(rename = "workspace")]
    _workspace: Option<String>,
    /// Ignored; callers that are used to sessions may send one.
    #[serde(rename = "_session_id")]
    _session: Option<String>,
}

fn here() -> String {
    ".".into()
}

fn yes() -> bool {
    true
}

#[derive(Serialize, JsonSchema, Default)]
struct Output {
    /// The files, sorted, as fs.read takes them.
    files: Vec<String>,
    /// The directories, sorted.
    directories: Vec<String>,
    /// How many files there are in `files`.
    count: usize,
    /// There are more than were listed; narrow the search.
    truncated: bool,
    /// How many could not be listed: names that are not UTF-8, and directories that may not be read.
    skipped: usize,
}

packhost_sdk::pack! {
    name: "fs.list",
    title: "List files",
    description: "Lists the files in a directory, and with a glob such as \"*.md\" only those that match.",
    effects: [read_only, idempotent],
    wants: { fs: "to list the directories that it is asked for" },
    examples: [{}, { "path": "src", "glob": "*.rs" }],
    run: list,
}

fn list(input: Input) -> Result<Output, Error> {
    let granted = files::granted();
    if input.path == "." && input.clone_path.is_none() && granted.len() > 1 {
        return Ok(Output { directories: granted, ..Output::default() });
    }
    let root = files::resolve(&input.path, input.clone_path.as_deref())?;
    let glob = input.glob.as_deref().map(matcher).transpose()?;
    let mut output = Output::default();
    let prefix = input.path.trim_start_matches("./").trim_end_matches('/');
    let prefix = if matches!(prefix, "." | "") && !input.path.starts_with('/') { "" } else { prefix };
    let listing = files::list(&root)?;
    let mut walk =
        Walk { root, glob, recursive: input.recursive, prefix, room: LARGEST, output: &mut output };
    walk.directory(listing, Path::new(""), 0);
    output.files.sort_unstable();
    output.directories.sort_unstable();
    output.count = output.files.len();
    Ok(output)
}

/// A pattern without a slash is for the name alone, wherever the file is.
fn matcher(pattern: &str) -> Result<GlobMatcher, Error> {
    let anywhere = if pattern.contains('/') { pattern.to_owned() } else { format!("**/{pattern}") };
    let glob = GlobBuilder::new(anywhere.trim_start_matches("./")).literal_separator(true).build().map_err(
        |error| {
            Error::invalid_input(format!("The glob cannot be read: {}.", error.kind()))
                .fix("Use * for any name, ** for any directories, ? for one character.")
                .pointer("/glob")
        },
    )?;
    Ok(glob.compile_matcher())
}

struct Walk<'a> {
    root: PathBuf,
    glob: Option<GlobMatcher>,
    recursive: bool,
    /// What the caller called the directory; comes before every name.
    prefix: &'a str,
    /// Bytes that are left for names.
    room: usize,
    output: &'a mut Output,
}

impl Walk<'_> {
    /// Takes in what is in one directory, and in those inside it.
    fn directory(&mut self, listing: Listing, inside: &Path, depth: usize) {
        self.output.skipped += listing.skipped;
        for name in listing.files {
            let relative = inside.join(name);
            if self.glob.as_ref().is_none_or(|glob| glob.is_match(&relative)) {
                let Some(name) = self.name(&relative) else { return };
                self.output.files.push(name);
            }
        }
        for name in listing.directories {
            let relative = inside.join(name);
            if self.glob.is_none() {
                let Some(name) = self.name(&relative) else { return };
                self.output.directories.push(name);
            }
            if self.recursive && depth < DEEPEST && !self.output.truncated {
                match files::list(&self.root.join(&relative)) {
                    Ok(listing) => self.directory(listing, &relative, depth + 1),
                    Err(_) => self.output.skipped += 1,
                }
            }
        }
    }

    /// How an entry is called in the answer; `None` where there is no room for it.
    fn name(&mut self, relative: &Path) -> Option<String> {
        let name = Path::new(self.prefix).join(relative).to_string_lossy().into_owned();
        let room = self.room.checked_sub(text::json_len(&name) + 3);
        let full = self.output.files.len() + self.output.directories.len() >= MOST || room.is_none();
        self.room = room.unwrap_or(0);
        self.output.truncated |= full;
        (!full).then_some(name)
    }
}
