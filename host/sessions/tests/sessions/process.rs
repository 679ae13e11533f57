//! The process backend: a launcher, sandboxes and the supervisor itself, as a host has them.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command as Program, Stdio};
use std::sync::Arc;
use std::time::Duration;

use packhost_core::Caller;
use packhost_launcher::{Launcher, channel};
use packhost_session_protocol::message::{Confinement, Rlimits, User};
use packhost_sessions::link::{Command, Link, LinkSettings};
use packhost_sessions::{
    Access, Ended, Health, Image, Mount, ProcessRuntime, RuntimeError, SANDBOX_USER, SandboxId,
    SandboxLimits, SandboxSpec, SandboxState, SessionRuntime,
};
use tempfile::TempDir;

/// What a sandbox is made from, and what programs in it may read.
const FILES: [&str; 4] = ["/bin", "/usr", "/lib", "/lib64"];

struct Host {
    home: TempDir,
    child: Child,
    user: Option<u32>,
    runtime: Arc<ProcessRuntime>,
}

impl Host {
    /// As root, where the tests are; otherwise as whoever they are.
    fn new() -> Self {
        Self::of(None)
    }

    fn of(user: Option<u32>) -> Self {
        let home = TempDir::with_prefix("process").expect("a directory");
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).expect("ours");
        for part in ["state", "work"] {
            fs::create_dir(home.path().join(part)).expect("ours");
            if user.is_some() {
                chown(home.path().join(part), user, user).expect("root");
            }
        }
        let (child, end) = launch(&home, user);
        Self { home, child, user, runtime: runtime(end) }
    }

    /// Another launcher, and another host, after the first one was killed.
    fn restart(&mut self) {
        self.stop();
        let (child, end) = launch(&self.home, self.user);
        (self.child, self.runtime) = (child, runtime(end));
    }

    fn stop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        self.child.wait().expect("our child");
    }

    async fn create(&self, spec: &SandboxSpec) -> Link {
        self.runtime.create(spec).await.expect("a sandbox");
        self.link(&spec.id).await
    }

    async fn link(&self, id: &SandboxId) -> Link {
        let runtime: Arc<dyn SessionRuntime> = self.runtime.clone();
        Link::connect(runtime, id.clone(), None, LinkSettings::default()).await.expect("a link")
    }

    async fn state(&self, id: &SandboxId) -> SandboxState {
        self.runtime.get(id).await.expect("known").state
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.stop();
        let (mut child, end) = launch(&self.home, self.user);
        // On another thread: this one is in a runtime.
        let ending = std::thread::spawn(|| {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let launcher = Launcher::new(end).expect("a channel");
                for sandbox in launcher.list().await.expect("a list") {
                    launcher.kill(&sandbox.id).await.expect("its end");
                }
            });
        });
        let ended = ending.join();
        let _ = child.wait();
        assert!(std::thread::panicking() || ended.is_ok());
    }
}

fn runtime(end: OwnedFd) -> Arc<ProcessRuntime> {
    Arc::new(ProcessRuntime::new(Launcher::new(end).expect("a channel"), "/nonexistent".into()))
}

fn launch(home: &TempDir, user: Option<u32>) -> (Child, OwnedFd) {
    let (ours, theirs) = channel().expect("a channel");
    let tests = std::env::current_exe().expect("this program");
    let directory = tests.parent().and_then(|deps| deps.parent()).expect("a profile's directory");
    let mut program = Program::new(directory.join("examples/launch_sandboxes"));
    program.env_clear().arg(home.path()).stdin(Stdio::from(theirs));
    if let Some(user) = user {
        program.uid(user).gid(user);
    }
    (program.spawn().expect("the example was built"), ours)
}

fn spec() -> SandboxSpec {
    SandboxSpec {
        id: SandboxId::fresh(),
        owner: Caller::local(),
        image: Image::Host(FILES.map(PathBuf::from).into()),
        limits: SandboxLimits {
            cpu_millis: 2000,
            memory: 128 << 20,
            processes: 40,
            disk: 16 << 20,
            open_files: 256,
        },
        mounts: Vec::new(),
        scratch: vec![PathBuf::from("/sandbox")],
        env: BTreeMap::new(),
        labels: BTreeMap::new(),
        orphaned_after: Duration::from_secs(600),
    }
}

fn shell(script: &str) -> Command {
    let bytes = |paths: &[&str]| paths.iter().map(|path| path.as_bytes().to_vec().into()).collect();
    Command::new("/bin/sh").args(["-c", script]).env("PATH", "/usr/bin:/bin").cwd("/sandbox").confinement(
        Confinement {
            user: Some(User { uid: SANDBOX_USER, gid: SANDBOX_USER }),
            read_only: bytes(&["/bin", "/usr", "/lib", "/lib64", "/etc", "/proc", "/dev"]),
            read_write: bytes(&["/sandbox", "/tmp", "/dev/null", "/workspace"]),
            rlimits: Rlimits::default(),
            required: true,
            landlock_abi: 0,
            plain: bytes(&["/workspace"]),
        },
    )
}

async fn output(link: &Link, command: Command) -> (Option<u8>, String) {
    let finished = link.exec(command).await.expect("a program").output(64 << 10).await.expect("an end");
    let text = [finished.stdout, finished.stderr].concat();
    (finished.exit.code, String::from_utf8_lossy(&text).trim().to_owned())
}

