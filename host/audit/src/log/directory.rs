//! The directory of a log: what its files are called, who may use it, and how a file in it is replaced.
//!
//! `00000001.log` and so on are the segments, `head` is the newest checkpoint, `synced` the last record that is known to be on the
//! disk, `sealed` what retention removed, `lock` the lock of those who append, `SEGMENT.BYTE.torn` what was cut off.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::ops::RangeInclusive;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FlockOperation, OFlags, flock};

use crate::error::{AuditError, failed};

/// How the names of segments end.
const SEGMENT: &str = ".log";
/// How the names of what was cut off end.
pub(crate) const TORN: &str = ".torn";
/// The lock of those who append.
pub(crate) const LOCK: &str = "lock";
/// How many digits the number of a segment has.
const DIGITS: RangeInclusive<usize> = 8..=12;
/// What nobody but the owner may do.
const OTHERS: u32 = 0o077;

/// The directory of a log.
#[derive(Debug, Clone)]
pub(crate) struct Directory {
    path: PathBuf,
    /// What was there when the log was opened; none where it is only read.
    opened: Option<Arc<Opened>>,
}

/// A directory that is held open, so that no other one gets its inode meanwhile.
#[derive(Debug)]
struct Opened {
    device: u64,
    inode: u64,
    _held: File,
}

impl Directory {
    /// The directory, made where it is missing; its parent has to be there. Others must not be able to use it.
    pub(crate) fn made(path: &Path) -> Result<Self, AuditError> {
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(path)(error)),
            Err(_) => {}
            // The ring of keys is going to know of it.
            Ok(()) => {
                let above = path.parent().filter(|above| !above.as_os_str().is_empty());
                let above = above.unwrap_or(Path::new("."));
                File::open(above).and_then(|above| above.sync_all()).map_err(failed(above))?;
            }
        }
        let held = File::open(path).map_err(failed(path))?;
        let about = held.metadata().map_err(failed(path))?;
        let (mode, owner) = (about.mode() & 0o777, about.uid());
        let ours = owner == rustix::process::geteuid().as_raw() || owner == 0;
        if mode & OTHERS != 0 || !ours {
            return Err(AuditError::Exposed { path: path.to_owned(), mode, owner });
        }
        let opened = Opened { device: about.dev(), inode: about.ino(), _held: held };
        Ok(Self { opened: Some(Arc::new(opened)), ..Self::at(path) })
    }

    /// A directory that is only read.
    pub(crate) fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), opened: None }
    }

    /// Refuses where the path does not lead to what was opened: that was moved away, and another log may be in its place.
    pub(crate) fn in_place(&self) -> Result<(), AuditError> {
        let Some(opened) = &self.opened else { return Ok(()) };
        match fs::metadata(&self.path) {
            Ok(about) if (about.dev(), about.ino()) == (opened.device, opened.inode) => Ok(()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(&self.path)(error)),
            _ => Err(AuditError::Moved { path: self.path.clone() }),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub(crate) fn segment(&self, number: u64) -> PathBuf {
        self.path.join(format!("{number:08}{SEGMENT}"))
    }

    /// The numbers of the segments that are there, in order.
    pub(crate) fn segments(&self) -> Result<Vec<u64>, AuditError> {
        let mut found = Vec::new();
        for name in self.names()? {
            let number = name.strip_suffix(SEGMENT).filter(|digits| DIGITS.contains(&digits.len()));
            let number = number.and_then(|digits| digits.parse().ok());
            // The one spelling that a number has.
            found.extend(number.filter(|number| self.segment(*number) == self.file(&name)));
        }
        found.sort_unstable();
        Ok(found)
    }

    /// What was cut off segments.
    pub(crate) fn torn(&self) -> Result<Vec<String>, AuditError> {
        let mut names: Vec<String> = self.names()?.into_iter().filter(|name| name.ends_with(TORN)).collect();
        names.sort();
        Ok(names)
    }

    fn names(&self) -> Result<Vec<String>, AuditError> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(failed(&self.path))? {
            names.extend(entry.map_err(failed(&self.path))?.file_name().into_string().ok());
        }
        Ok(names)
    }

    /// A file for appending, readable as well; made where it is missing. A link in its place is not followed.
    pub(crate) fn append_to(&self, path: &Path) -> Result<File, AuditError> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o600).custom_flags(nofollow());
        options.open(path).map_err(failed(path))
    }

    /// A file for reading.
    pub(crate) fn read_from(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).custom_flags(nofollow()).open(path)
    }

    /// All of a small file; `None` where there is none. What is larger than `most` is cut there, and so is no such file.
    pub(crate) fn read(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>, AuditError> {
        let path = self.file(name);
        let mut bytes = Vec::new();
        let read = self.read_from(&path).and_then(|file| file.take(most + 1).read_to_end(&mut bytes));
        match read {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => read.map(|_| Some(bytes)).map_err(failed(&path)),
        }
    }

    /// Writes a file that is there as a whole or not at all, also after a power cut.
    pub(crate) fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), AuditError> {
        let path = self.file(name);
        let fresh = path.with_added_extension("new");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600).custom_flags(nofollow());
        let write = |mut file: File| file.write_all(bytes).and_then(|()| file.sync_all());
        let written = options.open(&fresh).and_then(write).and_then(|()| fs::rename(&fresh, &path));
        written.map_err(failed(&path))?;
        self.sync()
    }

    /// Removes everything but the lock, which the caller has.
    pub(crate) fn clear(&self) -> Result<(), AuditError> {
        for name in self.names()?.into_iter().filter(|name| name != LOCK) {
            let path = self.file(&name);
            fs::remove_file(&path).map_err(failed(&path))?;
        }
        Ok(())
    }

    /// Makes names in the directory last.
    pub(crate) fn sync(&self) -> Result<(), AuditError> {
        File::open(&self.path).and_then(|dir| dir.sync_all()).map_err(failed(&self.path))
    }

    /// Waits for the turn of this process and thread at `head`, `synced` and `sealed`. Nobody appends or waits long meanwhile.
    pub(crate) fn turn(&self) -> Result<File, AuditError> {
        self.in_place()?;
        let dir = File::open(&self.path).map_err(failed(&self.path))?;
        flock(&dir, FlockOperation::LockExclusive).map_err(|error| failed(&self.path)(error.into()))?;
        // It may have been moved while this waited.
        self.in_place()?;
        Ok(dir)
    }
}

fn nofollow() -> i32 {
    // A flag of open(2), which takes an int.
    OFlags::NOFOLLOW.bits().cast_signed()
}
