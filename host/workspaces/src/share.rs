//! Who else may use a workspace's files: the user of programs in containers, whom the host's own user is not.
//!
//! Access control lists (acl(5)) say so for the directory and, by its default list, for all that is ever made below it, by
//! whoever makes it: what a component writes, a program can change, and the other way round. Everybody else is kept out by the
//! directory above, which is the host's alone.

use std::io;
use std::path::Path;

use rustix::fs::{XattrFlags, setxattr};

/// The user of programs in a container whose users are those of the machine.
const PROGRAMS: u32 = 1000;

/// How such a list is kept (linux/posix_acl_xattr.h): a version, and entries of tag, permissions and id, sorted.
const VERSION: u32 = 2;
const OWNER: u16 = 0x01;
const USER: u16 = 0x02;
const GROUP: u16 = 0x04;
const MASK: u16 = 0x10;
const OTHER: u16 = 0x20;
const ALL: u16 = 7;
const NOBODY: u32 = u32::MAX;

/// Lets the user of programs use what is and will be in a directory. A file system without such lists is left as it is: then
/// sandboxes that are containers cannot use the workspace, and say so.
pub(crate) fn share(dir: &Path) -> io::Result<()> {
    let list = list(rustix::process::geteuid().as_raw());
    for kind in ["system.posix_acl_access", "system.posix_acl_default"] {
        match setxattr(dir, kind, &list, XattrFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOTSUP) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn list(host: u32) -> Vec<u8> {
    let mut users = [host, PROGRAMS];
    users.sort_unstable();
    let users = if host == PROGRAMS { &users[..1] } else { &users[..] };
    let mut bytes = VERSION.to_le_bytes().to_vec();
    let mut entry = |tag: u16, may: u16, id: u32| {
        bytes.extend_from_slice(&tag.to_le_bytes());
        bytes.extend_from_slice(&may.to_le_bytes());
        bytes.extend_from_slice(&id.to_le_bytes());
    };
    entry(OWNER, ALL, NOBODY);
    users.iter().for_each(|user| entry(USER, ALL, *user));
    entry(GROUP, 0, NOBODY);
    entry(MASK, ALL, NOBODY);
    entry(OTHER, 0, NOBODY);
    bytes
}
