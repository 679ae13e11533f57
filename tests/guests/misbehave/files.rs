//! Files, by the host's own functions: what a path means is left to the host, as an attacker would.

use guests::Saw;
use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, NewTimestamp, OpenFlags, PathFlags};

/// Why the host refused, or that there is no directory to start from.
#[derive(Debug)]
pub enum Refused {
    NoDirectory,
    Host(ErrorCode),
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoDirectory => f.write_str("no directory"),
            Self::Host(code) => f.write_str(code.name()),
        }
    }
}

impl From<ErrorCode> for Refused {
    fn from(code: ErrorCode) -> Self {
        Self::Host(code)
    }
}

pub fn directories() -> Saw {
    Saw { saw: get_directories().into_iter().map(|(_, name)| name).collect() }
}

fn first() -> Result<Descriptor, Refused> {
    get_directories().into_iter().next().map(|(directory, _)| directory).ok_or(Refused::NoDirectory)
}

fn open(path: &str, how: OpenFlags, access: DescriptorFlags) -> Result<Descriptor, Refused> {
    Ok(first()?.open_at(PathFlags::SYMLINK_FOLLOW, path, how, access)?)
}

pub fn list(path: &str) -> Saw {
    match names(path) {
        Ok(saw) => Saw { saw },
        Err(error) => Saw::one(format!("refused: {error}")),
    }
}

fn names(path: &str) -> Result<Vec<String>, Refused> {
    let directory = open(path, OpenFlags::DIRECTORY, DescriptorFlags::READ)?;
    let entries = directory.read_directory()?;
    let mut names = Vec::new();
    while let Some(entry) = entries.read_directory_entry()? {
        names.push(entry.name);
    }
    names.sort();
    Ok(names)
}

pub fn read(path: &str) -> Result<String, Refused> {
    let (bytes, _) = open(path, OpenFlags::empty(), DescriptorFlags::READ)?.read(1 << 20, 0)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

pub fn write(path: &str, bytes: &[u8]) -> Result<String, Refused> {
    let file = open(path, OpenFlags::CREATE | OpenFlags::TRUNCATE, DescriptorFlags::WRITE)?;
    Ok(format!("{} bytes", file.write(bytes, 0)?))
}

/// Without asking to write.
pub fn truncate(path: &str) -> Result<String, Refused> {
    open(path, OpenFlags::TRUNCATE, DescriptorFlags::READ)?;
    Ok("truncated".into())
}

/// On a file that was opened to be read.
pub fn resize(path: &str) -> Result<String, Refused> {
    open(path, OpenFlags::empty(), DescriptorFlags::READ)?.set_size(0)?;
    Ok("resized".into())
}

pub fn touch(path: &str) -> Result<String, Refused> {
    first()?.set_times_at(PathFlags::empty(), path, NewTimestamp::Now, NewTimestamp::Now)?;
    Ok("touched".into())
}

pub fn unlink(path: &str) -> Result<String, Refused> {
    first()?.unlink_file_at(path)?;
    Ok("unlinked".into())
}

pub fn make_directory(path: &str) -> Result<String, Refused> {
    first()?.create_directory_at(path)?;
    Ok("made".into())
}

pub fn remove_directory(path: &str) -> Result<String, Refused> {
    first()?.remove_directory_at(path)?;
    Ok("removed".into())
}

pub fn symlink(path: &str, target: &str) -> Result<String, Refused> {
    first()?.symlink_at(target, path)?;
    Ok("linked".into())
}

pub fn hardlink(path: &str, target: &str) -> Result<String, Refused> {
    let directory = first()?;
    directory.link_at(PathFlags::empty(), target, &directory, path)?;
    Ok("linked".into())
}

pub fn rename(path: &str, to: &str) -> Result<String, Refused> {
    let directory = first()?;
    directory.rename_at(path, &directory, to)?;
    Ok("renamed".into())
}
