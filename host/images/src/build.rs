//! From a recipe to an image in the store.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use crate::bootstrap::{self, NOTES};
use crate::error::ImageError;
use crate::layer::Tree;
use crate::packages::{self, Package};
use crate::recipe::Recipe;
use crate::store::{Contents, Installed, Store};
use crate::{sbom, sources};

/// What no image keeps: what packages are managed with, what people read, what starts services.
const DROPPED: [&str; 27] = [
    "dev/*",
    "etc/alternatives",
    "etc/apt",
    "etc/cron*",
    "etc/default",
    "etc/dpkg",
    "etc/init.d",
    "etc/logrotate.d",
    "usr/lib/apt",
    "usr/lib/systemd",
    "usr/lib/tmpfiles.d",
    "usr/share/applications",
    "usr/share/apport",
    "usr/share/bash-completion",
    "usr/share/bug",
    "usr/share/debconf",
    "usr/share/doc-base",
    "usr/share/gcc",
    "usr/share/gdb",
    "usr/share/info",
    "usr/share/lintian",
    "usr/share/locale",
    "usr/share/man",
    "usr/share/menu",
    "usr/share/perl5",
    "usr/share/pixmaps",
    "var",
];
/// What remains of the documentation, since licences ask for it.
const COPYRIGHT: &str = "usr/share/doc/*/copyright";
/// Certificates one by one, as the package has them, and the one file that programs read.
const CERTIFICATES: (&str, &str) = ("usr/share/ca-certificates/", "etc/ssl/certs/ca-certificates.crt");
/// Where things are mounted: the file system is read-only, and nobody can make them later.
const PLACES: [&str; 8] = [".packhost", "dev", "proc", "run", "sandbox", "sys", "usr/local/bin", "workspace"];
/// The users inside: root, who the supervisor is where there can be two, and who programs are.
const PASSWD: &str = "root:x:0:0:root:/:/bin/sh\nsandbox:x:1000:1000:sandbox:/sandbox:/bin/sh\n";
const GROUP: &str = "root:x:0:\nsandbox:x:1000:\n";
const NAMES: &str = "passwd: files\ngroup: files\nhosts: files dns\n";

/// What a build does now, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// mmdebstrap says so.
    Packages(String),
    /// What is not needed is left out, and the tar is written.
    Layer,
    /// The tar is unpacked into the store.
    Unpack,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Packages(said) => f.write_str(said),
            Self::Layer => f.write_str("leaving out what is not needed"),
            Self::Unpack => f.write_str("unpacking into the store"),
        }
    }
}

/// An image that was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// Where it is.
    pub installed: Installed,
    /// Whether the same image was there before.
    pub unchanged: bool,
}

/// Builds an image and puts it into the store. Needs `mmdebstrap`, a mirror, and some seconds. Dropping the future stops it
/// and leaves nothing in the store.
///
/// # Errors
///
/// Why there is none; the store is as it was.
pub async fn build(
    recipe: &Recipe,
    store: &Store,
    progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<Built, ImageError> {
    let room = store.room()?;
    let unpacked = room.path().join("packages.tar");
    let sources = sources::lines(Path::new("/etc/apt"), &recipe.suite);
    bootstrap::run(recipe, &sources, &unpacked, progress).await?;
    progress(Progress::Layer);
    let (wanted, layer) = (recipe.clone(), room.path().join("layer.tar"));
    let contents = blocking(move || assemble(&wanted, &unpacked, &layer)).await?;
    progress(Progress::Unpack);
    let (recipe, store) = (recipe.clone(), store.clone());
    blocking(move || {
        let sbom = sbom::document(&recipe, &contents.digest, &contents.packages);
        store.install(&recipe, &contents, &sbom, room)
    })
    .await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ImageError> + Send + 'static,
) -> Result<T, ImageError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(ImageError::Files(format!("the work on them was stopped: {error}"))))
}

/// Writes the layer from what mmdebstrap unpacked.
fn assemble(recipe: &Recipe, unpacked: &Path, layer: &Path) -> Result<Contents, ImageError> {
    let mut tree = Tree::read(unpacked)?;
    let mut notes = read_notes(&tree)?;
    for (package, _) in &mut notes {
        let path = format!("usr/share/doc/{}/copyright", package.name);
        let copyright = tree.content(&path)?.unwrap_or_default();
        package.licences = packages::licences(&String::from_utf8_lossy(&copyright));
    }
    bundle_certificates(&mut tree)?;
    let unwanted = unwanted(&notes, &recipe.without);
    tree.keep(|path| !unwanted.contains(path) && is_kept(path, &recipe.drop));
    // What is in the image is what it still has a file of, beside its licence.
    let files: BTreeSet<&str> = tree.files().filter(|path| !matches(COPYRIGHT, path)).collect();
    let has = |owned: &BTreeSet<String>| owned.iter().any(|path| files.contains(path.as_str()));
    let mut packages: Vec<Package> = notes
        .iter()
        .filter(|(package, owned)| has(owned) || is_bundled(package))
        .map(|(package, _)| package.clone())
        .collect();
    packages.sort();
    if packages.is_empty() {
        return Err(ImageError::Files("there is no package among them".into()));
    }
    furnish(&mut tree);
    let written = tree.write(layer)?;
    Ok(Contents { digest: written.digest, size: written.size, packages })
}

