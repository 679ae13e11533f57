//! From requests that were denied to rules that would allow them, and to an edit of the manifest.
//!
//! Owns: what is suggested, and that it is no more than what was asked for. Whether it is granted is the operator's to decide.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::addresses::reachable;
use crate::entry::Entry;
use crate::hosts::HostPattern;
use crate::http::{Decision, DeniedRequest, HttpGrants, HttpRule, Scheme, Target};
use crate::paths::PathPattern;
use crate::place::Place;

mod edit;
mod generalise;
mod lines;
mod yaml;

pub use edit::{EditError, adopt, edit};

/// More segments than a pattern without `**` has, so that what was cut off a path is matched by `**` alone.
const DEEP: usize = 65;

/// What would allow the requests that were denied.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Suggestion {
    /// Rules that together allow every request but those left out, in a fixed order.
    pub rules: Vec<SuggestedRule>,
    /// Requests for which nothing is suggested: what would allow them allows far more, or opens what is not public.
    pub left_out: Vec<LeftOut>,
}

/// A request for which nothing is suggested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The request.
    pub request: DeniedRequest,
    /// Why, and what the operator could do; a sentence without capital and full stop.
    pub why: &'static str,
}

/// A rule for one origin. Displays as YAML, an item of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SuggestedRule {
    /// The host: a name or a public address, never a pattern of hosts.
    #[serde(serialize_with = "text")]
    pub host: HostPattern,
    /// With or without TLS.
    pub scheme: Scheme,
    /// The port.
    pub port: u16,
    /// Methods, sorted; at least one.
    pub methods: Vec<String>,
    /// Path patterns, sorted; at least one.
    #[serde(serialize_with = "texts")]
    pub paths: Vec<PathPattern>,
}

fn text<S: Serializer>(value: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn texts<S: Serializer>(values: &[PathPattern], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(values.iter().map(PathPattern::to_string))
}

/// Rules that allow these requests, as far as the pack's entry does not yet.
///
/// There is one rule for each origin and set of methods, with the paths that were asked for with each of these methods.
/// Where paths of one length differ in one segment alone and have three or more values there, `*` takes its place; so it
/// does where a segment is such that no pattern can spell it. `**` stands only for what was cut off a path, and from two
/// slashes in a row on.
pub fn suggest(entry: Option<&Entry>, denied: &[DeniedRequest]) -> Suggestion {
    let mut suggestion = Suggestion::default();
    let mut asked: BTreeMap<Origin<'_>, BTreeMap<&str, BTreeSet<PathPattern>>> = BTreeMap::new();
    let requests: BTreeSet<&DeniedRequest> = denied.iter().collect();
    for request in requests.into_iter().filter(|request| !allows(entry, request)) {
        match path(request) {
            Ok(path) => {
                let methods = asked.entry(Origin::of(request)).or_default();
                methods.entry(request.method()).or_default().insert(path);
            }
            Err(why) => suggestion.left_out.push(LeftOut { request: request.clone(), why }),
        }
    }
    suggestion.left_out.dedup_by(|a, b| a.request.same(&b.request));
    suggestion.rules = asked.into_iter().flat_map(|(origin, methods)| rules(&origin, methods)).collect();
    suggestion
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Origin<'a> {
    host: &'a str,
    port: u16,
    scheme: Scheme,
}

impl<'a> Origin<'a> {
    fn of(request: &'a DeniedRequest) -> Self {
        Self { host: request.host(), port: request.port(), scheme: request.scheme() }
    }
}

/// Whether the entry allows the request by now, whatever the input of the call.
fn allows(entry: Option<&Entry>, request: &DeniedRequest) -> bool {
    let (Some(entry), Some(url)) = (entry.filter(|entry| !entry.denied), request.url(DEEP)) else {
        return false;
    };
    let grants = HttpGrants::narrow(&entry.pack, &entry.http, None, &Value::Null);
    matches!(grants.decide(request.method(), &url), Decision::Allowed(_))
}

/// The narrowest pattern of a request's path; the error says why there is none.
fn path(request: &DeniedRequest) -> Result<PathPattern, &'static str> {
    if request.address().is_some_and(|ip| reachable(ip, &[]).is_err()) {
        return Err("its address is not public: write a rule for it by hand, if it is meant");
    }
    generalise::pattern(request.path(), request.is_cut())
}

/// One rule for each set of methods.
fn rules(origin: &Origin<'_>, asked: BTreeMap<&str, BTreeSet<PathPattern>>) -> Vec<SuggestedRule> {
    let Ok(host) = origin.host.parse::<HostPattern>() else { return Vec::new() };
    let mut methods: BTreeMap<PathPattern, Vec<String>> = BTreeMap::new();
    for (method, paths) in asked {
        for path in generalise::generalise(paths) {
            methods.entry(path).or_default().push(method.to_owned());
        }
    }
    let mut paths: BTreeMap<Vec<String>, Vec<PathPattern>> = BTreeMap::new();
    for (path, methods) in methods {
        paths.entry(methods).or_default().push(path);
    }
    let (scheme, port) = (origin.scheme, origin.port);
    let rule = |(methods, paths)| SuggestedRule { host: host.clone(), scheme, port, methods, paths };
    paths.into_iter().map(rule).collect()
}

impl SuggestedRule {
    /// The rule as the parser reads it.
    fn parsed(&self, place: &Place) -> HttpRule {
        let target = Target::Host { host: self.host.clone(), scheme: self.scheme, ports: vec![self.port] };
        let (methods, paths) = (self.methods.clone(), Some(self.paths.clone()));
        let place = place.clone();
        let (addresses, credentials) = (Vec::new(), Vec::new());
        HttpRule { target, methods, paths, addresses, credentials, terminate: false, place }
    }
}
