//! Which components are served: the shipped ones, and files that the operator names.

use std::borrow::Cow;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use packhost_engine::PackSource;

use crate::args::Global;
use crate::dirs::Dirs;
use crate::exit::Error;

/// Every component that is to be served. A file larger than `limit` bytes is read only so far that the engine can
/// say that it is too large.
pub(crate) fn sources(global: &Global, dirs: &Dirs, limit: u64) -> Result<Vec<PackSource>, Error> {
    let mut sources: Vec<PackSource> = packhost_packs::SHIPPED
        .iter()
        .map(|shipped| PackSource {
            name: shipped.name.to_owned(),
            origin: "built in".into(),
            bytes: Cow::Borrowed(shipped.bytes),
            digest: shipped.digest.parse().ok(),
        })
        .collect();
    for file in files(global, dirs)? {
        sources.push(read(&file, limit)?);
    }
    Ok(sources)
}

/// The paths that a host reads components from.
pub(crate) fn roots(global: &Global, dirs: &Dirs) -> Vec<PathBuf> {
    let own = dirs.packs.is_dir().then(|| dirs.packs.clone());
    own.into_iter().chain(global.pack_paths.iter().cloned()).collect()
}

fn files(global: &Global, dirs: &Dirs) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for root in roots(global, dirs) {
        if !root.is_dir() {
            files.push(root);
            continue;
        }
        let mut here = Vec::new();
        for entry in fs::read_dir(&root).map_err(|source| Error::file(&root, source))? {
            let path = entry.map_err(|source| Error::file(&root, source))?.path();
            if path.extension().is_some_and(|extension| extension == "wasm") {
                here.push(path);
            }
        }
        here.sort();
        files.append(&mut here);
    }
    Ok(files)
}

fn read(file: &Path, limit: u64) -> Result<PackSource, Error> {
    let mut bytes = Vec::new();
    fs::File::open(file)
        .and_then(|open| open.take(limit.saturating_add(1)).read_to_end(&mut bytes))
        .map_err(|source| Error::file(file, source))?;
    Ok(PackSource {
        name: name(file),
        origin: file.display().to_string(),
        bytes: Cow::Owned(bytes),
        digest: None,
    })
}

/// `word_cloud.wasm` is `word-cloud`, until the component says otherwise.
fn name(file: &Path) -> String {
    file.file_stem().map(|stem| stem.to_string_lossy().to_lowercase().replace('_', "-")).unwrap_or_default()
}
