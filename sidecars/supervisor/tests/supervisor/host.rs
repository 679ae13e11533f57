//! A supervisor to test, and a host that speaks with it.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use packhost_session_protocol::message::{
    Attach, Attached, Confinement, ExecId, ExecInput, ExecOutput, Executed, Exit, Hello, Opening, Refusal,
    Rlimits, Start, Terminal, Welcome,
};
use packhost_session_protocol::{Frame, Frames, Kind, Mux, Role, Stream, limits};
use tempfile::TempDir;
use tokio::net::UnixStream;

/// A running supervisor. It is killed, with all below it, when this is dropped.
pub(crate) struct Sandbox {
    pub(crate) child: Child,
    pub(crate) directory: TempDir,
}

impl Sandbox {
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    pub(crate) async fn with(options: &[&str]) -> Self {
        let directory = TempDir::new().expect("a directory");
        let child = Command::new(env!("CARGO_BIN_EXE_packhost-supervisor"))
            .arg("serve")
            .arg("--listen")
            .arg(directory.path().join("socket"))
            .args(options)
            .stdin(Stdio::null())
            .spawn()
            .expect("the supervisor starts");
        let sandbox = Self { child, directory };
        drop(sandbox.dial().await);
        sandbox
    }

    /// Waits until the supervisor has ended, and gives its exit code.
    pub(crate) async fn exit_code(&mut self) -> Option<i32> {
        loop {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                return status.code();
            }
            tokio::task::yield_now().await;
        }
    }

    /// The supervisor's resident memory, in KiB.
    pub(crate) fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Connects as soon as it listens.
    pub(crate) async fn dial(&self) -> UnixStream {
        loop {
            match UnixStream::connect(self.socket()).await {
                Ok(stream) => return stream,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    }

    pub(crate) async fn host(&self) -> Host {
        Host::greet(self.dial().await).await
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // Its keepers end what it ran.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A host that was welcomed.
pub(crate) struct Host {
    pub(crate) mux: Mux,
    pub(crate) welcome: Welcome,
    _incoming: packhost_session_protocol::Incoming,
}

pub(crate) fn hello() -> Hello {
    Hello { version: limits::VERSION, egress: false, orphaned_after_ms: None }
}

impl Host {
    pub(crate) async fn greet<S>(stream: S) -> Self
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        let (mux, incoming) = Mux::start(stream, Role::Host);
        let mut frames = Frames::new(mux.open().await.expect("an exchange"));
        frames.say(&Opening::Hello(hello())).await.expect("said");
        let welcome = frames.message().await.expect("a welcome");
        Self { mux, welcome, _incoming: incoming }
    }

    pub(crate) async fn open(&self, opening: &Opening) -> Frames<Stream> {
        let mut frames = Frames::new(self.mux.open().await.expect("an exchange"));
        frames.say(opening).await.expect("said");
        frames
    }

    pub(crate) async fn try_start(&self, start: Start) -> Result<Exec, Refusal> {
        Exec::begin(self.open(&Opening::Start(start)).await).await
    }

    pub(crate) async fn start(&self, start: Start) -> Exec {
        self.try_start(start).await.expect("it starts")
    }

    pub(crate) async fn attach(&self, id: ExecId, stdout: u64, stderr: u64) -> Result<Exec, Refusal> {
        Exec::begin(self.open(&Opening::Attach(Attach { id, stdout, stderr })).await).await
    }

    pub(crate) async fn run(&self, argv: &[&str]) -> Outcome {
        self.start(program(argv)).await.outcome().await
    }

    pub(crate) async fn shell(&self, script: &str) -> Outcome {
        self.run(&["sh", "-c", script]).await
    }
}

/// A program that runs, as one exchange has it.
pub(crate) struct Exec {
    pub(crate) frames: Frames<Stream>,
    pub(crate) attached: Attached,
    /// Bytes of the outputs that the host has.
    pub(crate) stdout: u64,
    pub(crate) stderr: u64,
}

/// All that a program wrote, and how it ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) exit: Exit,
}

impl Outcome {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

impl Exec {
    async fn begin(mut frames: Frames<Stream>) -> Result<Self, Refusal> {
        match frames.message().await.expect("an answer") {
            Executed::Attached(attached) => {
                let (stdout, stderr) = (attached.stdout, attached.stderr);
                Ok(Self { frames, attached, stdout, stderr })
            }
            Executed::Refused(refusal) => Err(refusal),
        }
    }

    pub(crate) async fn say(&mut self, input: ExecInput) {
        self.frames.say(&input).await.expect("said");
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.frames.data(Kind::Input, bytes).await.expect("sent");
    }

    /// Reads to the end, confirming all of it, and lets the supervisor forget it.
    pub(crate) async fn outcome(self) -> Outcome {
        self.finish(true).await
    }

    /// Reads to the end, and neither confirms anything nor lets the supervisor forget it.
    pub(crate) async fn read_exit(self) -> Outcome {
        self.finish(false).await
    }

    async fn finish(mut self, last: bool) -> Outcome {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        loop {
            let frame = self.next().await;
            match frame.kind {
                Kind::Output => stdout.extend(frame.payload),
                Kind::Error => stderr.extend(frame.payload),
                Kind::Message => {
                    if let ExecOutput::Exited(exit) = frame.message().expect("a message") {
                        if last {
                            self.say(ExecInput::Forget).await;
                        }
                        return Outcome { stdout, stderr, exit };
                    }
                }
                Kind::Input => panic!("input from a supervisor"),
            }
            if last {
                // It may have ended already, and then this is not heard.
                let _ = self.frames.say(&self.confirmation()).await;
            }
        }
    }

    /// The next frame, its bytes counted.
    pub(crate) async fn next(&mut self) -> Frame {
        let frame = self.frames.next().await.expect("a frame").expect("no end before the exit");
        match frame.kind {
            Kind::Output => self.stdout += frame.payload.len() as u64,
            Kind::Error => self.stderr += frame.payload.len() as u64,
            Kind::Message | Kind::Input => {}
        }
        frame
    }

    /// Says that the host has all that came.
    pub(crate) fn confirmation(&self) -> ExecInput {
        ExecInput::Confirm { stdout: self.stdout, stderr: self.stderr }
    }

    /// Reads standard output until this is in it; gives all that was read.
    pub(crate) async fn read_until(&mut self, end: &str) -> String {
        let mut text = String::new();
        while !text.contains(end) {
            let frame = self.next().await;
            if frame.kind == Kind::Output {
                text.push_str(&String::from_utf8_lossy(&frame.payload));
            }
        }
        text
    }
}

/// Bytes without a pattern, always the same.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(&mut next).take(length).collect()
}

/// The processes that have this word as an argument.
pub(crate) fn processes_with(word: &str) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("/proc") {
        let name = entry.expect("an entry").file_name().into_string().unwrap_or_default();
        let Ok(pid) = name.parse() else { continue };
        let line = std::fs::read(format!("/proc/{name}/cmdline")).unwrap_or_default();
        if line.split(|byte| *byte == 0).any(|argument| argument == word.as_bytes()) {
            found.push(pid);
        }
    }
    found
}

