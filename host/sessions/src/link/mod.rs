//! The host's side of the session protocol: everything that is asked of one sandbox.
//!
//! Owns: the connection to a supervisor, which is opened again when it breaks; programs that go on over such a break without
//! a byte lost or doubled; files; connections in and out. Refuses: which sandbox there is, and what may be asked of it. A
//! supervisor is a stranger here: what it says is bounded before it is read and checked before it is believed.

mod bytes;
mod command;
mod connection;
mod drive;
mod error;
mod exec;
mod files;
mod leaves;
mod program;
mod reader;
mod reopen;
mod settings;
mod streams;

use std::sync::Arc;

use packhost_session_protocol::message::{
    Attach, ExecId, Fault, Forward, ForwardTarget, Forwarded, Opening, Refusal, RunningExec, RunningExecs,
    Usage, Welcome,
};
use packhost_session_protocol::{FrameError, Stream, limits};

pub use command::Command;
pub use error::LinkError;
pub use exec::{Exec, Finished};
pub use files::{LISTING, Listing};
pub use leaves::Leaves;
pub use reader::FileReader;
pub use settings::LinkSettings;
pub use streams::{ExecReader, ExecStdin};

use crate::id::SandboxId;
use crate::runtime::SessionRuntime;
use connection::{Connection, answer, within};
use drive::Drive;
use error::Trouble;
use program::Program;
use reopen::Line;
use settings::Setup;

/// A connection to the supervisor of one sandbox that is opened again when it breaks. Cheap to clone; it ends with the last
/// clone and the last [`Exec`] or [`FileReader`] that came from it.
#[derive(Clone)]
pub struct Link {
    line: Arc<Line>,
    welcome: Arc<Welcome>,
}

/// How often a question is asked again whose connection broke before the answer.
const ATTEMPTS: usize = 3;

impl Link {
    /// Connects, and says Hello. What leaves the sandbox goes to `leaves`; without one, it is reset.
    ///
    /// # Errors
    ///
    /// Any [`LinkError`] but [`LinkError::Content`].
    pub async fn connect(
        runtime: Arc<dyn SessionRuntime>,
        id: SandboxId,
        leaves: Option<Arc<dyn Leaves>>,
        settings: LinkSettings,
    ) -> Result<Self, LinkError> {
        let line = Arc::new(Line::start(Setup { runtime, id, leaves, settings }));
        let welcome = Arc::new(line.connection().await?.welcome().clone());
        Ok(Self { line, welcome })
    }

    /// What the supervisor said of itself when the link was made. It is the same one for as long as the sandbox lives.
    pub fn welcome(&self) -> Welcome {
        (*self.welcome).clone()
    }

    /// Waits until nothing can be asked of the sandbox any more, and says why: it has ended, or its supervisor speaks
    /// another version.
    pub async fn lost(&self) -> LinkError {
        self.line.lost().await
    }

