//! Everything that a sandbox's first process needs to know, worked out before there is one.

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::FileType;

use super::mounts;
use super::trouble::{During, Trouble};
use super::user::{self, PROGRAM, Power};
use crate::cgroup::Shown;
use crate::recipe::{Files, Mount, Recipe};
use crate::settings::Settings;
use crate::wire::Fault;

/// Where programs find the way out, on the loopback of the sandbox, which is its own: nobody else can have taken it.
const PROXY_PORT: &str = "3128";

/// A sandbox that is to be made.
pub(crate) struct Plan {
    pub(super) power: Power,
    /// The launcher's user and group.
    pub(super) launcher: (u32, u32),
    /// The first of the two host users, for the supervisor; programs are the one after.
    pub(super) uid: u32,
    pub(super) source: Source,
    pub(super) mounts: Vec<Planned>,
    pub(super) scratch: Vec<PathBuf>,
    pub(super) disk: u64,
    /// Canonical.
    pub(super) readable: Vec<PathBuf>,
    pub(super) state: PathBuf,
    /// An empty spot of our own, over which the new root is put before it becomes the root.
    pub(super) anchor: PathBuf,
    pub(super) arguments: Vec<CString>,
    pub(super) environment: Vec<CString>,
    pub(super) handles: Handles,
    pub(super) cgroups: Vec<Shown>,
}

/// What the supervisor is started with, and what is held while it is made.
pub(crate) struct Handles {
    /// The lock of the sandbox's directory.
    pub(crate) making: OwnedFd,
    pub(crate) program: OwnedFd,
    pub(crate) listener: OwnedFd,
    pub(crate) log: OwnedFd,
}

pub(super) enum Source {
    Host(Vec<PathBuf>),
    /// With a namespace that shows root's files as the supervisor's, and those of user 1000 as programs'.
    Image {
        rootfs: PathBuf,
        owners: Option<OwnedFd>,
    },
}

pub(super) struct Planned {
    pub(super) mount: Mount,
    /// A namespace that shows the owner of the directory as the user of programs.
    pub(super) owners: Option<OwnedFd>,
}

impl Plan {
    /// `state` and the granted paths of the settings are canonical.
    pub(crate) fn new(
        recipe: &Recipe,
        settings: &Settings,
        power: Power,
        uid: u32,
        anchor: PathBuf,
        handles: Handles,
        cgroups: Vec<Shown>,
    ) -> Result<Self, Trouble> {
        let mounts = recipe.mounts.iter().map(|mount| planned(mount, settings, power, uid));
        Ok(Self {
            power,
            launcher: user::own(),
            uid,
            source: source(&recipe.files, settings, power, uid)?,
            mounts: mounts.collect::<Result<_, _>>()?,
            scratch: recipe.scratch.clone(),
            disk: recipe.limits.disk,
            readable: settings.readable.clone(),
            state: settings.state.clone(),
            anchor,
            arguments: arguments(recipe)?,
            environment: recipe
                .env
                .iter()
                .map(|(name, value)| text(format!("{name}={value}")))
                .collect::<Result<_, _>>()?,
            handles,
            cgroups,
        })
    }

    /// The host users of supervisor and programs as whoever makes the mounts sees them.
    pub(super) fn users(&self) -> (u32, u32) {
        match self.power {
            Power::Root => (self.uid, self.uid + 1),
            // Its own user, in the first of the two namespaces.
            Power::User => (0, 0),
        }
    }
}

fn arguments(recipe: &Recipe) -> Result<Vec<CString>, Trouble> {
    let orphaned = recipe.orphaned_after_ms.to_string();
    [
        "packhost-supervisor",
        "serve",
        "--listen-fd",
        "3",
        "--proxy-port",
        PROXY_PORT,
        "--orphaned-after",
        &orphaned,
    ]
    .map(str::to_owned)
    .into_iter()
    .map(text)
    .collect()
}

fn text(text: String) -> Result<CString, Trouble> {
    CString::new(text).map_err(|_| Trouble::new(Fault::Unsupported, "a variable holds a NUL"))
}

fn source(files: &Files, settings: &Settings, power: Power, uid: u32) -> Result<Source, Trouble> {
    let name = match files {
        Files::Host(paths) => return Ok(Source::Host(paths.clone())),
        Files::Image(name) => name,
    };
    let images = settings.images.as_ref();
    let images =
        images.ok_or_else(|| Trouble::new(Fault::Image, "this host has no directory of unpacked images"))?;
    let rootfs = images.join(name).join("rootfs");
    if mounts::straight(&rootfs).is_err() || !rootfs.is_dir() {
        return Err(Trouble::new(
            Fault::Image,
            format!("there is no unpacked image {name}: packhost images build {name}"),
        ));
    }
    let owners = match power {
        Power::Root => Some(user::owners(&[(0, uid), (PROGRAM, uid + 1)])?),
        Power::User => None,
    };
    Ok(Source::Image { rootfs, owners })
}

fn planned(mount: &Mount, settings: &Settings, power: Power, uid: u32) -> Result<Planned, Trouble> {
    let place = mount.host.display();
    let granted = |path: &Path| settings.mountable.iter().any(|granted| path.starts_with(granted));
    if !granted(&mount.host)
        || settings.state.starts_with(&mount.host)
        || mount.host.starts_with(settings.state.join("sandboxes"))
    {
        let message = format!("{place} may not be mounted in sandboxes on this host");
        return Err(Trouble::new(Fault::Unsupported, message));
    }
    let directory =
        mounts::straight(&mount.host).during(format!("{place}: opening it without following links"))?;
    let owner = rustix::fs::fstat(&directory).during(format!("{place}: looking at it"))?;
    if !FileType::from_raw_mode(owner.st_mode).is_dir() {
        return Err(Trouble::new(Fault::Unsupported, format!("{place} is not a directory")));
    }
    let owners = match power {
        // What programs have made in a container is on disk the user's that they are there. Without a place in the map
        // nobody here could write it, whatever its permissions say.
        Power::Root if owner.st_uid == PROGRAM => Some(user::owners(&[(PROGRAM, uid + 1)])?),
        Power::Root => Some(user::owners(&[(owner.st_uid, uid + 1), (PROGRAM, uid)])?),
        Power::User => None,
    };
    Ok(Planned { mount: mount.clone(), owners })
}
