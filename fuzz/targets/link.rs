//! A hostile supervisor, as the host hears it: it greets as it should, and then answers whatever it is asked with bytes of
//! its own choice. Nothing panics, every question has an end, and what reaches the caller is no more than what came and no
//! path that leads elsewhere.
//!
//! The first byte says what is asked; the rest is the answer. The clock is one that jumps, so that no wait takes any time.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use minicbor::bytes::ByteVec;
use packhost_session_protocol::message::{
    Confinement, ExecId, ForwardTarget, Get, List, MakeDirectory, Opening, Pack, Pong, Put, Rlimits, Stat,
    Welcome,
};
use packhost_session_protocol::{Frames, Incoming, Mux, Role, Stream, limits};
use packhost_sessions::link::{Command, Exec, Leaves, Link, LinkError, LinkSettings};
use packhost_sessions::{
    Backend, ByteStream, Capabilities, Health, RuntimeError, SandboxId, SandboxSpec, SandboxStatus,
    SessionRuntime,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Builder;

use crate::within_memory;

/// Longer than any wait of a link.
const LONG: Duration = Duration::from_secs(3600);
/// What a link with its tasks and buffers takes, and what one byte of an answer may cost.
const MEMORY: (usize, usize) = (8 << 20, 256);
/// What the stream holds on its way, in bytes.
const HELD: usize = 64 << 10;
/// How many questions there are, and the one that is none: the supervisor speaks first.
const QUESTIONS: u8 = 13;
const LEAVES: u8 = 11;
/// Asked for of a file, and of a listing.
const MOST: u64 = 1000;

pub(crate) fn fuzz(bytes: &[u8]) {
    let Some((question, answer)) = bytes.split_first() else { return };
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    within_memory(MEMORY.0 + MEMORY.1 * answer.len(), || {
        let asked = runtime.block_on(async { tokio::time::timeout(LONG, ask(*question, answer)).await });
        asked.expect("every question has an end");
        drop(runtime);
    });
}

async fn ask(question: u8, answer: &[u8]) {
    let settings = LinkSettings { reopen_for: Duration::from_millis(50), ..LinkSettings::default() };
    let left = Arc::new(Left::default());
    let question = question % QUESTIONS;
    let hostile = Hostile { answer: Arc::new(Mutex::new(answer.to_vec())), leaves: question == LEAVES };
    let link = Link::connect(Arc::new(hostile), SandboxId::fresh(), Some(left.clone()), settings).await;
    let link = link.expect("it greets as it should");
    let asked = match question {
        0 => link.usage().await.map(drop),
        1 => link.execs().await.map(drop),
        2 => match link.exec(Command::new("/a").stdin()).await {
            Ok(program) => runs(program, answer.len()).await,
            Err(error) => Err(error),
        },
        3 => match link.attach(ExecId([7; 16])).await {
            Ok(program) => runs(program, answer.len()).await,
            Err(error) => Err(error),
        },
        4 => reads(&link, answer.len()).await,
        5 => archive(&link, answer.len()).await,
        6 => lists(&link, answer.len()).await,
        7 => {
            let stat = Stat { path: path(), follow: false, confinement: wall() };
            link.stat(stat).await.map(|entry| stays(&entry.path))
        }
        8 => link.put(put(), &[b'a'; 3000][..]).await,
        9 => {
            let directory = MakeDirectory { path: path(), mode: 0o755, confinement: wall() };
            link.make_directory(directory).await
        }
        10 => forwards(&link, answer.len()).await,
        LEAVES => {
            // Until whatever is going to happen has happened.
            tokio::time::sleep(settings.answer_within * 2).await;
            assert!(left.0.load(Ordering::Relaxed) <= answer.len());
            link.ping().await
        }
        _ => link.shutdown().await,
    };
    if let Err(error) = asked {
        let said = error.to_string();
        assert!(said.len() < 1000 && !said.contains(|c: char| c.is_control()), "{said:?}");
    }
}

async fn runs(mut program: Exec, most: usize) -> Result<(), LinkError> {
    drop(program.stdin());
    let ended = program.output(usize::MAX).await?;
    assert!(ended.stdout.len() + ended.stderr.len() <= most, "more came out than went in");
    Ok(())
}

async fn reads(link: &Link, most: usize) -> Result<(), LinkError> {
    let get = Get { path: path(), offset: 0, length: Some(MOST), confinement: wall() };
    let (entry, mut reader) = link.get(get).await?;
    stays(&entry.path);
    let mut read = Vec::new();
    let _broken = reader.read_to_end(&mut read).await;
    assert!(read.len() <= most.min(1000));
    Ok(())
}

async fn archive(link: &Link, most: usize) -> Result<(), LinkError> {
    let pack = Pack { path: path(), most_bytes: MOST, most_entries: MOST, confinement: wall() };
    let mut read = Vec::new();
    let _broken = link.pack(pack).await?.read_to_end(&mut read).await;
    assert!(read.len() <= most);
    Ok(())
}

async fn lists(link: &Link, most: usize) -> Result<(), LinkError> {
    let list = List { path: path(), depth: 9, most: MOST, confinement: wall() };
    let listing = link.list(list).await?;
    assert!(listing.entries.len() as u64 <= MOST && listing.entries.len() <= most);
    listing.entries.iter().for_each(|entry| stays(&entry.path));
    Ok(())
}

async fn forwards(link: &Link, most: usize) -> Result<(), LinkError> {
    let mut stream = link.forward(ForwardTarget::Tcp(80)).await?;
    let mut read = Vec::new();
    let _broken = stream.read_to_end(&mut read).await;
    assert!(read.len() <= most);
    Ok(())
}

/// Joined to a directory, it is below that directory.
fn stays(path: &[u8]) {
    let path = Path::new(OsStr::from_bytes(path));
    let below = |part| matches!(part, Component::Normal(_));
    assert!(path.components().all(below), "{path:?} leads elsewhere");
}

fn path() -> ByteVec {
    b"/a".to_vec().into()
}

fn put() -> Put {
    Put { path: path(), mode: 0o644, parents: true, new: true, confinement: wall() }
}

fn wall() -> Confinement {
    let rlimits = Rlimits::default();
    let (read_only, read_write) = (Vec::new(), Vec::new());
    Confinement {
        user: None,
        read_only,
        read_write,
        rlimits,
        required: true,
        landlock_abi: 0,
        plain: Vec::new(),
    }
}

/// A supervisor that answers the first question that is none of its connection's with what it was given, and every other
/// one with nothing.
struct Hostile {
    answer: Arc<Mutex<Vec<u8>>>,
    /// It opens an exchange itself, and says it there.
    leaves: bool,
}

#[async_trait]
impl SessionRuntime for Hostile {
    fn backend(&self) -> Backend {
        Backend::Process
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    async fn health(&self) -> Health {
        Health::Healthy("a stranger".into())
    }

    async fn create(&self, _: &SandboxSpec) -> Result<(), RuntimeError> {
        Ok(())
    }

    async fn open(&self, _: &SandboxId) -> Result<Box<dyn ByteStream>, RuntimeError> {
        let (ours, theirs) = tokio::io::duplex(HELD);
        let (mux, incoming) = Mux::start(theirs, Role::Supervisor);
        if self.leaves {
            tokio::spawn(leave(mux, take(&self.answer)));
        }
        tokio::spawn(serve(incoming, self.answer.clone()));
        Ok(Box::new(ours))
    }

    async fn get(&self, _: &SandboxId) -> Result<SandboxStatus, RuntimeError> {
        Err(RuntimeError::NotFound)
    }

    async fn list(&self) -> Result<Vec<SandboxStatus>, RuntimeError> {
        Ok(Vec::new())
    }

    async fn logs(&self, _: &SandboxId, _: usize) -> Result<Vec<u8>, RuntimeError> {
        Ok(Vec::new())
    }

    async fn destroy(&self, _: &SandboxId) -> Result<(), RuntimeError> {
        Ok(())
    }
}

fn take(answer: &Mutex<Vec<u8>>) -> Vec<u8> {
    std::mem::take(&mut *answer.lock().unwrap_or_else(PoisonError::into_inner))
}

async fn serve(mut incoming: Incoming, answer: Arc<Mutex<Vec<u8>>>) {
    while let Some(stream) = incoming.next().await {
        let answer = answer.clone();
        tokio::spawn(async move {
            let mut frames = Frames::new(stream);
            let _cut_off = match frames.message::<Opening>().await {
                Ok(Opening::Hello(_)) => frames.say(&welcome()).await,
                Ok(Opening::Ping) => frames.say(&Pong { uptime_ms: 1 }).await,
                Ok(_) => frames.get_mut().write_all(&take(&answer)).await.map_err(Into::into),
                Err(error) => Err(error),
            };
            ends(frames.into_inner()).await;
        });
    }
}

async fn leave(mux: Mux, said: Vec<u8>) {
    if let Ok(mut stream) = mux.open().await {
        let _cut_off = stream.write_all(&said).await;
        ends(stream).await;
    }
}

/// Says no more, and hears the rest.
async fn ends(mut stream: Stream) {
    let _cut_off = stream.shutdown().await;
    let _cut_off = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
}

fn welcome() -> Welcome {
    Welcome {
        version: limits::VERSION,
        release: "a stranger".into(),
        landlock_abi: 7,
        uptime_ms: 1,
        is_init: true,
        proxy_port: None,
    }
}

/// What has left the sandbox, in bytes.
#[derive(Default)]
struct Left(AtomicUsize);

#[async_trait]
impl Leaves for Left {
    async fn leave(&self, mut stream: Stream) {
        let mut read = Vec::new();
        let _cut_off = stream.read_to_end(&mut read).await;
        self.0.fetch_add(read.len(), Ordering::Relaxed);
    }
}
