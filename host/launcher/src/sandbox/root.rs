//! The file tree of a sandbox, built by its first process where nothing of the machine can be seen any more: a path that leads
//! astray leads nowhere.

use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use rustix::mount::{MountAttrFlags, MountPropagationFlags, UnmountFlags, mount_change, unmount};

use super::files::{self, Piece};
use super::mounts::{self, FIXED, NOEXEC};
use super::plan::Plan;
use super::trouble::{During, Trouble};
use super::{etc, proc};
use crate::wire::Fault;

/// Devices that programs expect; none of them reaches hardware.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// Bytes and files of the root itself: links, places for mounts, `/etc`.
const ROOT_SIZE: &str = "1m";
const ROOT_FILES: &str = "8192";

/// All that comes from outside.
struct Outside {
    pieces: Vec<Piece>,
    mounted: Vec<Piece>,
    devices: Vec<(&'static str, OwnedFd)>,
    root: OwnedFd,
    proc: OwnedFd,
    terminals: OwnedFd,
    disk: OwnedFd,
}

/// Replaces everything that this process sees of the machine's files with the sandbox's own.
pub(super) fn replace(plan: &Plan) -> Result<(), Trouble> {
    let private = MountPropagationFlags::REC | MountPropagationFlags::PRIVATE;
    mount_change("/", private).during("making mounts private")?;
    let outside = collect(plan)?;
    enter(plan, &outside.root).during("changing the root")?;
    build(plan, outside)?;
    mounts::restrict_at(c"/", FIXED).during("making the root read-only")
}

fn collect(plan: &Plan) -> Result<Outside, Trouble> {
    let device = |name: &'static str| {
        let path = Path::new("/dev").join(name);
        let copied = mounts::copy_at(&path).during(format!("{}: copying the mount", path.display()));
        copied.map(|device| (name, device))
    };
    let (noexec, nodev) = (MountAttrFlags::MOUNT_ATTR_NOEXEC, MountAttrFlags::MOUNT_ATTR_NODEV);
    let option = |name, value: &str| (name, value.to_owned());
    let (_, user) = plan.users();
    let root = [option("size", ROOT_SIZE), option("nr_inodes", ROOT_FILES), option("mode", "755")];
    // One kernel object per 4 KiB that could be written: files cost memory too.
    let files = (plan.disk / 4096).clamp(1024, 1 << 20);
    let disk = [("size", plan.disk.to_string()), ("nr_inodes", files.to_string()), option("mode", "755")];
    // Shows programs their own processes only; the supervisor, whose group it is, sees all.
    let proc = [option("hidepid", "invisible"), ("gid", plan.users().0.to_string())];
    let terminals = [option("ptmxmode", "666"), option("mode", "600"), ("gid", user.to_string())];
    Ok(Outside {
        pieces: files::gather(plan)?,
        mounted: files::mounted(plan)?,
        devices: DEVICES.into_iter().map(device).collect::<Result<_, _>>()?,
        root: mounts::fresh(c"tmpfs", &root, nodev).during("making the root")?,
        proc: mounts::fresh(c"proc", &proc, noexec | nodev).during("making /proc")?,
        terminals: mounts::fresh(c"devpts", &terminals, noexec).during("making /dev/pts")?,
        disk: mounts::fresh(c"tmpfs", &disk, nodev).during("making the writable directories")?,
    })
}

/// pivot_root(2), "pivot_root(".", ".")": the old root ends up over the new one, from where it is taken away.
fn enter(plan: &Plan, root: &OwnedFd) -> io::Result<()> {
    mounts::attach(root, &plan.anchor)?;
    rustix::process::chdir(&plan.anchor)?;
    rustix::process::pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    Ok(rustix::process::chdir("/")?)
}

fn build(plan: &Plan, outside: Outside) -> Result<(), Trouble> {
    let Outside { mut pieces, mounted, devices, proc, terminals, disk, .. } = outside;
    for directory in ["/etc", "/sys", "/tmp", "/run"] {
        fs::create_dir(directory).during(format!("making {directory}"))?;
    }
    let places: Vec<&Path> =
        plan.scratch.iter().map(PathBuf::as_path).chain(mounted.iter().map(Piece::at)).collect();
    etc::write(&places).during("writing /etc")?;
    self::devices(devices, &terminals)?;
    proc::attach(&proc)?;
    let own = etc::keep(&pieces).during("keeping /etc")?;
    pieces.extend(writable(plan, &disk)?);
    pieces.extend(mounted);
    // What holds another comes first; of two at one place the later one is seen.
    pieces.sort_by_key(|piece| piece.at().components().count());
    pieces.into_iter().try_for_each(put)?;
    etc::put_back(own).during("putting back /etc")?;
    plan.cgroups.iter().try_for_each(|shown| fs::create_dir_all(shown.at)).during("making /sys/fs/cgroup")
}

