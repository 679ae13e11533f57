//! Sandboxes of a pack: which ones it may have, what it finds in one, and what leaves one.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use packhost_core::PackName;
use serde::Serialize;
use serde_json::Value;

use crate::http::{HttpGrants, HttpRule};
use crate::limits::{Limit, LimitKind};
use crate::place::Place;

mod command;
mod files;
mod loss;
mod words;

pub use command::CommandPack;
pub use files::SessionFiles;
pub(crate) use files::{OWN, SHARED_MEMORY, holds as path_holds};
pub(crate) use words::{INSIDE, requests};

/// `session.idle`.
pub(crate) const IDLE: Limit = Limit {
    name: "idle",
    kind: LimitKind::Time,
    default: 60_000,
    min: 0,
    max: 3_600_000,
    doc: "How long a sandbox that no call uses is kept, for the next call of the same caller with the same workspace. `0s`: it \
          ends with its call.",
};

/// `session.lifetime`.
pub(crate) const LIFETIME: Limit = Limit {
    name: "lifetime",
    kind: LimitKind::Time,
    default: 3_600_000,
    min: 1_000,
    max: 86_400_000,
    doc: "How long a sandbox lives at most, in use or not.",
};

/// The sandboxes that a pack may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// What may make them, the first one preferred; at least one, none twice.
    pub on: Vec<SessionBackend>,
    /// What they are made of. `None`: of the machine's own files, those that [`SessionFiles::read_only`] names.
    pub image: Option<SessionImage>,
    /// What programs may read and write.
    pub files: SessionFiles,
    /// What leaves them.
    pub http: Vec<HttpRule>,
    /// The environment of programs.
    pub env: BTreeMap<String, String>,
    /// How long an unused one is kept; nothing: it ends with its call. At most an hour.
    pub idle: Duration,
    /// How long one lives at most; up to a day.
    pub lifetime: Duration,
    /// How many stand ready, made before a call needs one; at most [`WARM`](Self::WARM).
    pub warm: u32,
    /// The line of `session`.
    pub place: Place,
}

/// The sandboxes that one call may use: a [`Session`] narrowed by the call's input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionGrant {
    /// What may make them, the first one preferred; at least one.
    pub on: Vec<SessionBackend>,
    /// What they are made of; `None`: of the machine's own files, to read.
    pub image: Option<SessionImage>,
    /// What programs may read and write.
    pub files: SessionFiles,
    /// The environment of programs.
    pub env: BTreeMap<String, String>,
    /// What leaves them. Nothing does that these do not allow; the pack's own `http` has no part in it.
    pub http: HttpGrants,
    /// How long an unused one is kept; nothing: it ends with its call.
    pub idle: Duration,
    /// How long one lives at most.
    pub lifetime: Duration,
    /// The line of `session`.
    pub place: Place,
}

impl Session {
    /// The most that may stand ready for one entry.
    pub const WARM: u32 = 16;

    pub(crate) fn narrow(&self, pack: &PackName, input: &Value) -> SessionGrant {
        let Self { on, image, files, http, env, idle, lifetime, warm: _, place } = self.clone();
        let http = HttpGrants::inside(pack, &http, input);
        SessionGrant { on, image, files, env, http, idle, lifetime, place }
    }

    /// Whether a sandbox may be made of the machine's own files: by the `process` backend, where no image is named, or none
    /// is there.
    pub fn may_be_of_the_machine(&self) -> bool {
        self.on.contains(&SessionBackend::Process)
    }
}

/// What makes sandboxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionBackend {
    /// The kernel of this machine, without a daemon.
    Process,
    /// A Docker Engine.
    Docker,
}

impl SessionBackend {
    /// Every one that this version of the manifest has.
    pub const ALL: [Self; 2] = [Self::Process, Self::Docker];

    /// As it stands in a manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Docker => "docker",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|backend| backend.as_str() == name)
    }
}

