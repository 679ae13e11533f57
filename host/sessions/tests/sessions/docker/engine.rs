//! A Docker Engine of the test's own, with an image made from a few programs of this machine.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bollard::query_parameters::{CreateImageOptionsBuilder, ListContainersOptionsBuilder};
use bollard::{API_DEFAULT_VERSION, Docker, body_full};
use futures::TryStreamExt;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// The image that every test has.
pub(crate) const IMAGE: &str = "packhost/test";
const PROGRAMS: [&str; 11] =
    ["sh", "cat", "echo", "id", "ls", "dd", "touch", "sleep", "true", "chmod", "stat"];

/// Ends, with all that it started, when it is dropped.
pub(crate) struct Engine {
    daemon: Mutex<Child>,
    // Short, since the engine makes sockets in it.
    root: TempDir,
}

impl Engine {
    pub(crate) async fn start() -> Self {
        let root = tempfile::Builder::new().prefix("pk").tempdir_in("/tmp").expect("a directory");
        let daemon = Mutex::new(spawn(root.path()));
        let engine = Self { daemon, root };
        engine.answers().await;
        engine.import(IMAGE, &[]).await;
        engine
    }

    async fn answers(&self) {
        let log = Log(self.root.path().join("log"));
        soon("the engine answers", async || match try_client(&self.socket()) {
            Some(client) => client.ping().await.ok(),
            None => None,
        })
        .await;
        drop(log);
    }

    /// Ends the daemon by a signal, and starts it again on what it left. To be called by a thread that stays.
    pub(crate) async fn restart(&self, by: Signal) {
        let containerd = self.root.path().join("exec/containerd/containerd.pid");
        let pid = fs::read_to_string(&containerd).ok().and_then(|pid| pid.trim().parse().ok());
        end(&mut self.daemon.lock().expect("no panic holds it"), by);
        // It ends with the daemon, a moment later, and a new daemon would take it for its own until then; or for as long as
        // the first process of this machine does not ask how it ended.
        soon("the engine's containerd ends", async || has_ended(pid).then_some(())).await;
        let _ = fs::remove_file(containerd);
        *self.daemon.lock().expect("no panic holds it") = spawn(self.root.path());
        self.answers().await;
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.root.path().join("docker.sock")
    }

    pub(crate) fn directory(&self) -> &Path {
        self.root.path()
    }

    pub(crate) async fn client(&self) -> Docker {
        client(&self.socket()).await
    }

    /// Makes an image of the machine's programs, with these changes (instructions of a Dockerfile).
    pub(crate) async fn import(&self, name: &str, changes: &[&str]) {
        self.load(name, changes, closure(&PROGRAMS).into_inner().expect("a whole tar")).await;
    }

    /// Makes an image of a tar.
    pub(crate) async fn load(&self, name: &str, changes: &[&str], tar: Vec<u8>) {
        let options = CreateImageOptionsBuilder::default()
            .from_src("-")
            .repo(name)
            .tag("latest")
            .changes(changes.iter().map(|&change| change.to_owned()).collect())
            .build();
        let client = self.client().await;
        let imported = client.create_image(Some(options), Some(body_full(tar.into())), None);
        imported.try_collect::<Vec<_>>().await.expect("the image is imported");
    }

    pub(crate) async fn image_id(&self, name: &str) -> String {
        self.client().await.inspect_image(name).await.expect("the image is there").id.expect("it has an id")
    }

    /// The names of all containers, whoever's.
    pub(crate) async fn containers(&self) -> Vec<String> {
        let all = ListContainersOptionsBuilder::default().all(true).build();
        let listed = self.client().await.list_containers(Some(all)).await.expect("the engine lists");
        listed.into_iter().flat_map(|container| container.names.unwrap_or_default()).collect()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        end(self.daemon.get_mut().unwrap_or_else(PoisonError::into_inner), Signal::TERM);
        // Where it was killed, containers go on without it.
        for shim in processes_of(self.root.path()) {
            for process in children(shim).into_iter().chain([shim]) {
                let _ = Pid::from_raw(process.cast_signed()).map(|pid| kill_process(pid, Signal::KILL));
            }
        }
        // What the engine leaves mounted would keep the directory from being removed.
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        for mount in mounts.lines().rev().filter_map(|line| line.split(' ').nth(1)) {
            if Path::new(mount).starts_with(self.root.path()) {
                let _ = Command::new("umount").args(["--lazy", mount]).status();
            }
        }
    }
}

