//! What a launcher leaves on disk, so that the next one finds every sandbox: `<state>/sandboxes/ID/` with
//!
//! - `recipe`: what it was made from, written first;
//! - `life`: its first process, written before that does anything and again when it is made;
//! - `socket`: where the supervisor listens;
//! - `log`: what the supervisor wrote to its standard error;
//! - `end`: how it ended.
//!
//! Who makes a sandbox holds the lock of its directory meanwhile (flock(2)). One without `life` or one that says that it is not
//! made, and that nobody makes, was left behind.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::SystemTime;

use minicbor::{Decode, Encode};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::process::{Process, boot};
use crate::recipe::{Recipe, is_id};
use crate::wire::{End, PACKET};

/// Bytes of a log at which its older half is forgotten. It is looked at when it was written to; what is written until the launcher
/// has come to that is beyond it, and where no file can be watched, what is written in a [`crate::serve::TICK`].
pub(crate) const LOG: u64 = 1 << 20;

/// Written first.
#[derive(Debug, Clone, Encode, Decode)]
pub(crate) struct Record {
    #[n(0)]
    pub(crate) recipe: Recipe,
    /// Milliseconds since 1970.
    #[n(1)]
    pub(crate) created_ms: u64,
    /// The first of its two host users.
    #[n(2)]
    pub(crate) uid: u32,
}

/// The first process.
#[derive(Debug, Clone, Encode, Decode)]
pub(crate) struct Life {
    #[n(0)]
    pub(crate) pid: u32,
    #[n(1)]
    pub(crate) start: u64,
    #[n(2)]
    pub(crate) boot: String,
    /// Whether the supervisor runs in it; otherwise the making was interrupted.
    #[n(3)]
    pub(crate) made: bool,
}

/// What was found of one sandbox.
pub(crate) enum Found {
    /// It was made whole; its process, where it still runs.
    Whole(Box<Record>, Option<Process>, Option<End>),
    /// Somebody makes it right now.
    Making,
    /// Nobody makes it any more; with what runs of it.
    Broken(Option<Process>),
}

#[derive(Debug)]
pub(crate) struct Shelf {
    state: PathBuf,
    sandboxes: PathBuf,
    boot: String,
    /// Several launchers of one host share the directory: each holds this while it does something.
    lock: Rc<File>,
}

/// While this lives, no other launcher of the host does anything.
#[derive(Debug)]
pub(crate) struct Turn(Rc<File>);

