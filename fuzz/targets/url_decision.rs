//! From a URL as a guest writes it to the decision about it, through the way out and a manifest. What the rules are asked
//! about is the URL as a browser reads it; whatever they allow is granted, by a reading of its text that knows no parser;
//! and nothing is looked up but the name that was allowed.
//!
//! The first line is the method, the rest the URL. No request leaves: the resolver knows no name, and the addresses that
//! are granted are not opened.

use std::io;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use http::{Method, Request, Uri};
use packhost_egress::{
    Allowance, CallEgress, Egress, EgressError, Resolve, Resolving, Rules, Settings, Verdict, Waits,
};
use packhost_manifest::{Decision, HostVars, HttpGrants, Manifest, Origin, Source};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use url::{Host, Url};

const POLICY: &str = r#"
version: 1
packs:
  a:
    http:
    - { host: api.test, paths: [/v1/**, /files/*/raw] }
    - { host: "*.wide.test", scheme: http, ports: [80, 8080], methods: [GET, POST] }
    - { host: bücher.test, ports: [443, 444] }
    - { host: "127.0.0.1", scheme: http, ports: [9] }
    - { host: "[::1]", scheme: http, ports: [9], paths: ["/a b"] }
"#;

static GRANTS: LazyLock<HttpGrants> = LazyLock::new(|| {
    let source = Source { name: "a.yaml".into(), text: POLICY.into(), origin: Origin::Operator };
    let manifest = Manifest::parse(&[source]).expect("a good manifest");
    let vars = HostVars { state: "/state".into(), home: None };
    manifest.entries().next().expect("the entry").narrow(&Value::Null, &vars).http
});

static OUT: LazyLock<(Runtime, Egress, Arc<Nowhere>)> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    let names = Arc::new(Nowhere::default());
    let settings = Settings { resolver: names.clone(), ..Settings::default() };
    (runtime, Egress::new(settings).expect("a way out"), names)
});

/// A resolver that knows no name, and remembers what it was asked.
#[derive(Default)]
struct Nowhere(Mutex<Vec<String>>);

impl Resolve for Nowhere {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(host.to_owned());
        Box::pin(async { Err(io::ErrorKind::NotFound.into()) })
    }
}

/// The manifest, and what it was asked and said.
#[derive(Default)]
struct Asked(Mutex<Vec<(Url, bool)>>);

impl Rules for Asked {
    fn decide(&self, method: &Method, url: &Url) -> Verdict {
        let (verdict, allowed) = match GRANTS.decide(method.as_str(), url) {
            Decision::Allowed(_) => {
                (Verdict::Allowed { addresses: Vec::new(), credentials: Vec::new() }, true)
            }
            // The manifest has no report mode.
            Decision::Denied(denial) | Decision::Reported(_, denial) => {
                (Verdict::Denied { message: denial.what, fix: denial.missing }, false)
            }
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((url.clone(), allowed));
        verdict
    }
}

pub(crate) fn fuzz(text: &str) {
    let (method, text) = text.split_once('\n').unwrap_or(("GET", text));
    let (Ok(method), Ok(uri)) = (method.parse::<Method>(), text.parse::<Uri>()) else { return };
    let mut request = Request::new(String::new());
    *request.method_mut() = method.clone();
    *request.uri_mut() = uri;
    let asked = Arc::new(Asked::default());
    let call = CallEgress::new(asked.clone(), Allowance::default());
    let (runtime, egress, names) = &*OUT;
    let error = runtime.block_on(egress.send(request, &call, Waits::default())).err();
    let error = error.expect("nothing is where a request may go");
    let asked = std::mem::take(&mut *asked.0.lock().unwrap_or_else(PoisonError::into_inner));
    let looked_up = std::mem::take(&mut *names.0.lock().unwrap_or_else(PoisonError::into_inner));
    let [(url, allowed)] = asked.as_slice() else {
        assert!(asked.is_empty() && looked_up.is_empty(), "{asked:?} {looked_up:?}");
        assert!(matches!(error, EgressError::Url(_)), "{error:?}");
        return;
    };
    let mut read = Url::parse(text).expect("what is decided on is a URL");
    read.set_fragment(None);
    assert_eq!(*url, read, "decided on another URL than {text:?}");
    let name = url.host().and_then(|host| match host {
        Host::Domain(name) => Some(name),
        _ => None,
    });
    match (allowed, name) {
        (false, _) => {
            assert!(looked_up.is_empty(), "{url} was denied, and {looked_up:?} looked up");
            assert!(matches!(error, EgressError::Denied { .. }), "{error:?}");
        }
        // A credential, or what looks like one, is no part of a URL that a pack without any may send.
        (true, _)
            if matches!(error, EgressError::Misplaced { .. } | EgressError::CredentialNotGranted { .. }) =>
        {
            assert!(looked_up.is_empty(), "{url} does not leave, and {looked_up:?} was looked up");
        }
        (true, None) => {
            assert!(looked_up.is_empty(), "{looked_up:?} is an address");
            assert!(matches!(error, EgressError::Address { .. }), "{url} is not opened: {error:?}");
        }
        (true, Some(name)) => assert_eq!(looked_up, [name]),
    }
    if *allowed {
        assert!(is_granted(method.as_str(), url.as_str()), "{method} {url} is allowed");
    }
}

/// Whether the manifest above grants it, by what its text says.
fn is_granted(method: &str, url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let path = path.split('?').next().unwrap_or(path);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (authority, if scheme == "https" { "443" } else { "80" }),
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    let below = host.strip_suffix(".wide.test").is_some_and(|head| !head.is_empty());
    match (scheme, host, port) {
        ("https", "api.test", "443") => method == "GET" && is_below_v1_or_raw(path),
        ("http", _, "80" | "8080") if below => matches!(method, "GET" | "POST"),
        ("https", "xn--bcher-kva.test", "443" | "444") => method == "GET",
        ("http", "127.0.0.1", "9") => method == "GET",
        ("http", "[::1]", "9") => method == "GET" && decoded(path) == b"/a b",
        _ => false,
    }
}

/// Nothing in it may be read as another slash or as a step.
fn is_below_v1_or_raw(path: &str) -> bool {
    let plain = decoded(path);
    let segments: Vec<&[u8]> = plain.split(|byte| *byte == b'/').collect();
    let steps = segments.iter().any(|segment| {
        segment.starts_with(b".") && matches!(segment.split(|byte| *byte == b';').next(), Some(b"." | b".."))
    });
    let slashes = path.matches('/').count() + 1 != segments.len() || plain.contains(&b'\\');
    let fits = match segments.as_slice() {
        [b"", b"v1", ..] => true,
        [b"", b"files", one, b"raw"] => !one.is_empty(),
        _ => false,
    };
    fits && !steps && !slashes
}

/// Percent-decoding (RFC 3986 section 2.1), by the text between the signs.
fn decoded(path: &str) -> Vec<u8> {
    let mut parts = path.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        match part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend_from_slice(&part.as_bytes()[2..]);
            }
            None => {
                bytes.push(b'%');
                bytes.extend_from_slice(part.as_bytes());
            }
        }
    }
    bytes
}
