//! Sandboxes from the kernel's own means on this machine, without a daemon: made by the launcher, outside the host's walls.
//!
//! Owns: what a spec is as a recipe, and the launcher's answers as those of a runtime. Refuses: everything that the launcher
//! does (see `packhost-launcher`), which the host itself could not.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use packhost_launcher::{
    About, End, Fault, Files, Launcher, LauncherError, Limits, Recipe, Refusal, Sandbox, State,
};
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep};

use crate::error::{Ended, RuntimeError};
use crate::id::SandboxId;
use crate::runtime::{ByteStream, Capabilities, Health, SandboxState, SandboxStatus, SessionRuntime};
use crate::spec::{Access, Backend, Image, Mount, SandboxSpec};

/// With what code the supervisor exits when nobody was connected for too long: `packhost_supervisor::ORPHANED`.
const ORPHANED: i32 = 75;
/// How long a supervisor that does not listen any more may take to end, before whoever wants to reach it is told to try
/// again.
const ENDING: Duration = Duration::from_secs(2);
/// Between two looks at it.
const PAUSE: Duration = Duration::from_millis(5);
/// What the names of images that packhost builds begin with.
const OURS: &str = "packhost/";

/// Makes sandboxes with a launcher.
#[derive(Debug)]
pub struct ProcessRuntime {
    launcher: Launcher,
    /// Where unpacked images are: `NAME/HEX/rootfs`, with `NAME/current` as a link to the newest.
    images: PathBuf,
    /// What the launcher said first; it does not change while it runs, but for whether it can be used.
    about: OnceLock<About>,
}

impl ProcessRuntime {
    /// With this launcher, and the store of images that it was told of. Asks nothing of it before it is used.
    pub fn new(launcher: Launcher, images: PathBuf) -> Self {
        Self { launcher, images, about: OnceLock::new() }
    }

    /// The build of an image that is meant: the pinned one, or the newest.
    fn build(&self, name: &str, digest: Option<&str>) -> Result<String, RuntimeError> {
        let own = name.strip_prefix(OURS).unwrap_or(name);
        let missing = || {
            let pinned = digest.map(|digest| format!("@{digest}")).unwrap_or_default();
            RuntimeError::Image(format!(
                "the image \"{name}{pinned}\" is not built here: run `packhost images build {own}`"
            ))
        };
        let build = match digest {
            Some(digest) => digest.strip_prefix("sha256:").map(str::to_owned),
            None => fs::read_link(self.images.join(own).join("current"))
                .ok()
                .and_then(|build| build.file_name()?.to_str().map(str::to_owned)),
        };
        let build = build.ok_or_else(missing)?;
        let there = self.images.join(own).join(&build).join("rootfs").is_dir();
        if there { Ok(format!("{own}/{build}")) } else { Err(missing()) }
    }
}

#[async_trait]
impl SessionRuntime for ProcessRuntime {
    fn backend(&self) -> Backend {
        Backend::Process
    }

    /// Before [`health`](Self::health) was asked once, as if the launcher were a normal user.
    fn capabilities(&self) -> Capabilities {
        let about = self.about.get();
        Capabilities {
            host_files: true,
            images: about.is_some_and(|about| about.images),
            mounts: true,
            two_users: about.is_some_and(|about| about.two_users),
            lacking: about.map(|about| about.lacking.clone()).unwrap_or_default(),
        }
    }

    async fn health(&self) -> Health {
        let about = match self.launcher.about().await {
            Ok(about) => about,
            Err(error) => return Health::Unhealthy(error.to_string()),
        };
        let known = self.about.get_or_init(|| about.clone());
        match about.unusable {
            Some(why) => Health::Unhealthy(why),
            None if known.two_users => Health::Healthy("namespaces, made as root".to_owned()),
            None => Health::Healthy("namespaces, made as a normal user".to_owned()),
        }
    }

    async fn create(&self, spec: &SandboxSpec) -> Result<(), RuntimeError> {
        let files = match &spec.image {
            Image::Host(paths) => Files::Host(paths.clone()),
            Image::Named { name, digest } => Files::Image(self.build(name, digest.as_deref())?),
        };
        self.launcher.start(recipe(spec, files)).await.map(drop).map_err(failed)
    }

    async fn open(&self, id: &SandboxId) -> Result<Box<dyn ByteStream>, RuntimeError> {
        let connection = match self.launcher.open(id.as_str()).await {
            Ok(connection) => connection,
            Err(LauncherError::Refused(Refusal { fault: Fault::Ended, .. })) => {
                return Err(self.why(id).await);
            }
            Err(error) => return Err(failed(error)),
        };
        let stream = UnixStream::from_std(connection.into());
        let stream = stream.map_err(|error| RuntimeError::Failed(format!("the connection: {error}")))?;
        Ok(Box::new(stream))
    }

