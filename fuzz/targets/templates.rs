//! `${input.…}` in every place where it may stand, filled from any JSON. A call is granted the template with its values
//! in place, each of which is one label, one segment or one file name; or the origin of its URL; or nothing, and then it
//! is said why.
//!
//! The first three lines are a host, a path and a directory with templates, the rest is the input.

use std::path::Path;
use std::sync::LazyLock;

use packhost_manifest::{
    Decision, Entry, Grants, HostPattern, HostVars, HttpRule, Manifest, Origin, PathPattern, Segment, Source,
    Target, reachable,
};
use serde_json::{Value, json};
use url::{Host, Url};

pub(crate) fn fuzz(text: &str) {
    let mut lines = text.splitn(4, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (host, path, directory) = (line(), line(), line());
    let input = serde_json::from_str(line()).unwrap_or(Value::Null);
    of_host(host, &input);
    of_path(path, &input);
    of_directory(directory, &input);
    OPEN.iter().for_each(|entry| of_origin(entry, &input));
}

/// Entries that grant the origin of `${input.url}`: any, and one with TLS on some ports.
static OPEN: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let rules = [
        json!({ "url": "${input.url}" }),
        json!({ "url": "${input.url}", "scheme": "https", "ports": [443, 8443] }),
    ];
    rules.iter().map(|rule| entry("http", rule).expect("an entry")).collect()
});

/// The entry of one pack with this rule. Without a template in it there is nothing to fill.
fn entry(key: &str, rule: &Value) -> Option<Entry> {
    let rule = rule.to_string();
    if !rule.contains("${input.") {
        return None;
    }
    let text = format!("{{version: 1, packs: {{a: {{{key}: [{rule}]}}}}}}");
    let source = Source { name: "a.yaml".into(), text, origin: Origin::Operator };
    Manifest::parse(&[source]).ok()?.entries().next().cloned()
}

/// What a call with this input is granted by an entry of one rule: something, or nothing and the reason.
fn granted(entry: &Entry, input: &Value) -> Grants {
    let vars = HostVars { state: "/state".into(), home: Some("/home/me".into()) };
    let grants = entry.narrow(input, &vars);
    assert_eq!(grants.http.rules().len() + grants.fs.len() + grants.notes.len(), 1);
    grants
}

fn of_host(host: &str, input: &Value) {
    let Some(entry) = entry("http", &json!({ "host": host })) else { return };
    let label = |value: &str| {
        let plain = value.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        plain && !value.is_empty() && !value.starts_with('-') && !value.ends_with('-')
    };
    let expected = filled(host, input, label);
    match granted(&entry, input).http.rules() {
        [HttpRule { target: Target::Host { host: HostPattern::Name(name), .. }, .. }] => {
            assert_eq!(Some(name.clone()), expected.map(|name| name.to_ascii_lowercase()));
            assert_eq!(name.split('.').count(), host.split('}').map(dots).sum::<usize>() + 1);
            assert!(name.len() <= 253 && name.split('.').all(|label| (1..=63).contains(&label.len())));
        }
        rules => assert!(rules.is_empty(), "{host} became {rules:?}"),
    }
}

/// The dots of a text that may end in the beginning of a template.
fn dots(text: &str) -> usize {
    text.split("${").next().unwrap_or_default().matches('.').count()
}

fn of_path(path: &str, input: &Value) {
    let Some(entry) = entry("http", &json!({ "host": "a.test", "paths": [path] })) else { return };
    let expected = filled(path, input, is_one_segment);
    let grants = granted(&entry, input);
    let Some(rule) = grants.http.rules().first() else { return };
    let [pattern] = rule.paths.as_deref().expect("the path") else { panic!("{path} became {rule}") };
    assert_eq!(Some(pattern.to_string()), expected);
    let own: PathPattern = path.parse().expect("a path pattern");
    assert_eq!((own.segments().len(), own.has_rest()), (pattern.segments().len(), pattern.has_rest()));
    for (own, narrowed) in own.segments().iter().zip(pattern.segments()) {
        match (own, narrowed) {
            (Segment::Template(_), Segment::Text(text)) => assert!(is_one_segment(text), "{text:?}"),
            (own, narrowed) => assert_eq!(own, narrowed),
        }
    }
}

