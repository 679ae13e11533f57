//! The pack `fs.list`: the files in a granted directory. Does not follow symbolic links.

use std::fs;
use std::path::Path;

use globset::{GlobBuilder, GlobMatcher};
use packhost_sdk::{Deserialize, Error, JsonSchema, Serialize, files};

/// How many names are answered at most.
const MOST: usize = 5000;

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
    /// A directory that the path is relative to, such as one that repo.fetch returned.
    clone_path: Option<String>,
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
    let mut walk = Walk { glob, recursive: input.recursive, prefix, output: &mut output };
    walk.directory(&root, Path::new(""), 0)?;
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
    glob: Option<GlobMatcher>,
    recursive: bool,
    /// What the caller called the directory; comes before every name.
    prefix: &'a str,
    output: &'a mut Output,
}

impl Walk<'_> {
    fn directory(&mut self, root: &Path, inside: &Path, depth: usize) -> Result<(), Error> {
        let path = root.join(inside);
        let entries = fs::read_dir(&path).map_err(|error| files::explain(&path, &error))?;
        for entry in entries {
            let entry = entry.map_err(|error| files::explain(&path, &error))?;
            if self.output.files.len() + self.output.directories.len() >= MOST {
                self.output.truncated = true;
                return Ok(());
            }
            let relative = inside.join(entry.file_name());
            let name = Path::new(self.prefix).join(&relative).to_string_lossy().into_owned();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if self.glob.is_none() {
                    self.output.directories.push(name);
                }
                if self.recursive && depth < DEEPEST {
                    self.directory(root, &relative, depth + 1)?;
                }
            } else if self.glob.as_ref().is_none_or(|glob| glob.is_match(&relative)) {
                self.output.files.push(name);
            }
        }
        Ok(())
    }
}
