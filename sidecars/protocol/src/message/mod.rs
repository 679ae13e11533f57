//! The words of the protocol, as CBOR arrays with numbered places: a place that one side does not know is skipped, so a
//! newer side may add some at the end.
//!
//! The side that opens an exchange says an opening ([`Opening`] from the host, [`Leaving`] from the supervisor) and gets an
//! answer of the kind that belongs to it, or [`Refusal`] in its place.

mod exec;
mod file;
mod session;

pub use exec::{
    Attach, Attached, Confinement, ExecId, ExecInput, ExecOutput, Executed, Exit, Rlimits, Start, Terminal,
    User,
};
pub use file::{
    Entry, EntryKind, FileReply, Get, List, MakeDirectory, Pack, Put, Remove, Rename, Stat, Unpack,
};
pub use session::{
    Forward, ForwardTarget, Forwarded, Hello, Leaving, Opening, Pong, RunningExec, RunningExecs, Usage,
    Welcome,
};

use minicbor::{Decode, Encode};

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// Which of the known reasons.
    #[n(0)]
    pub fault: Fault,
    /// A sentence for a person; at most 500 bytes.
    #[n(1)]
    pub message: String,
}

impl Refusal {
    /// A refusal with this reason.
    pub fn new(fault: Fault, message: impl Into<String>) -> Self {
        Self { fault, message: message.into() }
    }
}

/// The reasons why something was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Fault {
    /// The request cannot be read, or breaks a bound of the protocol.
    #[n(0)]
    Malformed,
    /// The other side speaks another version, or does not know this request.
    #[n(1)]
    Unsupported,
    /// There is no such file, program or exchange.
    #[n(2)]
    NotFound,
    /// Permissions or confinement forbid it.
    #[n(3)]
    Denied,
    /// It is there already.
    #[n(4)]
    Exists,
    /// A file where a directory belongs, or the reverse, or a directory that is not empty.
    #[n(5)]
    WrongKind,
    /// No space, or a quota was reached.
    #[n(6)]
    Full,
    /// A bound of the sandbox was reached: programs, processes, memory.
    #[n(7)]
    Busy,
    /// The program cannot be started: not executable, no interpreter.
    #[n(8)]
    NotExecutable,
    /// The sandbox cannot confine it as asked, so it was not started.
    #[n(9)]
    NotConfined,
    /// The other side went away.
    #[n(10)]
    Gone,
    /// Everything else.
    #[n(11)]
    Failed,
}
