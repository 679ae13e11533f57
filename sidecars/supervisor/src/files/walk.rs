//! Walks through a tree by descriptors, never through a link: nobody who moves things meanwhile leads it elsewhere.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use packhost_session_protocol::message::{EntryKind, Fault, Refusal};
use rustix::fs::{AtFlags, Mode, OFlags, Stat, fstat, openat, statat};
use rustix::io::Errno;

use super::entry::kind;
use super::limits::{DEPTH, NAMES, OPEN, PATH_BELOW};
use super::names::{Name, Names, Unread, first, weight};
use super::trouble::{shown, trouble};

const READ: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// The directories from the start of a walk down to where it is. However many there are, [`OPEN`] at most are open.
pub(super) struct Levels {
    start: OwnedFd,
    below: Vec<Level>,
}

struct Level {
    dir: Option<OwnedFd>,
    device: u64,
    inode: u64,
    name: Name,
}

impl Levels {
    pub(super) fn new(start: OwnedFd) -> Self {
        Self { start, below: Vec::new() }
    }

    /// The directory where the walk is.
    pub(super) fn here(&self) -> BorrowedFd<'_> {
        // The last one is always open.
        self.below.last().and_then(|level| level.dir.as_ref()).unwrap_or(&self.start).as_fd()
    }

    /// How far below the start it is.
    pub(super) fn depth(&self) -> usize {
        self.below.len()
    }

    /// Goes into a directory. A link is none.
    pub(super) fn enter(&mut self, name: Name) -> Result<(), Errno> {
        if self.below.len() >= DEPTH {
            return Err(Errno::NAMETOOLONG);
        }
        let dir = openat(self.here(), &*name, READ, Mode::empty())?;
        let stat = fstat(&dir)?;
        self.below.push(Level { dir: Some(dir), device: stat.st_dev, inode: stat.st_ino, name });
        if let Some(far) = self.below.len().checked_sub(OPEN) {
            self.below[far].dir = None;
        }
        Ok(())
    }

    /// Goes back up, and gives the name of the directory that it was in; none at the start.
    pub(super) fn leave(&mut self) -> Result<Option<Name>, Errno> {
        let Some(left) = self.below.pop() else { return Ok(None) };
        if let (Some(up), Some(from)) = (self.below.last_mut(), &left.dir)
            && up.dir.is_none()
        {
            let dir = openat(from, c"..", READ, Mode::empty())?;
            let stat = fstat(&dir)?;
            // Somebody has moved where it came from.
            if (stat.st_dev, stat.st_ino) != (up.device, up.inode) {
                return Err(Errno::STALE);
            }
            up.dir = Some(dir);
        }
        Ok(Some(left.name))
    }
}

/// Something that a walk came to.
pub(super) struct Found<'a> {
    /// Its path below the start.
    pub(super) path: &'a [u8],
    /// The directory that it is in.
    pub(super) dir: BorrowedFd<'a>,
    /// Its name there.
    pub(super) name: &'a [u8],
    /// What the kernel says of it.
    pub(super) stat: &'a Stat,
}

/// How far a walk goes.
pub(super) struct Reach {
    /// Levels; 1 is what is in the start itself.
    pub(super) depth: u32,
    /// Entries.
    pub(super) most: u64,
    /// Whether a directory that may not be read is passed over.
    pub(super) pass: bool,
}

/// Shows what is below a directory, each thing after the directory that it is in, sorted by the bytes of their names in each.
/// Says whether that was all. What goes away meanwhile is left out.
pub(super) fn walk(
    start: OwnedFd,
    reach: &Reach,
    mut see: impl FnMut(&Found<'_>) -> Result<(), Refusal>,
) -> Result<bool, Refusal> {
    let mut walk = Walk { levels: Levels::new(start), waiting: Vec::new(), path: Vec::new(), room: NAMES };
    let mut left = reach.most;
    walk.read(left, false)?;
    while let Some(level) = walk.waiting.last_mut() {
        let Some(name) = level.names.pop() else {
            if level.more {
                return Ok(false);
            }
            walk.leave()?;
            continue;
        };
        walk.room += weight(&name);
        let Some(stat) = walk.step(&name)? else { continue };
        if left == 0 {
            return Ok(false);
        }
        left -= 1;
        see(&Found { path: &walk.path, dir: walk.levels.here(), name: &name, stat: &stat })?;
        let below = walk.waiting.len() < usize::try_from(reach.depth).unwrap_or(usize::MAX);
        if !(below && kind(&stat) == EntryKind::Directory && walk.enter(name, left, reach.pass)?) {
            walk.path.truncate(walk.path.iter().rposition(|byte| *byte == b'/').unwrap_or(0));
        }
    }
    Ok(true)
}

struct Walk {
    levels: Levels,
    waiting: Vec<Names>,
    path: Vec<u8>,
    room: usize,
}

impl Walk {
    /// Adds the name to the path, where it is still there.
    fn step(&mut self, name: &Name) -> Result<Option<Stat>, Refusal> {
        let stat = match statat(self.levels.here(), &**name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(trouble("look at", name, errno)),
        };
        if !self.path.is_empty() {
            self.path.push(b'/');
        }
        self.path.extend_from_slice(name);
        if self.path.len() > PATH_BELOW {
            let message =
                format!("a path in the tree is longer than {PATH_BELOW} bytes: {}", shown(&self.path));
            return Err(Refusal::new(Fault::Full, message));
        }
        Ok(Some(stat))
    }

    /// Goes into the directory at the path; says whether it did.
    fn enter(&mut self, name: Name, left: u64, pass: bool) -> Result<bool, Refusal> {
        match self.levels.enter(name) {
            Ok(()) => {}
            // Something else has taken its place.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(false),
            Err(Errno::ACCESS | Errno::PERM) if pass => return Ok(false),
            Err(errno) => return Err(trouble("read the directory", &self.path, errno)),
        }
        self.read(left, pass)?;
        Ok(true)
    }

    /// Reads the names in the directory where the walk is: one more than are wanted, to know whether there are more.
    fn read(&mut self, left: u64, pass: bool) -> Result<(), Refusal> {
        let most = usize::try_from(left).unwrap_or(usize::MAX).saturating_add(1);
        let names = match first(self.levels.here(), most, self.room) {
            Ok(names) => names,
            Err(Unread::Errno(Errno::ACCESS | Errno::PERM)) if pass => {
                Names { names: Vec::new(), more: false }
            }
            Err(Unread::Errno(errno)) => return Err(trouble("read the directory", &self.path, errno)),
            Err(Unread::TooMany) => {
                let message = format!(
                    "the names in {} and above take more than {NAMES} bytes; ask for fewer entries",
                    shown(&self.path)
                );
                return Err(Refusal::new(Fault::Full, message));
            }
        };
        self.room -= names.names.iter().map(weight).sum::<usize>();
        self.waiting.push(names);
        Ok(())
    }

    fn leave(&mut self) -> Result<(), Refusal> {
        self.waiting.pop();
        self.levels.leave().map_err(|errno| trouble("come back from", &self.path, errno))?;
        self.path.truncate(self.path.iter().rposition(|byte| *byte == b'/').unwrap_or(0));
        Ok(())
    }
}
