//! Who is who: host users, user namespaces, capabilities.
//!
//! As root a sandbox has two users, neither of which is anybody on the host: 0 inside for the supervisor and 1000 for programs.
//! Their namespace is made after all mounts and owns none of the others, so that nobody inside has power over mounts, the network
//! or the host name. Without root there is one user, 1000 inside, who is the launcher's; a first namespace gives the power to
//! mount, and a second one inside takes it away.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, Signal, WaitOptions, getegid, geteuid, waitpid};
use rustix::thread::{CapabilitySet, CapabilitySets, UnshareFlags};

use super::fork::{fork, pause};
use super::trouble::{During, Trouble};
use crate::settings::Uids;

/// As whom programs run inside.
pub(crate) const PROGRAM: u32 = 1000;

/// What the supervisor may do beyond what everybody may, over what belongs to the sandbox's two users: start programs as the
/// other one, end them, and hand files over.
const SUPERVISOR: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETPCAP);

/// With which power sandboxes are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Power {
    /// Root's.
    Root,
    /// None; this is the launcher's user.
    User,
}

impl Power {
    /// What this process has; root that does not have the users that sandboxes get is told so.
    pub(crate) fn here(uids: &Uids) -> Result<Self, String> {
        if !geteuid().is_root() {
            return Ok(Self::User);
        }
        let covered = |map: &str| {
            map.lines().any(|line| {
                let mut fields = line.split_whitespace().filter_map(|field| field.parse::<u64>().ok());
                let (Some(first), Some(_), Some(count)) = (fields.next(), fields.next(), fields.next())
                else {
                    return false;
                };
                first <= u64::from(uids.start) && u64::from(uids.end) <= first + count
            })
        };
        let maps = ["/proc/self/uid_map", "/proc/self/gid_map"]
            .map(|map| fs::read_to_string(map).unwrap_or_default());
        if maps.iter().all(|map| covered(map)) {
            return Ok(Self::Root);
        }
        Err(format!(
            "packhost runs as root of a user namespace without the users {} to {} that sandboxes get: run it as a normal \
             user, or map them",
            uids.start, uids.end
        ))
    }
}

/// Two host users that no other sandbox has.
pub(crate) fn draw(uids: &Uids, taken: impl Fn(u32) -> bool) -> Result<u32, Trouble> {
    const TRIES: u32 = 1000;
    let pairs = (uids.end - uids.start) / 2;
    for _ in 0..TRIES {
        let mut random = [0; 4];
        getrandom::fill(&mut random)
            .map_err(|error| io::Error::other(error.to_string()))
            .during("drawing a user id")?;
        let uid = uids.start + 2 * (u32::from_ne_bytes(random) % pairs.max(1));
        if !taken(uid) {
            return Ok(uid);
        }
    }
    Err(io::Error::from_raw_os_error(libc::EUSERS)).during("drawing a user id")
}

/// Gives a process that has just made a user namespace its two users, `first` and the one after.
pub(crate) fn give(pid: Pid, first: u32) -> io::Result<()> {
    map(&pid.as_raw_nonzero().to_string(), &format!("0 {first} 1\n{PROGRAM} {} 1\n", first + 1))
}

/// A user namespace that nobody is in, for a mount: shows these owners on disk as those host users.
pub(crate) fn owners(pairs: &[(u32, u32)]) -> Result<OwnedFd, Trouble> {
    let lines: String = pairs.iter().map(|(disk, shown)| format!("{disk} {shown} 1\n")).collect();
    let launcher = rustix::process::getpid();
    let Some(pid) = fork(libc::CLONE_NEWUSER).during("making a user namespace")? else { pause(launcher) };
    let number = pid.as_raw_nonzero();
    let namespace = map(&number.to_string(), &lines)
        .and_then(|()| fs::File::open(format!("/proc/{number}/ns/user")))
        .during("making a user namespace for a mount");
    // It waits for nothing else, and it is ours, so both work.
    let _ = rustix::process::kill_process(pid, Signal::KILL);
    let _ = waitpid(Some(pid), WaitOptions::empty());
    Ok(namespace?.into())
}

/// In a user namespace that this process alone is in: `inside` is who it was outside. For one who has no power outside.
pub(crate) fn be(inside: u32, outside: (u32, u32)) -> io::Result<()> {
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{inside} {} 1", outside.0))?;
    fs::write("/proc/self/gid_map", format!("{inside} {} 1", outside.1))
}

/// The effective user and group.
pub(crate) fn own() -> (u32, u32) {
    (geteuid().as_raw(), getegid().as_raw())
}

fn map(process: &str, lines: &str) -> io::Result<()> {
    fs::write(format!("/proc/{process}/uid_map"), lines)?;
    fs::write(format!("/proc/{process}/gid_map"), lines)
}

/// Leaves the namespaces' owner for a user namespace without power over them.
pub(crate) fn leave() -> io::Result<()> {
    // SAFETY: only CLONE_FILES, which is not among the flags, could take descriptors from another thread.
    Ok(unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWUSER) }?)
}

/// Becomes user 0 inside, and nobody's group.
pub(crate) fn become_supervisor() -> io::Result<()> {
    let (user, group) = (rustix::process::Uid::ROOT, rustix::process::Gid::ROOT);
    rustix::thread::set_thread_groups(&[])?;
    rustix::thread::set_thread_res_gid(group, group, group)?;
    Ok(rustix::thread::set_thread_res_uid(user, user, user)?)
}

/// Keeps of all capabilities what the supervisor needs, now and for everything that it will start.
pub(crate) fn keep_capabilities(power: Power) -> io::Result<()> {
    let kept = match power {
        Power::Root => SUPERVISOR,
        Power::User => CapabilitySet::empty(),
    };
    // The kernel may know more than this program; it says where they end.
    for number in 0..64 {
        let one = CapabilitySet::from_bits_retain(1 << number);
        if kept.contains(one) {
            continue;
        }
        match rustix::thread::remove_capability_from_bounding_set(one) {
            Ok(()) => {}
            Err(rustix::io::Errno::INVAL) => break,
            Err(error) => return Err(error.into()),
        }
    }
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    Ok(rustix::thread::set_capabilities(None, sets)?)
}
