//! The directories that an archive has led to, and what those that it made are to be in the end.
//!
//! A directory is remembered by its name and the one above: what is kept grows with the names, not with the paths.

use std::collections::BTreeMap;

use packhost_session_protocol::message::Refusal;

use super::limits::DIRECTORIES;
use super::tar::Time;
use super::unpack::full;

/// What a directory takes besides the bytes of its name, which is kept twice, in bytes.
const OVERHEAD: usize = 192;
/// The mode of directories that no member is for.
const ON_THE_WAY: u32 = 0o755;

/// Directories by number. The one above has a lower one.
#[derive(Default)]
pub(super) struct Seen {
    numbers: BTreeMap<(usize, Box<[u8]>), usize>,
    /// From number 1 on.
    directories: Vec<Directory>,
    weight: usize,
}

struct Directory {
    above: usize,
    name: Box<[u8]>,
    /// Mode and time of one that was made.
    made: Option<(u32, Option<Time>)>,
}

impl Seen {
    /// The number of the directory that is unpacked into.
    pub(super) const START: usize = 0;

    /// One that is there; it may have been made before.
    pub(super) fn there(&mut self, above: usize, name: &[u8]) -> Result<usize, Refusal> {
        let key = (above, Box::from(name));
        if let Some(number) = self.numbers.get(&key) {
            return Ok(*number);
        }
        self.weight += 2 * name.len() + OVERHEAD;
        if self.weight > DIRECTORIES {
            return Err(full("the archive has more directories"));
        }
        self.directories.push(Directory { above, name: Box::from(name), made: None });
        let number = self.directories.len();
        self.numbers.insert(key, number);
        Ok(number)
    }

    /// One that was made now.
    pub(super) fn made(&mut self, above: usize, name: &[u8]) -> Result<usize, Refusal> {
        let number = self.there(above, name)?;
        if let Some(directory) = self.directory(number) {
            directory.made = Some((ON_THE_WAY, None));
        }
        Ok(number)
    }

    /// What a member says of a directory, which counts where it was made.
    pub(super) fn becomes(&mut self, number: usize, mode: u32, modified: Option<Time>) {
        if let Some(made) = self.directory(number).and_then(|directory| directory.made.as_mut()) {
            *made = (mode, modified);
        }
    }

    /// Those that were made, the ones below before the ones above: the parts of their paths, modes and times.
    pub(super) fn all_made(&self) -> impl Iterator<Item = (Vec<&[u8]>, u32, Option<Time>)> {
        (1..=self.directories.len()).rev().filter_map(|number| {
            let (mode, modified) = self.directories[number - 1].made?;
            Some((self.path(number), mode, modified))
        })
    }

    fn path(&self, mut number: usize) -> Vec<&[u8]> {
        let mut parts = Vec::new();
        while let Some(directory) = number.checked_sub(1).and_then(|at| self.directories.get(at)) {
            parts.push(&*directory.name);
            number = directory.above;
        }
        parts.reverse();
        parts
    }

    fn directory(&mut self, number: usize) -> Option<&mut Directory> {
        self.directories.get_mut(number.checked_sub(1)?)
    }
}

#[cfg(test)]
mod tests {
    use super::{DIRECTORIES, Seen};

    #[test]
    fn directories_that_were_made_come_from_below() {
        let mut seen = Seen::default();
        let there = seen.there(Seen::START, b"there").expect("room");
        let made = seen.made(there, b"made").expect("room");
        let below = seen.made(made, b"below").expect("room");
        assert_eq!(seen.there(there, b"made").expect("known"), made);
        seen.becomes(below, 0o700, None);
        seen.becomes(there, 0o700, None);
        let all: Vec<_> = seen.all_made().map(|(parts, mode, _)| (parts.join(&b'/'), mode)).collect();
        assert_eq!(all, [(b"there/made/below".to_vec(), 0o700), (b"there/made".to_vec(), 0o755)]);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut seen = Seen::default();
        let many = (0..DIRECTORIES).map(|number| seen.made(Seen::START, &number.to_be_bytes()));
        assert!(many.take_while(Result::is_ok).count() < DIRECTORIES / 100);
    }
}
