//! Where a credential may be used: by which packs and callers, in requests to which hosts, and at which place in them.

mod places;
mod words;

use std::fmt;

use packhost_core::{Caller, PackName, Placement};
use packhost_manifest::{Callers, HostPattern, PathPattern, Segment};
use packhost_signing::{Signing, SpecError};
use serde::{Deserialize, Serialize};
use url::Url;

use places::{is_token, place};

/// One way in which a credential may be used. All of it has to fit. Without a binding a credential is of no use.
///
/// In the database and on the command line it is a JSON object:
///
/// ```json
/// { "hosts": ["api.github.com"], "places": [{ "header": { "name": "authorization", "scheme": "Bearer" } }],
///   "packs": ["github.*"] }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Binding {
    /// The hosts; at least one.
    hosts: Vec<HostPattern>,
    /// The ports; at least one.
    ports: Vec<u16>,
    /// Whether it may be sent without TLS.
    plain: bool,
    /// The methods; `None` is every method that the manifest allows.
    methods: Option<Vec<String>>,
    /// The paths; `None` does not look at the path.
    paths: Option<Vec<PathPattern>>,
    /// Where it may stand; at least one.
    places: Vec<Placement>,
    /// Which packs may use it; at least one.
    packs: Vec<Packs>,
    /// On whose behalf.
    callers: Callers,
    /// What is made with the value in place of showing it.
    sign: Option<Signing>,
}

/// A use of a credential that somebody is about to make.
#[derive(Debug, Clone, Copy)]
pub struct Use<'a> {
    /// Who sends.
    pub pack: &'a PackName,
    /// On whose behalf.
    pub caller: &'a Caller,
    /// The method.
    pub method: &'a str,
    /// Where to: the final destination of this hop.
    pub url: &'a Url,
    /// Where the value would stand.
    pub place: &'a Placement,
}

/// What keeps a binding from allowing a use. Displays as the end of "the credential NAME may not be used …".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unbound {
    /// It has no binding.
    Nowhere,
    /// Another pack's.
    Pack,
    /// Another caller's.
    Caller,
    /// For other hosts or ports.
    Host,
    /// For other methods or paths.
    Request,
    /// Somewhere else in the request.
    Place,
    /// Only over TLS.
    Plain,
}

/// Why a binding cannot be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BindingError {
    /// A key that has to have something in it has nothing.
    #[error("a binding names at least one of \"{0}\"")]
    Empty(&'static str),
    /// One of the words is not what it should be.
    #[error("\"{word}\" is no {what}: {why}")]
    Word {
        /// The word, cut short.
        word: String,
        /// What it should be.
        what: &'static str,
        /// Why it is not.
        why: String,
    },
    /// A header that servers and browsers send back or write down, or that is the host's own.
    #[error("a secret never goes into the header {0}: {1}")]
    Header(String, &'static str),
    /// What is to be made with the value cannot be, or not there.
    #[error(transparent)]
    Sign(#[from] SpecError),
    /// Not the JSON of a binding.
    #[error("not a binding: {0}")]
    Json(String),
}

/// Some packs by name.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Packs {
    One(PackName),
    /// Every pack of a family: `github.*`.
    Family(PackName),
}

/// A binding as it is written down.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    hosts: Vec<String>,
    #[serde(default = "https", skip_serializing_if = "is_https")]
    ports: Vec<u16>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    plain: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    methods: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    paths: Option<Vec<String>>,
    places: Vec<Placement>,
    packs: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    callers: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sign: Option<Signing>,
}

fn https() -> Vec<u16> {
    vec![443]
}

fn is_https(ports: &[u16]) -> bool {
    ports == [443]
}

impl Binding {
    /// Whether this use is bound.
    ///
    /// # Errors
    /// The first thing that does not fit, from the least to the most particular.
    pub fn admits(&self, of: &Use<'_>) -> Result<(), Unbound> {
        let host = of.url.host().is_some_and(|host| {
            let port = of.url.port_or_known_default();
            let named = self.hosts.iter().any(|one| one.matches(&host));
            named && port.is_some_and(|port| self.ports.contains(&port))
        });
        let method = self.methods.as_ref().is_none_or(|methods| methods.iter().any(|one| one == of.method));
        let path = self.paths.as_ref().is_none_or(|paths| paths.iter().any(|one| one.matches(of.url.path())));
        let checks = [
            (self.is_for(of.pack), Unbound::Pack),
            (self.callers.admits(of.caller), Unbound::Caller),
            (host, Unbound::Host),
            (method && path, Unbound::Request),
            (self.places.iter().any(|bound| of.place.is_at(bound)), Unbound::Place),
            (of.url.scheme() == "https" || (self.plain && of.url.scheme() == "http"), Unbound::Plain),
        ];
        checks.into_iter().find(|(fits, _)| !fits).map_or(Ok(()), |(_, why)| Err(why))
    }

    /// Whether this pack may use the credential somewhere.
    pub fn is_for(&self, pack: &PackName) -> bool {
        self.packs.iter().any(|packs| packs.hold(pack))
    }

