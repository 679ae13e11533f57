//! Files in granted directories: `std::fs` works as it is. This finds the path, words the errors, and has the few steps
//! that are easy to get wrong: reading what is a file only, replacing one whole, listing a directory to its end.

mod list;
mod replace;

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::path::{Component, Path, PathBuf};

pub use list::{Listing, list};
pub use replace::{replace, temporary};

use crate::Error;

/// The directories that this call may use, as the pack sees them.
pub fn granted() -> Vec<String> {
    wasip2::filesystem::preopens::get_directories().into_iter().map(|(_, name)| name).collect()
}

/// The file that an input names. A relative path is relative to `base`, and that to the granted directory where there
/// is one. Symbolic links are the host's to judge; this only reads the words.
///
/// # Errors
///
/// `denied` for a path outside the granted directories, `invalid-input` for one that could mean two; both say which
/// directories there are.
pub fn resolve(path: &str, base: Option<&str>) -> Result<PathBuf, Error> {
    let granted = granted();
    let list = granted.join(", ");
    let Some(first) = granted.first() else {
        return Err(Error::denied("No directory is granted to this pack, so it cannot use files."));
    };
    if path.trim().is_empty() || path.contains('\0') {
        return Err(Error::invalid_input("The path is empty or has a zero byte.").pointer("/path"));
    }
    let mut wanted = PathBuf::from(path);
    if let Some(base) = base {
        wanted = Path::new(base).join(wanted);
    }
    let inside = |path: &Path| granted.iter().any(|dir| path.starts_with(dir));
    let wanted = match wanted.is_absolute() || !Path::new(first).is_absolute() {
        true => wanted,
        false if granted.len() == 1 => Path::new(first).join(wanted),
        false => {
            let message =
                format!("The relative path \"{path}\" could be in any of these directories: {list}.");
            return Err(Error::invalid_input(message)
                .fix(format!("Start the path with one of them, such as {first}/{path}."))
                .pointer("/path"));
        }
    };
    match normal(&wanted) {
        Some(found) if inside(&found) || !Path::new(first).is_absolute() => Ok(found),
        _ => Err(Error::denied(format!(
            "The path \"{path}\" is outside the directories granted to this pack: {list}."
        ))
        .fix("Use a path inside one of them.")
        .pointer("/path")),
    }
}

/// The path without `.` and `..`; `None` where `..` leads out of it.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                if !out.pop() {
                    return None;
                }
            }
            Component::CurDir => {}
            other => out.push(other),
        }
    }
    Some(if out.as_os_str().is_empty() { PathBuf::from(".") } else { out })
}

/// What went wrong with a file, in words.
pub fn explain(path: &Path, error: &io::Error) -> Error {
    let name = path.display();
    let error = match error.kind() {
        ErrorKind::NotFound => Error::not_found(format!("There is no \"{name}\"."))
            .fix("List the directory to see what there is."),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Error::denied(format!(
            "\"{name}\" may not be used in this way: what is granted here does not allow it."
        )),
        ErrorKind::IsADirectory => Error::invalid_input(format!("\"{name}\" is a directory, not a file.")),
        ErrorKind::NotADirectory => Error::invalid_input(format!("\"{name}\" is a file, not a directory.")),
        ErrorKind::AlreadyExists => Error::invalid_input(format!("\"{name}\" is there already.")),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            Error::resource_exhausted(format!("There is no room for \"{name}\"."))
        }
        _ => Error::failed(format!("\"{name}\" could not be used: {error}.")),
    };
    error.pointer("/path")
}

/// Makes sure that a path leads to a regular file, before anything opens it: to open a named pipe can wait forever.
///
/// # Errors
///
/// As [`explain`]; `invalid-input` for a directory, a named pipe, a device or a socket.
pub fn regular(path: &Path) -> Result<Metadata, Error> {
    let metadata = fs::metadata(path).map_err(|error| explain(path, &error))?;
    match metadata.file_type() {
        kind if kind.is_file() => Ok(metadata),
        kind if kind.is_dir() => Err(explain(path, &ErrorKind::IsADirectory.into())),
        _ => Err(Error::invalid_input(format!("\"{}\" is not a regular file.", path.display()))
            .fix("Use a file that has content: not a pipe, a device or a socket.")
            .pointer("/path")),
    }
}

/// Opens and reads at most `limit` bytes of a regular file.
///
/// # Errors
///
/// As [`regular`]; `resource-exhausted` for a longer file.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    regular(path)?;
    let failed = |error: io::Error| explain(path, &error);
    let mut bytes = Vec::new();
    File::open(path).map_err(failed)?.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(Error::resource_exhausted(format!(
            "\"{}\" is longer than {limit} bytes.",
            path.display()
        ))
        .pointer("/path"));
    }
    Ok(bytes)
}
