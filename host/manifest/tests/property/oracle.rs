//! Rules over a small universe, their YAML, and what they allow, found by brute force.

use packhost_manifest::{HostVars, Manifest, Origin, Source};
use proptest::prelude::*;
use serde_json::{Value, json};

#[derive(Debug, Clone)]
pub(crate) struct Rule {
    /// A host pattern, `input` (`url: "${input.url}"`) or `any` (`url: any`).
    pub(crate) host: String,
    pub(crate) scheme: Option<&'static str>,
    pub(crate) ports: Vec<u16>,
    pub(crate) methods: Vec<&'static str>,
    pub(crate) paths: Option<Vec<String>>,
}

#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) scheme: &'static str,
    pub(crate) host: &'static str,
    pub(crate) port: u16,
    pub(crate) method: &'static str,
    pub(crate) path: Vec<&'static str>,
}

const LITERAL_HOSTS: &[&str] = &["x.test", "a.x.test", "*.x.test", "*.a.x.test"];
const OPEN_HOSTS: &[&str] = &["${input.v}.x.test", "${input.v}.a.x.test", "p-${input.v}.x.test", "input"];
const LITERAL_PATHS: &[&str] = &["/", "/a", "/a/", "/*", "/a/*", "/*/a", "/**", "/a/**", "/*/**"];
const OPEN_PATHS: &[&str] = &["/${input.v}", "/a/${input.v}", "/${input.v}/*", "/p${input.v}/**"];

fn rule(hosts: Vec<&'static str>, paths: Vec<&'static str>) -> impl Strategy<Value = Rule> {
    let scheme = prop::option::of(prop::sample::select(vec!["http", "https"]));
    let ports = prop::sample::select(vec![vec![], vec![9], vec![9, 443], vec![80, 443]]);
    let methods = prop::sample::subsequence(vec!["CONNECT", "GET", "POST"], 1..=3);
    let paths = prop::option::of(prop::sample::subsequence(paths, 1..=3));
    (prop::sample::select(hosts), scheme, ports, methods, paths).prop_map(
        |(host, scheme, ports, mut methods, paths)| {
            if scheme == Some("http") || paths.is_some() {
                // No rule may say this of a tunnel.
                methods.retain(|method| *method != "CONNECT");
            }
            if methods.is_empty() {
                methods.push("GET");
            }
            let paths = paths.map(|paths| paths.into_iter().map(String::from).collect());
            Rule { host: host.into(), scheme, ports, methods, paths }
        },
    )
}

/// A rule as an entry has it.
pub(crate) fn entry_rule() -> impl Strategy<Value = Rule> {
    rule([LITERAL_HOSTS, OPEN_HOSTS].concat(), [LITERAL_PATHS, OPEN_PATHS].concat())
}

/// A rule as a session has it: of tunnels, or of requests.
pub(crate) fn session_rule() -> impl Strategy<Value = Rule> {
    entry_rule().prop_map(|mut rule| {
        if rule.methods != ["CONNECT"] {
            rule.methods.retain(|method| *method != "CONNECT");
        }
        rule
    })
}

/// Its YAML. What is neither a tunnel nor http is looked into.
pub(crate) fn session_yaml(rule: &Rule) -> Value {
    let mut yaml = rule.yaml();
    if rule.terminates() {
        yaml["tls"] = "terminate".into();
    }
    yaml
}

/// A rule as a ceiling has it.
pub(crate) fn ceiling_rule() -> impl Strategy<Value = Rule> {
    rule([LITERAL_HOSTS, &["any", "any"]].concat(), LITERAL_PATHS.to_vec())
}

impl Rule {
    pub(crate) fn yaml(&self) -> Value {
        let mut rule = match self.host.as_str() {
            "input" => json!({ "url": "${input.url}" }),
            "any" => json!({ "url": "any" }),
            host => json!({ "host": host }),
        };
        rule["methods"] = json!(self.methods);
        if let Some(scheme) = self.scheme {
            rule["scheme"] = scheme.into();
        }
        if !self.ports.is_empty() {
            rule["ports"] = json!(self.ports);
        }
        if let Some(paths) = &self.paths {
            rule["paths"] = json!(paths);
        }
        rule
    }

    /// Of a rule of a session: whether the host ends the TLS.
    pub(crate) fn terminates(&self) -> bool {
        self.methods != ["CONNECT"] && self.scheme != Some("http")
    }

    /// Whether it ends the TLS of what goes to the origin of a request.
    pub(crate) fn ends_tls(&self, request: &Request, input: &Value) -> bool {
        let v = input["v"].as_str().unwrap_or_default();
        self.terminates() && request.scheme == "https" && self.allows_origin(request, input, v)
    }

