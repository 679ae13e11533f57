//! The URL tests of WHATWG against the matcher: a rule for exactly a URL's origin and path allows it, and a rule that
//! differs in one thing does not. Paths that servers disagree about fit no pattern.
#![allow(clippy::unwrap_used)]

use std::net::IpAddr;
use std::path::Path;

use packhost_manifest::{Decision, Grants, HostVars, Manifest, Origin, Source, reachable};
use serde_json::{Value, json};
use url::{Host, Url};

/// The URLs that the cases of the corpus make, as this crate is handed them. The corpus is kept beside the repository;
/// where it is not, there is nothing to run.
fn corpus() -> Option<Vec<Url>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora/url/urltestdata.json");
    let Ok(text) = std::fs::read_to_string(&file) else {
        assert!(std::env::var_os("CI").is_none(), "the corpus is not there: {}", file.display());
        eprintln!("not run: the URL corpus is not there ({})", file.display());
        return None;
    };
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    let mut urls = Vec::new();
    for case in cases.iter().filter(|case| case["href"].is_string()) {
        let base = case["base"].as_str().map(|base| Url::parse(base).unwrap());
        let url = Url::options().base_url(base.as_ref()).parse(case["input"].as_str().unwrap());
        let Ok(url) = url else { continue };
        if matches!(url.scheme(), "http" | "https") {
            assert_eq!(url.as_str(), case["href"], "the parser has a reading of its own");
        }
        urls.push(url);
    }
    assert!(urls.len() > 500, "the corpus is not whole");
    Some(urls)
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
}

/// What one rule grants; `None` where no manifest may hold it.
fn grants(rule: &Value, input: &Value) -> Option<Grants> {
    let text = json!({ "version": 1, "packs": { "a": { "http": [rule] } } }).to_string();
    let source = Source { name: "a.yaml".into(), text, origin: Origin::Operator };
    let manifest = Manifest::parse(&[source]).ok()?;
    let vars = HostVars { state: "/state".into(), home: None };
    Some(manifest.entry(&"a".parse().unwrap()).unwrap().narrow(input, &vars))
}

fn allows(rule: &Value, url: &Url) -> Option<bool> {
    let grants = grants(rule, &Value::Null)?;
    Some(matches!(grants.http.decide("GET", url), Decision::Allowed(_)))
}

/// The origin of a URL, as a rule names it.
fn origin(url: &Url) -> Value {
    json!({ "host": url.host_str(), "scheme": url.scheme(), "ports": [url.port_or_known_default()] })
}

fn with(rule: &Value, key: &str, value: Value) -> Value {
    let mut rule = rule.clone();
    rule[key] = value;
    rule
}

fn address(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(ip) => Some(ip.into()),
        Host::Ipv6(ip) => Some(ip.into()),
        Host::Domain(_) => None,
    }
}

/// Port 0 is no port of a server, and no rule names it.
fn has_a_port(url: &&Url) -> bool {
    is_web(url) && url.port() != Some(0)
}

/// Letters, digits, `-` and `_` in every label; and an address that a rule can open.
fn can_be_granted(url: &Url) -> bool {
    match address(url) {
        Some(ip) => reachable(ip, &[ip.into()]).is_ok(),
        None => {
            let name = url.host_str().unwrap();
            let fits = |label: &str| {
                let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
                (1..64).contains(&label.len()) && label.chars().all(plain)
            };
            name.strip_suffix('.').unwrap_or(name).split('.').all(fits)
        }
    }
}

/// The path as a rule names it, decoded; `None` where it has a segment that servers disagree about.
fn pattern(url: &Url) -> Option<String> {
    let lower = url.path().to_ascii_lowercase();
    let bytes: Vec<u8> = percent_encoding::percent_decode_str(url.path()).collect();
    let text = String::from_utf8(bytes).ok()?;
    let twice = percent_encoding::percent_decode_str(&text).ne(text.bytes());
    let odd = twice || text.contains('\\') || text.chars().any(|c| c.is_ascii_control());
    let dots = text.split('/').any(|segment| matches!(segment.split(';').next(), Some("." | "..")));
    (!odd && !dots && !lower.contains("%2f")).then_some(text)
}

#[test]
fn a_rule_for_its_very_origin_allows_a_url_and_a_rule_for_another_does_not() {
    let Some(urls) = corpus() else { return };
    let (mut allowed, mut nobodys) = (0, 0);
    for url in urls.iter().filter(has_a_port) {
        let own = origin(url);
        let user = !url.username().is_empty() || url.password().is_some();
        if !can_be_granted(url) {
            assert_ne!(allows(&own, url), Some(true), "{url}");
            nobodys += 1;
            continue;
        }
        assert_eq!(allows(&own, url), Some(!user), "{url}");
        allowed += usize::from(!user);
        let (scheme, port) = if url.scheme() == "http" { ("https", 443) } else { ("http", 80) };
        let another_port = url.port_or_known_default().map(|port| port ^ 1);
        let mut others = vec![
            with(&own, "scheme", scheme.into()),
            with(&with(&own, "scheme", scheme.into()), "ports", json!([port])),
            with(&own, "ports", json!([another_port])),
            with(&own, "host", "other.test".into()),
            with(&own, "host", "8.8.8.8".into()),
            with(&own, "host", "[2606:4700::1]".into()),
            with(&own, "methods", json!(["POST"])),
        ];
        if address(url).is_none() {
            let name = url.host_str().unwrap().trim_end_matches('.');
            others.extend(
                [format!("{name}.test"), format!("a.{name}"), format!("*.a.{name}")]
                    .map(|host| with(&own, "host", host.into())),
            );
        }
        for other in others {
            assert_ne!(allows(&other, url), Some(true), "{url}: {other}");
        }
    }
    eprintln!("{allowed} allowed; {nobodys} have a host that no rule can name");
    assert!(allowed > 150, "{allowed} allowed");
}

