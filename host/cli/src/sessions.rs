//! What makes sandboxes for this host: the launcher, which is started before the walls go up, and Docker.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use packhost_audit::Recorder;
use packhost_launcher::{Launcher, Settings as LauncherSettings};
use packhost_manifest::{Entry, Manifest, SessionBackend};
use packhost_sessions::docker::{self, DockerRuntime, DockerSettings, Stream, Supervisor};
use packhost_sessions::{
    HostId, Journal, ProcessRuntime, SessionRuntime, Sessions, SessionsSettings, host_id,
};
use packhost_state::Database;
use packhost_supervisor_binary::SUPERVISOR;
use packhost_workspaces::{Bounds, Workspaces};

use crate::args::{Global, LaunchSandboxes};
use crate::dirs::Dirs;
use crate::exit::Error;
use crate::state::open_state;

/// Everything about sandboxes that has to be there before the walls go up.
pub(crate) struct Makers {
    database: Arc<Database>,
    workspaces: Arc<Workspaces>,
    launcher: Option<OwnedFd>,
    docker: Option<DockerSettings>,
    state: PathBuf,
    settings: SessionsSettings,
}

/// What the manifest's entries want.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    /// Some entry works in workspaces.
    workspaces: bool,
    backends: Vec<SessionBackend>,
    /// Files of this machine that sandboxes may be made of.
    readable: Vec<PathBuf>,
}

impl Wanted {
    /// By all entries, or by those that are meant.
    pub(crate) fn of<'a>(entries: impl Iterator<Item = &'a Entry>) -> Self {
        let mut wanted = Self::default();
        for entry in entries.filter(|entry| !entry.denied) {
            wanted.workspaces |= entry.workspace;
            let Some(session) = &entry.session else { continue };
            wanted.backends.extend(&session.on);
            if session.on.contains(&SessionBackend::Process) {
                wanted.readable.extend(session.files.of_the_machine());
            }
        }
        wanted
    }

    /// What an entry wants and was not prepared for these, in words; empty where all of it was.
    pub(crate) fn lacks(&self, entry: &Entry) -> Vec<String> {
        let now = Self::of(std::iter::once(entry));
        let mut lacks = Vec::new();
        if now.workspaces && !self.workspaces && self.is_nothing() {
            lacks.push("workspaces".to_owned());
        }
        let backends = now.backends.iter().filter(|backend| !self.backends.contains(backend));
        lacks.extend(backends.map(|backend| format!("sandboxes of the {backend} backend")));
        if self.backends.contains(&SessionBackend::Process) {
            let known = |path: &PathBuf| self.readable.iter().any(|known| path.starts_with(known));
            let paths = now.readable.iter().filter(|path| !known(path));
            lacks.extend(paths.map(|path| format!("{} in sandboxes", path.display())));
        }
        lacks
    }

    /// Whether there is anything to prepare.
    fn is_nothing(&self) -> bool {
        !self.workspaces && self.backends.is_empty()
    }
}

/// Where images are unpacked.
pub(crate) fn images(state: &Path) -> PathBuf {
    state.join("images")
}

/// Gets ready what the entries want; nothing where they want nothing. No thread may have been started before this.
pub(crate) fn prepare(global: &Global, dirs: &Dirs, wanted: &Wanted) -> Result<Option<Makers>, Error> {
    if wanted.is_nothing() {
        return Ok(None);
    }
    let database = open_state(dirs)?;
    let host = host_id(&database)?;
    let at = workspaces_dir(dirs);
    let workspaces = Workspaces::open(Arc::clone(&database), at, Bounds::default())
        .map_err(|error| Error::failed(format!("workspaces: {error}")))?;
    let launcher = match wanted.backends.contains(&SessionBackend::Process) {
        true => start_launcher(global, dirs, &host, &wanted.readable)
            .inspect_err(
                |error| tracing::warn!(target: "packhost", %error, "no sandboxes of the process backend"),
            )
            .ok(),
        false => None,
    };
    let docker = wanted.backends.contains(&SessionBackend::Docker).then(docker_endpoint).flatten();
    let docker = docker.map(|endpoint| docker_settings(global, dirs, endpoint, &host));
    let (workspaces, state) = (Arc::new(workspaces), dirs.state.clone());
    let settings = SessionsSettings::default();
    Ok(Some(Makers { database, workspaces, launcher, docker, state, settings }))
}

fn docker_settings(global: &Global, dirs: &Dirs, endpoint: PathBuf, host: &HostId) -> DockerSettings {
    // Those that are no runc have a kernel or a file system of their own, which a socket does not pass.
    let stream = if global.docker_runtime.is_some() { Stream::Exec } else { Stream::Socket };
    DockerSettings {
        endpoint,
        host: host.clone(),
        run_dir: dirs.state.join("docker"),
        supervisor: Supervisor::Bytes(SUPERVISOR),
        runtime: global.docker_runtime.clone(),
        userns: global.docker_userns.clone(),
        stream,
    }
}

fn workspaces_dir(dirs: &Dirs) -> PathBuf {
    dirs.state.join("workspaces")
}

