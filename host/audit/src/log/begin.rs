//! Beginning another log in place of one that is lost: it is made beside that place, and moved there once its first record says
//! which one was lost. Who dies before has begun nothing, and the next one does it all again. Who dies before the ring of keys
//! knows of it leaves one that cannot be opened, as it lacks what the ring does know.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;

use packhost_keyring::Keyring;

use super::directory::{Directory, LOCK};
use super::ends::write_synced;
use super::lock::Lock;
use super::writer::{Writer, json};
use super::{Settings, known, open};
use crate::error::{AuditError, failed};
use crate::event::Event;

/// Makes it, with this record as its first, down to the disk.
pub(super) fn beside(
    path: &Path,
    keyring: &Arc<Keyring>,
    settings: &Settings,
    first: &Event,
) -> Result<(), AuditError> {
    let fresh = path.with_added_extension("new");
    let directory = Directory::made(&fresh)?;
    let lock = Lock::of(&directory)?;
    let held = lock.hold()?;
    // Somebody who had the lock before may have moved it.
    directory.in_place()?;
    directory.clear()?;
    open::made(&directory)?;
    let end = open::end(&directory, keyring, None)?;
    let mut writer = Writer::new(directory.clone(), lock, Arc::clone(keyring), settings.clone(), end);
    writer.append(&held, first.kind(), &json(first)?)?;
    writer.file.sync_data().map_err(failed(&writer.path()))?;
    write_synced(&directory, writer.tail.last)?;
    put(&fresh, path)?;
    // Until here the lost one is missed in it, and it is opened by nobody.
    known::replace(keyring, writer.tail.last)
}

/// Moves it to its place. A directory that was emptied gives way, and anything else does not.
fn put(fresh: &Path, path: &Path) -> Result<(), AuditError> {
    if path.try_exists().map_err(failed(path))? && open::is_missing(&Directory::at(path))? {
        let lock = path.join(LOCK);
        match fs::remove_file(&lock) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(&lock)(error)),
            _ => {}
        }
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let moved = fs::rename(fresh, path).and_then(|()| File::open(parent)?.sync_all());
    moved.map_err(failed(path))
}
