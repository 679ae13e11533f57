//! Which HTTP requests a rule means, and the decision about one.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use packhost_core::PackName;
use serde::Serialize;
use serde_json::Value;
use url::{Host, Url};

use crate::addresses::{is_public, never};
use crate::hosts::HostPattern;
use crate::paths::{PathPattern, request_segments};
use crate::place::Place;
use crate::template::Reference;

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
    /// Where it is written.
    pub place: Place,
}

impl HttpRule {
    fn matches(&self, method: &str, origin: &RequestOrigin<'_>, path: &str) -> bool {
        self.methods.iter().any(|m| m == method)
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
            Target::Origin { url, scheme, ports } => origin_of(url, input, *scheme, ports)?,
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

/// Where a request goes.
pub(crate) struct RequestOrigin<'a> {
    pub(crate) scheme: Scheme,
    pub(crate) host: Host<&'a str>,
    pub(crate) port: u16,
}

impl<'a> RequestOrigin<'a> {
    fn address(&self) -> Option<IpAddr> {
        match self.host {
            Host::Domain(_) => None,
            Host::Ipv4(ip) => Some(ip.into()),
            Host::Ipv6(ip) => Some(ip.into()),
        }
    }

    /// The error is the end of a sentence about the URL.
    fn of(url: &'a Url) -> Result<Self, &'static str> {
        let scheme = Scheme::named(url.scheme()).ok_or("is neither http nor https")?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("carries a user name or password");
        }
        let host = url.host().ok_or("has no host")?;
        Ok(Self { scheme, host, port: url.port().unwrap_or(scheme.default_port()) })
    }
}

/// The literal target that a URL of the input means.
fn origin_of(at: &Reference, input: &Value, scheme: Option<Scheme>, ports: &[u16]) -> Result<Target, String> {
    let name = at.path();
    let url =
        Url::parse(&at.text(input)?).map_err(|why| format!("\"{name}\" of the input is not a URL: {why}"))?;
    let origin = RequestOrigin::of(&url).map_err(|why| format!("\"{name}\" of the input {why}"))?;
    if scheme.is_some_and(|only| only != origin.scheme) {
        return Err(format!("\"{name}\" of the input is not an {} URL", scheme.map_or("", Scheme::as_str)));
    }
    if !ports.is_empty() && !ports.contains(&origin.port) {
        return Err(format!("\"{name}\" of the input names a port that the rule does not grant"));
    }
    literal_target(&origin).ok_or_else(|| format!("\"{name}\" of the input has no usable host name"))
}

fn literal_target(origin: &RequestOrigin<'_>) -> Option<Target> {
    let host = match origin.host {
        Host::Domain(name) => HostPattern::Name(crate::hosts::request_name(name)?.into()),
        Host::Ipv4(ip) => HostPattern::Address(ip.into()),
        Host::Ipv6(ip) => HostPattern::Address(ip.into()),
    };
    Some(Target::Host { host, scheme: origin.scheme, ports: vec![origin.port] })
}

/// The target that a URL written in a manifest means. The error is the end of a sentence about the URL.
pub(crate) fn target_of_url(text: &str) -> Result<Target, String> {
    let url = Url::parse(text).map_err(|why| format!("is not a URL: {why}"))?;
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err("is an origin, such as https://api.example.com; its paths go under \"paths\"".into());
    }
    let origin = RequestOrigin::of(&url)?;
    literal_target(&origin).ok_or_else(|| "has no usable host name".into())
}

/// The HTTP part of one call's grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpGrants {
    pack: PackName,
    rules: Vec<HttpRule>,
    notes: Vec<String>,
}

/// What is to be done with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It may go out, to public addresses and to those of [`Allowed::addresses`].
    Allowed(Allowed),
    /// It may not.
    Denied(Denial),
}

/// Why a request may go out, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// The first rule that allows it.
    pub place: Place,
    /// That rule in one line, as [`HttpRule`] displays it.
    pub rule: String,
    /// Networks besides the public Internet ([`is_public`](crate::is_public)) that the request may be sent to; those of every rule that
    /// allows the request. Empty: public addresses alone.
    pub addresses: Vec<IpNet>,
}

/// Why a request may not go out. Displays as two sentences for the agent: what was denied, and what is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// What was denied and why, in a sentence. Holds the method, the origin and the path, never the query.
    pub what: String,
    /// What the operator would have to add, in a sentence.
    pub missing: String,
}

