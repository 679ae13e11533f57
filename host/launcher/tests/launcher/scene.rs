//! A launcher in a process of its own, with a state directory that goes with it.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, SystemTime};

use packhost_launcher::{Files, Launcher, Limits, Recipe, Settings, State, UIDS, channel, serve};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// Tells a copy of the tests that it is a launcher, and for which directory.
pub(crate) const ROLE: &str = "PACKHOST_TEST_LAUNCHER";

/// What sandboxes are made of.
pub(crate) const FILES: [&str; 4] = ["/bin", "/usr", "/lib", "/lib64"];

/// In the copy: serves with the directory's settings.
pub(crate) fn be_launcher(home: &str) -> ExitCode {
    let home = Path::new(home);
    let settings = Settings {
        state: home.join("state"),
        host: home.file_name().expect("a name").to_str().expect("ASCII").to_ascii_lowercase(),
        supervisor: fs::read(stand_in()).expect("the stand-in was compiled").into(),
        images: Some(home.join("images")),
        readable: FILES.into_iter().map(PathBuf::from).chain([home.join("readable")]).collect(),
        mountable: vec![home.join("work")],
        uids: UIDS,
    };
    // SAFETY: the parent made the channel this copy's standard input, and nothing else here uses it.
    serve(unsafe { <OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(0) }, settings)
}

pub(crate) struct Scene {
    home: TempDir,
    child: Child,
    pub(crate) launcher: Launcher,
    user: Option<u32>,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::of(None)
    }

    /// With a launcher that is not root.
    pub(crate) fn of_a_user() -> Self {
        Self::of(Some(65534))
    }

    fn of(user: Option<u32>) -> Self {
        let home = TempDir::with_prefix("launcher").expect("a directory");
        for part in ["state", "images", "readable", "work"] {
            fs::create_dir(home.path().join(part)).expect("a directory");
            chown(home.path().join(part), user, user).expect("root");
        }
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).expect("ours");
        let (child, launcher) = launch(home.path(), user);
        Self { home, child, launcher, user }
    }

    /// Kills the launcher and starts another one.
    pub(crate) fn restart(&mut self) {
        self.stop();
        (self.child, self.launcher) = launch(self.home.path(), self.user);
    }

    /// Kills the launcher.
    pub(crate) fn stop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        self.child.wait().expect("our child");
    }

    /// Goes away as a host does, and waits for the launcher to do so too.
    pub(crate) fn leave(&mut self) -> ExitStatus {
        let (elsewhere, _) = channel().expect("a channel");
        self.launcher = Launcher::new(elsewhere).expect("a channel");
        self.child.wait().expect("our child")
    }

    pub(crate) fn launcher_pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn path(&self, part: &str) -> PathBuf {
        self.home.path().join(part)
    }

    pub(crate) fn host(&self) -> String {
        self.home.path().file_name().expect("a name").to_str().expect("ASCII").to_ascii_lowercase()
    }

    /// A second launcher of the same directory, with the bare channel to it.
    pub(crate) fn another(&self) -> (Child, OwnedFd) {
        launch_in_runtime(self.home.path(), self.user)
    }

    /// Makes a sandbox and returns its name and first process.
    pub(crate) async fn start(&self, recipe: Recipe) -> (String, u32) {
        let id = recipe.id.clone();
        let started = self.launcher.start(recipe).await.expect("a sandbox");
        (id, started.pid)
    }

    /// Runs a command as the sandbox's user: its exit code or minus its signal, and its output.
    pub(crate) async fn run(&self, id: &str, command: &str) -> (i32, String) {
        self.request(id, &format!("u{command}")).await.expect("an answer")
    }

    /// What a command prints that succeeds.
    pub(crate) async fn output(&self, id: &str, command: &str) -> String {
        let (code, output) = self.run(id, command).await;
        assert_eq!(code, 0, "{command}: {output}");
        output.trim().to_owned()
    }

    /// One exchange with the stand-in; nothing if it ended meanwhile.
    pub(crate) async fn request(&self, id: &str, request: &str) -> Option<(i32, String)> {
        let connection = self.launcher.open(id).await.expect("a connection");
        let mut connection = UnixStream::from_std(connection.into()).expect("a socket");
        connection.write_all(request.as_bytes()).await.ok()?;
        connection.shutdown().await.ok()?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.ok()?;
        let (code, output) = answer.split_once('\n')?;
        Some((code.parse().expect("a code"), output.to_owned()))
    }

    /// Waits until a sandbox is no longer running.
    pub(crate) async fn ended(&self, id: &str) -> State {
        let started = SystemTime::now();
        loop {
            let state = self.launcher.status(id).await.expect("known").state;
            if !matches!(state, State::Running(_)) {
                return state;
            }
            assert!(
                started.elapsed().is_ok_and(|since| since < Duration::from_secs(60)),
                "it goes on and on"
            );
            tokio::task::yield_now().await;
        }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.stop();
        // A launcher that starts takes over what there is; this one ends it all.
        let (mut child, launcher) = launch_in_runtime(self.home.path(), self.user);
        // On another thread: this one may be in a runtime.
        let ending = std::thread::scope(|scope| {
            scope
                .spawn(|| {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                    runtime.expect("a runtime").block_on(async {
                        let launcher = Launcher::new(launcher).expect("a channel");
                        for sandbox in launcher.list().await.expect("a list") {
                            launcher.kill(&sandbox.id).await.expect("its end");
                        }
                    });
                })
                .join()
        });
        let ended = child.wait();
        assert!(std::thread::panicking() || (ending.is_ok() && ended.is_ok_and(|status| status.success())));
    }
}