    async fn get(&self, id: &SandboxId) -> Result<SandboxStatus, RuntimeError> {
        let sandbox = self.launcher.status(id.as_str()).await.map_err(failed)?;
        status(sandbox).ok_or(RuntimeError::NotFound)
    }

    async fn list(&self) -> Result<Vec<SandboxStatus>, RuntimeError> {
        let all = self.launcher.list().await.map_err(|error| RuntimeError::Unavailable(error.to_string()))?;
        Ok(all.into_iter().filter_map(status).collect())
    }

    async fn logs(&self, id: &SandboxId, most: usize) -> Result<Vec<u8>, RuntimeError> {
        let log = File::from(self.launcher.log(id.as_str()).await.map_err(failed)?);
        // Short and in the page cache, as it was just written.
        end_of(log, most).map_err(|error| RuntimeError::Failed(format!("reading the log: {error}")))
    }

    async fn destroy(&self, id: &SandboxId) -> Result<(), RuntimeError> {
        self.launcher.kill(id.as_str()).await.map_err(failed)
    }
}

impl ProcessRuntime {
    /// Why a sandbox does not answer any more. A supervisor that ends closes its socket first: its end is waited for.
    async fn why(&self, id: &SandboxId) -> RuntimeError {
        let started = Instant::now();
        loop {
            match self.get(id).await {
                Ok(SandboxStatus { state: SandboxState::Ended(ended), .. }) => {
                    return RuntimeError::Ended(ended);
                }
                Ok(_) if started.elapsed() < ENDING => sleep(PAUSE).await,
                Ok(_) => {
                    let why = "the sandbox's supervisor does not listen any more, and has not ended yet";
                    return RuntimeError::Unavailable(why.to_owned());
                }
                Err(error) => return error,
            }
        }
    }
}

/// The last bytes of a file.
fn end_of(mut file: File, most: usize) -> io::Result<Vec<u8>> {
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(most)))?;
    let mut end = Vec::new();
    file.take(most).read_to_end(&mut end)?;
    Ok(end)
}

fn recipe(spec: &SandboxSpec, files: Files) -> Recipe {
    let limits = Limits {
        cpu_millis: spec.limits.cpu_millis,
        memory: spec.limits.memory,
        processes: spec.limits.processes,
        disk: spec.limits.disk,
    };
    Recipe {
        id: spec.id.as_str().to_owned(),
        owner: spec.owner.as_str().to_owned(),
        files,
        limits,
        mounts: spec.mounts.iter().map(mount).collect(),
        scratch: spec.scratch.clone(),
        env: spec.env.clone(),
        labels: spec.labels.clone(),
        orphaned_after_ms: u64::try_from(spec.orphaned_after.as_millis()).unwrap_or(u64::MAX),
    }
}

fn mount(mount: &Mount) -> packhost_launcher::Mount {
    let access = match mount.access {
        Access::ReadOnly => packhost_launcher::Access::ReadOnly,
        Access::ReadWrite => packhost_launcher::Access::ReadWrite,
    };
    packhost_launcher::Mount { host: mount.host.clone(), inside: mount.inside.clone(), access }
}

/// None for a name that is none of ours, which a launcher does not have.
fn status(sandbox: Sandbox) -> Option<SandboxStatus> {
    let state = match sandbox.state {
        State::Running(_) => SandboxState::Running,
        State::Ended(end) => SandboxState::Ended(ended(end)),
    };
    Some(SandboxStatus {
        id: sandbox.id.parse().ok()?,
        owner: sandbox.owner,
        state,
        created: SystemTime::UNIX_EPOCH + Duration::from_millis(sandbox.created_ms),
    })
}

fn ended(end: End) -> Ended {
    match end {
        End::OutOfMemory => Ended::OutOfMemory,
        End::Exited(ORPHANED) => Ended::Orphaned,
        End::Exited(code) => Ended::Exited(code),
        End::Signalled(signal) => Ended::Signalled(signal),
        End::Unknown => Ended::Unknown,
    }
}

fn failed(error: LauncherError) -> RuntimeError {
    let Refusal { fault, message } = match error {
        LauncherError::Refused(refusal) => refusal,
        other => return RuntimeError::Unavailable(other.to_string()),
    };
    match fault {
        Fault::Unavailable => RuntimeError::Unavailable(message),
        Fault::Image => RuntimeError::Image(message),
        Fault::Unsupported => RuntimeError::Unsupported(message),
        Fault::NotFound => RuntimeError::NotFound,
        Fault::Ended => RuntimeError::Ended(Ended::Unknown),
        Fault::Exhausted => RuntimeError::Exhausted(message),
        Fault::Failed => RuntimeError::Failed(message),
    }
}
