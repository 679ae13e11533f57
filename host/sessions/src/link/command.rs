//! What is to be run.

use std::time::Duration;

use minicbor::bytes::ByteVec;
use packhost_session_protocol::message::{Confinement, ExecId, Rlimits, Start, Terminal};

use super::connection::millis;

/// A program to run in a sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The program, found in the sandbox's `PATH` where it has no slash, and its arguments.
    pub argv: Vec<Vec<u8>>,
    /// Its whole environment, as `NAME=value`.
    pub env: Vec<Vec<u8>>,
    /// Its working directory, absolute.
    pub cwd: Vec<u8>,
    /// Whether there is something to read on its standard input; otherwise that is at its end.
    pub stdin: bool,
    /// After how long it is killed with all that it started. Counted in whole milliseconds, rounded up.
    pub timeout: Option<Duration>,
    /// A terminal of this size in place of three pipes.
    pub terminal: Option<Terminal>,
    /// What holds it.
    pub confinement: Confinement,
}

impl Command {
    /// This program, without arguments and environment, in `/`, with nothing to read and nothing to reach: a kernel that
    /// cannot hold it to that is a reason not to start.
    pub fn new(program: impl Into<Vec<u8>>) -> Self {
        Self {
            argv: vec![program.into()],
            env: Vec::new(),
            cwd: b"/".to_vec(),
            stdin: false,
            timeout: None,
            terminal: None,
            confinement: Confinement {
                user: None,
                read_only: Vec::new(),
                read_write: Vec::new(),
                rlimits: Rlimits::default(),
                required: true,
                landlock_abi: 0,
                plain: Vec::new(),
            },
        }
    }

    /// With this argument after those that it has.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<Vec<u8>>) -> Self {
        self.argv.push(argument.into());
        self
    }

    /// With these arguments after those that it has.
    #[must_use]
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl Into<Vec<u8>>>) -> Self {
        self.argv.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// With this variable.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.env.push([name.as_ref(), b"=", value.as_ref()].concat());
        self
    }

    /// In this directory.
    #[must_use]
    pub fn cwd(mut self, directory: impl Into<Vec<u8>>) -> Self {
        self.cwd = directory.into();
        self
    }

    /// With a standard input that can be written.
    #[must_use]
    pub fn stdin(mut self) -> Self {
        self.stdin = true;
        self
    }

    /// Killed after this time.
    #[must_use]
    pub fn timeout(mut self, time: Duration) -> Self {
        self.timeout = Some(time);
        self
    }

    /// On a terminal of this size, which has a standard input.
    #[must_use]
    pub fn terminal(mut self, columns: u16, rows: u16) -> Self {
        self.terminal = Some(Terminal { columns, rows });
        self.stdin = true;
        self
    }

    /// Held by this.
    #[must_use]
    pub fn confinement(mut self, confinement: Confinement) -> Self {
        self.confinement = confinement;
        self
    }

    /// The words for it.
    pub(super) fn start(self, id: ExecId) -> Start {
        let bytes = |list: Vec<Vec<u8>>| list.into_iter().map(ByteVec::from).collect();
        Start {
            id,
            argv: bytes(self.argv),
            env: bytes(self.env),
            cwd: self.cwd.into(),
            timeout_ms: self.timeout.map(millis),
            terminal: self.terminal,
            confinement: self.confinement,
            stdin: self.stdin,
        }
    }
}
