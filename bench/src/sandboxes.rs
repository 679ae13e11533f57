//! Sandboxes as `packhost` makes them: the launcher of the built binary in a process of its own, a Docker Engine where there
//! is one, and sessions of both on a state of their own.

use std::collections::BTreeMap;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use packhost_core::Caller;
use packhost_launcher::{Launcher, channel};
use packhost_session_protocol::message::{Confinement, Exit, Rlimits, User};
use packhost_sessions::docker::{DockerRuntime, DockerSettings, Stream, Supervisor};
use packhost_sessions::link::{Command as Program, Link, LinkSettings};
use packhost_sessions::{
    Access, Backend, HostId, Image, Mount, NamedImage, Need, ProcessRuntime, SANDBOX_USER, SandboxId,
    SandboxLimits, SandboxSpec, SessionRuntime, Sessions, SessionsSettings, host_id,
};
use packhost_state::Database;
use packhost_supervisor_binary::SUPERVISOR;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::docker::{Docker, IMAGE};
use crate::{Outcome, host};

/// What of this machine a sandbox without an image is made of.
pub(crate) const FILES: [&str; 4] = ["/bin", "/usr", "/lib", "/lib64"];
/// An empty directory in every sandbox.
pub(crate) const SCRATCH: &str = "/sandbox";
/// Where a directory of this machine is mounted.
pub(crate) const SHARED: &str = "/workspace";
/// How much every sandbox may use.
pub(crate) const LIMITS: SandboxLimits =
    SandboxLimits { cpu_millis: 2000, memory: 256 << 20, processes: 64, disk: 64 << 20, open_files: 256 };
/// Longer than any measure takes.
const LONG: Duration = Duration::from_secs(3600);
/// Bytes of an output that are looked at.
const OUTPUT: usize = 64 << 10;

/// The backends of this machine. Ends what makes them when it is dropped.
pub(crate) struct Sandboxes {
    runtime: Runtime,
    database: Arc<Database>,
    makers: Vec<Arc<dyn SessionRuntime>>,
    launcher: Child,
    home: TempDir,
}

impl Sandboxes {
    /// Starts what makes them: the process backend, and Docker where there is an engine.
    pub(crate) fn start(packhost: &Path, docker: Option<&Docker>) -> Outcome<Self> {
        let home = host::fresh_state()?;
        // As in `packhost mcp`, one thread answers; it is not this one, so that connections are kept while others measure.
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let database = Arc::new(Database::open(home.path())?);
        let host = host_id(&database)?;
        let (own, theirs) = channel()?;
        let launcher = launch(packhost, home.path(), &host).stdin(theirs).spawn()?;
        let entered = runtime.enter();
        let images = home.path().join("images");
        let mut makers: Vec<Arc<dyn SessionRuntime>> =
            vec![Arc::new(ProcessRuntime::new(Launcher::new(own)?, images))];
        drop(entered);
        if let Some(docker) = docker {
            makers.push(Arc::new(DockerRuntime::new(DockerSettings {
                endpoint: docker.socket().to_owned(),
                host,
                run_dir: home.path().join("docker"),
                supervisor: Supervisor::Bytes(SUPERVISOR),
                runtime: None,
                userns: None,
                stream: Stream::Socket,
            })));
        }
        Ok(Self { runtime, database, makers, launcher, home })
    }

