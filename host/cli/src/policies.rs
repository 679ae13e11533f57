//! Which manifest is in force: the operator's files, and what ships with the binary.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::string::FromUtf8Error;

use packhost_manifest::{Manifest, Origin, Source, shipped};

use crate::args::Global;
use crate::dirs::Dirs;
use crate::exit::Error;
use crate::own;

/// The largest manifest file, in bytes.
const FILE: u64 = 1 << 20;
/// The most files in one directory.
const FILES: usize = 1000;

/// A manifest that was read, and from how many files of the operator.
pub(crate) struct Loaded {
    pub(crate) manifest: Manifest,
    pub(crate) files: usize,
}

/// The files and directories that the operator's manifest is read from.
pub(crate) fn roots(global: &Global, dirs: &Dirs) -> Vec<PathBuf> {
    if global.policy.is_empty() { vec![dirs.policies.clone()] } else { global.policy.clone() }
}

/// The directory in which a root is seen to change: itself, or that of a file, because an editor replaces a file by
/// another one of the same name. `None` where there is neither.
pub(crate) fn directory(root: &Path) -> Option<PathBuf> {
    if root.is_dir() {
        return Some(root.to_owned());
    }
    let parent = root.parent().filter(|_| root.is_file())?;
    Some(if parent.as_os_str().is_empty() { PathBuf::from(".") } else { parent.to_owned() })
}

