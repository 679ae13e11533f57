//! Which HTTP requests a rule means.

use std::fmt;

use ipnet::IpNet;
use packhost_core::CredentialName;
use serde::Serialize;
use serde_json::Value;

use crate::hosts::HostPattern;
use crate::paths::{PathPattern, request_segments};
use crate::place::Place;
use crate::template::Reference;

mod denied;
mod grants;
mod origin;

pub use denied::DeniedRequest;
pub(crate) use denied::{is_method, never_granted};
pub use grants::{Allowed, Decision, Denial, HttpGrants};
pub(crate) use origin::{RequestOrigin, target_of_url};

/// The method that asks for a tunnel (RFC 9110 section 9.3.6).
pub(crate) const CONNECT: &str = "CONNECT";

/// The schemes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// Without TLS.
    Http,
    /// With TLS.
    Https,
}

impl Scheme {
    /// Both, with their names.
    pub const ALL: [Self; 2] = [Self::Https, Self::Http];

    /// The name, as in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port where a URL names none (RFC 9110 sections 4.2.1 and 4.2.2).
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scheme| scheme.as_str() == name)
    }
}

/// What a rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The hosts of a pattern.
    Host {
        /// Which hosts.
        host: HostPattern,
        /// With or without TLS.
        scheme: Scheme,
        /// Which ports; at least one.
        ports: Vec<u16>,
    },
    /// The origin (RFC 6454: scheme, host, port) of a URL in the call's input, and no other.
    Origin {
        /// Where in the input the URL is.
        url: Reference,
        /// Only this scheme, where there is one.
        scheme: Option<Scheme>,
        /// Only these ports, where there are any.
        ports: Vec<u16>,
    },
    /// Every origin. Only a ceiling has this.
    Any {
        /// Only this scheme, where there is one.
        scheme: Option<Scheme>,
        /// Only these ports, where there are any.
        ports: Vec<u16>,
    },
}

/// One rule of `http`. A request must fit all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRule {
    /// Which hosts, schemes and ports.
    pub target: Target,
    /// Which methods; upper case, sorted, at least one.
    pub methods: Vec<String>,
    /// Which paths; `None` does not look at the path.
    pub paths: Option<Vec<PathPattern>>,
    /// Networks besides the public Internet that the host may resolve to, sorted and merged.
    pub addresses: Vec<IpNet>,
    /// Credentials that a request may carry, sorted; empty for none.
    pub credentials: Vec<CredentialName>,
    /// `tls: terminate`: the host ends the TLS of what a sandbox sends there, so that it sees the requests inside and can hold
    /// them to the rest of the rule. False in every rule that is not of a session.
    pub terminate: bool,
    /// Where it is written.
    pub place: Place,
}

impl HttpRule {
    /// Whether the rule lets this method through over this scheme. Of a tunnel the host sees the outside alone, so that no
    /// rule that looks at paths can allow one; and where it leads can be told only of TLS.
    pub(crate) fn lets(&self, method: &str, scheme: Scheme) -> bool {
        let visible = method != CONNECT || (scheme == Scheme::Https && self.paths.is_none());
        visible && self.methods.iter().any(|m| m == method)
    }

    fn matches(&self, method: &str, origin: &RequestOrigin<'_>, path: &str) -> bool {
        self.lets(method, origin.scheme)
            && self.target.matches(origin)
            && self.paths.as_ref().is_none_or(|paths| {
                request_segments(path).is_some_and(|path| paths.iter().any(|p| p.matches_segments(&path)))
            })
    }

    /// The rule with the input's values in place; the error says why it grants nothing.
    fn narrow(&self, input: &Value) -> Result<Self, String> {
        let target = match &self.target {
            Target::Host { host, scheme, ports } => {
                Target::Host { host: host.narrow(input)?, scheme: *scheme, ports: ports.clone() }
            }
            Target::Origin { url, scheme, ports } => origin::of_input(url, input, *scheme, ports)?,
            Target::Any { .. } => return Err("\"url: any\" belongs in a ceiling".into()),
        };
        let paths = self.paths.as_ref().map(|paths| paths.iter().map(|path| path.narrow(input)).collect());
        Ok(Self { target, paths: paths.transpose()?, ..self.clone() })
    }
}

impl Target {
    /// The ports that it names.
    pub(crate) fn ports(&self) -> &[u16] {
        match self {
            Self::Host { ports, .. } | Self::Origin { ports, .. } | Self::Any { ports, .. } => ports,
        }
    }

    /// The scheme, where there is only one.
    pub(crate) fn scheme(&self) -> Option<Scheme> {
        match self {
            Self::Host { scheme, .. } => Some(*scheme),
            Self::Origin { scheme, .. } | Self::Any { scheme, .. } => *scheme,
        }
    }

    pub(crate) fn matches(&self, origin: &RequestOrigin<'_>) -> bool {
        match self {
            Self::Host { host, scheme, ports } => {
                *scheme == origin.scheme && ports.contains(&origin.port) && host.matches(&origin.host)
            }
            Self::Any { scheme, ports } => {
                scheme.is_none_or(|s| s == origin.scheme)
                    && (ports.is_empty() || ports.contains(&origin.port))
            }
            Self::Origin { .. } => false,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, ports) = match self {
            Self::Host { host, scheme, ports } => {
                write!(f, "{}://{host}", scheme.as_str())?;
                return if ports.as_slice() == [scheme.default_port()] {
                    Ok(())
                } else {
                    write_ports(f, ports)
                };
            }
            Self::Origin { url, scheme, ports } => {
                write!(f, "the origin of ${{input.{}}}", url.path())?;
                (scheme, ports)
            }
            Self::Any { scheme, ports } => {
                f.write_str("any origin")?;
                (scheme, ports)
            }
        };
        if let Some(scheme) = scheme {
            write!(f, " over {}", scheme.as_str())?;
        }
        if ports.is_empty() { Ok(()) } else { write_ports(f, ports) }
    }
}

fn write_ports(f: &mut fmt::Formatter<'_>, ports: &[u16]) -> fmt::Result {
    let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
    write!(f, ":{}", ports.join("|"))
}

impl fmt::Display for HttpRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.methods.join(", "), self.target)?;
        if let Some(paths) = &self.paths {
            let paths: Vec<String> = paths.iter().map(PathPattern::to_string).collect();
            write!(f, " {}", paths.join(" "))?;
        }
        if !self.addresses.is_empty() {
            let nets: Vec<String> = self.addresses.iter().map(IpNet::to_string).collect();
            write!(f, " at {}", nets.join(" "))?;
        }
        if !self.credentials.is_empty() {
            let names: Vec<&str> = self.credentials.iter().map(CredentialName::as_str).collect();
            write!(f, " with {}", names.join(" "))?;
        }
        if self.terminate {
            f.write_str(" (tls: terminate)")?;
        }
        Ok(())
    }
}
