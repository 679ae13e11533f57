//! What an operator should know of a manifest before it takes effect: which rules would give a pack what is the host's own,
//! and which packs are in report mode. What can be seen of the former without the host's paths, the parser refuses; this is
//! the rest, for whoever knows them.

use std::fmt;
use std::path::{Path, PathBuf};

use packhost_core::PackName;
use serde::Serialize;

use crate::entry::HostVars;
use crate::fs::is_hosts_own;
use crate::parse::Manifest;
use crate::place::Place;

/// A rule of `fs`, or a session's files, that reach a directory of the host's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exposure {
    /// The pack.
    pub pack: PackName,
    /// The rule, or `session.files`.
    pub place: Place,
    /// The directory that is granted, up to the first value of the input.
    pub path: PathBuf,
    /// The directory of the host that holds it, lies in it or is it.
    pub own: PathBuf,
}

/// Every rule of `fs` and every path of the machine that sandboxes may be made of (`session.files.read_only`) whose directory holds, is or lies in one of the host's `own` (its state, its cache, its manifests,
/// its packs), whatever the mode. Below `vars.state` a pack may have every directory that is not the host's: the shipped
/// packs' files are there.
///
/// Paths are compared as they are written, absolute and without `..`; who knows of links resolves them first.
pub fn exposes(manifest: &Manifest, vars: &HostVars, own: &[PathBuf]) -> Vec<Exposure> {
    let mut found = Vec::new();
    for entry in manifest.entries().filter(|entry| !entry.denied) {
        let rules = entry.fs.iter().filter_map(|rule| Some((rule.host.base(vars)?, &rule.place)));
        let session = entry.session.iter().filter(|session| session.may_be_of_the_machine());
        let files = session.flat_map(|session| session.files.of_the_machine());
        let files = files.map(|path| (path, entry.place_of("session.files")));
        for (path, place) in rules.chain(files) {
            let Some(own) = own.iter().find(|own| meets(&path, own, vars)) else { continue };
            let (pack, place) = (entry.pack.clone(), place.clone());
            found.push(Exposure { pack, place, path, own: own.clone() });
        }
    }
    found
}

fn meets(granted: &Path, own: &Path, vars: &HostVars) -> bool {
    let Ok(below) = granted.strip_prefix(own) else { return own.starts_with(granted) };
    let first = below.iter().next().map(|name| name.to_string_lossy());
    own != vars.state || first.is_none_or(|first| is_hosts_own(&first))
}

impl fmt::Display for Exposure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pack, place, path, own } = self;
        write!(f, "{place}: {pack} would see {}, and {} is the host's own", path.display(), own.display())
    }
}

/// A pack in report mode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reporting {
    /// The pack.
    pub pack: PackName,
    /// The line of `report`.
    pub place: Place,
}

/// Every pack in report mode, sorted: each may reach every public host, whatever its rules say.
pub fn reporting(manifest: &Manifest) -> Vec<Reporting> {
    let open = manifest.entries().filter(|entry| entry.report && !entry.denied);
    open.map(|entry| Reporting { pack: entry.pack.clone(), place: entry.place_of("report").clone() })
        .collect()
}

impl fmt::Display for Reporting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pack, place } = self;
        write!(
            f,
            "{place}: {pack} is in report mode and may reach every public host; turn it off when its rules are known"
        )
    }
}