/// Shows the sandbox its own cgroups, once this process is in a cgroup namespace. It can do without: where a hierarchy cannot
/// be mounted alone, it is not shown.
pub(super) fn show_cgroups(plan: &Plan) {
    let attributes = MountAttrFlags::MOUNT_ATTR_RDONLY
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    for shown in &plan.cgroups {
        let option = shown.controller.map(|controller| (controller, String::new()));
        if let Ok(mount) = mounts::fresh(shown.kind, option.as_slice(), attributes) {
            let _ = mounts::attach(&mount, shown.at);
        }
    }
}

fn devices(devices: Vec<(&'static str, OwnedFd)>, terminals: &OwnedFd) -> Result<(), Trouble> {
    let making = "making /dev";
    for directory in ["/dev", "/dev/pts", "/dev/shm"] {
        fs::create_dir(directory).during(making)?;
    }
    for (name, device) in devices {
        let at = Path::new("/dev").join(name);
        fs::write(&at, "").during(making)?;
        mounts::attach(&device, &at).during(making)?;
    }
    mounts::attach(terminals, "/dev/pts").during(making)?;
    for (name, to) in [
        ("ptmx", "pts/ptmx"),
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ] {
        symlink(to, Path::new("/dev").join(name)).during(making)?;
    }
    Ok(())
}

/// All directories that may be written: parts of one file system, which has one size.
fn writable(plan: &Plan, disk: &OwnedFd) -> Result<Vec<Piece>, Trouble> {
    let making = "making the writable directories";
    let (_, user) = plan.users();
    let everyones = ["/tmp", "/dev/shm"].map(|path| (PathBuf::from(path), 0o1777));
    let users =
        [PathBuf::from("/run")].into_iter().chain(plan.scratch.iter().cloned()).map(|path| (path, 0o755));
    let mut places: Vec<(PathBuf, u32)> = everyones.into_iter().collect();
    for (place, mode) in users {
        if !places.iter().any(|(other, _)| *other == place) {
            places.push((place, mode));
        }
    }
    // A copy can be taken only of what has a place.
    mounts::attach(disk, "/tmp").during(making)?;
    let mut pieces = Vec::new();
    for (number, (at, mode)) in places.into_iter().enumerate() {
        let part = PathBuf::from(format!("/tmp/{number}"));
        fs::create_dir(&part).during(making)?;
        fs::set_permissions(&part, fs::Permissions::from_mode(mode)).during(making)?;
        chown(&part, Some(user), Some(user)).during(making)?;
        let tree = mounts::copy_at(&part).during(making)?;
        if at == Path::new("/dev/shm") {
            mounts::restrict(&tree, NOEXEC).during(making)?;
        }
        pieces.push(Piece::Tree { at, tree, directory: true });
    }
    unmount("/tmp", UnmountFlags::DETACH).during(making)?;
    Ok(pieces)
}

/// Puts a piece where it belongs.
fn put(piece: Piece) -> Result<(), Trouble> {
    let placed = match &piece {
        Piece::Link { at, to } => parents(at).and_then(|()| existing(symlink(to, at))),
        Piece::Tree { at, tree, directory } => {
            let spot = if *directory {
                DirBuilder::new().recursive(true).mode(0o755).create(at)
            } else {
                parents(at).and_then(|()| {
                    existing(fs::OpenOptions::new().write(true).create_new(true).open(at).map(drop))
                })
            };
            spot.and_then(|()| mounts::attach(tree, at))
        }
    };
    placed.map_err(|error| {
        let at = piece.at().display();
        let message = match error.kind() {
            ErrorKind::ReadOnlyFilesystem | ErrorKind::NotADirectory => {
                format!("{at}: there is no such place, and none can be made in a read-only directory")
            }
            _ => format!("{at}: putting it in its place: {error}"),
        };
        Trouble::new(Fault::Unsupported, message)
    })
}

fn parents(at: &Path) -> io::Result<()> {
    at.parent().map_or(Ok(()), fs::create_dir_all)
}

fn existing(made: io::Result<()>) -> io::Result<()> {
    match made {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}