/// Shows the end of what the daemon wrote where something went wrong.
struct Log(PathBuf);

impl Drop for Log {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = fs::read_to_string(&self.0).unwrap_or_default();
            let lines: Vec<_> = log.lines().rev().take(30).collect();
            eprintln!("{}", lines.into_iter().rev().collect::<Vec<_>>().join("\n"));
        }
    }
}

/// Whether this process is over, whoever may still ask how.
fn has_ended(pid: Option<u32>) -> bool {
    let Some(pid) = pid else { return true };
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return true };
    stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with(['Z', 'X']))
}

/// What runs with this directory among its arguments.
fn processes_of(root: &Path) -> Vec<u32> {
    let root = root.to_string_lossy().into_owned();
    let processes = fs::read_dir("/proc").expect("a /proc").flatten();
    let numbers = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
    let told = |pid: &u32| {
        fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains(&root))
    };
    numbers.filter(told).collect()
}

fn children(of: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{of}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

fn spawn(root: &Path) -> Child {
    let path = |name: &str| root.join(name).to_str().expect("UTF-8").to_owned();
    let log = fs::File::options().create(true).append(true).open(path("log")).expect("a log");
    let mut command = Command::new("dockerd");
    command.args(["--data-root", &path("data"), "--exec-root", &path("exec"), "--pidfile", &path("pid")]);
    command.args(["--host", &format!("unix://{}", path("docker.sock"))]);
    command.args(["--iptables=false", "--bridge=none", "--shutdown-timeout", "1"]);
    command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log);
    // SAFETY: prctl(2) is async-signal-safe, and nothing else happens between fork and exec.
    unsafe {
        command.pre_exec(|| {
            rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?;
            Ok(())
        });
    }
    command.spawn().expect("dockerd is installed, which is Debian's package docker.io")
}

fn end(daemon: &mut Child, by: Signal) {
    if let Some(pid) = Pid::from_raw(daemon.id().cast_signed()) {
        let _ = kill_process(pid, by);
    }
    let _ = daemon.wait();
}

fn try_client(socket: &Path) -> Option<Docker> {
    Docker::connect_with_unix(socket.to_str()?, 60, API_DEFAULT_VERSION).ok()
}

/// Asks the engine that listens there.
pub(crate) async fn client(socket: &Path) -> Docker {
    let client = try_client(socket).expect("the engine listens");
    client.negotiate_version().await.expect("the engine answers")
}

/// Waits until there is something; for as long as anything may take on a slow machine.
pub(crate) async fn soon<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let wait = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait).await.unwrap_or_else(|_| panic!("never: {what}"))
}

/// A tar of these programs and of the libraries that they are linked with.
pub(crate) fn closure(programs: &[&str]) -> tar::Builder<Vec<u8>> {
    let mut files = BTreeSet::new();
    for program in programs {
        let path = ["/usr/bin", "/bin"].map(|directory| Path::new(directory).join(program));
        let path = path.into_iter().find(|path| path.exists()).expect("every machine has it");
        let linked = Command::new("ldd").arg(&path).output().expect("ldd runs");
        let linked = String::from_utf8_lossy(&linked.stdout).into_owned();
        let words = linked.split_whitespace().filter(|word| word.starts_with('/'));
        files.extend(words.map(|word| (PathBuf::from(word), PathBuf::from(word))));
        files.insert((Path::new("/bin").join(program), path));
    }
    let mut tar = tar::Builder::new(Vec::new());
    for (inside, host) in files {
        let inside = inside.strip_prefix("/").expect("absolute");
        tar.append_path_with_name(fs::canonicalize(&host).expect("it is there"), inside)
            .expect("it can be read");
    }
    for directory in ["tmp", "etc"] {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_mode(0o755);
        tar.append_data(&mut header, directory, std::io::empty()).expect("a directory");
    }
    tar
}