fn launch(home: &Path, user: Option<u32>) -> (Child, Launcher) {
    let (child, ours) = launch_in_runtime(home, user);
    (child, Launcher::new(ours).expect("a channel"))
}

fn launch_in_runtime(home: &Path, user: Option<u32>) -> (Child, OwnedFd) {
    stand_in();
    let (ours, theirs) = channel().expect("a channel");
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.env_clear().env(ROLE, home).stdin(Stdio::from(theirs));
    if let Some(user) = user {
        command.uid(user).gid(user);
    }
    (command.spawn().expect("a launcher"), ours)
}

/// The stand-in for the supervisor, compiled once for each of its versions.
fn stand_in() -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/launcher/stand_in.rs");
    let built = fs::metadata(&source).and_then(|file| file.modified()).expect("the source");
    let stamp = built.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_nanos();
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("stand-in-{stamp}"));
    if program.exists() {
        return program;
    }
    // In a directory of its own: two compilers that write to one have the same names for what they write in between.
    let room = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the build's directory");
    let fresh = room.path().join("stand-in");
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let compiled = Command::new("rustc")
        .args(["--edition", "2024", "-O", "-C", "panic=abort", "--target", &target, "-o"])
        .arg(&fresh)
        .arg(&source)
        .status();
    assert!(compiled.is_ok_and(|status| status.success()), "rustup target add {target}");
    fs::rename(&fresh, &program).expect("the same directory");
    program
}

/// A recipe with moderate limits.
pub(crate) fn recipe() -> Recipe {
    let mut random = [0; 26];
    getrandom::fill(&mut random).expect("randomness");
    Recipe {
        id: random.map(|byte| char::from(b'a' + byte % 26)).iter().collect(),
        owner: "local".to_owned(),
        files: Files::Host(FILES.into_iter().map(PathBuf::from).collect()),
        limits: Limits { cpu_millis: 2000, memory: 128 << 20, processes: 32, disk: 8 << 20 },
        mounts: Vec::new(),
        scratch: vec![PathBuf::from("/sandbox")],
        env: BTreeMap::from([("COLOUR".to_owned(), "blue".to_owned())]),
        labels: BTreeMap::new(),
        orphaned_after_ms: 600_000,
    }
}
