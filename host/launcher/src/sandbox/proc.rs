//! `/proc` inside: the sandbox's own processes, and of the rest what programs cannot do without.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use super::mounts::{self, FIXED, NOEXEC};
use super::trouble::{During, Trouble};

/// What stays of what the kernel tells about the whole machine: programs count processors and memory by it. `sys` stays to
/// read. Everything else that there is or will be is covered.
const SHOWN: [&str; 11] = [
    "cpuinfo",
    "filesystems",
    "loadavg",
    "meminfo",
    "mounts",
    "net",
    "self",
    "stat",
    "thread-self",
    "uptime",
    "version",
];

/// Gives it its place. `/run`, which is empty here, covers directories, and `/dev/null` files.
pub(super) fn attach(proc: &OwnedFd) -> Result<(), Trouble> {
    fs::create_dir("/proc").during("making /proc")?;
    mounts::attach(proc, "/proc").during("mounting /proc")?;
    cover().during("covering parts of /proc")
}

fn cover() -> io::Result<()> {
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let name = entry.file_name();
        let process = name.as_encoded_bytes().iter().all(u8::is_ascii_digit);
        if process || SHOWN.iter().any(|shown| name == *shown) {
            continue;
        }
        let at = Path::new("/proc").join(&name);
        let cover = if name == "sys" {
            mounts::copy_at(&at)?
        } else if entry.file_type()?.is_dir() {
            mounts::copy_at("/run")?
        } else {
            mounts::copy_at("/dev/null")?
        };
        // A device on a mount without devices cannot be opened, which is what a cover is for.
        mounts::restrict(&cover, FIXED | NOEXEC)?;
        mounts::attach(&cover, &at)?;
    }
    Ok(())
}
