//! Reading archives that nobody vouches for: zip, tar and tar.gz, under limits.
//!
//! Owns: what an entry may be called, what kinds of entry there are, how many, how large and how well compressed.
//! Refuses: links, devices, paths that lead out, encrypted entries, and anything over a limit.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use flate2::read::MultiGzDecoder;
use packhost_sdk::{Error, files};

/// Entries that an archive may have.
pub const MOST_ENTRIES: usize = 10_000;

/// Bytes that all files of an archive may have together.
pub const MOST_BYTES: u64 = 512 << 20;

/// How many times larger than the archive its content may be, from [`RATIO_FROM`] on.
pub const MOST_RATIO: u64 = 200;

/// Content smaller than this, in bytes, may be compressed as well as it can.
pub const RATIO_FROM: u64 = 8 << 20;

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

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file with content.
    File,
    /// A directory.
    Directory,
    /// A symbolic or hard link, a device, a pipe: never extracted.
    Other,
}

/// One entry of an archive.
#[derive(Debug, Clone)]
pub struct Entry {
    /// As the archive has it.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Bytes of content, as the archive says; reading finds out.
    pub size: u64,
}

impl Entry {
    /// Where it goes, relative to a destination.
    ///
    /// # Errors
    ///
    /// Why it must not be extracted, in words.
    pub fn path(&self) -> Result<PathBuf, &'static str> {
        if self.kind == Kind::Other {
            return Err("it is a link or a device");
        }
        if self.name.contains(['\\', '\0', ':']) || self.name.len() > 1024 {
            return Err("its name is not a plain path");
        }
        let mut path = PathBuf::new();
        for part in Path::new(&self.name).components() {
            match part {
                Component::Normal(part) => path.push(part),
                Component::CurDir => {}
                Component::ParentDir => return Err("its path leads out with \"..\""),
                Component::RootDir | Component::Prefix(_) => return Err("its path is absolute"),
            }
        }
        if path.as_os_str().is_empty() && self.kind == Kind::File { Err("it has no name") } else { Ok(path) }
    }
}

/// Calls `each` for every entry in order, with its content to read.
///
/// # Errors
///
/// What `each` returns; `invalid-input` for what is not an archive, `resource-exhausted` over a limit.
pub fn visit(
    path: &Path,
    each: &mut dyn FnMut(&Entry, &mut dyn Read) -> Result<(), Error>,
) -> Result<Format, Error> {
    let failed = |error: io::Error| files::explain(path, &error);
    let mut file = File::open(path).map_err(failed)?;
    let packed = file.metadata().map_err(failed)?.len();
    let mut start = Vec::new();
    file.by_ref().take(512).read_to_end(&mut start).map_err(failed)?;
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    let mut budget = Budget { packed, entries: 0, bytes: 0 };
    if start.starts_with(b"PK") {
        zip(file, &mut budget, each)?;
        Ok(Format::Zip)
    } else if start.starts_with(&[0x1f, 0x8b]) {
        tar(MultiGzDecoder::new(io::BufReader::new(file)), &mut budget, each)?;
        Ok(Format::TarGz)
    } else if start.get(257..262) == Some(b"ustar") {
        tar(io::BufReader::new(file), &mut budget, each)?;
        Ok(Format::Tar)
    } else {
        Err(Error::invalid_input(format!("\"{}\" is not a zip, tar or tar.gz archive.", path.display()))
            .pointer("/path"))
    }
}

/// What has been used of the limits.
struct Budget {
    packed: u64,
    entries: usize,
    bytes: u64,
}

impl Budget {
    fn entry(&mut self) -> Result<(), Error> {
        self.entries += 1;
        match self.entries > MOST_ENTRIES {
            true => {
                Err(Error::resource_exhausted(format!("The archive has more than {MOST_ENTRIES} entries.")))
            }
            false => Ok(()),
        }
    }

    fn over(&self) -> bool {
        self.bytes > MOST_BYTES || (self.bytes > RATIO_FROM && self.bytes / MOST_RATIO > self.packed)
    }

    fn explain(&self, error: &io::Error) -> Error {
        match self.over() {
            true => Error::resource_exhausted(format!(
                "The archive's content is larger than is allowed: {MOST_BYTES} bytes, or {MOST_RATIO} times the archive."
            )),
            false => broken(error),
        }
    }
}

/// A reader that counts against the budget.
struct Counted<'a, R> {
    inner: R,
    budget: &'a mut Budget,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.budget.bytes += read as u64;
        if self.budget.over() { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(read) }
    }
}

fn zip(
    file: File,
    budget: &mut Budget,
    each: &mut dyn FnMut(&Entry, &mut dyn Read) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut archive = zip::ZipArchive::new(io::BufReader::new(file)).map_err(|error| broken(&error))?;
    for index in 0..archive.len() {
        budget.entry()?;
        let mut member = archive.by_index(index).map_err(|error| broken(&error))?;
        let kind = match () {
            () if member.is_symlink() => Kind::Other,
            () if member.is_dir() => Kind::Directory,
            () => Kind::File,
        };
        let name = member.name().map_err(|error| broken(&error))?.into_owned();
        let entry = Entry { name, kind, size: member.size() };
        content(&entry, &mut member, budget, each)?;
    }
    Ok(())
}

fn tar(
    packed: impl Read,
    budget: &mut Budget,
    each: &mut dyn FnMut(&Entry, &mut dyn Read) -> Result<(), Error>,
) -> Result<(), Error> {
    // Skipped content and padding pass through the decompressor as well: bounded here, once more than they count.
    let mut archive = tar::Archive::new(packed.take(MOST_BYTES + (MOST_ENTRIES as u64) * 2048));
    for member in archive.entries().map_err(|error| broken(&error))? {
        budget.entry()?;
        let mut member = member.map_err(|error| broken(&error))?;
        let kind = match member.header().entry_type() {
            kind if kind.is_file() || kind.is_contiguous() => Kind::File,
            kind if kind.is_dir() => Kind::Directory,
            kind if kind.is_pax_global_extensions() => continue,
            _ => Kind::Other,
        };
        let name = String::from_utf8_lossy(&member.path_bytes()).into_owned();
        let entry = Entry { name, kind, size: member.size() };
        content(&entry, &mut member, budget, each)?;
    }
    Ok(())
}

fn content(
    entry: &Entry,
    member: &mut dyn Read,
    budget: &mut Budget,
    each: &mut dyn FnMut(&Entry, &mut dyn Read) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut counted = Counted { inner: member, budget };
    let result = each(entry, &mut counted);
    // The limit is the reason for whatever `each` made of the failed read.
    match counted.budget.over() {
        true => Err(counted.budget.explain(&io::ErrorKind::FileTooLarge.into())),
        false => result,
    }
}

fn broken(error: &dyn std::error::Error) -> Error {
    Error::invalid_input(format!("The archive is broken or encrypted: {error}.")).pointer("/path")
}
