//! Workspaces: directories that several calls share. A component sees one as a directory, a sandbox as a mount; an agent
//! passes its name from one call to the next.
//!
//! Owns: the directories, whose they are, how long they live and how much is in them. Refuses: what is in them, and who may
//! have one. A name means something for its owner alone: for everybody else there is no such workspace.

mod measure;
mod name;
mod removal;
mod share;
mod table;

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use packhost_core::Caller;
use packhost_state::{Database, StateError};
use rusqlite::Transaction;
use serde::Serialize;

pub use measure::{Measured, measure};
pub use name::{InvalidName, WorkspaceName};
pub use removal::remove_tree;

/// The workspaces of a host. Its methods block on the disk.
pub struct Workspaces {
    database: Arc<Database>,
    dir: PathBuf,
    bounds: Bounds,
}

/// How many there may be, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Workspaces of one caller. One more is refused.
    pub per_caller: u32,
    /// How long one that nobody uses is kept.
    pub unused: Duration,
}

/// 64 for each caller, and a day without use.
impl Default for Bounds {
    fn default() -> Self {
        Self { per_caller: 64, unused: Duration::from_secs(24 * 3600) }
    }
}

/// A workspace, for the one that asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    /// What its owner calls it by.
    pub name: WorkspaceName,
    /// Where it is, absolute.
    pub dir: PathBuf,
}

/// What is known of a workspace without looking into it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Its name.
    pub name: WorkspaceName,
    /// Its owner; none for one that is reserved.
    pub owner: Option<String>,
    /// When it was made, in milliseconds since 1970.
    pub created: u64,
    /// When it was last used, in milliseconds since 1970.
    pub used: u64,
}

/// Why there is no workspace.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    /// There is none of that name for this caller.
    #[error("there is no workspace \"{0}\"")]
    NotFound(String),
    /// The caller has as many as it may have.
    #[error("there may be {most} workspaces for one caller")]
    TooMany {
        /// How many.
        most: u32,
    },
    /// Its directory cannot be made, opened or removed.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The state cannot be read or written.
    #[error(transparent)]
    State(#[from] StateError),
}

impl Workspaces {
    /// The workspaces in `dir`, which is made where it is missing.
    ///
    /// # Errors
    /// When the tables are those of a newer host, or the directory cannot be made.
    pub fn open(database: Arc<Database>, dir: PathBuf, bounds: Bounds) -> Result<Self, WorkspaceError> {
        database.migrate("workspaces", table::STEPS)?;
        make(&dir, true).map_err(|source| WorkspaceError::File { path: dir.clone(), source })?;
        Ok(Self { database, dir, bounds })
    }

    /// A new, empty one.
    ///
    /// # Errors
    /// [`WorkspaceError::TooMany`], and what keeps it from being made.
    pub fn fresh(&self, owner: &Caller, now: SystemTime) -> Result<Workspace, WorkspaceError> {
        let name = WorkspaceName::fresh();
        self.enter(owner, now, |sql| Ok(table::put(sql, &name, owner, milliseconds(now))?))?;
        self.make(name)
    }

    /// A new, empty one that is nobody's until it is given, and that nobody finds until then. It counts for nobody. One that
    /// is neither given nor removed goes with the unused: give it sooner.
    ///
    /// # Errors
    /// What keeps it from being made.
    pub fn reserve(&self, now: SystemTime) -> Result<Workspace, WorkspaceError> {
        let (name, owner) = (WorkspaceName::fresh(), Caller::nobody());
        self.database.write(|sql| table::put(sql, &name, &owner, milliseconds(now)))?;
        self.make(name)
    }

    /// Gives a reserved one to its owner, who may have as many as of fresh ones. It can be given once.
    ///
    /// # Errors
    /// [`WorkspaceError::TooMany`], then it is still reserved; [`WorkspaceError::NotFound`] where it is somebody's, or gone.
    pub fn give(&self, name: &WorkspaceName, owner: &Caller, now: SystemTime) -> Result<(), WorkspaceError> {
        self.enter(owner, now, |sql| match table::give(sql, name, owner, milliseconds(now))? {
            true => Ok(()),
            false => Err(WorkspaceError::NotFound(name.to_string())),
        })
    }

    fn make(&self, name: WorkspaceName) -> Result<Workspace, WorkspaceError> {
        let dir = self.dir.join(name.as_str());
        workspace(&dir, false).map_err(|source| WorkspaceError::File { path: dir.clone(), source })?;
        Ok(Workspace { name, dir })
    }