impl fmt::Display for SessionBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An image.
///
/// ```text
/// image     = [ registry "/" ] part *( "/" part ) [ "@sha256:" 64( lower-case hex digit ) ]
/// part      = 1*( lower-case letter / digit ) *( "." / "_" / "-" between these )
/// registry  = a part with ":" and a port
/// ```
///
/// There are no tags: a tag is what its registry says at the moment. Without a digest, the host knows which build of the name is
/// installed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionImage {
    /// The name, such as `packhost/python`; at most 255 bytes.
    pub name: String,
    /// `sha256:` and 64 hex digits, where it is pinned.
    pub digest: Option<String>,
}

/// Why a text is not an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// `python:3.12`.
    #[error(
        "an image has no tag, which may be another image tomorrow: pin it with \"@sha256:…\", or leave the tag out"
    )]
    Tag,
    /// Something else than a SHA-256 after `@`.
    #[error("what follows \"@\" is \"sha256:\" and 64 lower-case hex digits")]
    Digest,
    /// Not a name at all.
    #[error("it is no name of an image, such as packhost/python")]
    Name,
}

impl FromStr for SessionImage {
    type Err = ImageError;

    fn from_str(text: &str) -> Result<Self, ImageError> {
        let (name, digest) = text.split_once('@').map_or((text, None), |(name, digest)| (name, Some(digest)));
        let hex =
            |text: &str| text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if digest.is_some_and(|digest| !digest.strip_prefix("sha256:").is_some_and(hex)) {
            return Err(ImageError::Digest);
        }
        if name.rsplit('/').next().is_some_and(|last| last.contains(':')) {
            return Err(ImageError::Tag);
        }
        let path = match name.split_once('/') {
            Some((first, rest)) => match first.split_once(':') {
                Some((registry, port)) if is_part(registry) && is_port(port) => rest,
                _ => name,
            },
            None => name,
        };
        if name.len() > 255 || !path.split('/').all(is_part) {
            return Err(ImageError::Name);
        }
        Ok(Self { name: name.into(), digest: digest.map(String::from) })
    }
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port > 0)
}

fn is_part(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    text.bytes().all(|b| plain(b) || matches!(b, b'.' | b'_' | b'-'))
        && text.bytes().next().is_some_and(plain)
        && text.bytes().next_back().is_some_and(plain)
}

impl SessionImage {
    /// Whether `other` is this image: the same name, and the same digest where this has one.
    pub(crate) fn holds(&self, other: &Self) -> bool {
        self.name == other.name && (self.digest.is_none() || self.digest == other.digest)
    }
}

impl fmt::Display for SessionImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.digest.as_ref().map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_a_name_and_perhaps_a_digest() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        for name in ["python", "packhost/python", "registry.test:5000/a/b-c_d.e", "registry.test/a"] {
            let image: SessionImage = name.parse().expect(name);
            assert_eq!((image.to_string().as_str(), image.digest.is_none()), (name, true));
            let pinned: SessionImage = format!("{name}@{digest}").parse().expect(name);
            assert_eq!((&pinned.name, pinned.digest.as_ref()), (&image.name, Some(&digest)));
            assert!(image.holds(&pinned) && !pinned.holds(&image) && pinned.holds(&pinned));
        }
        for (bad, why) in [
            ("python:3.12", ImageError::Tag),
            ("registry.test:5000/python:3", ImageError::Tag),
            ("python@sha256:00", ImageError::Digest),
            ("python@md5:00", ImageError::Digest),
            ("Python", ImageError::Name),
            ("a//b", ImageError::Name),
            ("/a", ImageError::Name),
            ("a/", ImageError::Name),
            ("", ImageError::Name),
            ("-a", ImageError::Name),
            ("a b", ImageError::Name),
            ("a:b/c", ImageError::Name),
            ("a:+5/c", ImageError::Name),
            ("a:0/c", ImageError::Name),
            ("../a", ImageError::Name),
        ] {
            assert_eq!(bad.parse::<SessionImage>(), Err(why), "{bad}");
        }
    }
}
