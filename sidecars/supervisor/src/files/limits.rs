//! Every bound of what is done with files.

use std::time::Duration;

/// Workers at once, each of which serves one exchange. One more is refused with
/// [`Fault::Busy`](packhost_session_protocol::message::Fault::Busy).
pub const WORKERS: usize = 32;
/// How long a worker whose exchange broke gets to remove what it has half done, before it is killed.
pub const GRACE: Duration = Duration::from_secs(2);
/// How long what the host still sends is read and thrown away after it was refused, so that it gets to read why.
pub const DRAIN: Duration = Duration::from_secs(2);

/// The deepest directory that a walk goes into, in levels below its start.
pub const DEPTH: usize = 32 * 1024;
/// The longest path below the start of a walk and in an archive, in bytes. It fits a message of the protocol.
pub const PATH_BELOW: usize = 512 * 1024;
/// Directories that a walk keeps open at once. It comes back to the others through `..`.
pub const OPEN: usize = 32;
/// What a walk keeps of names that it has yet to come to, in bytes, in all its directories together. A directory with more
/// is refused, unless fewer entries were asked for.
pub const NAMES: usize = 64 * 1024 * 1024;
/// How often a removal starts over at a directory that others keep filling or exchanging.
pub const ROUNDS: usize = 4096;

/// The extended records that come before a member of an archive, in bytes.
pub const RECORDS: usize = 1024 * 1024;
/// Headers that may come before a member of an archive to extend it.
pub const EXTENSIONS: usize = 8;
/// What may follow the end of an archive, in bytes: writers fill it up to whole records.
pub const AFTER_END: u64 = 1024 * 1024;
/// The deepest path in an archive that is unpacked, in levels. Coming to each member takes time by its depth.
pub const MEMBER_DEPTH: usize = 4096;
/// What is kept of directories whose mode and time are set when all is unpacked, in bytes.
pub const DIRECTORIES: usize = 32 * 1024 * 1024;
