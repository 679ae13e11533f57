//! Zip files. Content is counted entry by entry: one that nobody reads costs nothing.

use std::fs::File;
use std::io::{self, BufReader, Read};

use packhost_sdk::Error;
use zip::read::ZipFile;
use zip::{CompressionMethod, ZipArchive};

use crate::budget::Budget;
use crate::{Each, Entry, Kind, broken};

pub(crate) fn visit(file: BufReader<File>, budget: &Budget, each: Each<'_>) -> Result<(), Error> {
    let mut archive = ZipArchive::new(file).map_err(|error| broken(&error))?;
    for index in 0..archive.len() {
        budget.entry()?;
        let entry = entry(&archive.by_index_raw(index).map_err(|error| broken(&error))?)?;
        if entry.path().is_err() {
            each(&entry, &mut io::empty())?;
            continue;
        }
        let member = archive.by_index(index).map_err(|error| broken(&error))?;
        budget.judge(each(&entry, &mut budget.count(member)))?;
    }
    Ok(())
}

/// What the directory of the archive says of an entry.
fn entry<R: Read>(member: &ZipFile<'_, R>) -> Result<Entry, Error> {
    let kind = match () {
        () if member.is_symlink() => Kind::Other,
        () if member.is_dir() => Kind::Directory,
        () => Kind::File,
    };
    let locked = match member.compression() {
        _ if member.encrypted() => Some("it is encrypted"),
        CompressionMethod::Stored | CompressionMethod::Deflated => None,
        _ => Some("it is compressed in a way that cannot be read here"),
    };
    let name = member.name().map_err(|error| broken(&error))?.into_owned();
    Ok(Entry { name, kind, size: member.size(), locked })
}