/// Its own files are in the bundle.
fn is_bundled(package: &Package) -> bool {
    package.name == "ca-certificates"
}

type Note = (Package, BTreeSet<String>);

fn read_notes(tree: &Tree) -> Result<Vec<Note>, ImageError> {
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    for path in tree.files().filter(|path| path.strip_prefix(NOTES).is_some()) {
        let bytes = tree.content(path)?.unwrap_or_default();
        texts.insert(path.to_owned(), String::from_utf8_lossy(&bytes).into_owned());
    }
    let controls = texts.iter().filter_map(|(path, text)| Some((path.strip_suffix(".control")?, text)));
    controls
        .map(|(stem, control)| {
            let package = Package::parse(control).ok_or_else(|| {
                ImageError::Files(format!("a package without name and version: {control:?}"))
            })?;
            let files =
                texts.get(&format!("{stem}.files")).map(|list| packages::files(list)).unwrap_or_default();
            Ok((package, files))
        })
        .collect()
}

/// Files that are of unwanted packages alone.
fn unwanted(notes: &[Note], without: &[String]) -> BTreeSet<String> {
    let (out, kept): (Vec<_>, Vec<_>) =
        notes.iter().partition(|(package, _)| without.contains(&package.name));
    let kept: BTreeSet<&String> = kept.iter().flat_map(|(_, files)| files).collect();
    out.iter().flat_map(|(_, files)| files).filter(|path| !kept.contains(path)).cloned().collect()
}

fn is_kept(path: &str, dropped: &[String]) -> bool {
    if path.starts_with("usr/share/doc/") {
        return matches(COPYRIGHT, path);
    }
    let patterns = DROPPED.into_iter().chain(dropped.iter().map(String::as_str));
    !path.starts_with(NOTES)
        && !path.starts_with(CERTIFICATES.0)
        && !patterns.into_iter().any(|pattern| matches(pattern, path))
}

/// Whether a path or a directory above it is meant. `*` stands for any letters but a slash.
fn matches(pattern: &str, path: &str) -> bool {
    let mut names = path.split('/');
    pattern
        .split('/')
        .all(|pattern| names.next().is_some_and(|name| matches_name(pattern.as_bytes(), name.as_bytes())))
}

fn matches_name(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            matches_name(rest, name)
                || name.split_first().is_some_and(|(_, name)| matches_name(pattern, name))
        }
        (Some((wanted, pattern)), Some((letter, name))) => wanted == letter && matches_name(pattern, name),
        _ => false,
    }
}

/// What the package's script would make of them.
fn bundle_certificates(tree: &mut Tree) -> Result<(), ImageError> {
    let (from, to) = CERTIFICATES;
    let paths: Vec<String> = tree
        .files()
        .filter(|path| path.starts_with(from) && path.ends_with(".crt"))
        .map(str::to_owned)
        .collect();
    let mut bundle = Vec::new();
    for path in paths {
        bundle.extend(tree.content(&path)?.unwrap_or_default());
        if !bundle.ends_with(b"\n") {
            bundle.push(b'\n');
        }
    }
    if !bundle.is_empty() {
        tree.add(to, bundle);
    }
    Ok(())
}

/// What every image has, whatever it is made from.
fn furnish(tree: &mut Tree) {
    for (path, text) in [("etc/passwd", PASSWD), ("etc/group", GROUP), ("etc/nsswitch.conf", NAMES)] {
        tree.add(path, text);
    }
    // Mounted over by a backend that knows better.
    for path in ["etc/hosts", "etc/hostname", "etc/resolv.conf"] {
        tree.add(path, "");
    }
    for path in PLACES {
        tree.add_directory(path, 0o755);
    }
    tree.add_directory("tmp", 0o1777);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_what_is_at_it_and_below() {
        assert!(matches("usr/share/doc/*/copyright", "usr/share/doc/libc6/copyright"));
        assert!(!matches("usr/share/doc/*/copyright", "usr/share/doc/libc6/NEWS"));
        assert!(matches("usr/lib/*/gconv", "usr/lib/x86_64-linux-gnu/gconv/UTF-16.so"));
        assert!(!matches("usr/lib/*/gconv", "usr/lib/gconv"));
        assert!(matches("usr/bin/py3*", "usr/bin/py3compile") && !matches("usr/bin/py3*", "usr/bin/python3"));
        assert!(matches("var", "var/lib/dpkg/status") && !matches("var", "various"));
    }

    #[test]
    fn a_file_of_two_packages_stays_with_the_wanted_one() {
        let note = |name: &str, files: &[&str]| {
            let control = format!("Package: {name}\nVersion: 1\nArchitecture: all\n");
            let files = files.iter().map(|&path| path.to_owned()).collect();
            (Package::parse(&control).expect("a package"), files)
        };
        let notes = [note("dpkg", &["usr", "usr/bin/dpkg"]), note("dash", &["usr", "usr/bin/dash"])];
        assert_eq!(unwanted(&notes, &["dpkg".to_owned()]), BTreeSet::from(["usr/bin/dpkg".to_owned()]));
    }
}
