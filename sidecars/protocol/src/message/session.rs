//! The connection itself, and everything that is neither a program nor a file.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use super::exec::{Attach, ExecId, Start};
use super::file::{Get, List, MakeDirectory, Pack, Put, Remove, Rename, Stat, Unpack};

/// What the host opens an exchange with.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Opening {
    /// The first exchange of a connection, answered with [`Welcome`]. Nothing else is answered before.
    #[n(0)]
    Hello(#[n(0)] Hello),
    /// [`super::Executed`], then the program.
    #[n(1)]
    Start(#[n(0)] Start),
    /// [`super::Executed`], then the program.
    #[n(2)]
    Attach(#[n(0)] Attach),
    /// See [`Put`].
    #[n(3)]
    Put(#[n(0)] Put),
    /// See [`Get`].
    #[n(4)]
    Get(#[n(0)] Get),
    /// See [`List`].
    #[n(5)]
    List(#[n(0)] List),
    /// See [`Stat`].
    #[n(6)]
    Stat(#[n(0)] Stat),
    /// See [`Remove`].
    #[n(7)]
    Remove(#[n(0)] Remove),
    /// See [`MakeDirectory`].
    #[n(8)]
    MakeDirectory(#[n(0)] MakeDirectory),
    /// See [`Rename`].
    #[n(9)]
    Rename(#[n(0)] Rename),
    /// See [`Unpack`].
    #[n(10)]
    Unpack(#[n(0)] Unpack),
    /// See [`Pack`].
    #[n(11)]
    Pack(#[n(0)] Pack),
    /// [`Forwarded`]; after [`Forwarded::Connected`] the exchange has no frames any more: its bytes are the connection's.
    #[n(12)]
    Forward(#[n(0)] Forward),
    /// Answered with [`Usage`].
    #[n(13)]
    Usage,
    /// Answered with [`Pong`].
    #[n(14)]
    Ping,
    /// Answered with [`RunningExecs`].
    #[n(15)]
    Execs,
    /// Kills every program and ends the supervisor; the exchange is closed without an answer.
    #[n(16)]
    Shutdown,
}

/// What the supervisor opens an exchange with.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Leaving {
    /// A client in the sandbox has connected to the proxy. From here the exchange has no frames: its bytes are HTTP/1.1 as
    /// a proxy gets it (absolute form or `CONNECT`). A SOCKS client's request is translated into a `CONNECT`.
    #[n(0)]
    Proxy,
}

/// The host's first words.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Hello {
    /// The version that the host speaks: [`VERSION`](crate::limits::VERSION).
    #[n(0)]
    pub version: u32,
    /// Whether this connection serves what leaves the sandbox. The newest one that does gets it.
    #[n(1)]
    pub egress: bool,
    /// After how many milliseconds without a connection the supervisor ends itself and all that it runs; none leaves what it
    /// was started with.
    #[n(2)]
    pub orphaned_after_ms: Option<u64>,
}

/// The supervisor's first words.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Welcome {
    /// The version that the supervisor speaks. Where it is not the host's, the connection ends here.
    #[n(0)]
    pub version: u32,
    /// The supervisor's own version, for people.
    #[n(1)]
    pub release: String,
    /// The Landlock ABI of the kernel; 0 for none.
    #[n(2)]
    pub landlock_abi: u32,
    /// How long the supervisor has run, in milliseconds.
    #[n(3)]
    pub uptime_ms: u64,
    /// Whether the supervisor is process 1 of its sandbox.
    #[n(4)]
    pub is_init: bool,
    /// The port of the proxy inside, on 127.0.0.1.
    #[n(5)]
    pub proxy_port: Option<u16>,
}

/// Connects to something that listens inside the sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Forward {
    /// To what.
    #[n(0)]
    pub target: ForwardTarget,
}

/// Something that listens inside.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum ForwardTarget {
    /// A TCP port on the sandbox's own loopback.
    #[n(0)]
    Tcp(#[n(0)] u16),
    /// A Unix socket, by its absolute path.
    #[n(1)]
    Unix(#[n(0)] ByteVec),
}

/// The answer to [`Forward`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Forwarded {
    /// From here on: bytes.
    #[n(0)]
    Connected,
    /// It does not listen.
    #[n(1)]
    Refused(#[n(0)] super::Refusal),
}

/// What the sandbox uses now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
pub struct Usage {
    /// Bytes of memory, where the supervisor can see its cgroup; otherwise the sum of what processes have resident.
    #[n(0)]
    pub memory: u64,
    /// Processes, without the supervisor.
    #[n(1)]
    pub processes: u32,
    /// CPU time of everything so far, in microseconds.
    #[n(2)]
    pub cpu_us: u64,
    /// Programs that run.
    #[n(3)]
    pub execs: u32,
    /// Bytes on the writable tmpfs file systems.
    #[n(4)]
    pub disk: u64,
}

/// The answer to a ping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Pong {
    /// How long the supervisor has run, in milliseconds.
    #[n(0)]
    pub uptime_ms: u64,
}

/// The programs that the supervisor knows.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct RunningExecs {
    /// In the order of their start.
    #[n(0)]
    pub execs: Vec<RunningExec>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct RunningExec {
    /// Its name.
    #[n(0)]
    pub id: ExecId,
    /// Its process id inside.
    #[n(1)]
    pub pid: u32,
    /// Its program and arguments.
    #[n(2)]
    pub argv: Vec<ByteVec>,
    /// Whether it has ended and waits for the host to ask how.
    #[n(3)]
    pub ended: bool,
    /// For how long it has run, in milliseconds.
    #[n(4)]
    pub ran_ms: u64,
}
