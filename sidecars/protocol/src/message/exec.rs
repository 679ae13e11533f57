//! Running a program.
//!
//! The host opens with [`Start`] or [`Attach`] and gets [`Attached`]. Then, in any order: the host sends `Input` frames
//! (standard input) and [`ExecInput`] messages; the supervisor sends `Output` and `Error` frames and [`ExecOutput`]
//! messages, [`ExecOutput::Exited`] last, after all output. On a terminal everything is `Output`.
//!
//! Bytes are counted per channel from the start of the program, over all connections. Each side keeps what it sent until
//! the other confirms it, so that an exchange that breaks is taken up with [`Attach`] where it was.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

/// Names a program that runs, within its sandbox: 16 random bytes that the host chose. Starting the same id again attaches
/// to the program that was started first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[cbor(transparent)]
pub struct ExecId(
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub [u8; 16],
);

/// Starts a program.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Start {
    /// Its name.
    #[n(0)]
    pub id: ExecId,
    /// The program, found in the sandbox's `PATH` where it has no slash, and its arguments. Never empty.
    #[n(1)]
    pub argv: Vec<ByteVec>,
    /// Its whole environment, as `NAME=value`. The supervisor adds the proxy's variables where they are not set.
    #[n(2)]
    pub env: Vec<ByteVec>,
    /// Its working directory, absolute.
    #[n(3)]
    pub cwd: ByteVec,
    /// After how many milliseconds its whole tree is killed; none for never.
    #[n(4)]
    pub timeout_ms: Option<u64>,
    /// A terminal of this size instead of three pipes.
    #[n(5)]
    pub terminal: Option<Terminal>,
    /// What holds it.
    #[n(6)]
    pub confinement: Confinement,
    /// Whether standard input stays open for `Input` frames; otherwise it is at its end from the start.
    #[n(7)]
    pub stdin: bool,
}

/// The size of a terminal, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Terminal {
    /// Columns.
    #[n(0)]
    pub columns: u16,
    /// Rows.
    #[n(1)]
    pub rows: u16,
}

/// What holds a program and all that it starts. Besides, always: no new privileges, no capabilities, the written
/// seccomp list, a process tree that ends with it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Confinement {
    /// As whom it runs; none for the supervisor's own user, where there is no other.
    #[n(0)]
    pub user: Option<User>,
    /// Files and directories to read and to run, with all below them. One that is missing is left out.
    #[n(1)]
    pub read_only: Vec<ByteVec>,
    /// Files and directories to read, to run and to write, with all below them. One that is missing is left out.
    #[n(2)]
    pub read_write: Vec<ByteVec>,
    /// Resource limits.
    #[n(3)]
    pub rlimits: Rlimits,
    /// Whether a kernel that cannot hold it to all of this is a reason not to start. `false` is the operator's choice.
    #[n(4)]
    pub required: bool,
    /// The least Landlock ABI that is taken for enough when `required`.
    #[n(5)]
    pub landlock_abi: u32,
    /// Directories in which only files, directories and links are made: no named pipes, no sockets. Those that the host has too
    /// and opens files in, where a pipe would make it wait for ever. It holds also for what is granted above and below them.
    #[n(6)]
    #[cbor(default)]
    pub plain: Vec<ByteVec>,
}

/// A user and its group, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct User {
    /// uid.
    #[n(0)]
    pub uid: u32,
    /// gid; there are no supplementary groups.
    #[n(1)]
    pub gid: u32,
}

/// Limits per process (setrlimit(2)); none leaves what the sandbox has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
pub struct Rlimits {
    /// Open files.
    #[n(0)]
    pub open_files: Option<u64>,
    /// Bytes of one file.
    #[n(1)]
    pub file_size: Option<u64>,
    /// Seconds of CPU time.
    #[n(2)]
    pub cpu_seconds: Option<u64>,
    /// Bytes of address space that is writable and private. Only where there is no cgroup to hold the memory of all.
    #[n(3)]
    pub data: Option<u64>,
    /// Processes of the user. Only where there is no cgroup to hold them.
    #[n(4)]
    pub processes: Option<u64>,
}

/// Takes up a program that runs or has ended.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Attach {
    /// Which.
    #[n(0)]
    pub id: ExecId,
    /// Bytes of standard output that the host has.
    #[n(1)]
    pub stdout: u64,
    /// Bytes of standard error that the host has.
    #[n(2)]
    pub stderr: u64,
}

/// The program runs, or has run.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Attached {
    /// Its process id inside.
    #[n(0)]
    pub pid: u32,
    /// Bytes of standard input that the supervisor has: the host goes on from here.
    #[n(1)]
    pub stdin: u64,
    /// Bytes of standard output that were confirmed and are not kept any more. More than the host asked for only where it
    /// is another host than the one that confirmed them; the output then goes on from here.
    #[n(2)]
    #[cbor(default)]
    pub stdout: u64,
    /// The same of standard error.
    #[n(3)]
    #[cbor(default)]
    pub stderr: u64,
}

/// The answer to [`Start`] and [`Attach`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Executed {
    /// It runs, or has run.
    #[n(0)]
    Attached(#[n(0)] Attached),
    /// It does not.
    #[n(1)]
    Refused(#[n(0)] super::Refusal),
}

/// What the host says to a running program's supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum ExecInput {
    /// Standard input has ended.
    #[n(0)]
    End,
    /// Sends this signal (signal(7), by Linux's numbers) to the program's process group.
    #[n(1)]
    Signal(#[n(0)] u32),
    /// Kills the program and everything that it started.
    #[n(2)]
    Kill,
    /// The terminal has another size.
    #[n(3)]
    Resize(#[n(0)] Terminal),
    /// The host has this many bytes of the outputs, and will not ask for them again.
    #[n(4)]
    Confirm {
        /// Of standard output.
        #[n(0)]
        stdout: u64,
        /// Of standard error.
        #[n(1)]
        stderr: u64,
    },
    /// The host has the end: the supervisor may forget the program.
    #[n(5)]
    Forget,
}

/// What the supervisor says of a running program.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum ExecOutput {
    /// The program has taken this many bytes of standard input, or has closed it.
    #[n(0)]
    Confirm {
        /// Of standard input.
        #[n(0)]
        stdin: u64,
    },
    /// The program has closed standard input, or is gone: what is sent now is thrown away.
    #[n(1)]
    StdinClosed,
    /// The program and all that it started are gone. The last message.
    #[n(2)]
    Exited(#[n(0)] Exit),
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Exit {
    /// Its exit code, where it exited.
    #[n(0)]
    pub code: Option<u8>,
    /// The signal that ended it, where one did.
    #[n(1)]
    pub signal: Option<u8>,
    /// Its time was over.
    #[n(2)]
    pub timed_out: bool,
    /// The memory limit of the sandbox killed a process while it ran.
    #[n(3)]
    pub out_of_memory: bool,
    /// From start to end, in microseconds.
    #[n(4)]
    pub ran_us: u64,
    /// CPU time of the program and of what it waited for, in microseconds.
    #[n(5)]
    pub cpu_us: u64,
    /// The most memory that one of its processes had resident, in bytes.
    #[n(6)]
    pub peak_memory: u64,
}
