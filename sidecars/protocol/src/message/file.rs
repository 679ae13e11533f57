//! Files inside a sandbox, as the sandbox's unprivileged user sees them.
//!
//! Paths are absolute, any bytes but NUL. No symbolic link in the last part is followed by anything but [`Get`] and
//! [`Stat`] with `follow`; every access is that of the sandbox's user, under its confinement: a path that its programs could
//! not reach cannot be reached here either.
//!
//! The host keeps its side of the exchange open until it has the last message. Closing it sooner, or saying what does not
//! belong there, calls the work off: of a file that was being written nothing is left, and nothing is answered.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use super::{Confinement, Refusal};

/// Writes a file: `Input` frames follow, and an empty message frame of [`super::ExecInput::End`] ends it. It appears under
/// its name when it is whole, in place of a file that was there. Answered with [`FileReply::Done`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Put {
    /// Where.
    #[n(0)]
    pub path: ByteVec,
    /// Permission bits, of which the low nine count.
    #[n(1)]
    pub mode: u32,
    /// Whether missing directories are made.
    #[n(2)]
    pub parents: bool,
    /// Whether a file that is there is an error.
    #[n(3)]
    pub new: bool,
    /// As what the access is made.
    #[n(4)]
    pub confinement: Confinement,
}

/// Reads a regular file: [`FileReply::Entry`], `Output` frames, [`FileReply::Done`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Get {
    /// Which.
    #[n(0)]
    pub path: ByteVec,
    /// From which byte.
    #[n(1)]
    pub offset: u64,
    /// At most this many bytes; none for all.
    #[n(2)]
    pub length: Option<u64>,
    /// As what the access is made.
    #[n(3)]
    pub confinement: Confinement,
}

/// Lists what is in a directory: a [`FileReply::Entry`] each, parents before children, then [`FileReply::Done`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct List {
    /// The directory.
    #[n(0)]
    pub path: ByteVec,
    /// How many levels: 1 is the directory's own entries.
    #[n(1)]
    pub depth: u32,
    /// At most this many entries; the answer ends with [`FileReply::More`] where there are more.
    #[n(2)]
    pub most: u64,
    /// As what the access is made.
    #[n(3)]
    pub confinement: Confinement,
}

/// What is under this name: [`FileReply::Entry`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Stat {
    /// Which.
    #[n(0)]
    pub path: ByteVec,
    /// Whether a symbolic link is followed.
    #[n(1)]
    pub follow: bool,
    /// As what the access is made.
    #[n(2)]
    pub confinement: Confinement,
}

/// Removes a file or a directory: [`FileReply::Done`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Remove {
    /// Which.
    #[n(0)]
    pub path: ByteVec,
    /// Whether a directory goes with everything in it.
    #[n(1)]
    pub recursive: bool,
    /// As what the access is made.
    #[n(2)]
    pub confinement: Confinement,
}

/// Makes a directory and those above it: [`FileReply::Done`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct MakeDirectory {
    /// Which.
    #[n(0)]
    pub path: ByteVec,
    /// Permission bits, of which the low nine count.
    #[n(1)]
    pub mode: u32,
    /// As what the access is made.
    #[n(2)]
    pub confinement: Confinement,
}

/// Gives a file or directory another name, in place of a file that has it: [`FileReply::Done`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Rename {
    /// From.
    #[n(0)]
    pub from: ByteVec,
    /// To.
    #[n(1)]
    pub to: ByteVec,
    /// As what the access is made.
    #[n(2)]
    pub confinement: Confinement,
}

/// Writes a tree below a directory: a tar archive (POSIX.1-2001 pax) as `Input` frames, ended as [`Put`] is. Regular files,
/// directories and symbolic links alone; nothing outside the directory. Answered with [`FileReply::Done`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Unpack {
    /// The directory, made where it is missing.
    #[n(0)]
    pub path: ByteVec,
    /// At most this many bytes of files.
    #[n(1)]
    pub most_bytes: u64,
    /// At most this many entries.
    #[n(2)]
    pub most_entries: u64,
    /// As what the access is made.
    #[n(3)]
    pub confinement: Confinement,
}

/// Reads a tree: a tar archive as `Output` frames, then [`FileReply::Done`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Pack {
    /// The directory; names in the archive are relative to it.
    #[n(0)]
    pub path: ByteVec,
    /// At most this many bytes of files.
    #[n(1)]
    pub most_bytes: u64,
    /// At most this many entries.
    #[n(2)]
    pub most_entries: u64,
    /// As what the access is made.
    #[n(3)]
    pub confinement: Confinement,
}

/// What is answered to everything about files.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum FileReply {
    /// It is done. The last message.
    #[n(0)]
    Done,
    /// It is not. The last message, also after part of an answer.
    #[n(1)]
    Refused(#[n(0)] Refusal),
    /// Something that is there.
    #[n(2)]
    Entry(#[n(0)] Entry),
    /// There is more than was asked for. The last message.
    #[n(3)]
    More,
}

/// Something in a file system.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Entry {
    /// Its path relative to what was asked for; empty for that itself.
    #[n(0)]
    pub path: ByteVec,
    /// What it is.
    #[n(1)]
    pub kind: EntryKind,
    /// Bytes of a regular file, 0 for all else.
    #[n(2)]
    pub size: u64,
    /// Permission bits.
    #[n(3)]
    pub mode: u32,
    /// When it was changed, in milliseconds since 1970 (may be negative).
    #[n(4)]
    pub modified_ms: i64,
    /// Where a symbolic link leads.
    #[n(5)]
    pub target: Option<ByteVec>,
}

/// Kinds of things in a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum EntryKind {
    /// A regular file.
    #[n(0)]
    File,
    /// A directory.
    #[n(1)]
    Directory,
    /// A symbolic link.
    #[n(2)]
    Link,
    /// A socket, pipe or device.
    #[n(3)]
    Other,
}