    /// Starts a program, and returns once it runs. Dropping the future kills it.
    ///
    /// # Errors
    ///
    /// [`LinkError::Refused`] where it cannot be started, and why there is no connection.
    pub async fn exec(&self, command: Command) -> Result<Exec, LinkError> {
        let lists = [command.argv.len(), command.env.len()];
        if command.argv.is_empty() || lists.iter().any(|list| *list > limits::LIST) {
            let why = format!("a program has 1 to {0} arguments and at most {0} variables", limits::LIST);
            return Err(LinkError::Refused(Refusal::new(Fault::Malformed, why)));
        }
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|error| LinkError::Broken(error.to_string()))?;
        let (stdin, timeout) = (command.stdin, command.timeout);
        let program = Arc::new(Program::new(ExecId(id), false));
        let first = Opening::Start(command.start(program.id));
        let drive = Drive {
            line: Arc::clone(&self.line),
            program: Arc::clone(&program),
            first,
            known: false,
            timeout,
        };
        tokio::spawn(drive.run());
        let exec = Exec::new(program, stdin);
        exec.started().await?;
        Ok(exec)
    }

    /// Takes up a program that another host started. The outputs begin with the first byte that the sandbox still keeps,
    /// the input goes on behind the last byte that it has. Like every [`Exec`], it is killed when it is dropped, also when this
    /// future is.
    ///
    /// # Errors
    ///
    /// [`LinkError::Refused`] where there is no such program, and why there is no connection.
    pub async fn attach(&self, id: ExecId) -> Result<Exec, LinkError> {
        let program = Arc::new(Program::new(id, true));
        let drive = Drive {
            line: Arc::clone(&self.line),
            program: Arc::clone(&program),
            first: Opening::Attach(Attach { id, stdout: 0, stderr: 0 }),
            known: true,
            timeout: None,
        };
        tokio::spawn(drive.run());
        let exec = Exec::new(program, true);
        exec.started().await?;
        Ok(exec)
    }

    /// The programs that the supervisor knows, in the order of their start; those that have ended and that nobody has asked
    /// about are among them.
    ///
    /// # Errors
    ///
    /// Any [`LinkError`] but [`LinkError::Content`].
    pub async fn execs(&self) -> Result<Vec<RunningExec>, LinkError> {
        Ok(self.ask::<RunningExecs>(&Opening::Execs).await?.execs)
    }

    /// What the sandbox uses now.
    ///
    /// # Errors
    ///
    /// Any [`LinkError`] but [`LinkError::Content`].
    pub async fn usage(&self) -> Result<Usage, LinkError> {
        self.ask(&Opening::Usage).await
    }

    /// Asks whether the supervisor answers.
    ///
    /// # Errors
    ///
    /// Any [`LinkError`] but [`LinkError::Content`].
    pub async fn ping(&self) -> Result<(), LinkError> {
        self.again(|connection| async move { connection.ping().await }).await
    }

    /// Connects to something that listens inside. What is forwarded breaks with the link's connection and is not taken up
    /// again; nor does it keep the link: that is to live as long.
    ///
    /// # Errors
    ///
    /// [`LinkError::Refused`] where nothing listens, and why there is no connection.
    pub async fn forward(&self, target: ForwardTarget) -> Result<Stream, LinkError> {
        let opening = &Opening::Forward(Forward { target });
        self.again(|connection| async move {
            let mut frames = connection.exchange(opening).await?;
            match within(self.line.settings.answer_within, answer(&mut frames)).await?? {
                Forwarded::Connected => Ok(frames.into_inner()),
                Forwarded::Refused(refusal) => Err(Trouble::refused(refusal)),
            }
        })
        .await
    }

    /// Ends the supervisor and every program. Returns once it has heard it; [`lost`](Self::lost) tells when it is over.
    ///
    /// # Errors
    ///
    /// Any [`LinkError`] but [`LinkError::Content`]. A sandbox that has ended already is none.
    pub async fn shutdown(&self) -> Result<(), LinkError> {
        let limit = self.line.settings.answer_within;
        let asked = self.again(|connection| async move {
            let mut frames = connection.exchange(&Opening::Shutdown).await?;
            match within(limit, frames.next()).await? {
                Ok(Some(frame)) => connection::read(&frame),
                // The exchange, or all of the connection, is closed.
                Ok(None) | Err(FrameError::Broken(_) | FrameError::Cut) => Ok(()),
                Err(error) => Err(error.into()),
            }
        });
        match asked.await {
            Err(LinkError::Ended(_)) => Ok(()),
            other => other,
        }
    }

    /// One answer to one question that may be asked twice.
    async fn ask<M: for<'b> minicbor::Decode<'b, ()>>(&self, opening: &Opening) -> Result<M, LinkError> {
        self.again(|connection| async move { connection.ask(opening).await }).await
    }

    /// Does what may be done twice, again where the connection breaks meanwhile.
    async fn again<T, F>(&self, what: impl Fn(Arc<Connection>) -> F) -> Result<T, LinkError>
    where
        F: Future<Output = Result<T, Trouble>>,
    {
        let mut attempt = 1;
        loop {
            let connection = self.line.connection().await?;
            match what(Arc::clone(&connection)).await {
                Err(Trouble::Broke(_)) if attempt < ATTEMPTS && connection.is_ending().await => attempt += 1,
                outcome => return outcome.map_err(Trouble::last),
            }
        }
    }
}
