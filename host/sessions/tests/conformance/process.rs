//! A place for the process backend: a launcher in a process of its own, which is a copy of this one.

use std::fs;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use packhost_launcher::{Launcher, Settings, State, UIDS, channel, serve};
use packhost_sessions::{Image, ProcessRuntime, SandboxId, SessionRuntime};
use packhost_supervisor_binary::SUPERVISOR;
use tempfile::TempDir;

use crate::bench::Place;
use crate::machine;

/// Tells a copy of this program that it is a launcher, and for which directory.
pub(crate) const ROLE: &str = "PACKHOST_CONFORMANCE_LAUNCHER";

const FILES: [&str; 4] = ["/bin", "/usr", "/lib", "/lib64"];

/// Only root can try what root can do.
pub(crate) fn can_be_tried() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// In the copy.
pub(crate) fn be_launcher(home: &Path) -> ExitCode {
    let settings = Settings {
        state: home.join("state"),
        host: host(home),
        supervisor: SUPERVISOR.into(),
        images: None,
        readable: FILES.map(PathBuf::from).into(),
        mountable: vec![home.join("work")],
        uids: UIDS,
    };
    // SAFETY: the parent made the channel this copy's standard input, and nothing else here uses it.
    serve(unsafe { OwnedFd::from_raw_fd(0) }, settings)
}

fn host(home: &Path) -> String {
    home.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase()
}

struct Launched {
    child: Child,
    launcher: Launcher,
}

struct ProcessPlace {
    home: PathBuf,
    work: PathBuf,
    launched: Mutex<Option<Launched>>,
    /// Where the home is this place's own: it goes with it.
    own: Option<TempDir>,
}

pub(crate) fn place() -> Box<dyn Place> {
    let home = TempDir::with_prefix("conformance").expect("a directory");
    let mut place = place_at(home.path());
    place.own = Some(home);
    Box::new(place)
}

/// The place of a home that several processes may share.
pub(crate) fn shared(home: &Path) -> Box<dyn Place> {
    Box::new(place_at(home))
}

fn place_at(home: &Path) -> ProcessPlace {
    fs::set_permissions(home, fs::Permissions::from_mode(0o755)).expect("ours");
    let work = home.join("work");
    for directory in [&work, &home.join("state")] {
        fs::create_dir_all(directory).expect("ours");
    }
    ProcessPlace { home: home.to_owned(), work, launched: Mutex::default(), own: None }
}

impl ProcessPlace {
    fn launch(&self) -> Launched {
        let (ours, theirs) = channel().expect("a channel");
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.env_clear().env(ROLE, &self.home).stdin(Stdio::from(theirs));
        let child = command.spawn().expect("a launcher");
        Launched { child, launcher: Launcher::new(ours).expect("a channel") }
    }

    fn launcher(&self) -> Launcher {
        let launched = self.launched.lock().expect("no panic holds it");
        launched.as_ref().expect("it was started").launcher.clone()
    }

    fn stop(&self) {
        if let Some(mut launched) = self.launched.lock().expect("no panic holds it").take() {
            let _ = launched.child.kill();
            let _ = launched.child.wait();
        }
    }
}

impl Drop for ProcessPlace {
    fn drop(&mut self) {
        self.stop();
        if self.own.is_none() {
            return;
        }
        forget(&self.home);
    }
}

/// Removes what launchers of this home keep for the next sandbox.
pub(crate) fn forget(home: &Path) {
    for cgroup in machine::cgroups(&[host(home)]) {
        let _ = fs::remove_dir(cgroup);
    }
}

#[async_trait]
impl Place for ProcessPlace {
    fn host(&self) -> Arc<dyn SessionRuntime> {
        self.stop();
        let launched = self.launch();
        let runtime = ProcessRuntime::new(launched.launcher.clone(), self.home.join("images"));
        *self.launched.lock().expect("no panic holds it") = Some(launched);
        Arc::new(runtime)
    }

    fn beside(&self) -> Box<dyn Place> {
        place()
    }

    fn image(&self) -> Image {
        Image::Host(FILES.map(PathBuf::from).into())
    }

    fn work(&self) -> &Path {
        &self.work
    }

    fn home(&self) -> &Path {
        &self.home
    }

    async fn supervisor(&self, id: &SandboxId) -> Option<u32> {
        match self.launcher().status(id.as_str()).await.ok()?.state {
            State::Running(pid) => Some(pid),
            State::Ended(_) => None,
        }
    }

    fn helper(&self) -> Option<u32> {
        self.launched.lock().expect("no panic holds it").as_ref().map(|launched| launched.child.id())
    }

    async fn names(&self, id: &SandboxId) -> Vec<String> {
        vec![id.as_str().to_owned()]
    }

    async fn left(&self) -> Vec<String> {
        let entries = fs::read_dir(self.home.join("state/sandboxes")).into_iter().flatten().flatten();
        let mut left: Vec<String> = entries.map(|entry| entry.path().display().to_string()).collect();
        for cgroup in machine::cgroups(&[host(&self.home)]) {
            let below = fs::read_dir(cgroup).into_iter().flatten().flatten();
            let below = below.filter(|entry| entry.path().is_dir());
            left.extend(below.map(|entry| entry.path().display().to_string()));
        }
        left
    }
}
