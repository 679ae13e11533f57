//! The most that any entry may grant, and the decision whether an entry stays within it.
//!
//! The decision is exact, not a sample. What an entry's rule allows is a product of dimensions (scheme, port, method, host,
//! path, address, credential). In each of them the patterns are such that there is a hardest value: one that a pattern of the ceiling
//! matches only if it matches everything that the rule allows there (a label, segment or port that no pattern of the
//! ceiling names), or a short list of them. So the rule is within the ceiling exactly if the ceiling allows each
//! combination of the hardest values, and a combination that it does not allow is a request to show.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use packhost_core::CredentialName;
use serde::Serialize;
use url::Host;

use crate::addresses::{needed, opens};
use crate::diff::REPORT;
use crate::entry::{AskRule, Entry};
use crate::fs::{FsMode, FsRule};
use crate::hosts::{HostPattern, fresh_label};
use crate::http::{HttpRule, RequestOrigin, Scheme, Target};
use crate::limits::Limit;
use crate::paths::{PathPattern, Probe, probes};
use crate::place::Place;

/// The ceiling of a set. What it does not name, no entry may grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ceiling {
    /// Requests.
    pub http: Vec<HttpRule>,
    /// Whether entries may have `report: true`.
    pub report: bool,
    /// Directories; `guest` is empty.
    pub fs: Vec<FsRule>,
    /// Names of environment variables.
    pub env: Vec<String>,
    /// Names of config values.
    pub config: Vec<String>,
    /// Questions back.
    pub ask: AskRule,
    /// The most for each limit that it names, in milliseconds, bytes or things.
    pub limits: BTreeMap<&'static str, u64>,
    /// Where it is written.
    pub place: Place,
}

/// Something that an entry allows and the ceiling does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Counterexample {
    /// One thing that the pack may do, in words: a request, a path, a variable or a limit.
    pub what: String,
    /// The rule of the entry that allows it.
    pub place: Place,
    /// Where the ceiling is.
    pub ceiling: Place,
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "beyond the ceiling: {}", self.what)
    }
}

impl Ceiling {
    /// Decides whether everything that an entry allows, whatever the input of a call, is within the ceiling.
    pub fn covers(&self, entry: &Entry) -> Result<(), Counterexample> {
        if entry.denied {
            return Ok(());
        }
        let beyond = |place: &Place, what: String| {
            Err(Counterexample {
                what: format!("{} may {what}", entry.pack),
                place: place.clone(),
                ceiling: self.place.clone(),
            })
        };
        for rule in &entry.http {
            if let Some(request) = self.request_beyond(rule) {
                return beyond(&rule.place, request);
            }
        }
        if entry.report && !self.report {
            return beyond(entry.place_of("report"), REPORT.into());
        }
        for rule in &entry.fs {
            let above = |mode| self.fs.iter().any(|own| own.mode >= mode && own.host.covers(&rule.host));
            if !above(FsMode::ReadOnly) {
                return beyond(&rule.place, format!("read {}", rule.host.example()));
            }
            if !above(rule.mode) {
                return beyond(&rule.place, format!("write {}", rule.host.example()));
            }
        }
        if let Some(name) = entry.env.keys().find(|name| !self.env.contains(name)) {
            return beyond(entry.place_of("env"), format!("have the environment variable {name}"));
        }
        if let Some(name) = entry.config.keys().find(|name| !self.config.contains(name)) {
            return beyond(entry.place_of("config"), format!("have the config value {name}"));
        }
        for (asks, own, whom) in
            [(entry.ask.user, self.ask.user, "user"), (entry.ask.model, self.ask.model, "model")]
        {
            if asks && !own {
                return beyond(entry.place_of("ask"), format!("ask the {whom}"));
            }
        }
        for (name, most) in &self.limits {
            let value = entry.limits.value(name).unwrap_or(u64::MAX);
            if let Some(limit) = Limit::named(name).filter(|_| value > *most) {
                let (value, most) = (limit.show(value), limit.show(*most));
                let place = entry.place_of(&format!("limits.{name}"));
                return beyond(place, format!("use {name} {value}, and the ceiling is {most}"));
            }
        }
        Ok(())
    }

    /// Sets the limits that an entry does not name to the ceiling's where that is lower than the default.
    pub(crate) fn lower_defaults(&self, entry: &mut Entry) {
        for (name, most) in &self.limits {
            let named = entry.keys.contains_key(&format!("limits.{name}"));
            if !named && entry.limits.value(name).is_some_and(|value| value > *most) {
                entry.limits.set(name, *most);
            }
        }
    }

    /// A request that the rule allows and the ceiling does not.
    fn request_beyond(&self, rule: &HttpRule) -> Option<String> {
        let all: Vec<&PathPattern> =
            self.http.iter().filter_map(|own| own.paths.as_ref()).flatten().collect();
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
                    if !self.http.iter().any(|own| allows(own, method, &origin, path, extra)) {
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

    fn hardest_host(&self, target: &Target) -> Host<String> {
        let own: Vec<&HostPattern> = self
            .http
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

    fn hardest_ports(&self, target: &Target) -> Vec<(Scheme, u16)> {
        let (scheme, ports) = match target {
            Target::Host { scheme, ports, .. } => (Some(*scheme), ports),
            Target::Origin { scheme, ports, .. } | Target::Any { scheme, ports } => (*scheme, ports),
        };
        // A port of the input's choice comes with a host of its choice, which only "url: any" matches.
        let open = self.http.iter().filter(|rule| matches!(rule.target, Target::Any { .. }));
        let named: Vec<u16> = open.flat_map(|rule| rule.target.ports().iter().copied()).collect();
        let fresh =
            [443, 80].into_iter().chain(8443..=u16::MAX).chain(1..8443).find(|port| !named.contains(port));
        let fresh: Vec<u16> = fresh.into_iter().collect();
        let ports = if ports.is_empty() { &fresh } else { ports };
        let schemes = Scheme::ALL.into_iter().filter(|one| scheme.is_none_or(|only| only == *one));
        schemes.flat_map(|scheme| ports.iter().map(move |port| (scheme, *port))).collect()
    }

    /// `None` stands for a public address.
    fn hardest_addresses(&self, rule: &HttpRule) -> Vec<Option<IpNet>> {
        if let Target::Host { host: HostPattern::Address(ip), .. } = &rule.target {
            let special: Vec<_> = needed(*ip).into_iter().map(|ip| Some(IpNet::from(ip))).collect();
            return if special.is_empty() { vec![None] } else { special };
        }
        let own: Vec<IpNet> = self.http.iter().flat_map(|rule| rule.addresses.iter().copied()).collect();
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