/// Whether a file is read as part of a directory.
pub(crate) fn is_manifest(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// Reads and checks the manifest in force.
pub(crate) fn load(global: &Global, dirs: &Dirs) -> Result<Loaded, Error> {
    let (mut sources, files) = operator(global, dirs)?;
    sources.extend(shipped());
    let manifest = Manifest::parse(&sources)?;
    own::refuse_exposed(global, dirs, &manifest)?;
    Ok(Loaded { manifest, files })
}

/// What the operator wrote, and how many files that is.
pub(crate) fn operator(global: &Global, dirs: &Dirs) -> Result<(Vec<Source>, usize), Error> {
    if !global.policy.is_empty() {
        return named(&global.policy).map_err(of_the_option);
    }
    // The default directory need not exist; a path that somebody wrote down has to.
    let sources = if dirs.policies.exists() { read(&dirs.policies)? } else { Vec::new() };
    let files = sources.len();
    Ok((sources, files))
}

/// Says which option has named the path that the error begins with.
fn of_the_option(error: Error) -> Error {
    match error {
        Error::File { path, source } => Error::File { path: format!("--policy {path}"), source },
        Error::Failed(sentence) => Error::Failed(format!("--policy {sentence}")),
        error => error,
    }
}

/// What is in files and directories that somebody named, and how many files that is. What ships with the binary is for
/// those who did not choose: where nothing is found, this grants nothing.
pub(crate) fn named(roots: &[PathBuf]) -> Result<(Vec<Source>, usize), Error> {
    let mut sources = Vec::new();
    for root in roots {
        sources.extend(read(root)?);
    }
    let files = sources.len();
    if files == 0 {
        let names: Vec<String> = roots.iter().map(|root| root.display().to_string()).collect();
        sources.push(Source {
            name: names.join(", "),
            text: "version: 1\n".into(),
            origin: Origin::Operator,
        });
    }
    Ok((sources, files))
}

/// Reads one file, or the `*.yaml` and `*.yml` files of a directory in the order of their names.
fn read(root: &Path) -> Result<Vec<Source>, Error> {
    if !root.is_dir() {
        return Ok(vec![source(root)?]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(root).map_err(|source| Error::file(root, source))? {
        let path = entry.map_err(|source| Error::file(root, source))?.path();
        if is_manifest(&path) && (path.is_file() || leads_nowhere(&path)) {
            files.push(path);
        }
    }
    if files.len() > FILES {
        return Err(Error::failed(format!("{}: more than {FILES} manifest files", root.display())));
    }
    files.sort();
    files.iter().map(|file| source(file)).collect()
}

/// A link to what is not there. It is read in order to fail: the file may have denied what another one grants. Emacs locks a
/// file with such a link, `.#NAME`.
fn leads_nowhere(path: &Path) -> bool {
    let is_lock = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".#"));
    path.is_symlink() && !path.exists() && !is_lock
}

/// One file, as the operator's.
pub(crate) fn source(file: &Path) -> Result<Source, Error> {
    let mut bytes = Vec::new();
    let size = fs::File::open(file)
        .and_then(|open| open.take(FILE + 1).read_to_end(&mut bytes))
        .map_err(|source| Error::file(file, source))?;
    if size as u64 > FILE {
        return Err(Error::failed(format!("{}: larger than {FILE} bytes", file.display())));
    }
    let text = String::from_utf8(bytes).map_err(|error| no_text(file, &error))?;
    Ok(Source { name: file.display().to_string(), text, origin: Origin::Operator })
}

fn no_text(file: &Path, error: &FromUtf8Error) -> Error {
    let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
    let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
    Error::File {
        path: format!("{}:{line}", file.display()),
        source: io::Error::new(io::ErrorKind::InvalidData, "this is not UTF-8; save the file as UTF-8"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(sources: Vec<Source>) -> usize {
        let all: Vec<Source> = sources.into_iter().chain(shipped()).collect();
        Manifest::parse(&all).expect("a good manifest").entries().count()
    }

    #[test]
    fn a_named_directory_without_files_grants_nothing() {
        let empty = tempfile::tempdir().expect("a directory");
        let (sources, files) = named(&[empty.path().to_owned()]).expect("readable");
        assert_eq!((entries(sources), files), (0, 0));
        assert!(named(&[empty.path().join("missing")]).is_err());
    }

    #[test]
    fn a_directory_is_its_manifest_files_in_order() {
        let dir = tempfile::tempdir().expect("a directory");
        for name in ["b.yml", "a.yaml", "notes.txt", "c.yaml~"] {
            fs::write(dir.path().join(name), "version: 1\npacks: { text.stats: {} }\n").expect("writable");
        }
        fs::create_dir(dir.path().join("d.yaml")).expect("writable");
        let (sources, files) = named(&[dir.path().to_owned()]).expect("readable");
        let names: Vec<_> = sources.iter().map(|s| s.name.rsplit('/').next().unwrap_or("")).collect();
        assert_eq!((names, files), (vec!["a.yaml", "b.yml"], 2));
    }

    #[test]
    fn a_link_that_leads_nowhere_is_not_passed_over() {
        let dir = tempfile::tempdir().expect("a directory");
        let link =
            |name: &str| std::os::unix::fs::symlink("/missing", dir.path().join(name)).expect("writable");
        fs::write(dir.path().join("a.yaml"), "version: 1\n").expect("writable");
        link(".#a.yaml");
        link("notes.txt");
        assert_eq!(named(&[dir.path().to_owned()]).expect("readable").1, 1);
        link("deny.yaml");
        let refused = named(&[dir.path().to_owned()]).expect_err("it may have denied something");
        assert!(refused.to_string().contains("deny.yaml: No such file"), "{refused}");
    }

    #[test]
    fn a_file_that_is_no_utf_8_is_refused_with_its_line() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("a.yaml");
        fs::write(&file, b"version: 1\n# caf\xe9\n").expect("writable");
        let refused = named(std::slice::from_ref(&file)).expect_err("it is latin-1");
        let says = format!("{}:2: this is not UTF-8; save the file as UTF-8", file.display());
        assert_eq!((refused.code(), refused.to_string()), ("file_failed", says));
    }

    #[test]
    fn a_file_is_seen_to_change_in_its_directory() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("a.yaml");
        assert_eq!(directory(&file), None);
        fs::write(&file, "version: 1\n").expect("writable");
        assert_eq!(directory(&file).as_deref(), Some(dir.path()));
        assert_eq!(directory(dir.path()).as_deref(), Some(dir.path()));
        // Tests run in the folder of their crate.
        assert_eq!(directory(Path::new("Cargo.toml")).as_deref(), Some(Path::new(".")));
    }
}
