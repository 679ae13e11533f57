//! Landlock: files, signals and abstract Unix sockets by the kernel's own rules.
//!
//! Ports are not handled. A sandbox has a network namespace with nothing in it but its own loopback: there is no place outside
//! to connect to, and inside, programs start servers on any port and call them and the supervisor's proxy. Landlock has no rule
//! for "any port" or "this address", so handling them would mean granting all of them, one by one, for nothing.
//!
//! Landlock governs opening, making, moving and removing. It does not govern `stat`, `chdir`, `chmod`, `chown`, `utimes` or
//! extended attributes: there the owner of a file decides, so what is granted read-only should belong to another user.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetStatus, Scope, make_bitflags,
};
use minicbor::bytes::ByteVec;
use packhost_session_protocol::message::Confinement;

use crate::ConfineError;
use crate::place::Place;
use crate::reach::reach;

/// Every right up to this ABI is handled; the library drops what the kernel does not know.
const NEWEST: ABI = ABI::V10;

const READ_ONLY: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | ReadDir | Execute});

/// Not in here: MakeChar, MakeBlock, IoctlDev. ResolveUnix is: what programs of the sandbox write is theirs to talk through.
const PLAIN: BitFlags<AccessFs> = make_bitflags!(AccessFs::{
    ReadFile | ReadDir | Execute | WriteFile | Truncate | Refer | RemoveFile | RemoveDir
        | MakeReg | MakeDir | MakeSym | ResolveUnix
});

/// Beside those, where the sandbox is alone: what somebody who opens it waits at.
const PIPES: BitFlags<AccessFs> = make_bitflags!(AccessFs::{MakeFifo | MakeSock});

/// No ioctl: nothing on these needs any.
const DEVICE: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | WriteFile});

const TERMINAL: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | WriteFile | ReadDir | IoctlDev});

/// Granted to every program. The terminals are the sandbox's own devpts, in which files belong to who opened them; typing into
/// one is kept out by the seccomp list. `/dev/shm` is a directory to write to, so it is the profile's to grant.
///
/// `/proc` is not here: a rule would name every process of the sandbox. Nor is `/proc/self`: a rule holds for the directory that
/// the path leads to when it is opened, one process's, not for whoever looks. `/dev/fd/N` and `/dev/stdin` work all the same:
/// they end at the open file, to which its own rule applies, or none where it is a pipe.
const ALWAYS: &[(&str, BitFlags<AccessFs>)] = &[
    ("/dev/null", DEVICE),
    ("/dev/zero", DEVICE),
    ("/dev/full", DEVICE),
    ("/dev/random", DEVICE),
    ("/dev/urandom", DEVICE),
    ("/dev/tty", TERMINAL),
    ("/dev/ptmx", TERMINAL),
    ("/dev/pts", TERMINAL),
];

/// The Landlock ABI of the running kernel; 0 when it has none, has it switched off, or a container keeps it away.
pub fn landlock_abi() -> u32 {
    const LANDLOCK_CREATE_RULESET_VERSION: u32 = 1;
    // SAFETY: with this flag the call takes a null pointer and a size of 0, makes nothing, and returns a number.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<libc::c_void>(),
            0_usize,
            LANDLOCK_CREATE_RULESET_VERSION,
        )
    };
    // -1 for every reason not to have it.
    u32::try_from(answer).unwrap_or(0)
}

/// What is missing for `needed`, in a sentence.
pub(crate) fn lacks(needed: u32) -> Option<String> {
    lacks_at(landlock_abi(), needed)
}

/// What no wall holds on a kernel with this ABI, a sentence each. What no released kernel can hold is not among it.
pub(crate) fn not_held(abi: u32) -> Vec<String> {
    const HELD: [(u32, &str); 3] = [
        (3, "files that may only be read can be truncated"),
        (5, "ioctl on devices is not held"),
        (6, "signals and abstract sockets are held by user numbers and namespaces alone"),
    ];
    if abi == 0 {
        return lacks_at(abi, 1).into_iter().collect();
    }
    let held =
        HELD.into_iter().filter_map(|(needed, what)| Some(format!("{what}: {}", lacks_at(abi, needed)?)));
    held.collect()
}

fn lacks_at(abi: u32, needed: u32) -> Option<String> {
    let fix = match needed {
        _ if needed <= abi => return None,
        0..=1 => "Linux 5.13 or newer has it",
        2 => "Linux 5.19 or newer has it",
        3 => "Linux 6.2 or newer has it",
        4 => "Linux 6.7 or newer has it",
        5 => "Linux 6.10 or newer has it",
        6 => "Linux 6.12 or newer has it",
        7 => "Linux 6.15 or newer has it",
        _ => "a newer Linux may have it",
    };
    Some(match abi {
        0 => format!(
            "this kernel has no Landlock for the sandbox, and ABI {needed} is needed ({fix}, if lsm= at boot names landlock \
             and no container keeps the landlock_* calls away)"
        ),
        _ => format!("the kernel's Landlock ABI is {abi}; {needed} is needed ({fix})"),
    })
}

/// A ruleset in the kernel, to be put in force any number of times, and what it was made of.
#[derive(Debug, Clone)]
pub(crate) struct Rules(Arc<Made>);

#[derive(Debug)]
struct Made {
    ruleset: RulesetCreated,
    distrusted: Option<u32>,
    read_only: Vec<ByteVec>,
    read_write: Vec<ByteVec>,
    plain: Vec<ByteVec>,
    /// Where the paths led, in their order.
    places: Vec<Option<Place>>,
}

