//! The built binary as its user runs it: a state directory and a manifest of its own, on stdio, over HTTP, or for one
//! command.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::rpc::Rpc;

/// What the environment of a test run may say of another host.
const OTHERS: [&str; 11] = [
    "PACKHOST_STATE",
    "PACKHOST_LOG",
    "PACKHOST_VAULT_KEY",
    "PACKHOST_DNS",
    "PACKHOST_ARTIFACTS_S3",
    "PACKHOST_ARTIFACTS_S3_REGION",
    "PACKHOST_ARTIFACTS_S3_KEY",
    "PACKHOST_ARTIFACTS_S3_NETWORK",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
];

/// The binary that the same build made: `packhost` beside the directory of the test that runs.
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own file");
    let profile = test.parent().and_then(Path::parent).expect("target/PROFILE/deps/TEST");
    let binary = profile.join("packhost");
    assert!(binary.is_file(), "{} is not there: build the workspace first", binary.display());
    binary
}

/// A state directory whose cache has every shipped pack, so that not each of the hosts of a test run compiles all of
/// them. The first test that needs it makes it; the others, processes of their own, wait for that.
fn warm() -> PathBuf {
    let profile = binary().parent().expect("it is in a directory").to_owned();
    let state = profile.join("packhost-tests-state");
    let lock = File::create(profile.join("packhost-tests.lock")).expect("the directory is the build's");
    lock.lock().expect("files can be locked");
    let built = std::fs::metadata(binary()).and_then(|meta| meta.modified()).expect("it is there");
    let mark = format!("{built:?}");
    let marked = state.join("warm-for");
    if std::fs::read_to_string(&marked).ok().as_deref() != Some(&mark) {
        let compiled = Command::new(binary()).arg("--state").arg(&state).args(["packs", "compile"]).output();
        let compiled = Ran::from(compiled.expect("the binary starts"));
        assert_eq!(compiled.code, 0, "{compiled:?}");
        std::fs::write(marked, mark).expect("the directory is the build's");
    }
    state
}

/// A host that is about to be started.
pub struct Setup {
    root: TempDir,
    args: Vec<String>,
    env: Vec<(String, String)>,
}

impl Default for Setup {
    fn default() -> Self {
        Self::new()
    }
}

impl Setup {
    /// With the manifest that ships, and nothing else.
    pub fn new() -> Self {
        let root = TempDir::new().expect("a temporary directory");
        Self { root, args: Vec::new(), env: Vec::new() }
    }

    /// With this manifest in place of the one that ships.
    #[must_use]
    pub fn policy(mut self, yaml: &str) -> Self {
        let dir = self.root.path().join("operator");
        std::fs::create_dir_all(&dir).expect("the directory is ours");
        std::fs::write(dir.join("policy.yaml"), yaml).expect("the directory is ours");
        self.args.extend(["--policy".into(), dir.display().to_string()]);
        self
    }

    /// The file that [`policy`](Self::policy) wrote.
    pub fn policy_file(&self) -> PathBuf {
        self.root.path().join("operator/policy.yaml")
    }

    /// With these components besides the shipped ones.
    #[must_use]
    pub fn packs(self, path: &Path) -> Self {
        let path = path.display().to_string();
        self.args(["--packs", &path])
    }

