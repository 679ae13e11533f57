//! Yes/no cases: what a manifest must allow and deny, run without doing any of it.

use std::fmt;
use std::net::IpAddr;

use packhost_core::{Caller, Identity, PackName};
use serde::Serialize;
use serde_json::Value;
use url::Url;

use crate::addresses::Closed;
use crate::entry::{Entry, Grants, HostVars};
use crate::fs::FsMode;
use crate::http::{Allowed, Decision, HttpGrants};
use crate::parse::{Diagnostics, Manifest, Node, Reader, Source, cut, read};
use crate::place::Place;
use crate::session::{SessionBackend, SessionGrant};
use crate::shape::CASES;

/// A file of cases: a YAML list of maps, each with `pack`, `expect` (`allow` or `deny`), one of `request`, `read`, `write`,
/// `env` and `sandbox`, and, where it matters, `input`, `caller`, `address` and `inside`.
#[derive(Debug, Clone, PartialEq)]
pub struct Cases(pub Vec<Case>);

/// One case.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// The pack.
    pub pack: PackName,
    /// The input of its call.
    pub input: Value,
    /// Who calls: `local` or `token:NAME`.
    pub caller: Caller,
    /// What the pack tries.
    pub access: Access,
    /// Whether a program in a sandbox of the pack tries it, and not the pack.
    pub inside: bool,
    /// Whether it may.
    pub expect: Expect,
    /// Where the case is written.
    pub place: Place,
}

/// Something that a pack tries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Send a request, whose host resolves to an address where that is given.
    Request {
        /// The method.
        method: String,
        /// The URL.
        url: Url,
        /// The address that its host resolves to.
        address: Option<IpAddr>,
    },
    /// Read a file, by the path that the pack sees.
    Read(String),
    /// Write a file, by the path that the pack sees.
    Write(String),
    /// Find a variable in its environment.
    Env(String),
    /// Have a sandbox.
    Sandbox(SessionBackend),
}

/// What a manifest says, or must say, about a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Expect {
    /// Yes.
    Allow,
    /// No.
    Deny,
}

/// What became of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CaseOutcome {
    /// The case in one line.
    pub case: String,
    /// Where it is written.
    pub place: Place,
    /// What it expects.
    pub expect: Expect,
    /// What the manifest says.
    pub got: Expect,
    /// Why, in a sentence or two.
    pub why: String,
}

impl CaseOutcome {
    /// Whether the manifest says what the case expects.
    pub fn passed(&self) -> bool {
        self.expect == self.got
    }
}

impl Cases {
    /// Reads a file of cases, with the same kind of errors as a manifest.
    pub fn parse(source: &Source) -> Result<Self, Diagnostics> {
        let mut reader = Reader::new(source);
        let mut cases = Vec::new();
        match read(&source.text) {
            Ok(node) => {
                reader.check("the file", &node, &CASES);
                cases.extend(node.items().iter().filter_map(|item| case(&mut reader, item)));
            }
            Err((at, message)) => reader.error(at, message),
        }
        if reader.errors.is_empty() { Ok(Self(cases)) } else { Err(Diagnostics(reader.errors)) }
    }

    /// Asks a manifest about every case, in order.
    pub fn run(&self, manifest: &Manifest) -> Vec<CaseOutcome> {
        self.0.iter().map(|case| case.run(manifest)).collect()
    }
}

fn case(reader: &mut Reader<'_>, node: &Node) -> Option<Case> {
    let text = |key: &str| node.get(key).and_then(Node::text);
    let pack = match text("pack")?.parse() {
        Ok(pack) => pack,
        Err(why) => {
            let why: packhost_core::NameError = why;
            reader.error(node.at, why.to_string());
            return None;
        }
    };
    let access = match (text("request"), text("read"), text("write"), text("env")) {
        (Some(request_text), ..) => request(reader, node, request_text)?,
        (_, Some(path), ..) => Access::Read(path.into()),
        (_, _, Some(path), _) => Access::Write(path.into()),
        (.., Some(name)) => Access::Env(name.into()),
        _ => Access::Sandbox(SessionBackend::named(text("sandbox")?)?),
    };
    let inside = node.get("inside");
    if let (Some(item), Access::Sandbox(_)) = (inside, &access) {
        reader.error(item.at, "\"inside\" goes with \"request\", \"read\", \"write\" and \"env\"");
    }
    if let (Some(item), false) = (node.get("address"), matches!(access, Access::Request { .. })) {
        reader.error(item.at, "\"address\" goes with \"request\"");
    }
    let named = text("caller").unwrap_or("local");
    let Some(caller) = Caller::recorded(named).filter(|caller| !caller.is_nobody()) else {
        reader.error(node.at, format!("\"{}\" is not a caller", cut(named)));
        return None;
    };
    let input = node.get("input").map_or_else(|| Value::Object(serde_json::Map::new()), Node::to_json);
    let expect = if text("expect")? == "allow" { Expect::Allow } else { Expect::Deny };
    let inside = inside.is_some();
    Some(Case { pack, input, caller, access, inside, expect, place: reader.place(node.at) })
}

