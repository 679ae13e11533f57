//! Where the files of a sandbox come from: copies of mounts of the machine, taken while the machine's files can still be seen.

use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use super::mounts::{self, FIXED, TAME};
use super::plan::{Plan, Planned, Source};
use super::trouble::{During, Trouble};
use crate::recipe::Access;
use crate::wire::Fault;

/// Something of the machine, and where it belongs inside.
pub(super) enum Piece {
    /// A symbolic link.
    Link { at: PathBuf, to: PathBuf },
    /// A mount, with all restrictions.
    Tree { at: PathBuf, tree: OwnedFd, directory: bool },
}

impl Piece {
    pub(super) fn at(&self) -> &Path {
        match self {
            Self::Link { at, .. } | Self::Tree { at, .. } => at,
        }
    }
}

/// As many links as the kernel follows in one path (`MAXSYMLINKS`).
const LINKS: usize = 40;

/// Never granted, whatever is beneath the granted paths: who is who on the machine, and its secrets.
const WITHHELD: [&str; 10] = [
    "/etc/passwd",
    "/etc/passwd-",
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/group",
    "/etc/group-",
    "/etc/gshadow",
    "/etc/gshadow-",
    "/etc/sudoers",
    "/etc/sudoers.d",
];

/// Never granted as a whole.
const TOO_MUCH: [&str; 5] = ["/", "/etc", "/root", "/home", "/var"];

/// Never granted, nor anything beneath.
const KERNELS: [&str; 4] = ["/proc", "/sys", "/dev", "/run"];

/// What the sandbox's root is made of.
pub(super) fn gather(plan: &Plan) -> Result<Vec<Piece>, Trouble> {
    match &plan.source {
        Source::Host(wanted) => {
            let mut gathering = Gathering { plan, links: BTreeSet::new(), pieces: Vec::new() };
            let mut wanted = wanted.clone();
            // What holds another comes before it, which then is there already.
            wanted.sort_by_key(|path| path.components().count());
            wanted.iter().try_for_each(|path| gathering.follow(path))?;
            Ok(gathering.pieces)
        }
        Source::Image { rootfs, owners } => image(rootfs, owners.as_ref()),
    }
}

struct Gathering<'a> {
    plan: &'a Plan,
    links: BTreeSet<PathBuf>,
    pieces: Vec<Piece>,
}

impl Gathering<'_> {
    /// Walks a path as the kernel would, takes every symbolic link on the way and the file or directory at its end.
    fn follow(&mut self, path: &Path) -> Result<(), Trouble> {
        let mut rest: VecDeque<OsString> = names(path);
        let mut at = PathBuf::from("/");
        let mut followed = 0;
        while let Some(name) = rest.pop_front() {
            if name == ".." {
                at.pop();
                continue;
            }
            at.push(name);
            if self.has(&at) {
                return Ok(());
            }
            let kind = match fs::symlink_metadata(&at) {
                Ok(metadata) => metadata.file_type(),
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(error).during(format!("{}: looking at it", at.display())),
            };
            if kind.is_symlink() {
                followed += 1;
                if followed > LINKS {
                    let message = format!("{}: too many symbolic links", path.display());
                    return Err(Trouble::new(Fault::Unsupported, message));
                }
                let to = fs::read_link(&at).during(format!("{}: reading the link", at.display()))?;
                if self.links.insert(at.clone()) {
                    self.pieces.push(Piece::Link { at: at.clone(), to: to.clone() });
                }
                at.pop();
                if to.is_absolute() {
                    at = PathBuf::from("/");
                }
                rest = names(&to).into_iter().chain(rest).collect();
            }
        }
        self.take(path, at)
    }

    fn has(&self, at: &Path) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Tree { .. }) && at.starts_with(piece.at()))
    }

    fn take(&mut self, wanted: &Path, real: PathBuf) -> Result<(), Trouble> {
        self.granted(wanted, &real)?;
        let file = mounts::straight(&real).during(format!("{}: opening it", real.display()))?;
        let kind = rustix::fs::fstat(&file).during(format!("{}: looking at it", real.display()))?;
        let directory = rustix::fs::FileType::from_raw_mode(kind.st_mode).is_dir();
        let tree = mounts::copy(&file, true).during(format!("{}: copying the mount", real.display()))?;
        mounts::restrict(&tree, FIXED).during(format!("{}: making it read-only", real.display()))?;
        self.pieces.push(Piece::Tree { at: real, tree, directory });
        Ok(())
    }

    /// The operator's list counts, and some things are nobody's.
    fn granted(&self, wanted: &Path, real: &Path) -> Result<(), Trouble> {
        let listed = self.plan.readable.iter().any(|granted| real.starts_with(granted));
        let withheld = WITHHELD.iter().any(|path| real.starts_with(path))
            || TOO_MUCH.iter().any(|path| real == Path::new(path))
            || KERNELS.iter().any(|path| real.starts_with(path))
            || real.starts_with(&self.plan.state)
            || self.plan.state.starts_with(real);
        if listed && !withheld {
            return Ok(());
        }
        let why = if withheld { "is never given to a sandbox" } else { "is not granted to sandboxes" };
        let place = if wanted == real {
            wanted.display().to_string()
        } else {
            format!("{} (which is {})", wanted.display(), real.display())
        };
        Err(Trouble::new(Fault::Unsupported, format!("{place} {why} on this host")))
    }
}

