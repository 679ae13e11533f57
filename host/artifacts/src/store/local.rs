//! A store in a directory of this host.
//!
//! `object_store` writes an object into a file beside it, whose name ends in `#1`, and renames that one when all of it is there
//! and on the disk. Such a file is not seen in its lists and cannot be removed through it, so that it is done here.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _};
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;

use super::{MARK, OBJECTS};
use crate::error::ArtifactError;
use crate::id::Place;

/// What stands behind a name while the object is half there.
const HALF: &str = "#1";

#[derive(Clone)]
pub(super) struct Local {
    dir: Arc<PathBuf>,
}

impl Local {
    pub(super) fn open(dir: &Path) -> Result<(Self, Arc<dyn ObjectStore>), ArtifactError> {
        private(dir)?;
        private(&dir.join(OBJECTS))?;
        let objects = LocalFileSystem::new_with_prefix(dir)?.with_fsync(true);
        Ok((Self { dir: Arc::new(dir.to_owned()) }, Arc::new(objects)))
    }

    fn whole(&self, place: &Place) -> PathBuf {
        self.dir.join(OBJECTS).join(place.as_str())
    }

    fn half(&self, place: &Place) -> PathBuf {
        self.dir.join(OBJECTS).join(format!("{}{HALF}", place.as_str()))
    }

    pub(super) fn has(&self, place: &Place) -> Result<bool, ArtifactError> {
        // The half first: it becomes the whole, and not the other way round.
        for path in [self.half(place), self.whole(place)] {
            if path.try_exists().map_err(|source| ArtifactError::File { path, source })? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Closes an upload that has begun to everybody else, and gives its file. Its directory is closed already.
    pub(super) fn close(&self, place: &Place) -> Result<File, ArtifactError> {
        let path = self.half(place);
        close(&path)?;
        File::open(&path).map_err(|source| ArtifactError::File { path, source })
    }

    pub(super) fn close_mark(&self) -> Result<(), ArtifactError> {
        close(&self.dir.join(MARK))
    }

    pub(super) fn remove_half(&self, place: &Place) -> Result<(), ArtifactError> {
        let path = self.half(place);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(ArtifactError::File { path, source })
            }
            _ => Ok(()),
        }
    }

    /// Bytes that this user may still write.
    pub(super) fn free(&self) -> Option<u64> {
        let about = rustix::fs::statvfs(&*self.dir).ok()?;
        about.f_bavail.checked_mul(about.f_frsize)
    }

    /// The objects, so many at a time.
    pub(super) fn list(self, together: usize) -> BoxStream<'static, Result<Vec<Place>, ArtifactError>> {
        let path = self.dir.join(OBJECTS);
        let begin = stream::once(async move {
            let opened = tokio::task::spawn_blocking(move || {
                fs::read_dir(&path).map_err(|source| ArtifactError::File { path, source })
            });
            opened.await?
        });
        begin
            .flat_map(move |opened| match opened {
                Ok(dir) => stream::try_unfold(dir, move |dir| some(dir, together)).boxed(),
                Err(error) => stream::iter([Err(error)]).boxed(),
            })
            .boxed()
    }
}

/// The next names of a directory, and its rest.
async fn some(mut dir: fs::ReadDir, most: usize) -> Result<Option<(Vec<Place>, fs::ReadDir)>, ArtifactError> {
    let read = tokio::task::spawn_blocking(move || {
        let entries: Vec<_> = dir.by_ref().take(most).collect();
        (entries, dir)
    });
    let (entries, dir) = read.await?;
    if entries.is_empty() {
        return Ok(None);
    }
    let mut places = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|source| ArtifactError::File { path: OBJECTS.into(), source })?;
        let name = entry.file_name();
        let name = name.to_str().map(|name| name.strip_suffix(HALF).unwrap_or(name));
        places.extend(name.and_then(Place::parse));
    }
    Ok(Some((places, dir)))
}

/// Makes a directory for this user alone, where it is missing.
fn private(dir: &Path) -> Result<(), ArtifactError> {
    let failed = |source| ArtifactError::File { path: dir.to_owned(), source };
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
        Err(_) => {}
        // What will be in it is to survive a power cut, and so has it itself.
        Ok(()) => File::open(dir.join("..")).and_then(|above| above.sync_all()).map_err(failed)?,
    }
    let about = dir.symlink_metadata().map_err(failed)?;
    if !about.is_dir() {
        return Err(failed(io::Error::other("it is not a directory")));
    }
    let alone = about.uid() == rustix::process::geteuid().as_raw() && about.permissions().mode() & 0o077 == 0;
    if alone { Ok(()) } else { Err(failed(io::Error::other("it has to be yours alone, mode 700"))) }
}

fn close(path: &Path) -> Result<(), ArtifactError> {
    let closed = fs::set_permissions(path, Permissions::from_mode(0o600));
    closed.map_err(|source| ArtifactError::File { path: path.to_owned(), source })
}

/// These bytes of a file.
pub(super) fn read(file: &File, range: Range<u64>) -> Result<Bytes, ArtifactError> {
    let damaged = || ArtifactError::Damaged("it is cut off");
    let length = usize::try_from(range.end - range.start).map_err(|_| damaged())?;
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        let at = range.start + bytes.len() as u64;
        match rustix::io::pread(file, rustix::buffer::spare_capacity(&mut bytes), at) {
            Ok(0) => return Err(damaged()),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => {
                let source = io::Error::from(error).into();
                return Err(object_store::Error::Generic { store: "LocalFileSystem", source }.into());
            }
        }
    }
    bytes.truncate(length);
    Ok(bytes.into())
}
