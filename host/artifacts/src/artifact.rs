//! What is known of an artifact, and how one is described before it is there.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use packhost_core::{Caller, Digest, PackName, RunId};
use serde::Serialize;

use crate::id::{ArtifactId, InvalidId};
use crate::label::{MediaType, Name};

/// Something that a call made. All of it is there, and it never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Artifact {
    /// What it is asked for by.
    pub id: ArtifactId,
    /// Whether a pack made it, or the host.
    pub kind: Kind,
    /// The SHA-256 of its bytes.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
    /// What the pack says it is.
    pub media_type: MediaType,
    /// What the pack calls it: a label, and never a path.
    pub name: Name,
    /// Who may have it.
    pub owner: Caller,
    /// The call that made it.
    pub run: RunId,
    /// The pack that made it.
    pub pack: PackName,
    /// When it was finished, in milliseconds since 1970.
    pub created: u64,
    /// From when on it is not there any more, in milliseconds since 1970.
    pub expires: u64,
}

/// Who made an artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A pack.
    Made,
    /// The host: the signed manifest of a run.
    Manifest,
}

impl Kind {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Made => "made",
            Self::Manifest => "manifest",
        }
    }
}

/// An artifact that is about to be written.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Who may have it.
    pub owner: Caller,
    /// The call that makes it.
    pub run: RunId,
    /// The pack that makes it.
    pub pack: PackName,
    /// What the pack calls it.
    pub name: Name,
    /// What the pack says it is.
    pub media_type: MediaType,
    /// How long it stays. None: as [`Settings::keep`](crate::Settings::keep) says.
    pub keep: Option<Duration>,
    /// How large it will be, where that is known: room for it is reserved at once. It may become larger or smaller.
    pub size: Option<u64>,
}

impl Draft {
    /// One of unknown size that stays as long as artifacts usually do.
    pub fn new(owner: Caller, run: RunId, pack: PackName, name: Name, media_type: MediaType) -> Self {
        Self { owner, run, pack, name, media_type, keep: None, size: None }
    }

    /// Says how long it stays.
    #[must_use]
    pub fn keep(mut self, keep: Duration) -> Self {
        self.keep = Some(keep);
        self
    }

    /// Says how large it will be, in bytes.
    #[must_use]
    pub fn size(mut self, size: u64) -> Self {
        self.size = Some(size);
        self
    }
}

/// Which artifacts are listed: those for which all holds that is said here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Made by this call.
    pub run: Option<RunId>,
    /// Made by this pack.
    pub pack: Option<PackName>,
    /// Of this kind.
    pub kind: Option<Kind>,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Behind this one, which a [`Listing`] gave. None: from the beginning.
    pub after: Option<Cursor>,
    /// How many at most, from 1 to [`Page::MOST`]; more are cut to that.
    pub most: u32,
}

impl Page {
    /// The most artifacts of a page.
    pub const MOST: u32 = 1_000;
}

/// The first 100.
impl Default for Page {
    fn default() -> Self {
        Self { after: None, most: 100 }
    }
}

/// Artifacts, the latest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listing {
    /// As many as the page may have.
    pub artifacts: Vec<Artifact>,
    /// Where the next page begins; none on the last one.
    pub next: Option<Cursor>,
}

/// A place in a list. It stays one, whatever is added and removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    pub(crate) created: u64,
    pub(crate) id: ArtifactId,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.created, self.id)
    }
}

impl FromStr for Cursor {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let (created, id) = text.split_once('.').ok_or(InvalidId)?;
        let created: i64 = created.parse().map_err(|_| InvalidId)?;
        Ok(Self { created: u64::try_from(created).map_err(|_| InvalidId)?, id: id.parse()? })
    }
}

impl Serialize for Cursor {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}
