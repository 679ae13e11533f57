//! The host's side: asks, and waits for the answer. Many may ask at once; whichever of them listens hands the others their
//! answers.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex as Table, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{Mutex, Semaphore, oneshot};

use crate::desk::REQUESTS;
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

/// A launcher, from the host. Cheap to clone. What is asked about one sandbox is carried out in the order in which it was asked,
/// and what is asked about several side by side. A question that nobody waits for any more is carried out all the same.
#[derive(Debug, Clone)]
pub struct Launcher {
    line: Arc<Line>,
}

#[derive(Debug)]
struct Line {
    socket: AsyncFd<OwnedFd>,
    /// Of the last request.
    number: AtomicU64,
    /// Who waits for the replies of these numbers. Other replies are to questions whose askers went away.
    waiting: Table<HashMap<u64, oneshot::Sender<Packet<Reply>>>>,
    /// Held by who listens for all.
    listening: Mutex<()>,
    /// As many as the launcher takes at once.
    places: Semaphore,
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
        let line = Line {
            socket,
            number: AtomicU64::new(0),
            waiting: Table::default(),
            listening: Mutex::default(),
            places: Semaphore::new(REQUESTS),
        };
        Ok(Self { line: Arc::new(line) })
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
        let answer = tokio::time::timeout(ANSWER, self.line.ask(ask)).await;
        answer.map_err(|_| LauncherError::Late)?
    }
}

impl Line {
    async fn ask(&self, ask: Ask) -> Result<Packet<Reply>, LauncherError> {
        // It is never closed.
        let _place = self.places.acquire().await.map_err(|_| LauncherError::Gone)?;
        let number = self.number.fetch_add(1, Ordering::Relaxed) + 1;
        let (waiting, answer) = Waiting::new(self, number);
        let request = Request { number, ask };
        let mut sending = std::pin::pin!(self.socket.async_io(Interest::WRITABLE, |socket| wire::send(
            socket.as_fd(),
            &request,
            None
        )));
        let mut hearing = std::pin::pin!(waiting.hear(answer));
        // Heard meanwhile: a launcher that cannot get rid of its replies takes no requests.
        tokio::select! {
            biased;
            heard = &mut hearing => return heard,
            sent = &mut sending => sent.map_err(broken)?,
        }
        hearing.await
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<Packet<Reply>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who waits for a reply.
struct Waiting<'a> {
    line: &'a Line,
    number: u64,
}

impl<'a> Waiting<'a> {
    fn new(line: &'a Line, number: u64) -> (Self, oneshot::Receiver<Packet<Reply>>) {
        let (sender, answer) = oneshot::channel();
        line.waiting().insert(number, sender);
        (Self { line, number }, answer)
    }

    /// Waits until somebody else who listens hands the reply over, or listens.
    async fn hear(
        &self,
        mut answer: oneshot::Receiver<Packet<Reply>>,
    ) -> Result<Packet<Reply>, LauncherError> {
        let _listening = tokio::select! {
            biased;
            answer = &mut answer => return answer.map_err(|_| LauncherError::Gone),
            listening = self.line.listening.lock() => listening,
        };
        // Perhaps the last thing that who listened before did.
        if let Ok(packet) = answer.try_recv() {
            return Ok(packet);
        }
        loop {
            let packet =
                self.line.socket.async_io(Interest::READABLE, |socket| wire::receive::<Reply>(socket));
            let packet = packet.await.map_err(broken)?.ok_or(LauncherError::Gone)?;
            let number = packet.message.number;
            if number == self.number {
                return Ok(packet);
            }
            if let Some(other) = self.line.waiting().remove(&number) {
                // One that went away in this moment wants no answer.
                let _ = other.send(packet);
            }
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.line.waiting().remove(&self.number);
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
