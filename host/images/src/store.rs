//! Built images on this machine.
//!
//! `NAME/HEX/` holds a build: `rootfs/`, `layer.tar`, `image.json`, `sbom.json`; `NAME/current` is a link to the newest one.
//! The one before stays, since sandboxes may still run on it; older ones go with the next build.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::EPOCH_TEXT;
use crate::build::Built;
use crate::error::ImageError;
use crate::packages::Package;
use crate::recipe::Recipe;

/// Builds that are not finished: dotted, so that no image is called so.
const ROOM: &str = ".building-";
/// How old one has to be before nobody builds in it any more.
const DEAD: Duration = Duration::from_secs(24 * 3600);

/// The directory of images, such as `images` in the host's state.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

/// An image in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// Its name: `python`.
    pub name: String,
    /// `sha256:` and the digest of its layer: what the image is pinned by, for every backend.
    pub digest: String,
    /// The id that a Docker Engine gave it, where it was loaded into one.
    pub docker_id: Option<String>,
    /// Its environment.
    pub env: Vec<String>,
    /// What is in it.
    pub packages: Vec<Package>,
    /// Bytes of files.
    pub size: u64,
    /// Where it is, absolute: the name in it changes with the content.
    pub directory: PathBuf,
}

impl Installed {
    /// Its files, as a tree.
    pub fn rootfs(&self) -> PathBuf {
        self.directory.join("rootfs")
    }

    /// Its files, as the tar whose digest it has.
    pub fn layer(&self) -> PathBuf {
        self.directory.join("layer.tar")
    }

    /// What is in it, as CycloneDX 1.5.
    pub fn sbom(&self) -> PathBuf {
        self.directory.join("sbom.json")
    }
}

/// What was assembled.
#[derive(Debug)]
pub(crate) struct Contents {
    pub(crate) digest: String,
    pub(crate) size: u64,
    pub(crate) packages: Vec<Package>,
}

/// `image.json`.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    name: String,
    digest: String,
    created: String,
    suite: String,
    size: u64,
    #[serde(default)]
    docker_id: Option<String>,
    env: Vec<String>,
    packages: Vec<Package>,
}

impl Store {
    /// The store in this directory, which is made with the first image.
    pub fn at(root: PathBuf) -> Self {
        Self { root }
    }

