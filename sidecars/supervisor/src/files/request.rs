//! What can be asked about files.

use packhost_session_protocol::message::{
    Confinement, Get, List, MakeDirectory, Opening, Pack, Put, Refusal, Remove, Rename, Stat, Unpack,
};

use super::path;

/// An opening about files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Writes a file.
    Put(Put),
    /// Reads a file.
    Get(Get),
    /// Lists a directory.
    List(List),
    /// Says what is under a name.
    Stat(Stat),
    /// Removes a file or a tree.
    Remove(Remove),
    /// Makes a directory.
    MakeDirectory(MakeDirectory),
    /// Gives another name.
    Rename(Rename),
    /// Writes a tree.
    Unpack(Unpack),
    /// Reads a tree.
    Pack(Pack),
}

impl TryFrom<Opening> for Request {
    /// An opening about something else.
    type Error = Opening;

    fn try_from(opening: Opening) -> Result<Self, Opening> {
        Ok(match opening {
            Opening::Put(it) => Self::Put(it),
            Opening::Get(it) => Self::Get(it),
            Opening::List(it) => Self::List(it),
            Opening::Stat(it) => Self::Stat(it),
            Opening::Remove(it) => Self::Remove(it),
            Opening::MakeDirectory(it) => Self::MakeDirectory(it),
            Opening::Rename(it) => Self::Rename(it),
            Opening::Unpack(it) => Self::Unpack(it),
            Opening::Pack(it) => Self::Pack(it),
            other => return Err(other),
        })
    }
}

impl Request {
    /// Whether `Input` frames follow.
    pub(super) fn takes_input(&self) -> bool {
        matches!(self, Self::Put(_) | Self::Unpack(_))
    }

    /// Whether an entry is all of the answer.
    pub(super) fn is_answered_by_an_entry(&self) -> bool {
        matches!(self, Self::Stat(_))
    }

    /// As what the access is made.
    pub(super) fn confinement(&self) -> &Confinement {
        match self {
            Self::Put(it) => &it.confinement,
            Self::Get(it) => &it.confinement,
            Self::List(it) => &it.confinement,
            Self::Stat(it) => &it.confinement,
            Self::Remove(it) => &it.confinement,
            Self::MakeDirectory(it) => &it.confinement,
            Self::Rename(it) => &it.confinement,
            Self::Unpack(it) => &it.confinement,
            Self::Pack(it) => &it.confinement,
        }
    }

    /// Refuses paths that no system call would take, before a worker is started for them.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        match self {
            Self::Put(it) => path::check(&it.path),
            Self::Get(it) => path::check(&it.path),
            Self::List(it) => path::check(&it.path),
            Self::Stat(it) => path::check(&it.path),
            Self::Remove(it) => path::check(&it.path),
            Self::MakeDirectory(it) => path::check(&it.path),
            Self::Rename(it) => path::check(&it.from).and_then(|()| path::check(&it.to)),
            Self::Unpack(it) => path::check(&it.path),
            Self::Pack(it) => path::check(&it.path),
        }
    }
}
