//! Listing a directory. `std::fs::read_dir` ends at the first name that is not UTF-8; this goes on behind it.

use std::io::{self, ErrorKind};
use std::path::Path;

use wasip2::filesystem::preopens;
use wasip2::filesystem::types::{
    Descriptor, DescriptorFlags, DescriptorType, ErrorCode, OpenFlags, PathFlags,
};

use super::explain;
use crate::Error;

/// What is in a directory, in no order.
#[derive(Debug, Default)]
pub struct Listing {
    /// Names of the directories in it.
    pub directories: Vec<String>,
    /// Names of everything else: files, symbolic links, pipes.
    pub files: Vec<String>,
    /// How many more there are whose names are not UTF-8 or that cannot be looked at.
    pub skipped: usize,
}

/// Lists a directory.
///
/// # Errors
///
/// As [`explain`], where the directory cannot be opened.
pub fn list(path: &Path) -> Result<Listing, Error> {
    let failed = |code: ErrorCode| explain(path, &io_error(code));
    let stream = open(path).and_then(|directory| directory.read_directory()).map_err(failed)?;
    let mut listing = Listing::default();
    loop {
        match stream.read_directory_entry() {
            Ok(Some(entry)) if entry.type_ == DescriptorType::Directory => {
                listing.directories.push(entry.name)
            }
            Ok(Some(entry)) => listing.files.push(entry.name),
            Ok(None) => return Ok(listing),
            Err(_) => listing.skipped += 1,
        }
    }
}

/// Opens a directory by way of the granted one that holds it.
fn open(path: &Path) -> Result<Descriptor, ErrorCode> {
    let inside = preopens::get_directories().into_iter().filter_map(|(granted, name)| {
        let rest = path.strip_prefix(&name).ok()?.to_owned();
        Some((granted, rest))
    });
    let (granted, rest) =
        inside.min_by_key(|(_, rest)| rest.as_os_str().len()).ok_or(ErrorCode::NotPermitted)?;
    let rest = if rest.as_os_str().is_empty() { Path::new(".") } else { &rest };
    let rest = rest.to_str().ok_or(ErrorCode::IllegalByteSequence)?;
    granted.open_at(PathFlags::SYMLINK_FOLLOW, rest, OpenFlags::DIRECTORY, DescriptorFlags::READ)
}

fn io_error(code: ErrorCode) -> io::Error {
    match code {
        ErrorCode::NoEntry => ErrorKind::NotFound.into(),
        ErrorCode::NotDirectory => ErrorKind::NotADirectory.into(),
        ErrorCode::Access | ErrorCode::NotPermitted | ErrorCode::ReadOnly => {
            ErrorKind::PermissionDenied.into()
        }
        other => io::Error::other(other.message().to_owned()),
    }
}