impl Allowed {
    /// Whether the request may be sent to this address: a public one, or one of [`Allowed::addresses`], and never one
    /// of a block that no rule can open (link-local, where cloud metadata lives, and multicast).
    pub fn reaches(&self, ip: IpAddr) -> bool {
        never(&IpNet::from(ip)).is_none()
            && (is_public(ip) || self.addresses.iter().any(|net| net.contains(&ip)))
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.what, self.missing)
    }
}

impl HttpGrants {
    /// The rules of a pack narrowed by one call's input.
    pub(crate) fn narrow(pack: &PackName, rules: &[HttpRule], input: &Value) -> Self {
        let mut grants =
            Self { pack: pack.clone(), rules: Vec::with_capacity(rules.len()), notes: Vec::new() };
        for rule in rules {
            match rule.narrow(input) {
                Ok(rule) => grants.rules.push(rule),
                Err(why) => grants.notes.push(format!("The rule at {} grants nothing: {why}.", rule.place)),
            }
        }
        grants
    }

    /// Whether no request can be allowed.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Why rules grant nothing for this input, a sentence each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The rules, without templates.
    pub fn rules(&self) -> &[HttpRule] {
        &self.rules
    }

    /// Decides about one request. Methods are compared as they are (RFC 9110 section 9.1: case-sensitive). Where the host
    /// is an address, the address is decided about as well; where it is a name, whoever resolves it asks
    /// [`Allowed::reaches`] about each address.
    pub fn decide(&self, method: &str, url: &Url) -> Decision {
        let origin = match RequestOrigin::of(url) {
            Ok(origin) => origin,
            Err(why) => return Decision::Denied(self.malformed(method, url, why)),
        };
        let mut matching =
            self.rules.iter().filter(|rule| rule.matches(method, &origin, url.path())).peekable();
        let Some(first) = matching.peek() else { return Decision::Denied(self.denial(method, url, &origin)) };
        let (place, rule) = (first.place.clone(), first.to_string());
        let addresses: Vec<IpNet> = matching.flat_map(|rule| rule.addresses.iter().copied()).collect();
        let allowed = Allowed { place, rule, addresses: IpNet::aggregate(&addresses) };
        match origin.address() {
            Some(ip) if !allowed.reaches(ip) => Decision::Denied(self.closed(method, url, ip)),
            _ => Decision::Allowed(allowed),
        }
    }

    fn closed(&self, method: &str, url: &Url, ip: IpAddr) -> Denial {
        let what =
            format!("{} may not send {method} {}: {ip} is not a public address.", self.pack, show_url(url));
        let missing = match never(&IpNet::from(ip)) {
            Some(block) => {
                format!("It is in {block} (link-local, metadata or multicast), which no rule can open.")
            }
            None => {
                format!("The operator would have to add a rule with {} among its addresses.", IpNet::from(ip))
            }
        };
        Denial { what, missing }
    }

    fn malformed(&self, method: &str, url: &Url, why: &str) -> Denial {
        let what = format!("{} may not send {method} {}: the URL {why}.", self.pack, show_url(url));
        Denial { what, missing: "No rule can allow that.".into() }
    }

    fn denial(&self, method: &str, url: &Url, origin: &RequestOrigin<'_>) -> Denial {
        let shown = show_url(url);
        let method: String = method.chars().filter(|c| !c.is_control()).take(20).collect();
        let mut what = format!("No rule of {} allows {method} {shown}.", self.pack);
        let same_origin: Vec<&HttpRule> = self.rules.iter().filter(|r| r.target.matches(origin)).collect();
        let missing = if same_origin.is_empty() {
            for note in self.notes.iter().take(3) {
                what.push(' ');
                what.push_str(note);
            }
            format!(
                "The operator would have to add a rule for host {} with scheme {}, port {} and method {method}.",
                origin.host,
                origin.scheme.as_str(),
                origin.port
            )
        } else if same_origin.iter().any(|rule| rule.methods.contains(&method)) {
            format!(
                "The host and the method are granted; the operator would have to add the path {}.",
                show_path(url)
            )
        } else {
            let granted: Vec<&str> =
                same_origin.iter().flat_map(|r| r.methods.iter().map(String::as_str)).collect();
            let granted = granted.join(", ");
            format!("The host is granted for {granted}; the operator would have to add the method {method}.")
        };
        Denial { what, missing }
    }
}

/// A URL without query, fragment and user, which may be secret, and not longer than a sentence bears.
fn show_url(url: &Url) -> String {
    let host = url.host().map(|host| host.to_string()).unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{host}{port}{}", url.scheme(), show_path(url))
}

fn show_path(url: &Url) -> String {
    let path = url.path();
    let short: String = path.chars().take(160).collect();
    if short.len() < path.len() { format!("{short}…") } else { short }
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
        Ok(())
    }
}
