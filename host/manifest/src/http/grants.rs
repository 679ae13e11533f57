//! What one call may send, and the decision about one request.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use packhost_core::{CredentialName, PackName};
use serde_json::Value;
use url::Url;

use super::{CONNECT, DeniedRequest, HttpRule, RequestOrigin, Scheme};
use crate::addresses::{Closed, Opening, reachable};
use crate::place::Place;

/// The HTTP part of one call's grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpGrants {
    pack: PackName,
    rules: Vec<HttpRule>,
    /// Where `report: true` is written, where it is.
    report: Option<Place>,
    /// Whether this is about what leaves the pack's sandboxes, and not about the pack itself.
    inside: bool,
    notes: Vec<String>,
}

/// What is to be done with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It may go out, to public addresses and to those of [`Allowed::addresses`].
    Allowed(Allowed),
    /// No rule allows it, and it may go out all the same, because the entry says `report: true`: to public addresses and
    /// without credentials. It is to be recorded; the denial says what a rule would have to say.
    Reported(Allowed, Denial),
    /// It may not.
    Denied(Denial),
}

/// Why a request may go out, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// The first rule that allows it; the line of `report` where none does.
    pub place: Place,
    /// Networks besides the public Internet that the request may be sent to; those of every rule that
    /// allows the request. Empty: public addresses alone.
    pub addresses: Vec<IpNet>,
    /// Credentials that the request may carry, sorted: those of every rule that allows the request.
    pub credentials: Vec<CredentialName>,
}

/// Why a request may not go out. Displays as two sentences for the agent: what was denied, and what is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// What was denied and why, in a sentence. Holds the method, the origin and the path, never the query.
    pub what: String,
    /// What the operator would have to add, in a sentence.
    pub missing: String,
    /// What a rule of `http` would have to allow, for the record; `None` where no rule can, and of what a sandbox sent, which
    /// no rule of the pack's own `http` is about.
    pub request: Option<DeniedRequest>,
}

impl Allowed {
    /// Whether the request may be sent to this address: a public one, or one of [`Allowed::addresses`], and never one of a
    /// block that no rule can open. The error says what is in the way.
    pub fn check(&self, ip: IpAddr) -> Result<(), Closed> {
        reachable(ip, &self.addresses)
    }

    /// Whether [`Allowed::check`] lets the request go to this address.
    pub fn reaches(&self, ip: IpAddr) -> bool {
        self.check(ip).is_ok()
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.what, self.missing)
    }
}

impl HttpGrants {
    /// The rules of a pack narrowed by one call's input.
    pub(crate) fn narrow(pack: &PackName, rules: &[HttpRule], report: Option<&Place>, input: &Value) -> Self {
        let (narrowed, notes) = (Vec::with_capacity(rules.len()), Vec::new());
        let mut grants =
            Self { pack: pack.clone(), rules: narrowed, report: report.cloned(), inside: false, notes };
        for rule in rules {
            match rule.narrow(input) {
                Ok(rule) => grants.rules.push(rule),
                Err(why) => grants.notes.push(format!("The rule at {} grants nothing: {why}.", rule.place)),
            }
        }
        grants
    }

    /// The rules of a pack's sandboxes narrowed by one call's input. Report mode does not concern them.
    pub(crate) fn inside(pack: &PackName, rules: &[HttpRule], input: &Value) -> Self {
        Self { inside: true, ..Self::narrow(pack, rules, None, input) }
    }