    /// Does something where sandboxes are answered.
    pub(crate) fn on<T: Send + 'static>(
        &self,
        what: impl Future<Output = Outcome<T>> + Send + 'static,
    ) -> Outcome<T> {
        self.runtime.block_on(async { tokio::spawn(what).await? })
    }

    /// Sessions of these backends, without any so far.
    pub(crate) fn sessions(&self) -> Outcome<Sessions> {
        Ok(Sessions::open(self.makers.clone(), Arc::clone(&self.database), SessionsSettings::default())?)
    }

    /// A directory of this machine that sandboxes may be given, and that their programs may write.
    pub(crate) fn directory(&self, name: &str) -> Outcome<PathBuf> {
        let path = mountable(self.home.path()).join(name);
        std::fs::create_dir_all(&path)?;
        chown(&path, Some(SANDBOX_USER), Some(SANDBOX_USER))?;
        Ok(path)
    }

    /// A sandbox that runs, with this directory at [`SHARED`] where one is given.
    pub(crate) fn room(&self, on: Backend, shared: Option<&Path>) -> Outcome<Room> {
        let maker = self.makers.iter().find(|maker| maker.backend() == on);
        let maker = Arc::clone(maker.ok_or_else(|| format!("no backend {on}"))?);
        let mount =
            |host: &Path| Mount { host: host.to_owned(), inside: SHARED.into(), access: Access::ReadWrite };
        let spec = SandboxSpec {
            id: SandboxId::fresh(),
            owner: Caller::local(),
            image: match on {
                Backend::Process => Image::Host(FILES.map(PathBuf::from).into()),
                _ => Image::Named { name: IMAGE.into(), digest: None },
            },
            limits: LIMITS,
            mounts: shared.map(mount).into_iter().collect(),
            scratch: vec![SCRATCH.into()],
            env: BTreeMap::new(),
            labels: BTreeMap::new(),
            orphaned_after: LONG,
        };
        let id = spec.id.clone();
        let (link, maker) = self.on(async move {
            maker.create(&spec).await?;
            let link = Link::connect(Arc::clone(&maker), spec.id, None, LinkSettings::default()).await?;
            Ok((link, maker))
        })?;
        Ok(Room { id, link, maker })
    }

    /// Removes everything of a sandbox.
    pub(crate) fn end(&self, room: Room) -> Outcome<()> {
        self.on(async move {
            drop(room.link);
            Ok(room.maker.destroy(&room.id).await?)
        })
    }
}

impl Drop for Sandboxes {
    fn drop(&mut self) {
        // It ends with the channel, which the backends have.
        self.makers.clear();
        let _ = self.launcher.kill();
        let _ = self.launcher.wait();
    }
}

/// A sandbox, and the connection to its supervisor.
pub(crate) struct Room {
    pub(crate) id: SandboxId,
    pub(crate) link: Link,
    maker: Arc<dyn SessionRuntime>,
}

/// What a call needs that runs a program on this backend.
pub(crate) fn need(on: Backend) -> Outcome<Need> {
    Ok(Need {
        owner: Caller::local(),
        pack: "bench.run".parse()?,
        on: vec![on],
        image: (on == Backend::Docker).then(|| NamedImage { name: IMAGE.into(), digest: None }),
        host_files: FILES.map(PathBuf::from).into(),
        limits: LIMITS,
        mounts: Vec::new(),
        scratch: vec![SCRATCH.into()],
        workspace: None,
        rules: String::new(),
        idle: LONG,
        lifetime: LONG,
        most: 8,
        run: None,
    })
}

/// A program, held as one of a pack is.
pub(crate) fn program(path: &str) -> Program {
    Program::new(path).env("PATH", "/usr/bin:/bin").cwd(SCRATCH).confinement(profile())
}

/// Runs a program to its end, and hears all that it says.
pub(crate) async fn ran(link: &Link, program: Program) -> Outcome<()> {
    let finished = link.exec(program).await?.output(OUTPUT).await?;
    match finished.exit {
        Exit { code: Some(0), .. } => Ok(()),
        exit => Err(format!("{exit:?}: {}", String::from_utf8_lossy(&finished.stderr)).into()),
    }
}

/// What programs and files of a pack may reach.
pub(crate) fn profile() -> Confinement {
    let bytes = |paths: &[&str]| paths.iter().map(|path| path.as_bytes().to_vec().into()).collect();
    Confinement {
        user: Some(User { uid: SANDBOX_USER, gid: SANDBOX_USER }),
        read_only: bytes(&[&FILES[..], &["/etc", "/proc"]].concat()),
        read_write: bytes(&[SCRATCH, SHARED, "/tmp", "/dev/shm"]),
        rlimits: Rlimits::default(),
        required: true,
        landlock_abi: 0,
        plain: Vec::new(),
    }
}

fn mountable(home: &Path) -> PathBuf {
    home.join("shared")
}

fn launch(packhost: &Path, home: &Path, host: &HostId) -> Command {
    let mut launcher = Command::new(packhost);
    launcher.arg("launch-sandboxes").args(["--host", host.as_str()]);
    launcher.arg("--records").arg(home.join("records")).arg("--images").arg(home.join("images"));
    launcher.arg("--mountable").arg(mountable(home));
    for path in FILES {
        launcher.args(["--readable", path]);
    }
    launcher.env_clear().current_dir("/").stdout(Stdio::null()).stderr(Stdio::null());
    launcher
}