    /// What is made with the value in a use that this admits. `None` where it stands there itself.
    pub fn signing(&self) -> Option<&Signing> {
        self.sign.as_ref()
    }

    /// The binding that admits the use: the first of those that sign, where there is one, so that none shows the value where
    /// another is there to hide it.
    ///
    /// # Errors
    /// What the binding that comes closest says.
    pub fn any_admits<'a>(bindings: &'a [Self], of: &Use<'_>) -> Result<&'a Self, Unbound> {
        let (mut found, mut closest) = (None, Unbound::Nowhere);
        for binding in bindings {
            match binding.admits(of) {
                Ok(()) if binding.sign.is_some() => return Ok(binding),
                Ok(()) => found = found.or(Some(binding)),
                Err(why) => closest = closest.max(why),
            }
        }
        found.ok_or(closest)
    }
}

impl Packs {
    fn hold(&self, pack: &PackName) -> bool {
        match self {
            Self::One(one) => one == pack,
            Self::Family(family) => {
                pack.as_str().strip_prefix(family.as_str()).is_some_and(|rest| rest.starts_with('.'))
            }
        }
    }
}

impl fmt::Display for Packs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(one) => one.fmt(f),
            Self::Family(family) => write!(f, "{family}.*"),
        }
    }
}

impl fmt::Display for Unbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nowhere => "at all: it is bound to nothing",
            Self::Pack => "by this pack",
            Self::Caller => "on behalf of this caller",
            Self::Host => "for this host and port",
            Self::Request => "with this method and path",
            Self::Place => "at this place in a request",
            Self::Plain => "without TLS",
        })
    }
}

impl TryFrom<Written> for Binding {
    type Error = BindingError;

    fn try_from(written: Written) -> Result<Self, BindingError> {
        for (key, empty) in [
            ("hosts", written.hosts.is_empty()),
            ("ports", written.ports.is_empty()),
            ("methods", written.methods.as_ref().is_some_and(Vec::is_empty)),
            ("paths", written.paths.as_ref().is_some_and(Vec::is_empty)),
            ("places", written.places.is_empty()),
            ("packs", written.packs.is_empty()),
            ("callers", written.callers.as_ref().is_some_and(Vec::is_empty)),
        ] {
            if empty {
                return Err(BindingError::Empty(key));
            }
        }
        let methods = written.methods.map(|methods| methods.into_iter().map(method).collect());
        let paths = written.paths.map(|paths| paths.iter().map(|text| path(text)).collect());
        let places: Vec<Placement> = written.places.into_iter().map(place).collect::<Result<_, _>>()?;
        written.sign.as_ref().map_or(Ok(()), |sign| sign.check(&places))?;
        Ok(Self {
            hosts: written.hosts.iter().map(|text| host(text)).collect::<Result<_, _>>()?,
            ports: written.ports,
            plain: written.plain,
            methods: methods.transpose()?,
            paths: paths.transpose()?,
            places,
            packs: written.packs.iter().map(|text| packs(text)).collect::<Result<_, _>>()?,
            callers: written.callers.map_or(Callers::Every, Callers::Only),
            sign: written.sign,
        })
    }
}

impl From<Binding> for Written {
    fn from(binding: Binding) -> Self {
        let texts = |paths: Vec<PathPattern>| paths.iter().map(ToString::to_string).collect();
        Self {
            hosts: binding.hosts.iter().map(ToString::to_string).collect(),
            ports: binding.ports,
            plain: binding.plain,
            methods: binding.methods,
            paths: binding.paths.map(texts),
            places: binding.places,
            packs: binding.packs.iter().map(ToString::to_string).collect(),
            callers: match binding.callers {
                Callers::Every => None,
                Callers::Only(names) => Some(names),
            },
            sign: binding.sign,
        }
    }
}

fn host(text: &str) -> Result<HostPattern, BindingError> {
    match text.parse() {
        Ok(HostPattern::Template(_)) => Err(wrong(text, "host", "a binding has no templates")),
        Ok(host) => Ok(host),
        Err(why) => Err(wrong(text, "host", why)),
    }
}

fn path(text: &str) -> Result<PathPattern, BindingError> {
    let path: PathPattern = text.parse().map_err(|why| wrong(text, "path", why))?;
    let templated = path.segments().iter().any(|segment| matches!(segment, Segment::Template(_)));
    if templated { Err(wrong(text, "path", "a binding has no templates")) } else { Ok(path) }
}

fn method(text: String) -> Result<String, BindingError> {
    if is_token(&text) && !text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        return Ok(text);
    }
    Err(wrong(&text, "method", "methods are written in upper case"))
}

fn packs(text: &str) -> Result<Packs, BindingError> {
    let (name, family) = text.strip_suffix(".*").map_or((text, false), |name| (name, true));
    let name = name.parse().map_err(|why| wrong(text, "pack", why))?;
    Ok(if family { Packs::Family(name) } else { Packs::One(name) })
}

fn wrong(word: &str, what: &'static str, why: impl fmt::Display) -> BindingError {
    BindingError::Word { word: word.chars().take(80).collect(), what, why: why.to_string() }
}
