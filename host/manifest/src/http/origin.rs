//! Where a request goes: scheme, host and port, out of a request, out of an input and out of a manifest.

use std::net::IpAddr;

use serde_json::Value;
use url::{Host, Url};

use super::{Scheme, Target};
use crate::hosts::HostPattern;
use crate::template::Reference;

/// Where a request goes.
pub(crate) struct RequestOrigin<'a> {
    pub(crate) scheme: Scheme,
    pub(crate) host: Host<&'a str>,
    pub(crate) port: u16,
}

impl<'a> RequestOrigin<'a> {
    pub(super) fn address(&self) -> Option<IpAddr> {
        match self.host {
            Host::Domain(_) => None,
            Host::Ipv4(ip) => Some(ip.into()),
            Host::Ipv6(ip) => Some(ip.into()),
        }
    }

    /// The error is the end of a sentence about the URL.
    pub(super) fn of(url: &'a Url) -> Result<Self, &'static str> {
        let scheme = Scheme::named(url.scheme()).ok_or("is neither http nor https")?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("carries a user name or password");
        }
        let host = url.host().ok_or("has no host")?;
        Ok(Self { scheme, host, port: url.port().unwrap_or(scheme.default_port()) })
    }
}

/// The literal target that a URL of the input means.
pub(super) fn of_input(
    at: &Reference,
    input: &Value,
    scheme: Option<Scheme>,
    ports: &[u16],
) -> Result<Target, String> {
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

/// The target that a URL written in a manifest means: an origin (RFC 6454) and nothing more, its host as [`HostPattern`] has
/// it. The error is the end of a sentence about the URL.
pub(crate) fn target_of_url(text: &str) -> Result<Target, String> {
    let rooted = Scheme::ALL.into_iter().find_map(|scheme| {
        let rest = text.strip_prefix(scheme.as_str())?.strip_prefix("://")?;
        Some((scheme, rest.strip_suffix('/').unwrap_or(rest)))
    });
    let (scheme, authority) = rooted.ok_or("starts with \"https://\" or \"http://\"")?;
    if authority.contains(['/', '?', '#', '\\']) {
        return Err("is an origin, such as https://api.example.com; its paths go under \"paths\"".into());
    }
    if authority.contains('@') {
        return Err("carries a user name or password".into());
    }
    let (host, port) = match authority.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) {
        Some((host, digits)) => (host, port(digits).ok_or("has no port between 1 and 65535 after \":\"")?),
        None => (authority, scheme.default_port()),
    };
    if host.contains(':') && !host.starts_with('[') {
        return Err("has an IPv6 address without \"[\" and \"]\"".into());
    }
    match host.parse::<HostPattern>() {
        Ok(host @ (HostPattern::Name(_) | HostPattern::Address(_))) => {
            Ok(Target::Host { host, scheme, ports: vec![port] })
        }
        Ok(_) => Err("is no one origin: a pattern of hosts goes under \"host\"".into()),
        Err(why) => Err(format!("has no usable host: {why}")),
    }
}

fn port(digits: &str) -> Option<u16> {
    let plain = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    digits.parse().ok().filter(|_| plain)
}