impl Rules {
    pub(crate) fn prepare(confinement: &Confinement) -> Result<Self, ConfineError> {
        let mut ruleset = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(NEWEST))?
            .scope(Scope::from_all(NEWEST))?
            .create()?;
        let distrusted = distrusted(confinement);
        let mut places = Vec::new();
        for (path, rights) in grants(confinement) {
            let Some(file) = reach(path, distrusted)? else {
                places.push(None);
                continue;
            };
            let place = Place::of(&file).map_err(ConfineError::kernel("statx"))?;
            ruleset = ruleset.add_rule(PathBeneath::new(file, rights_on(place, rights)))?;
            places.push(Some(place));
        }
        let Confinement { read_only, read_write, plain, .. } = confinement.clone();
        Ok(Self(Arc::new(Made { ruleset, distrusted, read_only, read_write, plain, places })))
    }

    /// Whether they were made of the same paths, for a user whose links are followed as far.
    pub(crate) fn are_for(&self, confinement: &Confinement) -> bool {
        self.0.distrusted == distrusted(confinement)
            && self.0.read_only == confinement.read_only
            && self.0.read_write == confinement.read_write
            && self.0.plain == confinement.plain
    }

    /// Whether they would come out the same now: each path may be followed and leads to where it led. The rules keep the kernel
    /// from giving a file's number to another one.
    pub(crate) fn hold(&self) -> bool {
        let made = &*self.0;
        let is_there = |path: &[u8]| match reach(path, made.distrusted) {
            Ok(file) => file.map(Place::of).transpose().ok(),
            Err(_) => None,
        };
        let (always, granted) = made.places.split_at(ALWAYS.len());
        // A device that is the same one is no other device, whatever led to it: for these, one system call is enough.
        let devices = ALWAYS.iter().map(|(path, _)| Place::at(path.as_bytes()).ok());
        let paths = made.read_only.iter().chain(&made.read_write).map(|path| is_there(path));
        devices.eq(always.iter().map(|place| Some(*place)))
            && paths.eq(granted.iter().map(|place| Some(*place)))
    }

    pub(crate) fn raise(self) -> Result<(), ConfineError> {
        let ruleset = self.0.ruleset.try_clone();
        let ruleset = ruleset.map_err(|source| ConfineError::Kernel { asked: "fcntl(F_DUPFD)", source })?;
        let status = ruleset.restrict_self()?;
        if landlock_abi() > 0 && status.ruleset == RulesetStatus::NotEnforced {
            return Err(ConfineError::NotEnforced("Landlock"));
        }
        Ok(())
    }
}

/// The user whose links are not followed. Those of root are everywhere, and lead where the image or the host says.
fn distrusted(confinement: &Confinement) -> Option<u32> {
    confinement.user.map(|user| user.uid).filter(|uid| *uid != 0)
}

fn grants(confinement: &Confinement) -> impl Iterator<Item = (&[u8], BitFlags<AccessFs>)> {
    let always = ALWAYS.iter().map(|(path, rights)| (path.as_bytes(), *rights));
    let read_only = confinement.read_only.iter().map(|path| (path.as_slice(), READ_ONLY));
    let read_write = confinement.read_write.iter().map(|path| {
        let is_plain = confinement.plain.iter().any(|plain| meet(path, plain));
        (path.as_slice(), if is_plain { PLAIN } else { PLAIN | PIPES })
    });
    always.chain(read_only).chain(read_write)
}

/// Whether one of the two is above the other, or both are the same. A rule holds for all that is below its path.
fn meet(one: &[u8], other: &[u8]) -> bool {
    let [one, other] = [one, other].map(|path| Path::new(OsStr::from_bytes(path)));
    one.starts_with(other) || other.starts_with(one)
}

/// Some rights are of directories only, and the kernel refuses a rule that gives them to a file.
fn rights_on(place: Place, rights: BitFlags<AccessFs>) -> BitFlags<AccessFs> {
    if place.directory { rights } else { rights & AccessFs::from_file(NEWEST) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_that_lacks_an_abi_is_told_from_one_that_has_it() {
        assert_eq!(lacks(0), None);
        assert_eq!(lacks(landlock_abi()), None);
        let sentence = lacks(99).expect("no kernel has it");
        assert!(sentence.contains("99 is needed"), "{sentence}");
    }

    #[test]
    fn what_an_old_kernel_does_not_hold_is_said_right_by_right() {
        assert_eq!(not_held(6), Vec::<String>::new());
        let five = not_held(5);
        assert!(
            five.len() == 1 && five[0].starts_with("signals") && five[0].contains("6 is needed"),
            "{five:?}"
        );
        assert_eq!(not_held(1).len(), 3);
        let none = not_held(0);
        assert!(none.len() == 1 && none[0].contains("no Landlock"), "{none:?}");
    }

    #[test]
    fn no_right_makes_device_nodes_and_only_terminals_take_ioctl() {
        let devices = AccessFs::MakeChar | AccessFs::MakeBlock;
        for rights in [READ_ONLY, PLAIN | PIPES, DEVICE, TERMINAL] {
            assert!((rights & devices).is_empty());
        }
        for rights in [READ_ONLY, PLAIN | PIPES, DEVICE] {
            assert!(!rights.contains(AccessFs::IoctlDev));
        }
    }
}