/// State and parent of a process, where it is there.
pub(crate) fn stat(pid: u32) -> Option<(char, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut words = stat.rsplit_once(") ")?.1.split(' ');
    Some((words.next()?.chars().next()?, words.next()?.parse().ok()?))
}

/// A number of seconds that no other test sleeps, as an argument of sleep(1).
pub(crate) fn marker() -> String {
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("1{:07}{id:03}", std::process::id())
}

/// Waits until something that happens by itself has happened.
pub(crate) async fn until(mut happened: impl FnMut() -> bool) {
    while !happened() {
        tokio::task::yield_now().await;
    }
}

static NEXT: AtomicU64 = AtomicU64::new(1);

pub(crate) fn fresh_id() -> ExecId {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    ExecId(id)
}

/// No walls: tests run as root on the machine itself.
pub(crate) fn open_confinement() -> Confinement {
    Confinement {
        user: None,
        read_only: vec![b"/".to_vec().into()],
        read_write: vec![b"/".to_vec().into()],
        rlimits: Rlimits::default(),
        required: false,
        landlock_abi: 1,
        plain: Vec::new(),
    }
}

pub(crate) fn program(argv: &[&str]) -> Start {
    Start {
        id: fresh_id(),
        argv: argv.iter().map(|word| word.as_bytes().to_vec().into()).collect(),
        env: Vec::new(),
        cwd: b"/".to_vec().into(),
        timeout_ms: None,
        terminal: None,
        confinement: open_confinement(),
        stdin: false,
    }
}

pub(crate) fn shell(script: &str) -> Start {
    program(&["sh", "-c", script])
}

/// The same with standard input open.
pub(crate) fn with_input(mut start: Start) -> Start {
    start.stdin = true;
    start
}

pub(crate) fn on_terminal(mut start: Start, columns: u16, rows: u16) -> Start {
    start.terminal = Some(Terminal { columns, rows });
    start
}
