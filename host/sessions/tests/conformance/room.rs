//! One sandbox, and what is run in it.

use packhost_session_protocol::message::{Confinement, Fault, Get, List, Put, Rlimits, User};
use packhost_sessions::link::{Command, Exec, ExecReader, Finished, Link, LinkError};
use packhost_sessions::{SANDBOX_USER, SandboxId};
use tokio::io::AsyncReadExt;

use crate::bench::until;

/// Bytes of each output that are looked at.
const OUTPUT: usize = 1 << 20;

pub(crate) struct Room {
    pub(crate) id: SandboxId,
    pub(crate) link: Link,
}

impl Room {
    pub(crate) async fn exec(&self, command: Command) -> Exec {
        self.link.exec(command).await.expect("it starts")
    }

    pub(crate) async fn run(&self, command: Command) -> Finished {
        self.exec(command).await.output(OUTPUT).await.expect("an end")
    }

    /// What a program prints that succeeds.
    pub(crate) async fn says(&self, command: Command) -> String {
        let finished = self.run(command).await;
        let complaint = String::from_utf8_lossy(&finished.stderr).into_owned();
        assert_eq!(finished.exit.code, Some(0), "{:?}: {complaint}", finished.exit);
        String::from_utf8(finished.stdout).expect("text")
    }

    /// What a shell prints on both outputs, however it ends.
    pub(crate) async fn tries(&self, command: Command) -> String {
        let finished = self.run(command).await;
        String::from_utf8_lossy(&[finished.stdout, finished.stderr].concat()).into_owned()
    }

    /// A program that has printed `ready` and goes on.
    pub(crate) async fn ready(&self, command: Command) -> (Exec, ExecReader) {
        let mut exec = self.exec(command).await;
        let mut output = exec.stdout().expect("not taken yet");
        until_read(&mut output, "ready").await;
        (exec, output)
    }

    /// Waits until nothing runs.
    pub(crate) async fn quiet(&self) {
        until("nothing runs", async || self.processes().await == 0).await;
    }

    pub(crate) async fn processes(&self) -> u32 {
        self.link.usage().await.expect("an answer").processes
    }

    pub(crate) async fn put(&self, path: impl Into<Vec<u8>>, content: &[u8]) {
        self.link.put(put(path), content).await.expect("it is written");
    }

    pub(crate) async fn get(&self, path: impl Into<Vec<u8>>) -> Vec<u8> {
        let (entry, mut reader) = self.link.get(get(path)).await.expect("it is there");
        let mut content = Vec::new();
        reader.read_to_end(&mut content).await.expect("it is read");
        assert_eq!(entry.size, content.len() as u64);
        content
    }

    /// The names in a directory and below, sorted.
    pub(crate) async fn names(&self, path: &str, depth: u32) -> Vec<Vec<u8>> {
        let listing = self.link.list(list(path, depth, 10_000)).await.expect("it is listed");
        assert!(!listing.more);
        let mut names: Vec<Vec<u8>> = listing.entries.into_iter().map(|entry| entry.path.to_vec()).collect();
        names.sort();
        names
    }
}

/// Reads until this was printed; what came so far.
pub(crate) async fn until_read(output: &mut ExecReader, word: &str) -> String {
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains(word) {
        let byte = output.read_u8().await;
        read.push(byte.unwrap_or_else(|error| panic!("{error} after {:?}", String::from_utf8_lossy(&read))));
    }
    String::from_utf8(read).expect("text")
}

/// What is left of an output, as text.
pub(crate) async fn rest(mut output: ExecReader) -> String {
    let mut text = String::new();
    output.read_to_string(&mut text).await.expect("text");
    text
}

/// Why something was refused.
pub(crate) fn fault<T>(refused: Result<T, LinkError>) -> Fault {
    match refused {
        Err(LinkError::Refused(refusal)) => refusal.fault,
        Err(other) => panic!("not refused, but {other}"),
        Ok(_) => panic!("it was done"),
    }
}

/// What programs may usually reach.
pub(crate) fn profile() -> Confinement {
    let bytes = |paths: &[&str]| paths.iter().map(|path| path.as_bytes().to_vec().into()).collect();
    Confinement {
        user: Some(User { uid: SANDBOX_USER, gid: SANDBOX_USER }),
        read_only: bytes(&["/bin", "/usr", "/lib", "/lib64", "/etc", "/proc"]),
        read_write: bytes(&["/sandbox", "/tmp", "/dev/shm", "/workspace"]),
        rlimits: Rlimits::default(),
        required: true,
        landlock_abi: 0,
        plain: bytes(&["/workspace"]),
    }
}

/// The usual with other rules for files.
pub(crate) fn reaching(read_only: &[&str], read_write: &[&str]) -> Confinement {
    let bytes = |paths: &[&str]| paths.iter().map(|path| path.as_bytes().to_vec().into()).collect();
    let programs = ["/bin", "/usr", "/lib", "/lib64"];
    Confinement {
        read_only: bytes(&[&programs, read_only].concat()),
        read_write: bytes(read_write),
        ..profile()
    }
}

pub(crate) fn program(name: &str) -> Command {
    Command::new(name).env("PATH", "/usr/bin:/bin").cwd("/sandbox").confinement(profile())
}

pub(crate) fn shell(script: &str) -> Command {
    program("sh").args(["-c", script])
}

/// Without what belongs to the machine's users (`-I`) or is installed beside Python (`-S`).
pub(crate) fn python(script: &str) -> Command {
    program("/usr/bin/python3").args(["-I", "-S", "-c", script])
}

pub(crate) fn put(path: impl Into<Vec<u8>>) -> Put {
    Put { path: path.into().into(), mode: 0o644, parents: true, new: false, confinement: profile() }
}

pub(crate) fn get(path: impl Into<Vec<u8>>) -> Get {
    Get { path: path.into().into(), offset: 0, length: None, confinement: profile() }
}

pub(crate) fn list(path: &str, depth: u32, most: u64) -> List {
    List { path: path.as_bytes().to_vec().into(), depth, most, confinement: profile() }
}
