//! Which directories of the host a pack sees, and where.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;

use crate::entry::HostVars;
use crate::paths::fits_segment;
use crate::place::Place;
use crate::template::Template;

/// What may be done in a granted directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FsMode {
    /// List and read.
    ReadOnly,
    /// List, read, create, change and delete.
    ReadWrite,
}

impl FsMode {
    /// The mode as a manifest writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::ReadWrite => "read-write",
        }
    }
}

/// One rule of `fs`: a directory of the host, with everything below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FsRule {
    /// The directory on the host.
    pub host: FsHost,
    /// The absolute path under which the pack sees it, without trailing slash; empty in a ceiling.
    pub guest: String,
    /// What may be done in it.
    pub mode: FsMode,
    /// Where it is written.
    pub place: Place,
}

/// A directory of the host: absolute, below the home directory (`~/…`), or below the state directory (`${state}/…`).
///
/// Below its root every segment is a file name in which `${input.…}` may stand, whose values must be one harmless file
/// name or a part of one. `.`, `..` and empty segments are refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FsHost {
    root: FsRoot,
    segments: Vec<Template>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FsRoot {
    Slash,
    Home,
    State,
}

/// One directory that a call sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FsGrant {
    /// The directory on the host, absolute.
    pub host: PathBuf,
    /// The part of it that the manifest spells out. What is below came from the call's input, and may lead through
    /// names that a guest has made.
    pub base: PathBuf,
    /// The absolute path under which the pack sees it.
    pub guest: String,
    /// What may be done in it.
    pub mode: FsMode,
    /// The rule that grants it.
    pub place: Place,
}

impl FsHost {
    /// Reads a directory; the error is the end of a sentence about it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let roots = [(FsRoot::State, "${state}"), (FsRoot::Home, "~"), (FsRoot::Slash, "")];
        let rooted = roots.into_iter().find_map(|(root, prefix)| {
            let rest = text.strip_prefix(prefix)?;
            (rest.starts_with('/') || (rest.is_empty() && root != FsRoot::Slash)).then_some((root, rest))
        });
        let Some((root, rest)) = rooted else {
            return Err("starts with \"/\", \"~/\" or \"${state}/\"".into());
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let segments = rest.split('/').skip(1).map(|part| {
            let template = Template::parse(part).map_err(|why| format!("is not a directory: {why}"))?;
            let literal = template.with("");
            if part.is_empty() || part == "." || part == ".." {
                return Err("has no empty segment, \".\" or \"..\"".into());
            }
            if literal.chars().any(|c| c.is_control() || c == '\\') {
                return Err("has no control characters and no backslash".into());
            }
            Ok(template)
        });
        Ok(Self { root, segments: segments.collect::<Result<_, String>>()? })
    }

    /// Whether this is the whole file system.
    pub(crate) fn is_everything(&self) -> bool {
        self.root == FsRoot::Slash && self.segments.is_empty()
    }

    /// The directory for one call; the error says which value does not fit.
    fn narrow(&self, input: &Value, vars: &HostVars) -> Result<PathBuf, String> {
        let mut path = self.root_path(vars).ok_or("there is no home directory")?;
        for segment in &self.segments {
            let name = segment.fill(input, fits_segment)?;
            if name == "." || name == ".." {
                return Err(format!("\"{name}\" is not a file name"));
            }
            path.push(name);
        }
        Ok(path)
    }

    /// The deepest directory that holds all that it can become; `None` where it needs a home and there is none.
    pub fn base(&self, vars: &HostVars) -> Option<PathBuf> {
        let mut path = self.root_path(vars)?;
        path.extend(self.segments.iter().take_while(|part| part.is_literal()).map(|part| part.with("")));
        Some(path)
    }

    fn root_path(&self, vars: &HostVars) -> Option<PathBuf> {
        match self.root {
            FsRoot::Slash => Some("/".into()),
            FsRoot::State => Some(vars.state.clone()),
            FsRoot::Home => vars.home.clone(),
        }
    }

    /// Whether everything below `inner`, whatever its templates become, is below this, which has no templates.
    pub(crate) fn covers(&self, inner: &Self) -> bool {
        self.is_everything()
            || (self.root == inner.root
                && self.segments.len() <= inner.segments.len()
                && self.segments.iter().zip(&inner.segments).all(|(a, b)| b.is_literal() && a == b))
    }