    /// Whether no request can be allowed.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.report.is_none()
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
        let ended = method == CONNECT && self.ends_tls(&origin).is_some();
        let matching = self.rules.iter().filter(|rule| !ended && rule.matches(method, &origin, url.path()));
        let matching: Vec<&HttpRule> = matching.collect();
        let Some(first) = matching.first() else {
            return self.without_rule(method, url, &origin);
        };
        let place = first.place.clone();
        let (addresses, credentials) = match matching[..] {
            // A rule's own are sorted and merged.
            [only] => (only.addresses.clone(), only.credentials.clone()),
            _ => together(&matching),
        };
        let allowed = Allowed { place, addresses, credentials };
        match origin.address().map(|ip| (ip, allowed.check(ip))) {
            Some((ip, Err(closed))) => Decision::Denied(self.closed(method, url, ip, closed)),
            _ => Decision::Allowed(allowed),
        }
    }

    /// What report mode opens is what a rule could say for a public address; all else is denied as ever.
    fn without_rule(&self, method: &str, url: &Url, origin: &RequestOrigin<'_>) -> Decision {
        let denial = self.denial(method, url, origin);
        let (Some(place), Some(request)) = (&self.report, &denial.request) else {
            return Decision::Denied(denial);
        };
        let allowed = Allowed { place: place.clone(), addresses: Vec::new(), credentials: Vec::new() };
        if origin.address().is_some_and(|ip| !allowed.reaches(ip)) {
            return Decision::Denied(denial);
        }
        let request = Some(request.clone().let_through());
        Decision::Reported(allowed, Denial { request, ..denial })
    }

    /// Decides about a tunnel to an origin (the path of `origin` is not looked at), as [`HttpGrants::decide`] does about a
    /// request: through a tunnel any method and any path may go, so that only an https rule that names `CONNECT` and has no
    /// paths allows one. The credentials of what is allowed are none: nobody could put one in. Report mode opens none. To an
    /// origin that [`HttpGrants::terminates`] there is none, whatever other rules say.
    pub fn tunnel(&self, origin: &Url) -> Decision {
        match self.decide(CONNECT, origin) {
            Decision::Allowed(allowed) => Decision::Allowed(Allowed { credentials: Vec::new(), ..allowed }),
            Decision::Reported(_, denial) | Decision::Denied(denial) => Decision::Denied(denial),
        }
    }

    /// Whether some rule says `tls: terminate` of an origin (scheme, host and port of `origin`; its path is not looked at): what
    /// is sent there comes to [`HttpGrants::decide`], request by request.
    pub fn terminates(&self, origin: &Url) -> bool {
        RequestOrigin::of(origin).is_ok_and(|origin| self.ends_tls(&origin).is_some())
    }

    fn ends_tls(&self, origin: &RequestOrigin<'_>) -> Option<&HttpRule> {
        let about = |rule: &&HttpRule| rule.terminate && rule.target.matches(origin);
        self.rules.iter().find(about).filter(|_| origin.scheme == Scheme::Https)
    }

    fn closed(&self, method: &str, url: &Url, ip: IpAddr, closed: Closed) -> Denial {
        let Closed { address, reach } = closed;
        let what = format!("{} may not send {method} {}: {ip} is {reach}.", self.who(), show_url(url));
        let missing = match reach.opening {
            Opening::Never => "No rule can open it.".into(),
            _ => format!(
                "The operator would have to add a rule with {} among its addresses.",
                IpNet::from(address)
            ),
        };
        Denial { what, missing, request: DeniedRequest::of(method, url).filter(|_| !self.inside) }
    }

    /// What the rules are about, as the subject of a sentence.
    fn who(&self) -> String {
        if self.inside { format!("A sandbox of {}", self.pack) } else { self.pack.to_string() }
    }

    fn malformed(&self, method: &str, url: &Url, why: &str) -> Denial {
        let what = format!("{} may not send {method} {}: the URL {why}.", self.who(), show_url(url));
        Denial { what, missing: "No rule can allow that.".into(), request: None }
    }

    fn denial(&self, method: &str, url: &Url, origin: &RequestOrigin<'_>) -> Denial {
        let shown = show_url(url);
        let request = DeniedRequest::of(method, url);
        let grantable = request.is_some() || method == CONNECT;
        let method: String = method.chars().filter(|c| !c.is_control()).take(20).collect();
        let place = if self.inside { " under session.http" } else { "" };
        let mut what = format!("No rule of {}{place} allows {method} {shown}.", self.pack);
        let same_origin: Vec<&HttpRule> = self.rules.iter().filter(|r| r.target.matches(origin)).collect();
        if same_origin.is_empty() {
            self.notes.iter().take(3).for_each(|note| what.extend([" ", note]));
        }
        let missing = if !grantable {
            "No rule can allow that.".into()
        } else if method == CONNECT {
            self.missing_tunnel(origin, same_origin.is_empty())
        } else if same_origin.is_empty() {
            self.missing_rule(&method, origin)
        } else if same_origin.iter().any(|rule| rule.methods.contains(&method)) {
            format!(
                "The host and the method are granted; the operator would have to add the path {}.",
                show_path(url)
            )
        } else {
            let granted: Vec<&str> =
                same_origin.iter().flat_map(|r| r.methods.iter().map(String::as_str)).collect();
            let granted = granted.join(", ");
            let tunnelled = self.inside && origin.scheme == Scheme::Https && self.ends_tls(origin).is_none();
            let how = if tunnelled { " in a rule with `tls: terminate`" } else { "" };
            format!(
                "The host is granted for {granted}; the operator would have to add the method {method}{how}."
            )
        };
        Denial { what, missing, request: request.filter(|_| !self.inside) }
    }

    fn missing_rule(&self, method: &str, origin: &RequestOrigin<'_>) -> String {
        let (place, how) = match origin.scheme {
            _ if !self.inside => ("", ""),
            Scheme::Https if method != CONNECT => (" under session.http", ", with `tls: terminate`"),
            _ => (" under session.http", ""),
        };
        format!(
            "The operator would have to add a rule{place} for host {} with scheme {}, port {} and method {method}{how}.",
            origin.host,
            origin.scheme.as_str(),
            origin.port
        )
    }

    fn missing_tunnel(&self, origin: &RequestOrigin<'_>, is_unknown: bool) -> String {
        if origin.scheme != Scheme::Https {
            return "No rule can allow that: a tunnel is for https alone.".into();
        }
        if let Some(rule) = self.ends_tls(origin) {
            let place = &rule.place;
            return format!(
                "The host looks into what goes there (tls: terminate at {place}), so that no tunnel is opened."
            );
        }
        if is_unknown {
            return self.missing_rule(CONNECT, origin);
        }
        "The host is granted, and not for a tunnel, into which the host cannot look: the operator would have to add a \
         rule with the method CONNECT and without paths. Requests in absolute form, without CONNECT, can fit the rules \
         that there are."
            .into()
    }
}

/// The addresses and the credentials of several rules, sorted and merged.
fn together(rules: &[&HttpRule]) -> (Vec<IpNet>, Vec<CredentialName>) {
    let addresses: Vec<IpNet> = rules.iter().flat_map(|rule| rule.addresses.iter().copied()).collect();
    let credentials: BTreeSet<&CredentialName> = rules.iter().flat_map(|rule| &rule.credentials).collect();
    (IpNet::aggregate(&addresses), credentials.into_iter().cloned().collect())
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
