//! Removes files and trees.

use packhost_session_protocol::message::{Fault, Refusal, Remove};
use rustix::fs::{AtFlags, Mode, OFlags, openat, unlinkat};
use rustix::io::Errno;

use super::limits::ROUNDS;
use super::names::{Name, some};
use super::path::{self, Spot};
use super::trouble::trouble;
use super::walk::Levels;

/// Names of a directory that are looked at between two looks at it.
const BATCH: usize = 512;

pub(super) fn remove(remove: &Remove) -> Result<(), Refusal> {
    let spot = path::spot(&remove.path, false)?;
    let failed = |errno| trouble("remove", &remove.path, errno);
    match unlinkat(&spot.dir, spot.name, AtFlags::empty()) {
        Err(Errno::ISDIR) => {}
        done => return done.map_err(failed),
    }
    // An empty one needs no right to read it.
    match unlinkat(&spot.dir, spot.name, AtFlags::REMOVEDIR) {
        Err(Errno::NOTEMPTY | Errno::EXIST) if remove.recursive => {}
        done => return done.map_err(failed),
    }
    Removal { path: &remove.path, rounds: 0 }.tree(&spot)
}

/// The removal of a tree.
struct Removal<'a> {
    path: &'a [u8],
    rounds: usize,
}

impl Removal<'_> {
    fn tree(&mut self, spot: &Spot<'_>) -> Result<(), Refusal> {
        // Above it is the directory that the tree itself is in: a walk that starts there and never looks at its other names.
        let dir = openat(&spot.dir, c".", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        let mut levels = Levels::new(dir.map_err(|errno| self.failed(errno))?);
        self.one(&mut levels, Name::from(spot.name))?;
        while levels.depth() > 0 {
            if self.contents(&mut levels)? {
                continue;
            }
            let Some(name) = levels.leave().map_err(|errno| self.failed(errno))? else { break };
            match unlinkat(levels.here(), &*name, AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT) => {}
                // Somebody fills it, or has put something else in its place.
                Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => {
                    self.again()?;
                    self.one(&mut levels, name)?;
                }
                Err(errno) => return Err(self.failed(errno)),
            }
        }
        Ok(())
    }

    /// Removes what is in the directory, up to the next directory that is not empty: says whether it went into that one, or
    /// there may be more here.
    fn contents(&mut self, levels: &mut Levels) -> Result<bool, Refusal> {
        let names = some(levels.here(), BATCH).map_err(|errno| self.failed(errno))?;
        let more = !names.is_empty();
        for name in names {
            if self.one(levels, name)? {
                break;
            }
        }
        Ok(more)
    }

    /// Removes one thing; says whether it went into it instead.
    fn one(&mut self, levels: &mut Levels, name: Name) -> Result<bool, Refusal> {
        loop {
            match unlinkat(levels.here(), &*name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => return Ok(false),
                Err(Errno::ISDIR) => {}
                Err(errno) => return Err(self.failed(errno)),
            }
            match unlinkat(levels.here(), &*name, AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT) => return Ok(false),
                Err(Errno::NOTEMPTY | Errno::EXIST) => match levels.enter(name.clone()) {
                    Ok(()) => return Ok(true),
                    Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                    Err(errno) => return Err(self.failed(errno)),
                },
                Err(Errno::NOTDIR) => {}
                Err(errno) => return Err(self.failed(errno)),
            }
            // It was exchanged between two looks.
            self.again()?;
        }
    }

    fn again(&mut self) -> Result<(), Refusal> {
        self.rounds += 1;
        if self.rounds <= ROUNDS {
            return Ok(());
        }
        let refusal = trouble("remove", self.path, Errno::NOTEMPTY);
        let message = format!("{}; something keeps changing it", refusal.message);
        Err(Refusal::new(Fault::WrongKind, message))
    }

    fn failed(&self, errno: Errno) -> Refusal {
        trouble("remove all of", self.path, errno)
    }
}