    pub(crate) fn allows(&self, request: &Request, input: &Value) -> bool {
        let v = input["v"].as_str().unwrap_or_default();
        self.methods.contains(&request.method)
            && (request.method != "CONNECT" || request.scheme == "https")
            && self.allows_origin(request, input, v)
            && self.paths.as_ref().is_none_or(|paths| {
                let odd = request.path.iter().any(|segment| segment.contains('%'));
                let fits = |path: &String| glob(&segments(&path.replace("${input.v}", v)), &request.path);
                !odd && paths.iter().any(fits)
            })
    }

    fn allows_origin(&self, request: &Request, input: &Value, v: &str) -> bool {
        let port_fits = self.ports.is_empty() || self.ports.contains(&request.port);
        let scheme_fits = self.scheme.is_none_or(|scheme| scheme == request.scheme);
        match self.host.as_str() {
            "any" => port_fits && scheme_fits,
            "input" => {
                let asked = input["url"].as_str().unwrap_or_default();
                port_fits
                    && scheme_fits
                    && asked == format!("{}://{}:{}", request.scheme, request.host, request.port)
            }
            host => {
                let scheme = self.scheme.unwrap_or("https");
                let own = if scheme == "https" { 443 } else { 80 };
                let ports = if self.ports.is_empty() { vec![own] } else { self.ports.clone() };
                let host = host.replace("${input.v}", v);
                let host_fits = match host.strip_prefix('*') {
                    Some(suffix) => request.host.ends_with(suffix),
                    None => request.host == host,
                };
                scheme == request.scheme && ports.contains(&request.port) && host_fits
            }
        }
    }
}

fn segments(path: &str) -> Vec<&str> {
    path[1..].split('/').collect()
}

fn glob(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern, path) {
        (["**"], _) | ([], []) => true,
        (["*", pattern @ ..], [segment, path @ ..]) => !segment.is_empty() && glob(pattern, path),
        ([literal, pattern @ ..], [segment, path @ ..]) => literal == segment && glob(pattern, path),
        _ => false,
    }
}

impl Request {
    pub(crate) fn url(&self) -> url::Url {
        let text = format!("{}://{}:{}/{}", self.scheme, self.host, self.port, self.path.join("/"));
        text.parse().unwrap()
    }
}

/// Every request of the universe. The label `q`, the segment `q`, the host `other.test` and the port 7 are in no pattern.
pub(crate) fn requests() -> Vec<Request> {
    let hosts = [
        "x.test",
        "a.x.test",
        "q.x.test",
        "a.a.x.test",
        "q.a.x.test",
        "q.q.x.test",
        "p-a.x.test",
        "p-q.x.test",
        "other.test",
    ];
    let words = ["", "a", "q", "pq"];
    let mut paths: Vec<Vec<&'static str>> = words.iter().map(|word| vec![*word]).collect();
    for first in words {
        paths.extend(words.iter().map(|second| vec![first, *second]));
        paths.extend(
            words.iter().flat_map(|second| words.iter().map(move |third| vec![first, *second, *third])),
        );
    }
    paths.push(vec!["a%2Fq"]);
    let mut all = Vec::new();
    for host in hosts {
        for scheme in ["https", "http"] {
            for port in [443, 80, 9, 7] {
                let request =
                    |method, path: &Vec<_>| Request { scheme, host, port, method, path: path.clone() };
                for method in ["GET", "POST"] {
                    all.extend(paths.iter().map(|path| request(method, path)));
                }
                all.push(request("CONNECT", &vec![""]));
            }
        }
    }
    all
}

/// Inputs: values that patterns name and values that they do not.
pub(crate) fn inputs() -> Vec<Value> {
    let urls = [
        "https://other.test:443",
        "http://other.test:80",
        "https://other.test:7",
        "http://other.test:9",
        "https://other.test:80",
        "http://other.test:443",
        "https://other.test:9",
        "http://other.test:7",
    ];
    let mut inputs: Vec<Value> = urls.iter().map(|url| json!({ "v": "q", "url": url })).collect();
    inputs.push(json!({ "v": "a", "url": "https://a.x.test:443" }));
    inputs
}

pub(crate) fn source(name: &str, content: &Value) -> Source {
    Source { name: name.into(), text: content.to_string(), origin: Origin::Operator }
}

pub(crate) fn rules_yaml(rules: &[Rule]) -> Value {
    rules.iter().map(Rule::yaml).collect()
}

pub(crate) fn parse(sources: &[Source]) -> Manifest {
    Manifest::parse(sources).unwrap_or_else(|errors| panic!("{errors}"))
}

pub(crate) fn vars() -> HostVars {
    HostVars { state: "/state".into(), home: Some("/home/me".into()) }
}