fn root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

#[tokio::test]
async fn a_healthy_backend_says_what_it_can() {
    let host = Host::new();
    assert!(matches!(host.runtime.health().await, Health::Healthy(_)));
    let can = host.runtime.capabilities();
    assert!(can.host_files && can.mounts && !can.images);
    assert_eq!(can.two_users, root());
}

#[tokio::test]
async fn a_program_runs_as_the_sandboxs_user_behind_all_walls() {
    let host = Host::new();
    let spec = spec();
    let link = host.create(&spec).await;
    assert!(link.welcome().is_init);
    let (code, text) =
        output(&link, shell("id -u; id -un; pwd; grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status"))
            .await;
    assert_eq!(code, Some(0), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines,
        ["1000", "sandbox", "/sandbox", "CapEff:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"]
    );
    host.runtime.destroy(&spec.id).await.expect("its end");
    assert_eq!(host.runtime.get(&spec.id).await, Err(RuntimeError::NotFound));
}

#[tokio::test]
async fn the_hosts_passwd_is_not_there() {
    let host = Host::new();
    let link = host.create(&spec()).await;
    let (_, users) = output(&link, shell("cat /etc/passwd | cut -d: -f1 | tr '\\n' ' '")).await;
    assert_eq!(users, "root sandbox nobody");
    let (code, _) = output(&link, shell("ls /root || ls /home || ls /var || ls /work")).await;
    assert_ne!(code, Some(0));
}

#[tokio::test]
async fn python_of_the_machine_runs() {
    let host = Host::new();
    let link = host.create(&spec()).await;
    let script = "command -v python3 >/dev/null || { echo 42; exit; }; python3 -c 'print(6 * 7)'";
    assert_eq!(output(&link, shell(script)).await, (Some(0), "42".to_owned()));
}

#[tokio::test]
async fn a_workspace_is_the_hosts_and_the_sandboxs() {
    let host = Host::new();
    let work = host.home.path().join("work/one");
    fs::create_dir(&work).expect("ours");
    let mount = Mount { host: work.clone(), inside: "/workspace".into(), access: Access::ReadWrite };
    let link = host.create(&SandboxSpec { mounts: vec![mount], ..spec() }).await;
    assert_eq!(output(&link, shell("echo new > /workspace/new")).await, (Some(0), String::new()));
    assert_eq!(fs::read_to_string(work.join("new")).expect("there"), "new\n");
    assert_eq!(
        fs::metadata(work.join("new")).expect("there").uid(),
        fs::metadata(&work).expect("there").uid()
    );
}

#[tokio::test]
async fn a_program_goes_on_over_a_restart_of_the_host() {
    let mut host = Host::new();
    let spec = spec();
    let link = host.create(&spec).await;
    let exec =
        link.exec(shell("while ! test -e go; do sleep 0.01; done; echo went on")).await.expect("a program");
    let id = exec.detach().await.expect("detached");
    drop(link);
    host.restart();
    let link = host.link(&spec.id).await;
    let exec = link.attach(id).await.expect("still there");
    assert_eq!(output(&link, shell("touch go")).await.0, Some(0));
    let finished = exec.output(1024).await.expect("an end");
    assert_eq!(finished.stdout, b"went on\n");
}

#[tokio::test]
async fn a_sandbox_that_was_killed_says_so() {
    let host = Host::new();
    let spec = spec();
    let link = host.create(&spec).await;
    link.shutdown().await.expect("it was asked to end");
    while host.state(&spec.id).await == SandboxState::Running {
        tokio::task::yield_now().await;
    }
    assert_eq!(host.state(&spec.id).await, SandboxState::Ended(Ended::Exited(0)));
    assert!(matches!(host.runtime.open(&spec.id).await, Err(RuntimeError::Ended(Ended::Exited(0)))));
    assert!(host.runtime.logs(&spec.id, 100).await.is_ok_and(|log| log.len() <= 100));
    assert_eq!(host.runtime.list().await.expect("a list").len(), 1);
}

#[tokio::test]
async fn memory_is_limited_and_the_sandbox_goes_on() {
    if !root() {
        return;
    }
    let host = Host::new();
    let limits = SandboxLimits { memory: 48 << 20, ..spec().limits };
    let link = host.create(&SandboxSpec { limits, ..spec() }).await;
    let exec = link.exec(shell("exec perl -e '$x = \"x\" x 200_000_000'")).await.expect("a program");
    let exit = exec.wait().await.expect("an end");
    assert_eq!((exit.signal, exit.out_of_memory), (Some(9), true));
    assert_eq!(output(&link, shell("echo on")).await, (Some(0), "on".to_owned()));
}

#[tokio::test]
async fn a_normal_user_has_sandboxes_too() {
    let host = Host::of(root().then_some(65534));
    assert!(matches!(host.runtime.health().await, Health::Healthy(_)));
    assert!(!host.runtime.capabilities().two_users);
    let spec = spec();
    let link = host.create(&spec).await;
    // There is no other user than the supervisor's.
    let mut command = shell("id -u; echo x > /sandbox/x && cat /sandbox/x");
    command.confinement.user = None;
    let (_, text) = output(&link, command).await;
    assert_eq!(text, "1000\nx");
    host.runtime.destroy(&spec.id).await.expect("its end");
}
