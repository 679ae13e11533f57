//! What a sandbox has on this host: a directory for its supervisor's socket; and the supervisor's program for all of them.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use packhost_workspaces::{Measured, measure, remove_tree};
use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};
use tokio::net::UnixStream;

use super::settings::Supervisor;
use crate::error::RuntimeError;
use crate::id::SandboxId;

/// The one directory of ours inside.
pub(super) const OURS: &str = "/.packhost";
/// Who may start the supervisor's program: the container's root, which may be another user than this one.
const PROGRAM_MODE: u32 = 0o555;
/// The supervisor's program, inside.
pub(super) const PROGRAM: &str = "/.packhost/supervisor";
/// Where the supervisor makes its socket, inside.
pub(super) const RUN: &str = "/.packhost/run";
/// The supervisor's socket, inside.
pub(super) const SOCKET: &str = "/.packhost/run/socket";

/// How old a directory without a container has to be before it is taken for left over: older than any making of a sandbox.
const LEFT_OVER: Duration = Duration::from_secs(600);

/// The most in the directory of one sandbox. A sandbox with more is ended when it is next looked at.
const MOST: Measured = Measured { bytes: 1 << 20, entries: 16 };

/// The directory of all sandboxes of this host.
#[derive(Debug)]
pub(super) struct Places {
    root: PathBuf,
    supervisor: Supervisor,
    /// Where the supervisor's bytes are to be: hashing them takes longer than the rest of a sandbox's making on this side.
    program: OnceLock<PathBuf>,
}

impl Places {
    pub(super) fn new(root: PathBuf, supervisor: Supervisor) -> Self {
        Self { root, supervisor, program: OnceLock::new() }
    }

    pub(super) fn of(&self, id: &SandboxId) -> PathBuf {
        self.root.join(id.as_str())
    }

    /// The supervisor's program as a file, named after its content: sandboxes that run keep theirs when another comes.
    pub(super) fn program(&self) -> Result<PathBuf, RuntimeError> {
        let bytes = match &self.supervisor {
            Supervisor::File(path) => return Ok(path.clone()),
            Supervisor::Bytes(bytes) => *bytes,
        };
        let path = self
            .program
            .get_or_init(|| self.root.join(format!("supervisor-{}", packhost_core::Digest::of(bytes).hex())));
        let whole = |found: fs::Metadata| {
            found.len() == bytes.len() as u64 && found.permissions().mode() & 0o777 == PROGRAM_MODE
        };
        if path.metadata().is_ok_and(whole) {
            return Ok(path.clone());
        }
        let write = || -> io::Result<()> {
            self.make_root()?;
            // A directory of its own, so that two first sandboxes do not write the same file; swept as one when this dies.
            let part = self.root.join(SandboxId::fresh().as_str());
            DirBuilder::new().mode(0o700).create(&part)?;
            let whole = part.join("supervisor");
            let mut file = File::options().write(true).create_new(true).mode(0o600).open(&whole)?;
            file.write_all(bytes)?;
            // Whatever the umask is.
            file.set_permissions(fs::Permissions::from_mode(PROGRAM_MODE))?;
            file.sync_all()?;
            drop(file);
            fs::rename(&whole, path)?;
            fs::remove_dir(&part)
        };
        write().map_err(|error| self.failed(path, &error))?;
        Ok(path.clone())
    }