fn request(reader: &mut Reader<'_>, node: &Node, text: &str) -> Option<Access> {
    let parsed = text.split_once(' ').and_then(|(method, url)| Some((method, Url::parse(url).ok()?)));
    let Some((method, url)) = parsed else {
        reader.hint(
            node.at,
            format!("\"{}\" is not a request", cut(text)),
            "such as \"GET https://example.com/\"",
        );
        return None;
    };
    let address = match node.get("address").and_then(Node::text).map(str::parse) {
        None => None,
        Some(Ok(address)) => Some(address),
        Some(Err(_)) => {
            reader.error(node.at, "the address is not one");
            return None;
        }
    };
    Some(Access::Request { method: method.into(), url, address })
}

impl Case {
    fn run(&self, manifest: &Manifest) -> CaseOutcome {
        let answer = match manifest.entry(&self.pack) {
            None => Err(format!("the manifest has no entry for {}", self.pack)),
            Some(entry) => self.ask(entry),
        };
        let (got, why) = match answer {
            Ok(why) => (Expect::Allow, why),
            Err(why) => (Expect::Deny, why),
        };
        CaseOutcome { case: self.to_string(), place: self.place.clone(), expect: self.expect, got, why }
    }

    fn ask(&self, entry: &Entry) -> Result<String, String> {
        if !entry.admits(&Identity::of(self.caller.clone())) {
            return Err(format!("{} may not call {}: {}", self.caller, self.pack, entry.place));
        }
        // Guest paths do not depend on where the host keeps its state.
        let vars = HostVars { state: "/state".into(), home: Some("/home".into()) };
        let grants = entry.narrow(&self.input, &vars);
        let session = || grants.session.as_ref().ok_or_else(|| format!("{} has no sandbox", self.pack));
        match &self.access {
            Access::Sandbox(backend) => {
                let session = session()?;
                let listed = session.on.contains(backend).then(|| format!("allowed by {}", session.place));
                listed.ok_or_else(|| {
                    format!("{backend} is not in the list at {}", entry.place_of("session.on"))
                })
            }
            _ if self.inside => self.ask_inside(entry, session()?),
            Access::Request { method, url, address } => sent(&grants.http, method, url, *address),
            Access::Read(path) => file(&grants, path, FsMode::ReadOnly),
            Access::Write(path) => file(&grants, path, FsMode::ReadWrite),
            Access::Env(name) if grants.env.contains_key(name) => {
                Ok(format!("set at {}", entry.place_of("env")))
            }
            Access::Env(name) => Err(format!("{} has no environment variable {name}", self.pack)),
        }
    }

    /// The answer about what a program in a sandbox tries.
    fn ask_inside(&self, entry: &Entry, session: &SessionGrant) -> Result<String, String> {
        let at = |key: &str| format!("allowed by {}", entry.place_of(&format!("session.{key}")));
        let files = |lets: bool, path: &str| match lets && is_plain(path) {
            true => Ok(at("files")),
            false => Err(format!("the session's files do not let programs do that with {path}")),
        };
        match &self.access {
            Access::Request { method, url, address } => sent(&session.http, method, url, *address),
            Access::Read(path) => files(session.files.lets_read(path), path),
            Access::Write(path) => files(session.files.lets_write(path), path),
            Access::Env(name) if session.env.contains_key(name) => Ok(at("env")),
            Access::Env(name) => Err(format!("the session sets no variable {name}")),
            Access::Sandbox(_) => Err("a sandbox holds no other".into()),
        }
    }
}

/// The answer about a request; a tunnel is one with the method CONNECT.
fn sent(http: &HttpGrants, method: &str, url: &Url, address: Option<IpAddr>) -> Result<String, String> {
    match http.decide(method, url) {
        Decision::Denied(denial) => Err(denial.to_string()),
        Decision::Allowed(allowed) => {
            reached(&allowed, address).map(|()| format!("allowed by {}", allowed.place))
        }
        Decision::Reported(allowed, denial) => reached(&allowed, address)
            .map(|()| format!("let through by report at {}. {denial}", allowed.place)),
    }
}

fn reached(allowed: &Allowed, address: Option<IpAddr>) -> Result<(), String> {
    let Some(ip) = address else { return Ok(()) };
    let beyond = |closed: Closed| format!("{ip} is {}, and {} does not open it", closed.reach, allowed.place);
    allowed.check(ip).map_err(beyond)
}

fn is_plain(path: &str) -> bool {
    path.starts_with('/') && !path.split('/').any(|part| part == ".." || part == ".")
}

/// The innermost granted directory decides, as it does for a guest's open directories.
fn file(grants: &Grants, path: &str, mode: FsMode) -> Result<String, String> {
    if !is_plain(path) {
        return Err(format!("{path} is not a plain absolute path"));
    }
    let within =
        |guest: &str| path.strip_prefix(guest).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let innermost =
        grants.fs.iter().filter(|grant| within(&grant.guest)).max_by_key(|grant| grant.guest.len());
    match innermost {
        None => Err(format!("no granted directory holds {path}")),
        Some(grant) if grant.mode < mode => Err(format!("{} is read-only: {}", grant.guest, grant.place)),
        Some(grant) => Ok(format!("allowed by {}", grant.place)),
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{} ", self.pack, if self.inside { " inside its sandbox" } else { "" })?;
        match &self.access {
            Access::Request { method, url, .. } => write!(f, "{method} {url}"),
            Access::Read(path) => write!(f, "read {path}"),
            Access::Write(path) => write!(f, "write {path}"),
            Access::Env(name) => write!(f, "env {name}"),
            Access::Sandbox(backend) => write!(f, "sandbox {backend}"),
        }
    }
}