fn of_directory(directory: &str, input: &Value) {
    let Some(entry) = entry("fs", &json!({ "host": directory, "guest": "/files" })) else { return };
    let rooted = match (directory.strip_prefix("${state}"), directory.strip_prefix('~')) {
        (Some(rest), _) => format!("/state{rest}"),
        (_, Some(rest)) => format!("/home/me{rest}"),
        _ => directory.to_owned(),
    };
    let grants = granted(&entry, input);
    let Some(grant) = grants.fs.first() else { return };
    let expected = filled(&rooted, input, is_one_segment).expect("values that are file names");
    assert_eq!(grant.host, Path::new(&expected));
    assert!(grant.host.starts_with(&grant.base), "{grant:?}");
    assert_eq!(expected.trim_end_matches('/').split('/').count(), grant.host.components().count());
    assert!(!expected.split('/').any(|name| name == "." || name == ".."), "{expected}");
}

fn is_one_segment(value: &str) -> bool {
    let name = value.find(';').map_or(value, |end| &value[..end]);
    !value.is_empty()
        && !matches!(name, "." | "..")
        && value.len() <= 255
        && !value.contains(['/', '\\', '%', '?', '#', '*'])
        && !value.contains(|c: char| c.is_ascii_control())
}

/// The text with the input's values in place, if they are there and fit.
fn filled(text: &str, input: &Value, fits: impl Fn(&str) -> bool) -> Option<String> {
    let Some((before, rest)) = text.split_once("${input.") else { return Some(text.to_owned()) };
    let (name, after) = rest.split_once('}')?;
    let value = value(input, name).filter(|value| fits(value))?;
    Some(format!("{before}{value}{}", filled(after, input, fits)?))
}

/// The text or number at a place of the input.
fn value(input: &Value, name: &str) -> Option<String> {
    let found = name.split('.').try_fold(input, |place, key| match place {
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        place => place.get(key),
    })?;
    match found {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Exactly the origin (RFC 6454) of the URL, and none for a URL that is no plain http or https one.
fn of_origin(entry: &Entry, input: &Value) {
    let [HttpRule { target: Target::Origin { scheme: only, ports, .. }, .. }] = &entry.http[..] else {
        panic!("{entry:?} is another entry");
    };
    let grants = granted(entry, input);
    let asked = value(input, "url").and_then(|text| Url::parse(&text).ok()).filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.username().is_empty()
            && url.password().is_none()
            && only.is_none_or(|only| only.as_str() == url.scheme())
            && (ports.is_empty() || url.port_or_known_default().is_some_and(|port| ports.contains(&port)))
            && has_plain_host(url)
    });
    let (Some(url), [rule]) = (&asked, grants.http.rules()) else {
        assert!(asked.is_none() && grants.http.is_empty(), "{asked:?} and {grants:?}");
        return;
    };
    let Target::Host { host, scheme, ports } = &rule.target else { panic!("{rule} is not narrowed") };
    let own = url.host_str().expect("a host");
    assert_eq!(scheme.as_str(), url.scheme());
    assert_eq!(Some(&ports[..]), url.port_or_known_default().as_ref().map(std::slice::from_ref));
    // An address has more than one spelling; what counts is where it leads.
    assert_eq!(
        Host::parse(&host.to_string()).expect("a host"),
        Host::parse(own.strip_suffix('.').unwrap_or(own)).expect("a host")
    );
    let reached = match url.host() {
        Some(Host::Ipv4(ip)) => reachable(ip.into(), &[]).is_ok(),
        Some(Host::Ipv6(ip)) => reachable(ip.into(), &[]).is_ok(),
        _ => true,
    };
    assert_eq!(allows(&grants, url), reached, "{url}");
    for other in others(url) {
        assert!(!allows(&grants, &other), "{url} grants {other}");
    }
}

fn allows(grants: &Grants, url: &Url) -> bool {
    matches!(grants.http.decide("GET", url), Decision::Allowed(_))
}

fn has_plain_host(url: &Url) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
    };
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            name.len() <= 253 && name.split('.').all(label)
        }
        host => host.is_some(),
    }
}

/// URLs of other origins that look like it.
fn others(url: &Url) -> Vec<Url> {
    let with = |change: &dyn Fn(&mut Url) -> bool| {
        let mut other = url.clone();
        (change(&mut other) && other.origin() != url.origin()).then_some(other)
    };
    let host = url.host_str().unwrap_or_default();
    let parent = host.split_once('.').map_or("test", |(_, parent)| parent);
    let changes: [&dyn Fn(&mut Url) -> bool; 6] = [
        &|url| url.set_scheme("http").is_ok(),
        &|url| url.set_scheme("https").is_ok(),
        &|url| url.set_port(Some(444)).is_ok(),
        &|url| url.set_host(Some(&format!("a.{host}"))).is_ok(),
        &|url| url.set_host(Some(&format!("a{host}"))).is_ok(),
        &|url| url.set_host(Some(parent)).is_ok(),
    ];
    changes.iter().filter_map(|change| with(change)).collect()
}
