//! A program that runs in a sandbox, as its caller has it.

use std::sync::Arc;

use packhost_session_protocol::message::{ExecId, Exit, Terminal};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::error::LinkError;
use super::program::{Channel, Program};
use super::streams::{ExecReader, ExecStdin};

/// A program that runs in a sandbox. Dropping it kills the program and all that it started, at once; see
/// [`detach`](Self::detach) for what is to outlive it.
///
/// The outputs are independent of each other: each has room for [`UNCONFIRMED`](packhost_session_protocol::limits::UNCONFIRMED) bytes on the host and as many in
/// the sandbox. Beyond that the program blocks when it writes to that output, and to that one only: who reads one output and
/// keeps the other one without reading it may wait for a program that waits. An output that is dropped, or was never
/// taken when [`wait`](Self::wait) is called, is thrown away as it comes and blocks nobody.
///
/// A connection that breaks is not seen here: all goes on with the byte where it was.
pub struct Exec {
    program: Arc<Program>,
    stdin: Option<ExecStdin>,
    stdout: Option<ExecReader>,
    stderr: Option<ExecReader>,
    detached: bool,
}

/// What came of a program that was run to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// How it ended.
    pub exit: Exit,
    /// Its standard output, or the beginning of it.
    pub stdout: Vec<u8>,
    /// Its standard error, or the beginning of it.
    pub stderr: Vec<u8>,
    /// Whether there was more standard output.
    pub stdout_truncated: bool,
    /// Whether there was more standard error.
    pub stderr_truncated: bool,
}

impl Exec {
    pub(super) fn new(program: Arc<Program>, stdin: bool) -> Self {
        Self {
            stdin: stdin.then(|| ExecStdin::new(Arc::clone(&program))),
            stdout: Some(ExecReader::new(Arc::clone(&program), Channel::Stdout)),
            stderr: Some(ExecReader::new(Arc::clone(&program), Channel::Stderr)),
            program,
            detached: false,
        }
    }

    /// Waits until the supervisor has started it.
    pub(super) async fn started(&self) -> Result<(), LinkError> {
        let mut pid = self.program.pid.subscribe();
        tokio::select! {
            biased;
            Ok(_) = pid.wait_for(Option::is_some) => Ok(()),
            outcome = self.outcome() => outcome.map(drop),
        }
    }

    /// Its name in the sandbox, by which another host can [`attach`](super::Link::attach) to it.
    pub fn id(&self) -> ExecId {
        self.program.id
    }

    /// Its process id inside.
    pub fn pid(&self) -> u32 {
        self.program.pid.borrow().unwrap_or_default()
    }

    /// Its standard input, once; none where the command has none.
    pub fn stdin(&mut self) -> Option<ExecStdin> {
        self.stdin.take()
    }

    /// Its standard output, once; all of a terminal's output.
    pub fn stdout(&mut self) -> Option<ExecReader> {
        self.stdout.take()
    }

    /// Its standard error, once.
    pub fn stderr(&mut self) -> Option<ExecReader> {
        self.stderr.take()
    }

    /// Sends a signal, by Linux's number, to its process group. It is lost if the connection breaks at that moment.
    ///
    /// # Errors
    ///
    /// [`LinkError::Refused`] for a number that is no signal. A program that has ended gets none, without an error.
    pub fn signal(&self, number: u32) -> Result<(), LinkError> {
        self.program.signal(number)
    }

    /// Kills it and all that it started, also where that takes another connection.
    pub fn kill(&self) {
        self.program.kill();
    }

    /// Gives its terminal another size.
    pub fn resize(&self, columns: u16, rows: u16) {
        self.program.resize(Terminal { columns, rows });
    }

    /// Waits for its end. Standard input ends, if it was not taken; what outputs were not taken are thrown away. Dropping
    /// the future kills the program.
    ///
    /// # Errors
    ///
    /// Why it cannot be known how it ended.
    pub async fn wait(mut self) -> Result<Exit, LinkError> {
        drop((self.stdin.take(), self.stdout.take(), self.stderr.take()));
        self.outcome().await
    }

    /// Waits for its end, and keeps the first bytes of what it writes, at most `most` of each output. The rest is thrown
    /// away. Standard input ends, if it was not taken. Dropping the future kills the program.
    ///
    /// # Errors
    ///
    /// Why it cannot be known how it ended.
    pub async fn output(mut self, most: usize) -> Result<Finished, LinkError> {
        drop(self.stdin.take());
        let (stdout, stderr) = (self.stdout.take(), self.stderr.take());
        let ((stdout, stdout_truncated), (stderr, stderr_truncated), exit) =
            tokio::join!(collect(stdout, most), collect(stderr, most), self.outcome());
        Ok(Finished { exit: exit?, stdout, stderr, stdout_truncated, stderr_truncated })
    }

    /// Lets it run without anybody: what it wrote and was not read here is kept in the sandbox, up to
    /// [`UNCONFIRMED`](packhost_session_protocol::limits::UNCONFIRMED) bytes of each output, and its end for [`KEPT`](packhost_session_protocol::limits::KEPT). If it has ended already, nothing is kept.
    ///
    /// # Errors
    ///
    /// Why it is not sure that it goes on.
    pub async fn detach(mut self) -> Result<ExecId, LinkError> {
        self.detached = true;
        self.program.leave();
        // Dropped now, the outputs would be thrown away and confirmed.
        let kept = (self.stdin.take().map(ExecStdin::keep), self.stdout.take(), self.stderr.take());
        let outcome = self.outcome().await;
        drop(kept);
        match outcome {
            Err(error) if !self.program.is_left() => Err(error),
            _ => Ok(self.id()),
        }
    }

    async fn outcome(&self) -> Result<Exit, LinkError> {
        let mut outcome = self.program.outcome.subscribe();
        match outcome.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(outcome)) => outcome.clone(),
            // Its sender lives as long as the program.
            _ => Err(LinkError::Broken("nobody waits for the program any more".into())),
        }
    }
}

impl Drop for Exec {
    fn drop(&mut self) {
        if !self.detached && !self.program.is_finished() {
            self.program.kill();
        }
    }
}

/// The first bytes of an output, and whether there were more. An output that breaks ends: the outcome says why.
async fn collect(output: Option<ExecReader>, most: usize) -> (Vec<u8>, bool) {
    let Some(mut output) = output else { return (Vec::new(), false) };
    let mut first = Vec::new();
    let within = u64::try_from(most).unwrap_or(u64::MAX);
    if (&mut output).take(within).read_to_end(&mut first).await.is_err() || first.len() < most {
        return (first, false);
    }
    // One byte more is enough to know; the reader that is dropped throws the rest away.
    (first, matches!(more(&mut output).await, Ok(1..)))
}

async fn more(output: &mut (impl AsyncRead + Unpin)) -> std::io::Result<usize> {
    output.read(&mut [0]).await
}
