//! What is said of something in a file system.

use std::os::fd::AsFd;

use packhost_session_protocol::message::{Entry, EntryKind};
use rustix::fs::{FileType, Stat, readlinkat};

/// What the kernel says of it, in the words of the protocol. `path` is relative to what was asked for.
pub(super) fn entry(path: &[u8], stat: &Stat, target: Option<Vec<u8>>) -> Entry {
    let kind = kind(stat);
    Entry {
        path: path.to_vec().into(),
        kind,
        size: if kind == EntryKind::File { u64::try_from(stat.st_size).unwrap_or(0) } else { 0 },
        mode: stat.st_mode & 0o7777,
        modified_ms: modified_ms(stat),
        target: target.map(Into::into),
    }
}

/// What kind of thing it is.
pub(super) fn kind(stat: &Stat) -> EntryKind {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => EntryKind::File,
        FileType::Directory => EntryKind::Directory,
        FileType::Symlink => EntryKind::Link,
        _ => EntryKind::Other,
    }
}

/// Where the link leads; none where it is no link (any more).
pub(super) fn target(dir: impl AsFd, name: &[u8], kind: EntryKind) -> Option<Vec<u8>> {
    if kind != EntryKind::Link {
        return None;
    }
    readlinkat(dir, name, Vec::new()).ok().map(|target| target.into_bytes())
}

fn modified_ms(stat: &Stat) -> i64 {
    let millis = i64::try_from(stat.st_mtime_nsec / 1_000_000).unwrap_or(0);
    stat.st_mtime.saturating_mul(1000).saturating_add(millis)
}
