//! Every bound of the protocol.

use std::time::Duration;

/// The version that this crate speaks. A side that is asked for another one says so and ends the connection.
pub const VERSION: u32 = 1;

/// The most bytes in one frame of data (standard input, output, a file), in bytes.
pub const DATA: usize = 64 * 1024;
/// The most bytes in one message, in bytes. Arguments and environment of a program travel in one.
pub const MESSAGE: usize = 1024 * 1024;
/// The most entries in one list of a message: arguments, variables, paths.
pub const LIST: usize = 4096;
/// The longest path, in bytes: Linux's `PATH_MAX`.
pub const PATH: usize = 4096;

/// Exchanges that the host may have open at once on one connection. One more waits.
pub const HOST_STREAMS: usize = 160;
/// Exchanges that the supervisor may have open at once on one connection: connections that leave the sandbox. One more waits.
pub const SUPERVISOR_STREAMS: usize = 64;
/// Exchanges that a connection may have in all, with those that are being closed. A peer that opens more loses the
/// connection.
pub const STREAMS: usize = 2 * (HOST_STREAMS + SUPERVISOR_STREAMS);
/// Bytes that all exchanges of a connection together may hold unread: what a peer can make this side keep.
pub const UNREAD: usize = STREAMS * 256 * 1024;

/// Programs that one sandbox runs at once. One more is refused with [`Fault::Busy`](crate::message::Fault::Busy).
pub const EXECS: usize = 128;
/// What a running program has written and the host has not confirmed, per output, in bytes. At this much the program is no
/// longer read from, and blocks.
pub const UNCONFIRMED: usize = 512 * 1024;
/// How long the end of a program whose connection broke is kept for the host to come back for it.
pub const KEPT: Duration = Duration::from_secs(120);