fn names(path: &Path) -> VecDeque<OsString> {
    let part = |part: Component<'_>| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        _ => None,
    };
    path.components().filter_map(part).collect()
}

/// What the sandbox has of its own, whatever an image has there.
const OWN: [&str; 5] = ["dev", "proc", "sys", "tmp", "run"];

/// An image is not mounted as the root itself but entry by entry, so that the root can have places that the image has not.
fn image(rootfs: &Path, owners: Option<&OwnedFd>) -> Result<Vec<Piece>, Trouble> {
    let reading = || format!("{}: reading the image", rootfs.display());
    let mut pieces = Vec::new();
    for entry in fs::read_dir(rootfs).during(reading())? {
        let entry = entry.during(reading())?;
        if OWN.iter().any(|own| entry.file_name() == *own) {
            continue;
        }
        let at = Path::new("/").join(entry.file_name());
        let kind = entry.file_type().during(reading())?;
        if kind.is_symlink() {
            pieces.push(Piece::Link { at, to: fs::read_link(entry.path()).during(reading())? });
        } else if kind.is_dir() || kind.is_file() {
            let file = mounts::straight(&entry.path()).during(reading())?;
            let tree = mounts::copy(&file, false).during(reading())?;
            if let Some(owners) = owners {
                // A file system that cannot show other owners shows nobody as the owner; all that is read is read all the same.
                let _ = mounts::map_owners(&tree, owners.as_fd());
            }
            mounts::restrict(&tree, FIXED).during(reading())?;
            pieces.push(Piece::Tree { at, tree, directory: kind.is_dir() });
        }
    }
    Ok(pieces)
}

/// The directories of the host that the recipe mounts.
pub(super) fn mounted(plan: &Plan) -> Result<Vec<Piece>, Trouble> {
    plan.mounts.iter().map(one_mounted).collect()
}

fn one_mounted(planned: &Planned) -> Result<Piece, Trouble> {
    let Planned { mount, owners } = planned;
    let place = mount.host.display();
    let directory = mounts::straight(&mount.host).during(format!("{place}: opening it"))?;
    let tree = mounts::copy(&directory, false).during(format!("{place}: copying the mount"))?;
    if let Some(owners) = owners {
        mounts::map_owners(&tree, owners.as_fd()).map_err(|error| {
            let message = format!(
                "{place}: its file system cannot show its files as the sandbox's user's ({error}); put it on ext4, xfs, btrfs or \
                 tmpfs"
            );
            Trouble::new(Fault::Unsupported, message)
        })?;
    }
    let attributes = if mount.access == Access::ReadOnly { FIXED } else { TAME };
    mounts::restrict(&tree, attributes).during(format!("{place}: restricting the mount"))?;
    Ok(Piece::Tree { at: mount.inside.clone(), tree, directory: true })
}
