//! Reading archives that nobody vouches for: zip, tar and tar.gz, under limits.
//!
//! Owns: what an entry may be called, what kinds of entry there are, how many, how large and how well compressed.
//! Refuses: links, devices, paths that lead out, encrypted entries, and anything over a limit.

mod budget;
mod entry;
mod tar;
mod zip;

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use budget::Budget;
pub use budget::{MOST_BYTES, MOST_ENTRIES, MOST_RATIO, RATIO_FROM};
pub use entry::{Entry, Kind};
use flate2::read::MultiGzDecoder;
use packhost_sdk::{Error, files};

/// How an archive is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A zip file.
    Zip,
    /// A tar file.
    Tar,
    /// A tar file under gzip.
    TarGz,
}

/// What looks at the entries: it gets each one, with its content to read. What [`Entry::path`] refuses has none.
pub type Each<'a> = &'a mut dyn FnMut(&Entry, &mut dyn Read) -> Result<(), Error>;

/// Calls `each` for every entry in order.
///
/// # Errors
///
/// What `each` returns; `invalid-input` for what is not an archive, `resource-exhausted` over a limit.
pub fn visit(path: &Path, each: Each<'_>) -> Result<Format, Error> {
    let failed = |error: io::Error| files::explain(path, &error);
    let packed = files::regular(path)?.len();
    let mut file = File::open(path).map_err(failed)?;
    let mut start = Vec::new();
    file.by_ref().take(512).read_to_end(&mut start).map_err(failed)?;
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    let budget = Budget::new(packed);
    let file = BufReader::new(file);
    if start.starts_with(b"PK") {
        zip::visit(file, &budget, each)?;
        Ok(Format::Zip)
    } else if start.starts_with(&[0x1f, 0x8b]) {
        tar::visit(MultiGzDecoder::new(file), &budget, each)?;
        Ok(Format::TarGz)
    } else if start.get(257..262) == Some(b"ustar") {
        tar::visit(file, &budget, each)?;
        Ok(Format::Tar)
    } else {
        Err(Error::invalid_input(format!("\"{}\" is not a zip, tar or tar.gz archive.", path.display()))
            .pointer("/path"))
    }
}

fn broken(error: &dyn std::error::Error) -> Error {
    Error::invalid_input(format!("The archive is broken: {error}.")).pointer("/path")
}