/// The engine's socket, where there is one.
pub(crate) fn docker_socket() -> Option<PathBuf> {
    docker_endpoint().filter(|path| path.exists())
}

/// Where the engine's socket has to be.
fn docker_endpoint() -> Option<PathBuf> {
    let named = std::env::var("DOCKER_HOST").ok();
    docker::endpoint(named.as_deref())
        .inspect_err(|error| tracing::warn!(target: "packhost", %error, "no sandboxes of the docker backend"))
        .ok()
}

/// Where the launcher keeps what it knows of its sandboxes: until the next start of the machine, and out of reach of the
/// walled host, which must not tell it what to believe.
fn records(dirs: &Dirs, host: &HostId) -> PathBuf {
    let user = rustix::process::geteuid();
    let runtime = match user.is_root() {
        true => Some(PathBuf::from("/run")),
        false => std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|dir| dir.is_absolute()),
    };
    match runtime.filter(|dir| dir.is_dir()) {
        Some(runtime) => runtime.join("packhost").join(host.as_str()),
        // Beside the state, which is as much as there is.
        None => dirs.state.with_file_name(format!("packhost-sandboxes-{host}")),
    }
}

/// Another process of this binary, with nothing of this one but its end of a socket pair.
fn start_launcher(global: &Global, dirs: &Dirs, host: &HostId, readable: &[PathBuf]) -> io::Result<OwnedFd> {
    let (own, theirs) = packhost_launcher::channel()?;
    let mut launcher = Command::new(std::env::current_exe()?);
    launcher.arg("launch-sandboxes").arg("--host").arg(host.as_str());
    launcher.arg("--records").arg(records(dirs, host)).arg("--images").arg(images(&dirs.state));
    launcher.arg("--mountable").arg(workspaces_dir(dirs));
    for path in readable {
        launcher.arg("--readable").arg(path);
    }
    if let Some(filter) = &global.log {
        launcher.arg("--log").arg(filter);
    }
    // A Ctrl-C is for the host, which then ends its sandboxes through the launcher.
    launcher.env_clear().current_dir("/").process_group(0).stdin(theirs).stdout(Stdio::null());
    launcher.spawn()?;
    Ok(own)
}

/// The other process.
pub(crate) fn launch(args: &LaunchSandboxes) -> Result<ExitCode, Error> {
    let channel = io::stdin();
    let channel = rustix::io::dup(&channel).map_err(|error| Error::failed(error.to_string()))?;
    let settings = LauncherSettings {
        state: args.records.clone(),
        host: args.host.clone(),
        supervisor: SUPERVISOR.into(),
        images: Some(args.images.clone()),
        readable: args.readable.clone(),
        mountable: args.mountable.clone(),
        uids: packhost_launcher::UIDS,
    };
    Ok(packhost_launcher::serve(channel, settings))
}

impl Makers {
    /// Sockets that this host has to reach: those that are there, as none is to come within reach later.
    pub(crate) fn unix_sockets(&self) -> impl Iterator<Item = &PathBuf> {
        self.docker.iter().map(|docker| &docker.endpoint).filter(|socket| socket.exists())
    }

    /// The workspaces.
    pub(crate) fn workspaces(&self) -> Arc<Workspaces> {
        Arc::clone(&self.workspaces)
    }

    /// The sessions. Needs a tokio runtime, which it belongs to from then on.
    pub(crate) fn sessions(mut self, recorder: Option<Arc<dyn Recorder>>) -> Result<Sessions, Error> {
        self.settings.journal = recorder.map(Journal::on).unwrap_or_default();
        let mut runtimes: Vec<Arc<dyn SessionRuntime>> = Vec::new();
        if let Some(channel) = self.launcher {
            let launcher = Launcher::new(channel)
                .map_err(|error| Error::failed(format!("the launcher of sandboxes: {error}")))?;
            runtimes.push(Arc::new(ProcessRuntime::new(launcher, images(&self.state))));
        }
        if let Some(docker) = self.docker {
            runtimes.push(Arc::new(DockerRuntime::new(docker)));
        }
        Ok(Sessions::open(runtimes, self.database, self.settings)?)
    }
}

/// How often it is looked for workspaces that nobody uses.
const SWEEP: Duration = Duration::from_secs(3600);

/// Removes workspaces that nobody has used for too long, for as long as this is polled.
pub(crate) async fn sweep(workspaces: Arc<Workspaces>) {
    let mut beat = tokio::time::interval(SWEEP);
    loop {
        beat.tick().await;
        let workspaces = Arc::clone(&workspaces);
        let swept = tokio::task::spawn_blocking(move || workspaces.sweep(SystemTime::now(), |_| false));
        match swept.await {
            Ok(Ok(0)) => {}
            Ok(Ok(removed)) => tracing::info!(target: "packhost", removed, "unused workspaces are gone"),
            Ok(Err(error)) => {
                tracing::warn!(target: "packhost", %error, "unused workspaces cannot be removed")
            }
            Err(panic) => tracing::error!(target: "packhost", %panic, "unused workspaces cannot be removed"),
        }
    }
}

/// What every entry of a manifest wants.
pub(crate) fn wanted(manifest: &Manifest) -> Wanted {
    Wanted::of(manifest.entries())
}
