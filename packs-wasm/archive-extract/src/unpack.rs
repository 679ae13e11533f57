//! The archive's content in a directory of its own, next to where it will go.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use packhost_archive::{Entry, Kind, visit};
use packhost_sdk::{Error, files, progress};

/// What was unpacked. Dropped, the directory goes.
pub(crate) struct Unpacked {
    /// Where it is: on the destination's file system, so that moving it is renaming it.
    pub(crate) root: PathBuf,
    /// Directories, relative to it.
    pub(crate) directories: Vec<PathBuf>,
    /// Files, relative to it.
    pub(crate) files: Vec<PathBuf>,
    /// Bytes of all files.
    pub(crate) bytes: u64,
    /// The destination and those above it that were made for this, the innermost first.
    made: Vec<PathBuf>,
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
        // What has something in it by now stays, and so does what is above it.
        let _ = self.made.iter().try_for_each(fs::remove_dir);
    }
}

/// Looks at every entry before anything is written, and says how many there are.
pub(crate) fn check(path: &Path, destination: &Path, overwrite: bool) -> Result<u32, Error> {
    let mut total = 0;
    visit(path, &mut |entry, _| {
        total += 1;
        let inside = inside(entry)?;
        let there = fs::symlink_metadata(destination.join(&inside));
        match there {
            Ok(there) if entry.kind == Kind::File && there.is_dir() => {
                Err(taken(entry, "is a directory in the destination"))
            }
            Ok(_) if entry.kind == Kind::File && !overwrite => {
                Err(taken(entry, "is in the destination already")
                    .fix("Choose another destination, or set overwrite to true."))
            }
            _ => Ok(()),
        }
    })?;
    Ok(total)
}

/// Unpacks below the destination, which is made if it is not there.
pub(crate) fn beside(path: &Path, destination: &Path, total: u32) -> Result<Unpacked, Error> {
    let root = files::temporary(destination);
    let made = destination.ancestors().take_while(|path| !path.is_dir()).map(Path::to_owned).collect();
    let failed = |error: io::Error| files::explain(destination, &error).pointer("/destination");
    let mut unpacked = Unpacked { root, directories: Vec::new(), files: Vec::new(), bytes: 0, made };
    fs::create_dir_all(&unpacked.root).map_err(failed)?;
    let mut seen = 0;
    visit(path, &mut |entry, content| {
        seen += 1;
        progress::report(f64::from(seen), Some(f64::from(total)), None);
        unpacked.take(entry, content)
    })?;
    Ok(unpacked)
}

impl Unpacked {
    fn take(&mut self, entry: &Entry, content: &mut dyn Read) -> Result<(), Error> {
        let inside = inside(entry)?;
        let target = self.root.join(&inside);
        // The agent knows the entry by its name, not by where it is on the way.
        let failed = |error: io::Error| match error.kind() {
            ErrorKind::AlreadyExists | ErrorKind::NotADirectory => taken(entry, "is in the archive twice"),
            ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::UnexpectedEof => {
                taken(entry, "is broken in the archive").pointer("/path")
            }
            _ => files::explain(Path::new(&entry.name), &error),
        };
        if entry.kind == Kind::Directory {
            fs::create_dir_all(&target).map_err(failed)?;
            self.directories.push(inside);
            return Ok(());
        }
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        let mut file = File::create_new(&target).map_err(failed)?;
        self.bytes += io::copy(content, &mut file).map_err(failed)?;
        self.files.push(inside);
        Ok(())
    }
}

fn inside(entry: &Entry) -> Result<PathBuf, Error> {
    entry.path().map_err(|why| {
        let name: String = entry.name.chars().take(200).collect();
        Error::invalid_input(format!(
            "The archive was refused because of \"{name}\": {why}. Nothing was written."
        ))
        .pointer("/path")
    })
}

fn taken(entry: &Entry, what: &str) -> Error {
    let name: String = entry.name.chars().take(200).collect();
    Error::invalid_input(format!("\"{name}\" {what}. Nothing was written.")).pointer("/destination")
}