    /// Writes down that this owner has one more, where it may.
    fn enter(
        &self,
        owner: &Caller,
        now: SystemTime,
        write: impl Fn(&Transaction<'_>) -> Result<(), WorkspaceError>,
    ) -> Result<(), WorkspaceError> {
        let most = self.bounds.per_caller;
        let enter = || {
            self.database.write(|sql| match table::count(sql, owner)? < most {
                true => write(sql),
                false => Err(WorkspaceError::TooMany { most }),
            })
        };
        let entered = enter();
        let Err(WorkspaceError::TooMany { .. }) = entered else { return entered };
        // Those that nobody has used for so long make room, also where nobody sweeps.
        let oldest = self.oldest(now);
        for old in self.list(Some(owner))?.into_iter().filter(|one| one.used < oldest) {
            self.expire(&old.name, oldest)?;
        }
        enter()
    }

    /// The one of that name, which counts as used now.
    ///
    /// # Errors
    /// [`WorkspaceError::NotFound`] also where it is somebody else's.
    pub fn find(&self, owner: &Caller, name: &str, now: SystemTime) -> Result<Workspace, WorkspaceError> {
        let missing = || WorkspaceError::NotFound(name.chars().take(64).collect());
        let name: WorkspaceName = name.parse().map_err(|_| missing())?;
        if !self.database.write(|sql| table::touch(sql, &name, owner, milliseconds(now)))? {
            return Err(missing());
        }
        let dir = self.dir.join(name.as_str());
        // One whose making was cut off has a row and no directory.
        workspace(&dir, true).map_err(|source| WorkspaceError::File { path: dir.clone(), source })?;
        Ok(Workspace { name, dir })
    }

    /// Every workspace, or those of one caller, the latest used first.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn list(&self, owner: Option<&Caller>) -> Result<Vec<Listed>, WorkspaceError> {
        Ok(self.database.read(|sql| table::list(sql, owner))?)
    }

    /// Removes one with everything in it, whoever owns it. Whether there was one.
    ///
    /// # Errors
    /// When something of it cannot be removed; it may be asked again.
    pub fn remove(&self, name: &WorkspaceName) -> Result<bool, WorkspaceError> {
        self.empty(name)?;
        Ok(self.database.write(|sql| table::remove(sql, name))?)
    }

    fn empty(&self, name: &WorkspaceName) -> Result<(), WorkspaceError> {
        let dir = self.dir.join(name.as_str());
        removal::remove_tree(&dir).map_err(|source| WorkspaceError::File { path: dir, source })
    }

    /// Removes those that were not used for too long. `in_use` are left alone, however old. How many went.
    ///
    /// A directory that belongs to none is nobody's from now on, and goes with the unused: the database may be of an earlier time
    /// than the directories, and the right one may yet be restored.
    ///
    /// # Errors
    /// When the state cannot be read or written. One that cannot be removed is left for the next time and said in the log.
    pub fn sweep(
        &self,
        now: SystemTime,
        in_use: impl Fn(&WorkspaceName) -> bool,
    ) -> Result<usize, WorkspaceError> {
        let oldest = self.oldest(now);
        // Directories first: one that is made meanwhile has its row already, or is not in this list.
        let dirs = directories(&self.dir)?;
        let listed = self.list(None)?;
        let known = |name: &WorkspaceName| listed.iter().any(|one| one.name == *name);
        let strays: Vec<_> = dirs.into_iter().filter(|name| !known(name) && !in_use(name)).collect();
        self.keep_strays(&strays, now)?;
        let old = listed.iter().filter(|one| one.used < oldest).map(|one| &one.name);
        let mut gone = 0;
        for name in old.filter(|name| !in_use(name)) {
            match self.expire(name, oldest) {
                Ok(removed) => gone += usize::from(removed),
                Err(error) => tracing::warn!(%name, %error, "a workspace cannot be removed"),
            }
        }
        Ok(gone)
    }

    fn keep_strays(&self, strays: &[WorkspaceName], now: SystemTime) -> Result<(), WorkspaceError> {
        if strays.is_empty() {
            return Ok(());
        }
        self.database.write(|sql| {
            strays.iter().try_for_each(|name| table::keep(sql, name, &Caller::nobody(), milliseconds(now)))
        })?;
        let hours = self.bounds.unused.as_secs() / 3600;
        tracing::warn!(
            directories = strays.len(),
            hours,
            "there are workspaces that the state database does not know, and that go after this time: if it was restored from an earlier one, put the newer one back"
        );
        Ok(())
    }

    /// Removes one that was last used before then, unless it has been used again meanwhile. Its row first: from then on nobody
    /// finds it, and what is left of its directory is a stray, which is tried again as one of nobody's.
    fn expire(&self, name: &WorkspaceName, oldest: u64) -> Result<bool, WorkspaceError> {
        let expired = self.database.write(|sql| table::expire(sql, name, oldest))?;
        if expired {
            self.empty(name)?;
        }
        Ok(expired)
    }

    /// When one has to have been used to be kept.
    fn oldest(&self, now: SystemTime) -> u64 {
        milliseconds(now.checked_sub(self.bounds.unused).unwrap_or(UNIX_EPOCH))
    }
}

fn directories(dir: &Path) -> Result<Vec<WorkspaceName>, WorkspaceError> {
    let entries =
        fs::read_dir(dir).map_err(|source| WorkspaceError::File { path: dir.to_owned(), source })?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Ok(names.collect())
}

/// A directory that programs may use too, where it was not there.
fn workspace(dir: &Path, or_there: bool) -> io::Result<()> {
    if or_there && dir.is_dir() {
        return Ok(());
    }
    make(dir, or_there)?;
    share::share(dir)
}

fn make(dir: &Path, or_there: bool) -> io::Result<()> {
    DirBuilder::new().recursive(or_there).mode(0o700).create(dir)
}

/// Since 1970; 0 for what was before.
fn milliseconds(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    // The database holds signed numbers.
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX).min(i64::MAX.unsigned_abs())
}
