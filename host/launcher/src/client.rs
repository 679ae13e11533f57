//! The host's side: asks, and waits for the answer.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::unix::AsyncFd;
use tokio::sync::Mutex;

use crate::recipe::Recipe;
use crate::wire::{self, About, Answer, Ask, PAGE, Packet, Refusal, Reply, Request, Sandbox, Started, Usage};

/// How long an answer may take. Longer than the launcher itself waits for anything.
const ANSWER: Duration = Duration::from_secs(60);

/// Why there is no answer, or none that was hoped for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LauncherError {
    /// The launcher says no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The launcher's process has ended.
    #[error("the launcher of sandboxes is gone; start packhost again")]
    Gone,
    /// No answer in a minute.
    #[error("the launcher of sandboxes did not answer within a minute")]
    Late,
    /// The answer belongs to no such question.
    #[error("the launcher of sandboxes gave an answer that does not belong to the question")]
    Confused,
    /// The channel does not work.
    #[error("the channel to the launcher of sandboxes: {0}")]
    Channel(#[from] io::Error),
}

/// A launcher, from the host. Cheap to clone; one question is asked at a time. A question that nobody waits for any more
/// is carried out all the same.
#[derive(Debug, Clone)]
pub struct Launcher {
    line: Arc<Mutex<Line>>,
}

#[derive(Debug)]
struct Line {
    socket: AsyncFd<OwnedFd>,
    /// Of the last request. Replies to earlier ones, whose askers went away, are dropped.
    number: u64,
}

impl Launcher {
    /// The host's end of a [`channel`](crate::channel). Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// A descriptor that cannot be waited for.
    pub fn new(channel: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&channel, true)?;
        // SAFETY: an owned descriptor stays the same and open until it is dropped, with what waits for it.
        let socket = unsafe { AsyncFd::register(channel) }?;
        let line = Line { socket, number: 0 };
        Ok(Self { line: Arc::new(Mutex::new(line)) })
    }

    /// What it can do here; tries whether the kernel lets it.
    ///
    /// # Errors
    ///
    /// See [`LauncherError`].
    pub async fn about(&self) -> Result<About, LauncherError> {
        match self.ask(Ask::About).await?.message.answer {
            Answer::About(about) => Ok(about),
            other => Err(unexpected(other)),
        }
    }

    /// Makes a sandbox. After an error nothing is left of it.
    ///
    /// # Errors
    ///
    /// See [`LauncherError`].
    pub async fn start(&self, recipe: Recipe) -> Result<Started, LauncherError> {
        match self.ask(Ask::Start(Box::new(recipe))).await?.message.answer {
            Answer::Started(started) => Ok(started),
            other => Err(unexpected(other)),
        }
    }

    /// A new connection to the supervisor: a connected Unix stream socket.
    ///
    /// # Errors
    ///
    /// See [`LauncherError`].
    pub async fn open(&self, id: &str) -> Result<OwnedFd, LauncherError> {
        self.descriptor(Ask::Open(id.to_owned())).await
    }

    /// What the supervisor wrote to its standard error, as a file to read, also after its end.
    ///
    /// # Errors
    ///
    /// See [`LauncherError`].
    pub async fn log(&self, id: &str) -> Result<OwnedFd, LauncherError> {
        self.descriptor(Ask::Log(id.to_owned())).await
    }

    /// Ends a sandbox and removes everything of it. One that is not there is a success.
    ///
    /// # Errors
    ///
    /// What could not be removed; it may be asked again.
    pub async fn kill(&self, id: &str) -> Result<(), LauncherError> {
        match self.ask(Ask::Kill(id.to_owned())).await?.message.answer {
            Answer::Done => Ok(()),
            other => Err(unexpected(other)),
        }
    }

    /// What is known of a sandbox.
    ///
    /// # Errors
    ///
    /// See [`LauncherError`].
    pub async fn status(&self, id: &str) -> Result<Sandbox, LauncherError> {
        match self.ask(Ask::Status(id.to_owned())).await?.message.answer {
            Answer::Status(sandbox) => Ok(sandbox),
            other => Err(unexpected(other)),
        }
    }

    /// Every sandbox, by name, ended ones included until they are killed.
    ///
    /// # Errors
    ///
    /// See [`LauncherError`].
    pub async fn list(&self) -> Result<Vec<Sandbox>, LauncherError> {
        let mut all: Vec<Sandbox> = Vec::new();
        loop {
            let after = all.last().map(|last| last.id.clone()).unwrap_or_default();
            match self.ask(Ask::List(after)).await?.message.answer {
                Answer::List(page) => {
                    let last = page.len() < PAGE;
                    all.extend(page);
                    if last {
                        return Ok(all);
                    }
                }
                other => return Err(unexpected(other)),
            }
        }
    }

    /// What a sandbox uses.
    ///
    /// # Errors
    ///
    /// See [`LauncherError`].
    pub async fn usage(&self, id: &str) -> Result<Usage, LauncherError> {
        match self.ask(Ask::Usage(id.to_owned())).await?.message.answer {
            Answer::Usage(usage) => Ok(usage),
            other => Err(unexpected(other)),
        }
    }

    async fn descriptor(&self, ask: Ask) -> Result<OwnedFd, LauncherError> {
        let packet = self.ask(ask).await?;
        match packet.message.answer {
            Answer::Here => packet.descriptor.ok_or(LauncherError::Confused),
            other => Err(unexpected(other)),
        }
    }

    async fn ask(&self, ask: Ask) -> Result<Packet<Reply>, LauncherError> {
        let mut line = self.line.lock().await;
        let answer = tokio::time::timeout(ANSWER, line.ask(ask)).await;
        answer.map_err(|_| LauncherError::Late)?
    }
}

impl Line {
    async fn ask(&mut self, ask: Ask) -> Result<Packet<Reply>, LauncherError> {
        self.number += 1;
        let number = self.number;
        let request = Request { number, ask };
        self.socket
            .async_io(tokio::io::Interest::WRITABLE, |socket| wire::send(socket.as_fd(), &request, None))
            .await
            .map_err(broken)?;
        loop {
            let packet = self
                .socket
                .async_io(tokio::io::Interest::READABLE, |socket| wire::receive::<Reply>(socket))
                .await
                .map_err(broken)?
                .ok_or(LauncherError::Gone)?;
            if packet.message.number == number {
                return Ok(packet);
            }
        }
    }
}

fn broken(error: io::Error) -> LauncherError {
    match error.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => LauncherError::Gone,
        _ => LauncherError::Channel(error),
    }
}

fn unexpected(answer: Answer) -> LauncherError {
    match answer {
        Answer::Refused(refusal) => LauncherError::Refused(refusal),
        _ => LauncherError::Confused,
    }
}