impl Drop for Turn {
    fn drop(&mut self) {
        // It is ours, so there is nothing to fail.
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

impl Shelf {
    /// The shelf in this state directory.
    pub(crate) fn open(state: &Path) -> io::Result<Self> {
        let sandboxes = state.join("sandboxes");
        let lock = Rc::new(lock(state, &sandboxes)?);
        clear(&sandboxes)?;
        Ok(Self { state: state.to_owned(), sandboxes, boot: boot()?, lock })
    }

    /// Waits until no other launcher of the host does anything.
    pub(crate) fn turn(&mut self) -> io::Result<Turn> {
        loop {
            flock(&self.lock, FlockOperation::LockExclusive)?;
            let turn = Turn(Rc::clone(&self.lock));
            let held = self.lock.metadata()?;
            let there = fs::metadata(self.state.join(LOCK));
            if there.is_ok_and(|there| (there.dev(), there.ino()) == (held.dev(), held.ino())) {
                return Ok(turn);
            }
            // The last launcher before this one has taken everything away.
            self.lock = Rc::new(lock(&self.state, &self.sandboxes)?);
        }
    }

    /// Takes everything away, if nothing is left of any sandbox. To be called by who has the turn.
    pub(crate) fn close(&self) {
        if fs::remove_dir(&self.sandboxes).is_ok() {
            // The lock last of what is in it: whoever waits for it sees that it is not there any more.
            let _ = fs::remove_file(self.state.join(LOCK)).and_then(|()| fs::remove_dir(&self.state));
        }
    }

    pub(crate) fn directory(&self, id: &str) -> PathBuf {
        self.sandboxes.join(id)
    }

    /// The names of everything that is here.
    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        let entries = fs::read_dir(&self.sandboxes).map_err(at(&self.sandboxes))?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        Ok(names.filter(|name| is_id(name)).collect())
    }

    /// Makes the directory of a new sandbox, and holds its lock until what is returned is closed;
    /// [`ErrorKind::AlreadyExists`] where there is one of that name. To be called by who has the turn.
    pub(crate) fn begin(&self, record: &Record) -> io::Result<OwnedFd> {
        let directory = self.directory(&record.recipe.id);
        DirBuilder::new().mode(0o700).create(&directory)?;
        let lock = held(&directory)?.ok_or(ErrorKind::ResourceBusy)?;
        write(&directory, "recipe", record)?;
        Ok(lock)
    }

    pub(crate) fn live(&self, id: &str, process: &Process, made: bool) -> io::Result<()> {
        let Process { pid, start, .. } = *process;
        write(&self.directory(id), "life", &Life { pid, start, boot: self.boot.clone(), made })
    }

    pub(crate) fn end(&self, id: &str, end: End) -> io::Result<()> {
        write(&self.directory(id), "end", &end)
    }

    /// How it ended, where somebody knows.
    pub(crate) fn ended(&self, id: &str) -> Option<End> {
        read(&self.directory(id), "end")
    }

    /// What is here under that name. To be called by who has the turn.
    pub(crate) fn find(&self, id: &str) -> io::Result<Found> {
        let directory = self.directory(id);
        // Before anything is read: it does not change while nobody makes it.
        let lock = held(&directory)?;
        let life = read::<Life>(&directory, "life");
        let runs = life.as_ref().filter(|life| life.boot == self.boot);
        let process = runs.and_then(|life| Process::find(life.pid, life.start));
        Ok(match (read(&directory, "recipe"), life) {
            (Some(record), Some(life)) if life.made => {
                Found::Whole(Box::new(record), process, read(&directory, "end"))
            }
            _ if lock.is_none() => Found::Making,
            _ => Found::Broken(process),
        })
    }

    /// A socket where the supervisor of this sandbox is found from now on.
    pub(crate) fn listen(&self, id: &str) -> io::Result<OwnedFd> {
        let directory = File::open(self.directory(id))?;
        Ok(UnixListener::bind(socket(&directory))?.into())
    }

    /// Connects to it. Never waits: a supervisor that takes no connections is [`ErrorKind::WouldBlock`].
    pub(crate) fn connect(&self, id: &str) -> io::Result<OwnedFd> {
        use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
        let directory = File::open(self.directory(id))?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let connection = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        rustix::net::connect(&connection, &SocketAddrUnix::new(socket(&directory))?)?;
        Ok(UnixStream::from(connection).into())
    }

    pub(crate) fn log_path(&self, id: &str) -> PathBuf {
        self.directory(id).join("log")
    }

    /// The log, to write at its end.
    pub(crate) fn log(&self, id: &str) -> io::Result<OwnedFd> {
        let mut options = OpenOptions::new();
        Ok(options.create(true).append(true).mode(0o600).open(self.log_path(id))?.into())
    }

    /// The log, to read.
    pub(crate) fn read_log(&self, id: &str) -> io::Result<OwnedFd> {
        Ok(File::open(self.log_path(id))?.into())
    }

    /// Forgets the older half of a log that has become too long.
    pub(crate) fn trim_log(&self, id: &str) -> io::Result<()> {
        let path = self.log_path(id);
        if fs::metadata(&path)?.len() <= LOG {
            return Ok(());
        }
        let mut log = OpenOptions::new().read(true).append(true).open(path)?;
        let kept = i64::try_from(LOG / 2).unwrap_or(i64::MAX);
        log.seek(SeekFrom::End(-kept))?;
        let mut tail = Vec::new();
        Read::by_ref(&mut log).take(LOG).read_to_end(&mut tail)?;
        log.set_len(0)?;
        log.write_all(&tail)
    }

    /// Removes everything under that name. The name goes first: from then on nobody writes anything more there.
    pub(crate) fn remove(&self, id: &str) -> io::Result<()> {
        let removed = self.directory(id).with_extension(REMOVED);
        match fs::rename(self.directory(id), &removed).and_then(|()| fs::remove_dir_all(removed)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// The name of the lock.
const LOCK: &str = "lock";

/// The lock of a state directory, which is made where it is missing.
fn lock(state: &Path, sandboxes: &Path) -> io::Result<File> {
    DirBuilder::new().recursive(true).mode(0o700).create(sandboxes).map_err(at(sandboxes))?;
    let path = state.join(LOCK);
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true).mode(0o600).open(&path).map_err(at(&path))
}

/// With the path that it is about: what opens no shelf ends the launcher, and nobody else says where that is.
pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// What the names of directories end with that are being removed.
const REMOVED: &str = "removed";

/// Removes what a launcher that was killed did not get to remove.
fn clear(sandboxes: &Path) -> io::Result<()> {
    for entry in fs::read_dir(sandboxes).map_err(at(sandboxes))?.flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == REMOVED) {
            // Another launcher may be about to do the same.
            let _ = fs::remove_dir_all(path);
        }
    }
    Ok(())
}

/// The lock of a sandbox's directory; none where somebody else has it.
fn held(directory: &Path) -> io::Result<Option<OwnedFd>> {
    let directory = File::open(directory)?;
    match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(directory.into())),
        Err(Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// By way of the directory's descriptor: a socket's address has room for 107 bytes (unix(7)), a path may be longer.
fn socket(directory: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/socket", directory.as_raw_fd()))
}

/// Whole or not at all, also when the launcher is killed meanwhile. Not flushed: nothing here outlives the machine's run.
fn write<M: Encode<()>>(directory: &Path, name: &str, message: &M) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(256);
    // Writing into a vector cannot fail.
    let _ = minicbor::encode(message, &mut bytes);
    let fresh = directory.join("new");
    fs::write(&fresh, bytes)?;
    fs::rename(fresh, directory.join(name))
}

fn read<M: for<'b> Decode<'b, ()>>(directory: &Path, name: &str) -> Option<M> {
    let mut bytes = Vec::new();
    File::open(directory.join(name)).ok()?.take(2 * PACKET as u64).read_to_end(&mut bytes).ok()?;
    minicbor::decode(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shelf_that_cannot_be_opened_says_where_it_should_be() {
        let home = tempfile::tempdir().expect("a directory");
        let file = home.path().join("file");
        fs::write(&file, "").expect("the directory is the test's");
        let refused = Shelf::open(&file.join("state")).expect_err("there is a file above it");
        assert_eq!(refused.kind(), ErrorKind::NotADirectory);
        let place = file.join("state/sandboxes").display().to_string();
        assert!(refused.to_string().starts_with(&format!("{place}: ")), "{refused}");
        // A lock that is something else.
        let state = home.path().join("state");
        fs::create_dir_all(state.join(LOCK)).expect("the directory is the test's");
        let refused = Shelf::open(&state).expect_err("a directory is no lock");
        assert!(refused.to_string().starts_with(&format!("{}: ", state.join(LOCK).display())), "{refused}");
    }
}
