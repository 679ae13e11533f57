//! The few files of `/etc` that every sandbox has.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use super::files::Piece;
use super::mounts::{self, FIXED};

const GROUP: &str = "root:x:0:\nsandbox:x:1000:\nnogroup:x:65534:\n";
const HOSTS: &str = "127.0.0.1 localhost sandbox\n::1 localhost sandbox\n";
/// The supervisor answers there, at once, that there is no such name.
const RESOLV: &str = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n";
const NSSWITCH: &str = "passwd: files\ngroup: files\nhosts: files dns\n";

const NAMES: [&str; 5] = ["passwd", "group", "hosts", "resolv.conf", "nsswitch.conf"];

/// Writes them. Home is `/sandbox` or `/workspace` where the sandbox has one.
pub(super) fn write(places: &[&Path]) -> io::Result<()> {
    let has = |home: &&str| places.iter().any(|place| *place == Path::new(home));
    let home = ["/sandbox", "/workspace"].into_iter().find(has).unwrap_or("/tmp");
    let passwd = format!(
        "root:x:0:0:root:/:/usr/sbin/nologin\nsandbox:x:1000:1000:sandbox:{home}:/bin/sh\n\
         nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"
    );
    for (name, content) in NAMES.into_iter().zip([passwd.as_str(), GROUP, HOSTS, RESOLV, NSSWITCH]) {
        fs::write(Path::new("/etc").join(name), content)?;
    }
    Ok(())
}

/// Takes hold of them before an image's `/etc` covers them; nothing where none will.
pub(super) fn keep(pieces: &[Piece]) -> io::Result<Vec<(PathBuf, OwnedFd)>> {
    if !pieces.iter().any(|piece| piece.at() == Path::new("/etc")) {
        return Ok(Vec::new());
    }
    let held = |name| {
        let at = Path::new("/etc").join(name);
        let file = mounts::copy_at(&at)?;
        mounts::restrict(&file, FIXED)?;
        Ok((at, file))
    };
    NAMES.into_iter().map(held).collect()
}

/// Puts them over those of an image, where it has such files: nothing can be added to an image.
pub(super) fn put_back(own: Vec<(PathBuf, OwnedFd)>) -> io::Result<()> {
    for (at, file) in own {
        if fs::symlink_metadata(&at).is_ok_and(|found| found.is_file()) {
            mounts::attach(&file, &at)?;
        }
    }
    Ok(())
}