#[test]
fn a_rule_for_its_very_path_allows_a_url_and_an_ambiguous_path_fits_no_rule() {
    let Some(urls) = corpus() else { return };
    let (mut allowed, mut ambiguous) = (0, 0);
    for url in urls.iter().filter(has_a_port).filter(|url| can_be_granted(url)) {
        if !url.username().is_empty() || url.password().is_some() {
            continue;
        }
        let rule = |path: &str| with(&origin(url), "paths", json!([path]));
        let Some(path) = pattern(url) else {
            assert_eq!(allows(&rule("/**"), url), Some(false), "{url}");
            ambiguous += 1;
            continue;
        };
        assert_eq!(allows(&rule("/**"), url), Some(true), "{url}");
        // What a pattern cannot say: some characters in a segment (the last is none in YAML), and two slashes in a row.
        match allows(&rule(&path), url) {
            Some(fits) => assert!(fits, "{url}: {path}"),
            None => assert!(
                path.contains(['*', '?', '#', '%', '\u{ffff}']) || path.contains("//"),
                "{url}: {path}"
            ),
        }
        allowed += 1;
        for other in [format!("{path}x"), format!("{path}/"), format!("/x{path}"), "/other/**".into()] {
            if other != path {
                assert_ne!(allows(&rule(&other), url), Some(true), "{url}: {other}");
            }
        }
    }
    eprintln!("{allowed} paths fit their own pattern; {ambiguous} fit none");
    assert!(allowed > 120 && ambiguous >= 5, "{allowed} and {ambiguous}");
}

/// A URL in a call's input: it grants its own origin, and no other URL of the corpus that has another.
#[test]
fn a_url_of_the_input_grants_its_own_origin() {
    let Some(urls) = corpus() else { return };
    let rule = json!({ "url": "${input.url}" });
    let granted = |url: &Url| grants(&rule, &json!({ "url": url.as_str() })).unwrap();
    let mut origins = 0;
    for url in &urls {
        let own = granted(url);
        let may = |asked: &Url| matches!(own.http.decide("GET", asked), Decision::Allowed(_));
        let plain = is_web(url) && url.username().is_empty() && url.password().is_none();
        let public = address(url).is_none_or(|ip| reachable(ip, &[]).is_ok());
        if !plain || !can_be_granted(url) || !public {
            assert!(!may(url), "{url}");
            continue;
        }
        assert!(may(url), "{url}");
        origins += 1;
        let same = |other: &Url| {
            let name = |url: &Url| url.host_str().map(|host| host.trim_end_matches('.').to_owned());
            other.scheme() == url.scheme()
                && name(other) == name(url)
                && other.port_or_known_default() == url.port_or_known_default()
        };
        for other in urls.iter().filter(|other| !same(other)) {
            assert!(!may(other), "{url} grants {other}");
        }
    }
    assert!(origins > 120, "{origins} origins");
}

/// What a client may send that spells a slash, a dot or a step up otherwise. The parser resolves some of it; what is left
/// fits no pattern.
#[test]
fn encoded_slashes_and_dot_segments_are_never_within_a_path() {
    let rule = json!({ "host": "a.test", "paths": ["/in/**"] });
    for path in [
        "/in/../out",
        "/in/%2e%2e/out",
        "/in/.%2E/out",
        "/in\\..\\out",
        "/in/..%2fout",
        "/in/..%5cout",
        "/in/%2e%2e%2fout",
        "/in%2f..%2fout",
        "/in/%252e%252e/out",
        "/in/%252e%252e%252fout",
        "/in/..;/out",
        "/in/..;a=b/out",
        "/in/%2e%2e%3b/out",
        "/in/%c0%ae%c0%ae/out",
        "/in/%c0%af../out",
        "/in/%e0%80%ae/out",
        "/in/..%00/out",
        "/in/..%0d%0a/out",
        "/in/a%2fb",
        "/in/a%5Cb",
        "//in/x",
        "/./%2e/in/../out",
    ] {
        let url = Url::parse(&format!("https://a.test{path}")).unwrap();
        assert_eq!(allows(&rule, &url), Some(false), "{path} is {url}");
    }
    for path in ["/in", "/in/", "/in/x", "/out/../in/x", "/%69n/x", "/in/...", "/in/.x", "/in/x%20y"] {
        let url = Url::parse(&format!("https://a.test{path}")).unwrap();
        assert_eq!(allows(&rule, &url), Some(true), "{path} is {url}");
    }
}