    /// With further global options.
    #[must_use]
    pub fn args<'a>(mut self, args: impl IntoIterator<Item = &'a str>) -> Self {
        self.args.extend(args.into_iter().map(String::from));
        self
    }

    /// With a variable in the host's environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// A directory that is gone with this setup.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// The host's state directory.
    pub fn state(&self) -> PathBuf {
        self.root.path().join("state")
    }

    /// A command line of the binary, with this setup's options in front.
    pub fn command<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(binary());
        command.arg("--state").arg(self.state()).args(&self.args).args(words);
        for name in OTHERS {
            command.env_remove(name);
        }
        command.envs(self.env.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command line to its end.
    pub fn run<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Ran {
        let output = self.command(words).output().expect("the binary starts");
        Ran::from(output)
    }

    /// Starts from compiled packs: the cache of an earlier host, and the key that vouches for it.
    #[must_use]
    pub fn warmed(self) -> Self {
        let from = warm();
        copy(&from.join("cache"), &self.state().join("cache"));
        let key = "compiled.key";
        std::fs::copy(from.join(key), self.state().join(key)).expect("the state directory is ours");
        self
    }

    /// `packhost mcp`, with a raw client on its streams.
    pub fn mcp(&self) -> Rpc {
        let mut command = self.command(["mcp"]);
        Rpc::new(command.stdin(Stdio::piped()).spawn().expect("the binary starts"))
    }

    /// `packhost serve` on a free port, once it says that it listens.
    pub fn serve(&self, words: &[&str]) -> Served {
        let mut line = vec!["--json", "serve", "--listen", "127.0.0.1:0"];
        line.extend(words);
        let mut child = self.command(line).spawn().expect("the binary starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let stderr = drain(child.stderr.take().expect("it is piped"));
        let mut said = String::new();
        stdout.read_line(&mut said).expect("it can be read");
        let Ok(started) = serde_json::from_str::<Value>(&said) else {
            let _ = child.wait();
            panic!("it did not start: {}", stderr.join().unwrap_or_default())
        };
        let url = started["listening"].as_str().expect("it says where it listens").to_owned();
        let (_, place) = url.split_once("://").expect("it is a URL");
        let address = place.split('/').next().and_then(|at| at.parse().ok());
        let address: SocketAddr = address.expect("the URL has an address");
        Served { child, url, address, started, stderr: Some(stderr) }
    }
}

/// Copies files with their modes; the directory is private, as the host made it.
fn copy(from: &Path, to: &Path) {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(to).expect("the directory is ours");
    for entry in std::fs::read_dir(from).expect("the host made it") {
        let file = entry.expect("readable").path();
        let copied = to.join(file.file_name().expect("a file has a name"));
        std::fs::copy(&file, &copied).expect("the directory is ours");
        std::fs::set_permissions(&copied, std::fs::Permissions::from_mode(0o600)).expect("the file is ours");
    }
}

/// Reads a stream to its end on a thread, so that the child never waits for us.
pub(crate) fn drain(mut stream: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Waits for something that another process does.
pub fn wait_until(what: &str, done: &dyn Fn() -> bool) {
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !done() {
        assert!(std::time::Instant::now() < until, "not within a minute: {what}");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

/// What came of a command line.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; -1 where a signal ended it.
    pub code: i32,
    /// What it printed for programs.
    pub stdout: String,
    /// What it said to people.
    pub stderr: String,
}

impl Ran {
    /// What it printed, as one JSON document.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("not one JSON document: {error}\n{self:?}"))
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

/// A host that serves HTTP. Killed when dropped.
pub struct Served {
    child: Child,
    /// Where MCP is.
    pub url: String,
    /// The same, as an address.
    pub address: SocketAddr,
    /// What it said when it started.
    pub started: Value,
    stderr: Option<std::thread::JoinHandle<String>>,
}

impl Served {
    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGTERM and waits for the end: the exit code, and everything that it logged.
    pub fn terminate(self) -> (i32, String) {
        self.signalled("-TERM")
    }

    /// The same with SIGINT, as Ctrl-C sends it.
    pub fn interrupt(self) -> (i32, String) {
        self.signalled("-INT")
    }

    fn signalled(mut self, signal: &str) -> (i32, String) {
        let pid = self.pid().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().expect("kill is there");
        assert!(sent.success());
        let code = self.child.wait().expect("it ends").code().unwrap_or(-1);
        (code, self.stderr.take().and_then(|log| log.join().ok()).unwrap_or_default())
    }

    /// Kills it at once, and gives everything that it logged.
    pub fn log(mut self) -> String {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.stderr.take().and_then(|log| log.join().ok()).unwrap_or_default()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
