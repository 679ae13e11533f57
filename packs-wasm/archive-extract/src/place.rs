//! The last step: what was unpacked goes to its place, file by file, and back where one cannot go.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use packhost_sdk::{Error, files};

use crate::unpack::Unpacked;

/// What was done so far, to be undone.
#[derive(Default)]
struct Done {
    /// Files that are in their place, and where the one is that was there before.
    placed: Vec<(PathBuf, Option<PathBuf>)>,
    /// Directories that were made, each after the one that it is in.
    made: Vec<PathBuf>,
}

/// Moves everything to the destination. Where that fails, what was there before is there again.
pub(crate) fn all(unpacked: Unpacked, destination: &Path) -> Result<(), Error> {
    let mut done = Done::default();
    let placed = unpacked
        .directories
        .iter()
        .try_for_each(|inside| done.directory(&destination.join(inside)).map_err(|error| (inside, error)))
        .and_then(|()| {
            unpacked.files.iter().try_for_each(|inside| {
                done.file(&unpacked.root, inside, destination).map_err(|error| (inside, error))
            })
        });
    placed.map_err(|(inside, error)| {
        done.undo();
        files::explain(&destination.join(inside), &error).pointer("/destination")
    })
}

impl Done {
    fn file(&mut self, root: &Path, inside: &Path, destination: &Path) -> io::Result<()> {
        let target = destination.join(inside);
        if let Some(parent) = target.parent() {
            self.directory(parent)?;
        }
        let before = match fs::symlink_metadata(&target) {
            Ok(there) if there.is_dir() => return Err(ErrorKind::IsADirectory.into()),
            Ok(_) => Some(files::temporary(root)),
            Err(_) => None,
        };
        if let Some(before) = &before {
            fs::rename(&target, before)?;
        }
        let placed = fs::rename(root.join(inside), &target);
        match (placed, before) {
            (Ok(()), before) => self.placed.push((target, before)),
            (Err(error), Some(before)) => {
                fs::rename(before, &target)?;
                return Err(error);
            }
            (Err(error), None) => return Err(error),
        }
        Ok(())
    }

    /// Makes a directory and those that it is in, where they are not there.
    fn directory(&mut self, path: &Path) -> io::Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.directory(parent)?;
        }
        fs::create_dir(path)?;
        self.made.push(path.to_owned());
        Ok(())
    }

    fn undo(self) {
        for (target, before) in self.placed.into_iter().rev() {
            let _ = match before {
                Some(before) => fs::rename(before, &target),
                None => fs::remove_file(&target),
            };
        }
        for made in self.made.into_iter().rev() {
            let _ = fs::remove_dir(made);
        }
    }
}