    /// Why a pack may not have this directory, where the host keeps its own things beside or in it; and what to write
    /// instead.
    pub(crate) fn reserved(&self) -> Option<(&'static str, String)> {
        let first = self.segments.first();
        let why = match first {
            _ if self.root != FsRoot::State => return None,
            None => "is the host's own state",
            Some(first) if !first.is_literal() => "lets the input choose a name beside the host's own",
            Some(first) if is_hosts_own(&first.to_string()) => "is the host's own",
            Some(_) => return None,
        };
        let kept = self.segments.iter().filter(|_| first.is_some_and(|first| !first.is_literal()));
        let names: Vec<String> =
            std::iter::once("files".to_owned()).chain(kept.map(Template::to_string)).collect();
        Some((why, format!("use a directory beside it, such as {}", self.rooted(&names))))
    }

    /// Whether a directory that `inner` can become can be or lie in one that this can become. Of directories below
    /// different roots nobody can tell.
    pub(crate) fn may_hold(&self, inner: &Self) -> bool {
        let may_be = |(a, b): (&Template, &Template)| !a.is_literal() || !b.is_literal() || a == b;
        self.root == inner.root
            && self.segments.len() <= inner.segments.len()
            && self.segments.iter().zip(&inner.segments).all(may_be)
    }

    /// Whether no value of the input stands in it.
    pub(crate) fn is_literal(&self) -> bool {
        self.segments.iter().all(Template::is_literal)
    }

    /// One of the directories that it can become, for people.
    pub(crate) fn example(&self) -> String {
        let names: Vec<String> = self.segments.iter().map(|segment| segment.with("any")).collect();
        self.rooted(&names)
    }

    fn rooted(&self, names: &[String]) -> String {
        let root = match self.root {
            FsRoot::Slash if names.is_empty() => "/",
            FsRoot::Slash => "",
            FsRoot::Home => "~",
            FsRoot::State => "${state}",
        };
        names.iter().fold(root.to_owned(), |path, name| path + "/" + name)
    }
}

impl FsRule {
    pub(crate) fn narrow(&self, input: &Value, vars: &HostVars) -> Result<FsGrant, String> {
        let host = self.host.narrow(input, vars)?;
        let base = self.host.base(vars).ok_or("there is no home directory")?;
        Ok(FsGrant { host, base, guest: self.guest.clone(), mode: self.mode, place: self.place.clone() })
    }
}

/// Names of the host's own directories, directly below the state directory.
const HOSTS_OWN: [&str; 10] = [
    "artifacts",
    "audit",
    "cache",
    "docker",
    "images",
    "keys",
    "packs",
    "policies",
    "sandboxes",
    "workspaces",
];

/// Whether a name directly below the state directory is the host's: what it caches, reads, keeps for others and keeps secret there.
pub(crate) fn is_hosts_own(name: &str) -> bool {
    HOSTS_OWN.contains(&name) || name.starts_with("compiled.")
}

/// Whether one of two guest paths lies in the other.
pub(crate) fn nested(one: &str, other: &str) -> bool {
    let inside =
        |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'));
    inside(one, other) || inside(other, one)
}

/// Reads the path under which a pack sees a directory; the error is the end of a sentence about it.
pub(crate) fn guest_path(text: &str) -> Result<String, &'static str> {
    let body = text.strip_prefix('/').ok_or("starts with \"/\"")?;
    let body = body.strip_suffix('/').unwrap_or(body);
    let plain = |part: &str| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && !part.contains(['\\', '$'])
            && !part.chars().any(char::is_control)
    };
    if body.split('/').all(plain) {
        Ok(format!("/{body}"))
    } else {
        Err("is a plain absolute path, such as /files")
    }
}

impl fmt::Display for FsHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.segments.iter().map(Template::to_string).collect();
        f.write_str(&self.rooted(&names))
    }
}

impl fmt::Display for FsRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.mode.as_str(), self.host)?;
        if self.guest.is_empty() { Ok(()) } else { write!(f, " as {}", self.guest) }
    }
}
