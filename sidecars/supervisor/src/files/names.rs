//! The names in a directory, as many as there is room for.

use std::collections::BinaryHeap;
use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;

use rustix::fs::{RawDir, SeekFrom, seek};
use rustix::io::Errno;

/// A name in a directory: any bytes but NUL and a slash.
pub(super) type Name = Box<[u8]>;

/// What is read of a directory at once, in bytes.
const BUFFER: usize = 32 * 1024;
/// What a name takes besides its bytes: its place in a list and the allocator's, roughly.
const OVERHEAD: usize = 48;

/// Some of the names in a directory.
pub(super) struct Names {
    /// The first ones by their bytes; the last one first.
    pub(super) names: Vec<Name>,
    /// Whether there are more.
    pub(super) more: bool,
}

/// Why a directory's names were not read.
pub(super) enum Unread {
    Errno(Errno),
    /// They take more than they may.
    TooMany,
}

/// What a name takes in memory, in bytes.
pub(super) fn weight(name: &Name) -> usize {
    name.len() + OVERHEAD
}

/// Reads the first `most` names by their bytes, which take at most `room` bytes.
pub(super) fn first(dir: BorrowedFd<'_>, most: usize, room: usize) -> Result<Names, Unread> {
    let (mut names, mut taken, mut more) = (BinaryHeap::new(), 0, false);
    each(dir, |name| {
        if names.len() >= most && names.peek().is_none_or(|last: &Name| **last <= *name) {
            more = true;
            return Ok(true);
        }
        let name = Name::from(name);
        taken += weight(&name);
        names.push(name);
        if names.len() > most {
            more = true;
            taken -= names.pop().as_ref().map_or(0, weight);
        }
        if taken > room { Err(Unread::TooMany) } else { Ok(true) }
    })?;
    let mut names = names.into_sorted_vec();
    names.reverse();
    Ok(Names { names, more })
}

/// Reads some names, in no order: at least one where there is one.
pub(super) fn some(dir: BorrowedFd<'_>, most: usize) -> Result<Vec<Name>, Errno> {
    let mut names = Vec::new();
    each(dir, |name| {
        names.push(Name::from(name));
        Ok::<_, Unread>(names.len() < most)
    })
    .map_err(|unread| match unread {
        Unread::Errno(errno) => errno,
        Unread::TooMany => Errno::NOMEM,
    })?;
    Ok(names)
}

/// Shows each name, from the start, until `see` says that it is enough.
fn each(dir: BorrowedFd<'_>, mut see: impl FnMut(&[u8]) -> Result<bool, Unread>) -> Result<(), Unread> {
    seek(dir, SeekFrom::Start(0)).map_err(Unread::Errno)?;
    let mut buffer = [MaybeUninit::uninit(); BUFFER];
    let mut entries = RawDir::new(dir, &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = match entry {
            // Removed while it is read.
            Err(Errno::NOENT) => break,
            entry => entry.map_err(Unread::Errno)?,
        };
        let name = entry.file_name().to_bytes();
        if !matches!(name, b"." | b"..") && !see(name)? {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsFd;

    use super::{Unread, first, some};

    #[test]
    fn the_first_names_are_given_in_order_within_their_room() {
        let dir = tempfile::tempdir().expect("a directory");
        for number in 0..200 {
            File::create(dir.path().join(format!("{number:03}"))).expect("a file");
        }
        let opened = File::open(dir.path()).expect("a directory");
        let names = first(opened.as_fd(), 3, 1000).ok().expect("they fit");
        assert_eq!(names.names, [&b"002"[..], b"001", b"000"].map(Box::from));
        assert!(names.more);
        let names = first(opened.as_fd(), 200, usize::MAX).ok().expect("they fit");
        assert!(names.names.len() == 200 && !names.more);
        assert!(matches!(first(opened.as_fd(), 200, 1000), Err(Unread::TooMany)));
        assert!(first(opened.as_fd(), 0, 0).is_ok_and(|names| names.names.is_empty() && names.more));
        assert_eq!(some(opened.as_fd(), 7).expect("names").len(), 7);
    }
}
