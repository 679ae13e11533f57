//! Removing a tree that a program has made to be hard to remove.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, RawMode, RenameFlags};
use rustix::io::Errno;

/// How many directories are open at once. What is deeper is first moved to the top.
const OPEN: usize = 32;
/// How often the top is gone through again. Somebody who goes on putting things there is not followed for ever.
const PASSES: usize = 100_000;

/// Removes a directory with everything in it; one that is not there is a success. Follows no link, and needs neither a
/// descriptor nor a piece of stack for each level: a program makes a tree of ten thousand levels in no time. Directories that
/// their owner may not look into are opened up first.
///
/// # Errors
///
/// What cannot be removed, also because somebody still puts something there. It may be asked again.
pub fn remove_tree(path: &Path) -> io::Result<()> {
    let top = match open(CWD, path) {
        Err(Errno::NOENT) => return Ok(()),
        opened => opened?,
    };
    let mut moved = 0_u64;
    for _ in 0..PASSES {
        if empty(&top, &mut moved)? == Left::Nothing {
            break;
        }
    }
    gone(rustix::fs::rmdir(path))
}

/// Whether there is still something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Nothing,
    /// Directories that were too deep are at the top now, or something came meanwhile.
    More,
}

/// Empties a directory in one pass, all but what is too deep for it.
fn empty(top: &OwnedFd, moved: &mut u64) -> io::Result<Left> {
    let mut left = Left::Nothing;
    let mut stack: Vec<(CString, Dir)> = vec![(CString::default(), Dir::read_from(top)?)];
    loop {
        let depth = stack.len();
        let Some((_, at)) = stack.last_mut() else { break };
        let Some(entry) = at.read() else {
            let Some((name, _)) = stack.pop() else { break };
            let Some((_, above)) = stack.last() else { break };
            match rustix::fs::unlinkat(above.fd()?, &name, AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(Errno::NOTEMPTY) => left = Left::More,
                Err(error) => return Err(error.into()),
            }
            continue;
        };
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let directory = at.fd()?;
        if !is_directory(directory, name, entry.file_type())? {
            gone(rustix::fs::unlinkat(directory, name, AtFlags::empty()))?;
        } else if depth < OPEN {
            match open(directory, name) {
                Ok(below) => stack.push((name.to_owned(), Dir::new(below)?)),
                Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
        } else {
            raise(directory, name, top, moved)?;
            left = Left::More;
        }
    }
    Ok(left)
}

fn is_directory(at: BorrowedFd<'_>, name: &CStr, told: FileType) -> io::Result<bool> {
    if told != FileType::Unknown {
        return Ok(told == FileType::Directory);
    }
    let about = rustix::fs::statat(at, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(FileType::from_raw_mode(about.st_mode as RawMode) == FileType::Directory)
}

/// Moves a directory to the top, under a name that is free there.
fn raise(from: BorrowedFd<'_>, name: &CStr, top: &OwnedFd, moved: &mut u64) -> io::Result<()> {
    // To move a directory is to write its `..`, for which it has to be writable.
    match open(from, name) {
        Err(Errno::NOENT) => return Ok(()),
        opened => drop(opened?),
    }
    loop {
        *moved += 1;
        let free = format!(".removed-{moved}");
        match rustix::fs::renameat_with(from, name, top, free, RenameFlags::NOREPLACE) {
            Err(Errno::EXIST) => {}
            other => return gone(other),
        }
    }
}

fn gone(removed: rustix::io::Result<()>) -> io::Result<()> {
    match removed {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Opens a directory to read and to empty, whatever its mode.
fn open(at: BorrowedFd<'_>, path: impl rustix::path::Arg + Copy) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    // The directory itself and no link; the mode is changed by way of the descriptor, which cannot come to mean another one.
    let place = rustix::fs::openat(at, path, flags | OFlags::PATH, Mode::empty())?;
    let mode = Mode::from_raw_mode(rustix::fs::fstat(&place)?.st_mode as RawMode);
    if !mode.contains(Mode::RWXU) {
        let itself = format!("/proc/self/fd/{}", place.as_raw_fd());
        rustix::fs::chmod(itself, mode | Mode::RWXU)?;
    }
    rustix::fs::openat(place.as_fd(), c".", flags | OFlags::RDONLY, Mode::empty())
}
