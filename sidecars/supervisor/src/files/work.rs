//! What a worker does, behind the walls.

use packhost_session_protocol::message::{FileReply, Refusal, Rename, Stat};
use rustix::fs::{AtFlags, CWD, renameat, statat};
use rustix::io::Errno;

use super::entry::{entry, kind, target};
use super::host::Host;
use super::request::Request;
use super::trouble::trouble;
use super::{get, list, pack, path, put, remove, unpack};

/// Does it, and gives the last message of the answer.
pub(super) fn work(request: &Request, host: &mut Host) -> Result<FileReply, Refusal> {
    match request {
        Request::Put(it) => put::put(it, &mut host.input())?,
        Request::Get(it) => get::get(it, host)?,
        Request::List(it) => return list::list(it, host),
        Request::Stat(it) => return stat(it),
        Request::Remove(it) => remove::remove(it)?,
        Request::MakeDirectory(it) => path::make(&it.path, it.mode)?,
        Request::Rename(it) => rename(it)?,
        Request::Unpack(it) => unpack::serve(it, &mut host.input())?,
        Request::Pack(it) => pack::pack(it, host)?,
    }
    Ok(FileReply::Done)
}

fn stat(asked: &Stat) -> Result<FileReply, Refusal> {
    let path = path::trimmed(&asked.path);
    let flags = if asked.follow { AtFlags::empty() } else { AtFlags::SYMLINK_NOFOLLOW };
    let stat = statat(CWD, path, flags).map_err(|errno| trouble("look at", path, errno))?;
    Ok(FileReply::Entry(entry(b"", &stat, target(CWD, path, kind(&stat)))))
}

fn rename(asked: &Rename) -> Result<(), Refusal> {
    let (from, to) = (path::spot(&asked.from, false)?, path::spot(&asked.to, false)?);
    renameat(&from.dir, from.name, &to.dir, to.name).map_err(|errno| match errno {
        // A directory below itself.
        Errno::INVAL => trouble("rename", &asked.from, Errno::NOTDIR),
        errno => trouble("rename", &asked.from, errno),
    })
}
