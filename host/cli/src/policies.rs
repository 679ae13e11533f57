//! Which manifest is in force: the operator's files, and what ships with the binary.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use packhost_manifest::{Manifest, Origin, Source, shipped};

use crate::args::Global;
use crate::dirs::Dirs;
use crate::exit::Error;

/// The largest manifest file, in bytes.
const FILE: u64 = 1 << 20;
/// The most files in one directory.
const FILES: usize = 1000;

/// The files and directories that the operator's manifest is read from.
pub(crate) fn roots(global: &Global, dirs: &Dirs) -> Vec<PathBuf> {
    if global.policy.is_empty() { vec![dirs.policies.clone()] } else { global.policy.clone() }
}

/// Reads and checks the manifest in force.
pub(crate) fn load(global: &Global, dirs: &Dirs) -> Result<Manifest, Error> {
    let mut sources = shipped();
    let named = !global.policy.is_empty();
    for root in roots(global, dirs) {
        // The default directory need not exist; a path that somebody wrote down has to.
        if named || root.exists() {
            sources.extend(read(&root)?);
        }
    }
    Ok(Manifest::parse(&sources)?)
}

/// Reads one file, or the `*.yaml` and `*.yml` files of a directory in the order of their names.
pub(crate) fn read(root: &Path) -> Result<Vec<Source>, Error> {
    if !root.is_dir() {
        return Ok(vec![source(root)?]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(root).map_err(|source| Error::file(root, source))? {
        let path = entry.map_err(|source| Error::file(root, source))?.path();
        if path.is_file()
            && path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
        {
            files.push(path);
        }
    }
    if files.len() > FILES {
        return Err(Error::failed(format!("{}: more than {FILES} manifest files", root.display())));
    }
    files.sort();
    files.iter().map(|file| source(file)).collect()
}

fn source(file: &Path) -> Result<Source, Error> {
    let mut text = String::new();
    let size = fs::File::open(file)
        .and_then(|open| open.take(FILE + 1).read_to_string(&mut text))
        .map_err(|source| Error::file(file, source))?;
    if size as u64 > FILE {
        return Err(Error::failed(format!("{}: larger than {FILE} bytes", file.display())));
    }
    Ok(Source { name: file.display().to_string(), text, origin: Origin::Operator })
}
