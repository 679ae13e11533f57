//! Which components are served: the shipped ones, and files that the operator names.

use std::borrow::Cow;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use packhost_core::{Digest, PackName};
use packhost_engine::PackSource;
use packhost_package::{Description, Outline, Wants};

use crate::args::Global;
use crate::dirs::Dirs;
use crate::exit::Error;

/// The origin of the shipped packs.
pub(crate) const BUILT_IN: &str = "built in";

/// Every component that is to be served. A file larger than `limit` bytes is read only so far that the engine can
/// say that it is too large.
pub(crate) fn sources(global: &Global, dirs: &Dirs, limit: u64) -> Result<Vec<PackSource>, Error> {
    let mut sources: Vec<PackSource> = packhost_packs::SHIPPED
        .iter()
        .map(|shipped| PackSource {
            name: shipped.name.to_owned(),
            origin: BUILT_IN.into(),
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

/// The names of these components, as they call themselves, in order.
pub(crate) fn names(sources: &[PackSource]) -> Vec<PackName> {
    let mut names: Vec<PackName> = sources.iter().filter_map(own_name).collect();
    names.sort();
    names.dedup();
    names
}

fn own_name(source: &PackSource) -> Option<PackName> {
    match Description::read(&source.bytes).ok()? {
        Some(description) => Some(description.name),
        None => source.name.parse().ok(),
    }
}

/// What a component says without being compiled or run.
pub(crate) struct Known {
    pub(crate) name: PackName,
    pub(crate) version: Option<String>,
    pub(crate) origin: String,
    pub(crate) digest: Digest,
    pub(crate) imports: Vec<String>,
    pub(crate) wants: Wants,
}

/// The pack that is meant by its own name, by the name that clients see, or by the name of one of its functions.
pub(crate) fn find(sources: &[PackSource], name: &str) -> Option<Known> {
    let shipped_as_another = |source: &PackSource| source.origin == BUILT_IN && !is_meant(&source.name, name);
    sources.iter().filter(|source| !shipped_as_another(source)).find_map(|source| {
        let description = Description::read(&source.bytes).ok()?;
        let own = description.as_ref().map_or_else(|| source.name.parse().ok(), |d| Some(d.name.clone()))?;
        let function = |rest: &str| description.is_none() && rest.starts_with('.');
        if !is_meant(own.as_str(), name) && !name.strip_prefix(own.as_str()).is_some_and(function) {
            return None;
        }
        Some(Known {
            name: own,
            version: description.as_ref().map(|d| d.version.clone()),
            origin: source.origin.clone(),
            digest: source.digest.unwrap_or_else(|| Digest::of(&source.bytes)),
            imports: Outline::read(&source.bytes).ok()?.imports,
            wants: description.map(|d| d.wants).unwrap_or_default(),
        })
    })
}

/// Whether a pack's own name is meant by a name that somebody wrote, perhaps as clients see it.
pub(crate) fn is_meant(own: &str, written: &str) -> bool {
    own == written || own.replace('.', "_") == written
}
