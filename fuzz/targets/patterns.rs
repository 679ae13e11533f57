//! Host patterns and path patterns against any URL. What they match is what an oracle says that works from their text,
//! slowly; `*.x` never matches `x`; and a rule made of them decides as they do.
//!
//! The first line is a host pattern, the second a path pattern, the rest a URL.

use std::net::IpAddr;

use packhost_manifest::{Decision, HostPattern, HostVars, Manifest, Origin, PathPattern, Source};
use serde_json::{Value, json};
use url::{Host, Url};

pub(crate) fn fuzz(text: &str) {
    let mut lines = text.splitn(3, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (host, path, raw) = (line(), line(), line());
    let url = Url::parse(raw).ok();
    let of_host = host.parse::<HostPattern>().ok();
    let of_path = path.parse::<PathPattern>().ok();
    if let Some(pattern) = &of_host {
        assert_eq!(pattern.to_string().parse().as_ref(), Ok(pattern), "shown otherwise than read");
        never_its_apex(pattern);
        // Of other schemes, the URL parser leaves the host as it is.
        let web = url.as_ref().filter(|url| matches!(url.scheme(), "http" | "https"));
        if let Some(asked) = web.and_then(Url::host) {
            assert_eq!(pattern.matches(&asked), means_host(host, &asked), "{host} and {asked}");
        }
    }
    if let Some(pattern) = &of_path {
        assert_eq!(pattern.to_string().parse().as_ref(), Ok(pattern), "shown otherwise than read");
        for asked in url.as_ref().map(Url::path).into_iter().chain([raw]) {
            assert_eq!(pattern.matches(asked), means_path(path, asked), "{path} and {asked}");
        }
    }
    if let (Some(_), Some(_), Some(url)) = (of_host, of_path, url) {
        decides(host, path, &url);
    }
}

fn never_its_apex(pattern: &HostPattern) {
    let HostPattern::Below(name) = pattern else { return };
    assert!(!pattern.matches(&Host::Domain(name)) && !pattern.matches(&Host::Domain(&format!("{name}."))));
    assert!(!pattern.matches(&Host::Domain(&format!(".{name}"))), "an empty label is none");
    assert!(!pattern.matches(&Host::Domain(&format!("x{name}"))), "a longer label is another");
    assert!(pattern.matches(&Host::Domain(&format!("x.y.{name}"))));
}

/// Label by label, from the right.
fn means_host(pattern: &str, asked: &Host<&str>) -> bool {
    let bare = pattern.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(pattern);
    let address = bare.parse::<IpAddr>().ok();
    let name = match asked {
        Host::Ipv4(ip) => return address == Some(IpAddr::V4(*ip)),
        Host::Ipv6(ip) => return address == Some(IpAddr::V6(*ip)),
        Host::Domain(_) if address.is_some() || pattern.contains("${") => return false,
        Host::Domain(name) => name,
    };
    let (open, own) = pattern.strip_prefix("*.").map_or((false, pattern), |rest| (true, rest));
    let own = if own.is_ascii() {
        own.to_ascii_lowercase()
    } else {
        let url = Url::parse(&format!("https://{own}/")).expect("a pattern is a host");
        url.host_str().expect("a pattern is a host").to_owned()
    };
    let (mut wanted, mut found) = (labels(&own), labels(name));
    let plain = |label: &&str| {
        !label.is_empty()
            && label.len() <= 63
            && label.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
    };
    if !found.iter().all(plain) || name.trim_end_matches('.').len() > 253 {
        return false;
    }
    while let Some(label) = wanted.pop() {
        if found.pop() != Some(label) {
            return false;
        }
    }
    found.is_empty() != open
}

fn labels(name: &str) -> Vec<&str> {
    name.strip_suffix('.').unwrap_or(name).split('.').collect()
}

/// Segment by segment; `**` is tried with every number of them.
fn means_path(pattern: &str, asked: &str) -> bool {
    fn fits(pattern: &[&str], asked: &[Vec<u8>]) -> bool {
        match (pattern, asked) {
            ([], []) => true,
            (["**"], _) => (0..=asked.len()).any(|some| fits(&[], &asked[some..])),
            (["*", more @ ..], [segment, rest @ ..]) => !segment.is_empty() && fits(more, rest),
            ([text, more @ ..], [segment, rest @ ..]) => text.as_bytes() == segment && fits(more, rest),
            _ => false,
        }
    }
    if pattern.contains("${") || !asked.starts_with('/') {
        return false;
    }
    let pattern: Vec<&str> = pattern.split('/').skip(1).collect();
    let asked: Vec<Vec<u8>> = asked.split('/').skip(1).map(|segment| decoded(segment.as_bytes())).collect();
    !asked.iter().any(|segment| ambiguous(segment)) && fits(&pattern, &asked)
}

/// Percent-decoding (RFC 3986 section 2.1); what is no triplet stays.
fn decoded(mut text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let [first, rest @ ..] = text {
        let digit = |at: usize| rest.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        let (byte, after) = match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => ((high * 16 + low) as u8, &rest[2..]),
            _ => (*first, rest),
        };
        bytes.push(byte);
        text = after;
    }
    bytes
}

/// What servers disagree about.
fn ambiguous(segment: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(segment) else { return true };
    let name = text.find(';').map_or(text, |end| &text[..end]);
    name == "."
        || name == ".."
        || text.contains(|c| matches!(c, '/' | '\\' | '\0'..='\x1f' | '\x7f'))
        || decoded(segment) != segment
}

/// A rule for `https` and port 443, as a manifest has it.
fn decides(host: &str, path: &str, url: &Url) {
    let rule = json!([{ "host": host, "paths": [path] }]);
    let text = json!({ "version": 1, "packs": { "a": { "http": rule } } }).to_string();
    let source = Source { name: "a.yaml".into(), text, origin: Origin::Operator };
    let Ok(manifest) = Manifest::parse(&[source]) else { return };
    let entry = manifest.entries().next().expect("the entry");
    let vars = HostVars { state: "/state".into(), home: None };
    let grants = entry.narrow(&Value::Null, &vars).http;
    let https = url.scheme() == "https" && url.port_or_known_default() == Some(443);
    let nobody = url.username().is_empty() && url.password().is_none();
    let asked = url.host();
    let meant = https
        && nobody
        && asked.is_some_and(|asked| means_host(host, &asked))
        && means_path(path, url.path());
    for (method, may) in [("GET", true), ("POST", false), ("get", false)] {
        let allowed = matches!(grants.decide(method, url), Decision::Allowed(_));
        assert_eq!(allowed, may && meant, "{host} {path} and {method} {url}");
    }
}
