//! The files in `out`. Programs have made all of it and may be changing it now: no link is followed, nothing but a plain file is
//! opened, and there is an end to what is looked at.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat};

use super::OUT;

/// Files and directories that are looked at.
const LOOKED_AT: usize = 10_000;
/// How deep directories are looked into.
const DEPTH: usize = 16;

/// What there was at one moment.
#[derive(Default)]
pub(super) struct Look {
    /// Plain files, sorted by their paths.
    pub(super) files: Vec<Found>,
    /// There was more than is looked at.
    pub(super) more: bool,
}

/// A file. One that has been written to since is another one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Found {
    /// Below `out`.
    path: PathBuf,
    size: u64,
    inode: u64,
    /// When it was changed, by a clock that no program sets (inode(7), `ctime`).
    changed: (i64, u64),
}

impl Found {
    /// Its path as people read it.
    pub(super) fn name(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }

    /// Its path, where it is text.
    pub(super) fn path(&self) -> Option<&str> {
        self.path.to_str()
    }

    fn of(path: PathBuf, about: &Stat) -> Self {
        let changed = (about.st_ctime, about.st_ctime_nsec as u64);
        Self { path, size: u64::try_from(about.st_size).unwrap_or(0), inode: about.st_ino, changed }
    }
}

impl Look {
    /// Whether this very file was there.
    pub(super) fn has(&self, file: &Found) -> bool {
        self.files.binary_search(file).is_ok()
    }
}

/// Looks at what is in `out` of a workspace. What cannot be read, or is gone before it is, is not there.
pub(super) fn look(workspace: &Path) -> Look {
    let mut look = Look::default();
    let Ok(out) = out(workspace) else { return look };
    let Ok(top) = Dir::new(out) else { return look };
    let mut open = vec![(PathBuf::new(), top)];
    let mut seen = 0;
    let mut directories = HashSet::new();
    while let Some((below, dir)) = open.last_mut() {
        let Some(entry) = dir.read() else {
            open.pop();
            continue;
        };
        let Ok(entry) = entry else { continue };
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        seen += 1;
        if seen > LOOKED_AT {
            look.more = true;
            break;
        }
        let path = below.join(OsStr::from_bytes(name.to_bytes()));
        let Ok(fd) = dir.fd() else { continue };
        let Ok(about) = rustix::fs::statat(fd, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
        match FileType::from_raw_mode(about.st_mode) {
            FileType::RegularFile => look.files.push(Found::of(path, &about)),
            // One that is moved while it is looked at is looked at once.
            FileType::Directory if directories.insert(about.st_ino) => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let deeper = rustix::fs::openat(fd, name, flags, Mode::empty()).and_then(Dir::new);
                match deeper {
                    Ok(_) if open.len() == DEPTH => look.more = true,
                    Ok(deeper) => open.push((path, deeper)),
                    Err(_) => {}
                }
            }
            _ => {}
        }
    }
    look.files.sort_unstable();
    look
}

/// Opens a file that was found, for reading.
///
/// # Errors
/// Where it is no plain file any more, leads out of the workspace, or cannot be read.
pub(super) fn open(workspace: &Path, file: &Found) -> io::Result<(File, u64)> {
    let out = out(workspace)?;
    // A pipe in its place keeps nobody waiting.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = rustix::fs::openat2(&out, &file.path, flags, Mode::empty(), inside())?;
    let about = rustix::fs::fstat(&opened)?;
    if FileType::from_raw_mode(about.st_mode) != FileType::RegularFile {
        return Err(io::Error::other("it is no file any more"));
    }
    Ok((File::from(opened), u64::try_from(about.st_size).unwrap_or(0)))
}

fn out(workspace: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let workspace = rustix::fs::open(workspace, flags, Mode::empty())?;
    rustix::fs::openat2(workspace.as_fd(), OUT, flags | OFlags::NOFOLLOW, Mode::empty(), inside())
}

/// Programs have made the links that are there.
fn inside() -> ResolveFlags {
    ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn workspace() -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a temporary directory");
        fs::create_dir_all(dir.path().join("out/sub")).expect("it is ours");
        dir
    }

    fn names(look: &Look) -> Vec<String> {
        look.files.iter().map(Found::name).collect()
    }

    #[test]
    fn plain_files_are_found_at_every_depth_and_nothing_else_is() {
        let dir = workspace();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("out/b"), "b").expect("it is ours");
        fs::write(at("out/sub/a"), "a").expect("it is ours");
        fs::write(at("beside"), "x").expect("it is ours");
        symlink("/etc/passwd", at("out/link")).expect("it is ours");
        symlink("/etc", at("out/etc")).expect("it is ours");
        rustix::fs::mkfifoat(rustix::fs::CWD, at("out/pipe"), Mode::RUSR).expect("it is ours");
        let look = look(dir.path());
        assert_eq!(names(&look), ["b", "sub/a"]);
        assert!(!look.more);
    }

    #[test]
    fn a_directory_out_that_leads_elsewhere_is_not_looked_into() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        symlink("/etc", dir.path().join("out")).expect("it is ours");
        assert!(look(dir.path()).files.is_empty());
    }

    #[test]
    fn what_took_the_place_of_a_file_is_not_read() {
        let dir = workspace();
        let (file, below) = (dir.path().join("out/a"), dir.path().join("out/sub/b"));
        fs::write(&file, "mine").expect("it is ours");
        fs::write(&below, "mine").expect("it is ours");
        let found = look(dir.path()).files;
        fs::remove_file(&file).expect("it is ours");
        symlink("/etc/passwd", &file).expect("it is ours");
        fs::remove_dir_all(dir.path().join("out/sub")).expect("it is ours");
        symlink("/etc", dir.path().join("out/sub")).expect("it is ours");
        for one in &found {
            assert!(open(dir.path(), one).is_err(), "{} was opened", one.name());
        }
        fs::remove_file(&file).expect("it is ours");
        rustix::fs::mkfifoat(rustix::fs::CWD, &file, Mode::RUSR).expect("it is ours");
        assert!(open(dir.path(), &found[0]).is_err(), "a pipe was opened");
    }

    #[test]
    fn a_file_that_is_written_to_again_is_another_one() {
        let dir = workspace();
        let file = dir.path().join("out/a");
        fs::write(&file, "one").expect("it is ours");
        fs::write(dir.path().join("out/b"), "stays").expect("it is ours");
        let before = look(dir.path());
        fs::write(&file, "two, and longer").expect("it is ours");
        let after = look(dir.path());
        let fresh: Vec<_> = after.files.iter().filter(|file| !before.has(file)).map(Found::name).collect();
        assert_eq!(fresh, ["a"]);
    }

    #[test]
    fn there_is_an_end_to_what_is_looked_at() {
        let dir = workspace();
        let deep = (0..DEPTH + 5).fold(dir.path().join("out"), |at, _| at.join("d"));
        fs::create_dir_all(&deep).expect("it is ours");
        fs::write(deep.join("a"), "").expect("it is ours");
        let seen = look(dir.path());
        assert!(seen.more && seen.files.is_empty());
        fs::remove_dir_all(dir.path().join("out/d")).expect("it is ours");
        for number in 0..LOOKED_AT {
            File::create(dir.path().join(format!("out/{number}"))).expect("it is ours");
        }
        let seen = look(dir.path());
        assert!(seen.more && seen.files.len() <= LOOKED_AT);
    }
}
