//! One entry of an archive, and where it may go.

use std::path::{Component, Path, PathBuf};

/// The longest name that is extracted, in bytes.
const LONGEST: usize = 1024;

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
    /// Why its content cannot be read here, if it cannot.
    pub locked: Option<&'static str>,
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
        if let Some(why) = self.locked {
            return Err(why);
        }
        if self.name.contains(['\\', '\0']) || self.name.len() > LONGEST {
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
