//! Reads a regular file.

use packhost_session_protocol::limits;
use packhost_session_protocol::message::{EntryKind, Fault, FileReply, Get, Refusal};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, Stat, fstat, openat, statat};
use rustix::io::pread;

use super::entry::{entry, kind};
use super::host::Host;
use super::path;
use super::trouble::{shown, trouble};

/// A file that changes meanwhile is what is read of it.
pub(super) fn get(get: &Get, host: &mut Host) -> Result<(), Refusal> {
    let path = path::trimmed(&get.path);
    let failed = |errno| trouble("read", path, errno);
    // Opening a pipe or a device may do something. Without waiting, should it take the file's place now.
    regular(path, &statat(CWD, path, AtFlags::empty()).map_err(failed)?)?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = openat(CWD, path, flags, Mode::empty()).map_err(failed)?;
    let stat = fstat(&file).map_err(failed)?;
    regular(path, &stat)?;
    host.say(&FileReply::Entry(entry(b"", &stat, None)))?;
    let (mut at, mut left) = (get.offset, get.length.unwrap_or(u64::MAX));
    let mut piece = vec![0; limits::DATA];
    // No file reaches past what pread(2) takes.
    while left > 0 && i64::try_from(at).is_ok() {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
        let length = pread(&file, &mut piece[..most], at).map_err(failed)?;
        if length == 0 {
            break;
        }
        host.output(&piece[..length])?;
        at = at.saturating_add(length as u64);
        left -= length as u64;
    }
    Ok(())
}

fn regular(path: &[u8], stat: &Stat) -> Result<(), Refusal> {
    match kind(stat) {
        EntryKind::File => Ok(()),
        _ => Err(Refusal::new(Fault::WrongKind, format!("{} is no regular file", shown(path)))),
    }
}
