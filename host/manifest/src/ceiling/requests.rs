//! A request that a rule of an entry allows and no rule of a ceiling does.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use packhost_core::CredentialName;
use url::Host;

use crate::addresses::{needed, opens};
use crate::hosts::{HostPattern, fresh_label};
use crate::http::{HttpRule, RequestOrigin, Scheme, Target};
use crate::paths::{PathPattern, Probe, probes};

/// Rules of a ceiling that together bound rules of entries.
#[derive(Clone, Copy)]
pub(super) struct Bounds<'a>(pub(super) &'a [HttpRule]);

impl Bounds<'_> {
    /// A request that the rule allows and the ceiling does not.
    pub(super) fn request_beyond(self, rule: &HttpRule) -> Option<String> {
        let all: Vec<&PathPattern> = self.0.iter().filter_map(|own| own.paths.as_ref()).flatten().collect();
        let paths = match &rule.paths {
            None => Probe::of_any(&all),
            Some(patterns) => patterns.iter().flat_map(|pattern| probes(pattern, &all)).collect(),
        };
        let host = self.hardest_host(&rule.target);
        let addresses = self.hardest_addresses(rule);
        let credentials: Vec<Option<&CredentialName>> =
            std::iter::once(None).chain(rule.credentials.iter().map(Some)).collect();
        let extras: Vec<Extra<'_>> = addresses
            .iter()
            .flat_map(|address| {
                credentials.iter().map(|credential| Extra { address: *address, credential: *credential })
            })
            .collect();
        for (scheme, port) in self.hardest_ports(&rule.target) {
            let origin = RequestOrigin { scheme, host: as_ref(&host), port };
            let methods = rule.methods.iter().filter(|method| rule.lets(method, scheme));
            for (method, path) in methods.flat_map(|method| paths.iter().map(move |path| (method, path))) {
                for extra in &extras {
                    if !self.0.iter().any(|own| allows(own, method, &origin, path, extra)) {
                        let port =
                            if port == scheme.default_port() { String::new() } else { format!(":{port}") };
                        return Some(format!(
                            "send {method} {}://{host}{port}{path}{extra}",
                            scheme.as_str()
                        ));
                    }
                }
            }
        }
        None
    }

    fn hardest_host(self, target: &Target) -> Host<String> {
        let own: Vec<&HostPattern> = self
            .0
            .iter()
            .filter_map(|rule| if let Target::Host { host, .. } = &rule.target { Some(host) } else { None })
            .collect();
        let (pattern, fresh) = match target {
            Target::Host { host, .. } => (Some(host), fresh_label(Some(host), &own)),
            _ => (None, fresh_label(None, &own)),
        };
        match pattern {
            Some(HostPattern::Address(IpAddr::V4(ip))) => Host::Ipv4(*ip),
            Some(HostPattern::Address(IpAddr::V6(ip))) => Host::Ipv6(*ip),
            Some(HostPattern::Name(name)) => Host::Domain(name.clone()),
            Some(HostPattern::Below(name)) => Host::Domain(format!("{fresh}.{name}")),
            Some(HostPattern::Template(template)) => Host::Domain(template.with(&fresh).to_ascii_lowercase()),
            None => Host::Domain(format!("{fresh}.example")),
        }
    }

    fn hardest_ports(self, target: &Target) -> Vec<(Scheme, u16)> {
        let (scheme, ports) = match target {
            Target::Host { scheme, ports, .. } => (Some(*scheme), ports),
            Target::Origin { scheme, ports, .. } | Target::Any { scheme, ports } => (*scheme, ports),
        };
        // A port of the input's choice comes with a host of its choice, which only "url: any" matches.
        let open = self.0.iter().filter(|rule| matches!(rule.target, Target::Any { .. }));
        let named: Vec<u16> = open.flat_map(|rule| rule.target.ports().iter().copied()).collect();
        let fresh =
            [443, 80].into_iter().chain(8443..=u16::MAX).chain(1..8443).find(|port| !named.contains(port));
        let fresh: Vec<u16> = fresh.into_iter().collect();
        let ports = if ports.is_empty() { &fresh } else { ports };
        let schemes = Scheme::ALL.into_iter().filter(|one| scheme.is_none_or(|only| only == *one));
        schemes.flat_map(|scheme| ports.iter().map(move |port| (scheme, *port))).collect()
    }

    /// `None` stands for a public address.
    fn hardest_addresses(self, rule: &HttpRule) -> Vec<Option<IpNet>> {
        if let Target::Host { host: HostPattern::Address(ip), .. } = &rule.target {
            let special: Vec<_> = needed(*ip).into_iter().map(|ip| Some(IpNet::from(ip))).collect();
            return if special.is_empty() { vec![None] } else { special };
        }
        let own: Vec<IpNet> = self.0.iter().flat_map(|rule| rule.addresses.iter().copied()).collect();
        let special = rule.addresses.iter().flat_map(|net| opens(*net, &own));
        std::iter::once(None).chain(special.map(Some)).collect()
    }
}

/// What a request has besides its method and URL.
struct Extra<'a> {
    /// `None` is a public one.
    address: Option<IpNet>,
    credential: Option<&'a CredentialName>,
}

impl fmt::Display for Extra<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(net) = self.address {
            write!(f, " at the address {}", net.addr())?;
        }
        self.credential.map_or(Ok(()), |name| write!(f, " with the credential {name}"))
    }
}

fn allows(own: &HttpRule, method: &str, origin: &RequestOrigin<'_>, path: &Probe, extra: &Extra<'_>) -> bool {
    own.lets(method, origin.scheme)
        && own.target.matches(origin)
        && own.paths.as_ref().is_none_or(|paths| path.fits(paths))
        && extra.address.is_none_or(|net| own.addresses.iter().any(|open| open.contains(&net)))
        && extra.credential.is_none_or(|name| own.credentials.contains(name))
}

fn as_ref(host: &Host<String>) -> Host<&str> {
    match host {
        Host::Domain(name) => Host::Domain(name),
        Host::Ipv4(ip) => Host::Ipv4(*ip),
        Host::Ipv6(ip) => Host::Ipv6(*ip),
    }
}