    /// The newest build of an image.
    ///
    /// # Errors
    ///
    /// [`ImageError::File`] for a store that cannot be read. An image that was never built is no error.
    pub fn find(&self, name: &str) -> Result<Option<Installed>, ImageError> {
        if name.is_empty() || name.starts_with('.') || name.contains('/') {
            return Ok(None);
        }
        let current = self.root.join(name).join("current");
        match current.canonicalize() {
            Ok(directory) => read(&directory).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ImageError::File(current, error)),
        }
    }

    /// A directory for a build, next to where its result will be. Removes what builds that died have left.
    pub(crate) fn room(&self) -> Result<TempDir, ImageError> {
        fs::create_dir_all(&self.root).map_err(ImageError::file(&self.root))?;
        for entry in fs::read_dir(&self.root).map_err(ImageError::file(&self.root))?.flatten() {
            let age =
                entry.metadata().and_then(|found| found.modified()).ok().and_then(|made| made.elapsed().ok());
            if entry.file_name().as_bytes().starts_with(ROOM.as_bytes()) && age.is_some_and(|age| age > DEAD)
            {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        tempfile::Builder::new().prefix(ROOM).tempdir_in(&self.root).map_err(ImageError::file(&self.root))
    }

    /// Puts what was built in `room` (`layer.tar`) into its place.
    pub(crate) fn install(
        &self,
        recipe: &Recipe,
        contents: &Contents,
        sbom: &serde_json::Value,
        room: TempDir,
    ) -> Result<Built, ImageError> {
        let hex = contents.digest.trim_start_matches("sha256:");
        let place = self.root.join(&recipe.name).join(hex);
        if let Some(installed) = self.find(&recipe.name)?.filter(|found| found.digest == contents.digest) {
            return Ok(Built { installed, unchanged: true });
        }
        let build = room.path().join("image");
        fs::create_dir(&build).map_err(ImageError::file(&build))?;
        let layer = build.join("layer.tar");
        fs::rename(room.path().join("layer.tar"), &layer).map_err(ImageError::file(&layer))?;
        unpack(&layer, &build.join("rootfs"))?;
        let record = Record {
            name: recipe.name.clone(),
            digest: contents.digest.clone(),
            created: EPOCH_TEXT.to_owned(),
            suite: recipe.suite.clone(),
            size: contents.size,
            docker_id: None,
            env: recipe.env.iter().map(|(name, value)| format!("{name}={value}")).collect(),
            packages: contents.packages.clone(),
        };
        write_json(&build.join("image.json"), &record)?;
        write_json(&build.join("sbom.json"), sbom)?;
        self.place(&build, &place)?;
        Ok(Built { installed: read(&place)?, unchanged: false })
    }

    fn place(&self, build: &Path, place: &Path) -> Result<(), ImageError> {
        let images = place.parent().unwrap_or(&self.root);
        fs::create_dir_all(images).map_err(ImageError::file(images))?;
        let current = images.join("current");
        let before = current.canonicalize().ok();
        match fs::rename(build, place) {
            // An older build of the same content, which becomes the newest again.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists
                ) => {}
            done => done.map_err(ImageError::file(place))?,
        }
        let next = images.join(".current");
        let _ = fs::remove_file(&next);
        let name = place.file_name().unwrap_or_default();
        std::os::unix::fs::symlink(name, &next).map_err(ImageError::file(&next))?;
        fs::rename(&next, &current).map_err(ImageError::file(&current))?;
        let kept = [Some(place.canonicalize().map_err(ImageError::file(place))?), before];
        for entry in fs::read_dir(images).map_err(ImageError::file(images))?.flatten() {
            let path = entry.path();
            let old = entry.file_type().is_ok_and(|kind| kind.is_dir())
                && path.canonicalize().is_ok_and(|path| !kept.contains(&Some(path)));
            if old {
                fs::remove_dir_all(&path).map_err(ImageError::file(&path))?;
            }
        }
        Ok(())
    }

    /// Writes down what a Docker Engine calls an image.
    pub(crate) fn name_for_docker(&self, image: &Installed, id: &str) -> Result<(), ImageError> {
        let path = image.directory.join("image.json");
        let mut record = record(&path)?;
        record.docker_id = Some(id.to_owned());
        write_json(&path, &record)
    }
}

fn record(path: &Path) -> Result<Record, ImageError> {
    let text = fs::read(path).map_err(ImageError::file(path))?;
    serde_json::from_slice(&text).map_err(|error| ImageError::File(path.to_owned(), error.into()))
}

fn read(directory: &Path) -> Result<Installed, ImageError> {
    let Record { name, digest, docker_id, env, packages, size, .. } = record(&directory.join("image.json"))?;
    let directory = directory.canonicalize().map_err(ImageError::file(directory))?;
    Ok(Installed { name, digest, docker_id, env, packages, size, directory })
}

/// Owners are not taken over: everything is this user's, and nothing in a sandbox may write to it.
fn unpack(layer: &Path, rootfs: &Path) -> Result<(), ImageError> {
    fs::create_dir(rootfs).map_err(ImageError::file(rootfs))?;
    let unpack = || -> io::Result<()> {
        let mut archive = tar::Archive::new(io::BufReader::new(File::open(layer)?));
        archive.set_preserve_permissions(true);
        archive.set_preserve_ownerships(false);
        archive.unpack(rootfs)
    };
    unpack().map_err(ImageError::file(rootfs))
}

/// Whole or not at all: a reader sees the old file or the new one.
fn write_json(path: &Path, value: &impl Serialize) -> Result<(), ImageError> {
    let write = || -> io::Result<()> {
        let directory = path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        serde_json::to_writer_pretty(&mut file, value)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(ImageError::file(path))
}