    /// Makes the directory of a sandbox, for its root user alone: whoever can reach the socket commands the sandbox.
    pub(super) fn make(&self, id: &SandboxId, root: u32) -> Result<PathBuf, RuntimeError> {
        let path = self.of(id);
        let make = || -> io::Result<()> {
            self.make_root()?;
            DirBuilder::new().mode(0o700).create(&path)?;
            if root != rustix::process::geteuid().as_raw() {
                std::os::unix::fs::chown(&path, Some(root), Some(root))?;
            }
            Ok(())
        };
        match make() {
            Ok(()) => Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(RuntimeError::Failed("there is a sandbox of this id already".into()))
            }
            Err(error) => {
                let _ = fs::remove_dir(&path);
                Err(self.failed(&path, &error))
            }
        }
    }

    /// Removes the directory of a sandbox, which may have put anything there; one that is not there is a success. Blocks.
    pub(super) fn remove(&self, id: &SandboxId) -> Result<(), RuntimeError> {
        let path = self.of(id);
        remove_tree(&path).map_err(|error| self.failed(&path, &error))
    }

    /// Whether a sandbox has put more into its directory than a socket takes. It has no quota of its own: it is a directory of
    /// this host.
    pub(super) fn is_overfull(&self, id: &SandboxId) -> bool {
        // One that cannot be looked at for want of descriptors may be well.
        measure(&self.of(id), MOST)
            .is_ok_and(|found| found.bytes > MOST.bytes || found.entries > MOST.entries)
    }

    /// Removes directories whose sandbox is known to nobody.
    pub(super) fn sweep(&self, known: impl Fn(&SandboxId) -> bool) {
        let Ok(entries) = fs::read_dir(&self.root) else { return };
        for entry in entries.flatten() {
            let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<SandboxId>().ok()) else {
                continue;
            };
            let age =
                entry.metadata().and_then(|found| found.modified()).ok().and_then(|made| made.elapsed().ok());
            if !known(&id) && age.is_some_and(|age| age > LEFT_OVER) {
                let _ = self.remove(&id);
            }
        }
    }

    /// Connects to a sandbox's socket. The directory is the supervisor's to write, so a link there is not followed: it could
    /// lead to any other socket of this host. By way of a descriptor, which also is short enough for an address (unix(7)).
    pub(super) async fn connect(&self, id: &SandboxId) -> io::Result<UnixStream> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let socket = openat(CWD, self.of(id).join("socket"), flags, Mode::empty())?;
        if FileType::from_raw_mode(fstat(&socket)?.st_mode) != FileType::Socket {
            return Err(io::Error::other("what the sandbox has in place of its socket is none"));
        }
        UnixStream::connect(format!("/proc/self/fd/{}", socket.as_raw_fd())).await
    }

    fn make_root(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.root)
    }

    fn failed(&self, path: &Path, error: &io::Error) -> RuntimeError {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                RuntimeError::Exhausted(format!("no room on the disk for {}", path.display()))
            }
            _ => RuntimeError::Failed(format!("{}: {error}", path.display())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[tokio::test]
    async fn a_link_in_place_of_the_socket_leads_nowhere() {
        let room = tempfile::tempdir().expect("a directory");
        let (id, root) = (SandboxId::fresh(), rustix::process::geteuid().as_raw());
        // Longer than the address of a socket.
        let places = Places::new(room.path().join("x".repeat(120)), Supervisor::Bytes(b""));
        let place = places.make(&id, root).expect("made");
        let _engine = UnixListener::bind(room.path().join("engine")).expect("listens");
        symlink(room.path().join("engine"), place.join("socket")).expect("linked");
        places.connect(&id).await.expect_err("it is another's socket");
        fs::remove_file(place.join("socket")).expect("removed");
        fs::write(place.join("socket"), "").expect("written");
        places.connect(&id).await.expect_err("it is none");
        fs::remove_file(place.join("socket")).expect("removed");
        std::env::set_current_dir(&place).expect("there");
        let _own = UnixListener::bind("socket").expect("listens");
        places.connect(&id).await.expect("its own");
    }

    #[test]
    fn whatever_is_in_the_directory_of_a_sandbox_is_removed_and_nothing_else() {
        const DEEP: usize = 3000;
        let room = tempfile::tempdir().expect("a directory");
        let (id, root) = (SandboxId::fresh(), rustix::process::geteuid().as_raw());
        let places = Places::new(room.path().join("run"), Supervisor::Bytes(b""));
        let place = places.make(&id, root).expect("made");
        fs::create_dir(room.path().join("other")).expect("made");
        fs::write(room.path().join("other/kept"), "").expect("written");
        symlink(room.path().join("other"), place.join("link")).expect("linked");
        // More levels than there are descriptors, and longer than a path may be.
        let mut at = File::open(&place).expect("there");
        for _ in 0..DEEP {
            rustix::fs::mkdirat(&at, "directory", Mode::RWXU).expect("made");
            let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
            at = openat(&at, "directory", flags, Mode::empty()).expect("there").into();
        }
        drop(at);
        places.remove(&id).expect("removed");
        places.remove(&id).expect("gone already");
        assert!(!place.exists());
        assert!(room.path().join("other/kept").exists());
    }

    #[test]
    fn the_supervisors_program_can_be_started_whatever_the_umask_is() {
        let room = tempfile::tempdir().expect("a directory");
        // This process is this test's alone.
        let before = rustix::process::umask(Mode::RWXG | Mode::RWXO);
        let places = Places::new(room.path().join("run"), Supervisor::Bytes(b"a program"));
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        let program = places.program().expect("written");
        assert_eq!(mode(&program), 0o555);
        // One of an earlier version that was closed is written again.
        fs::set_permissions(&program, fs::Permissions::from_mode(0o500)).expect("ours");
        assert_eq!(mode(&places.program().expect("written")), 0o555);
        rustix::process::umask(before);
    }

    #[test]
    fn a_sandbox_that_fills_its_directory_is_known() {
        let room = tempfile::tempdir().expect("a directory");
        let root = rustix::process::geteuid().as_raw();
        let places = Places::new(room.path().join("run"), Supervisor::Bytes(b""));
        let [good, large, many] = [(); 3].map(|()| SandboxId::fresh());
        for id in [&good, &large, &many] {
            places.make(id, root).expect("made");
        }
        let _socket = UnixListener::bind(places.of(&good).join("socket")).expect("listens");
        fs::write(places.of(&large).join("file"), vec![1; 2 << 20]).expect("written");
        for number in 0..17 {
            fs::write(places.of(&many).join(number.to_string()), "").expect("written");
        }
        assert!(!places.is_overfull(&good));
        assert!(places.is_overfull(&large) && places.is_overfull(&many));
        assert!(!places.is_overfull(&SandboxId::fresh()));
    }
}
