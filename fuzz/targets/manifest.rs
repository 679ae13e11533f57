//! A manifest file as an operator may write it, by mistake or not. No text makes the parser panic, and every error can be
//! shown. A manifest that is taken can be explained and compared, and each of its rules allows what it says; the blocks
//! that no rule can open stay closed.

use std::net::IpAddr;
use std::sync::LazyLock;

use packhost_core::Identity;
use packhost_manifest::{
    Cases, Decision, Diagnostics, Entry, HostPattern, HostVars, HttpRule, Manifest, Origin, Part,
    PathPattern, Segment, Source, Target, diff, explain, schema, shipped,
};
use serde_json::{Value, json};
use serde_saphyr::options::MergeKeyPolicy;
use url::Url;

/// What comes with the host.
static SHIPPED: LazyLock<Manifest> = LazyLock::new(|| Manifest::parse(&shipped()).expect("what is shipped"));
/// A manifest without entries.
static NOTHING: LazyLock<Manifest> = LazyLock::new(|| Manifest::parse(&[]).expect("nothing"));

/// The published schema, as an editor compiles it.
static EDITOR: LazyLock<jsonschema::Validator> =
    LazyLock::new(|| jsonschema::draft202012::new(&schema()).expect("a schema"));

/// Addresses that no rule can open, spelled as IPv4, as IPv4 inside IPv6, and as IPv6.
const CLOSED: [&str; 9] = [
    "169.254.169.254",
    "::ffff:169.254.169.254",
    "64:ff9b::169.254.169.254",
    "2002:a9fe:a9fe::1",
    "224.0.0.1",
    "::ffff:0.0.0.0",
    "fe80::1",
    "ff02::1",
    "fd00:ec2::254",
];

pub(crate) fn fuzz(text: &str) {
    let source = source("a.yaml", text, Origin::Operator);
    match Manifest::parse(std::slice::from_ref(&source)) {
        Ok(manifest) => {
            an_editor_takes(text);
            compares(&manifest);
            manifest.entries().for_each(|entry| holds(&manifest, entry));
            extends(&manifest, source);
        }
        Err(errors) => {
            shows(&errors);
            match Cases::parse(&source) {
                Ok(cases) => cases.run(&SHIPPED).iter().for_each(|outcome| assert!(!outcome.why.is_empty())),
                Err(errors) => shows(&errors),
            }
        }
    }
}

fn source(name: &str, text: &str, origin: Origin) -> Source {
    Source { name: name.into(), text: text.into(), origin }
}

/// Every error has a place, and can be printed on a terminal.
fn shows(errors: &Diagnostics) {
    assert!(!errors.0.is_empty(), "a refusal without an error");
    for error in &errors.0 {
        assert!(error.line >= 1 && error.column >= 1 && error.caret.1 >= 1 && error.caret.0 <= 120);
        assert!(error.message.chars().count() <= 1000, "an error stays short");
    }
    printable(&errors.to_string());
}

fn printable(text: &str) {
    let odd = text.chars().find(|c| c.is_control() && *c != '\n');
    assert_eq!(odd, None, "a control character in {text:?}");
}

/// What the parser takes, the published schema takes too: an editor marks nothing that is right. A file that says
/// nothing is for the parser alone.
fn an_editor_takes(text: &str) {
    let options = serde_saphyr::options! { merge_keys: MergeKeyPolicy::AsOrdinary, strict_booleans: true };
    let value = serde_saphyr::from_str_with_options::<Value>(text, options);
    if let Some(value) = value.ok().filter(|value| !value.is_null()) {
        let objection = EDITOR.iter_errors(&value).next().map(|error| error.to_string());
        assert_eq!(objection, None, "{value}");
    }
}

/// A manifest does not differ from itself, and from nothing in all that it grants.
fn compares(manifest: &Manifest) {
    assert!(diff(manifest, manifest).is_empty());
    let (there, back) = (diff(&NOTHING, manifest), diff(manifest, &NOTHING));
    printable(&there.to_string());
    printable(&back.to_string());
    assert_eq!(there.packs.len(), back.packs.len());
    for (there, back) in there.packs.iter().zip(&back.packs) {
        assert!(there.gained == back.lost && there.lost.is_empty() && back.gained.is_empty());
    }
    let differs = manifest.entries().next().is_some() || manifest.ceiling().is_some();
    assert_eq!(differs, manifest.revision() != NOTHING.revision());
}

/// An entry is explained, and decides for every call.
fn holds(manifest: &Manifest, entry: &Entry) {
    let explained = explain(manifest, &entry.pack);
    let sentences = explained.may.iter().chain(&explained.may_not).chain(&explained.ceiling);
    sentences.for_each(|sentence| printable(&sentence.text));
    assert!(!entry.loses_under(entry), "an entry loses something under itself");
    if let Some(ceiling) = manifest.ceiling() {
        assert_eq!(ceiling.covers(entry), Ok(()));
    }
    let vars = HostVars { state: "/state".into(), home: Some("/home/me".into()) };
    for input in [Value::Null, filled(entry)] {
        let grants = entry.narrow(&input, &vars);
        if entry.denied {
            assert!(grants.http.is_empty() && grants.fs.is_empty() && grants.env.is_empty());
            assert!(grants.session.is_none() && !grants.workspace && !grants.artifacts);
            assert!(!entry.admits(&Identity::local()));
            continue;
        }
        let rules = requests(entry).count() + entry.fs.len();
        let inside = grants.session.as_ref().map_or(0, |session| session.http.rules().len());
        assert_eq!(grants.http.rules().len() + inside + grants.fs.len() + grants.notes.len(), rules);
        for rule in grants.http.rules() {
            let (method, url) = witness(rule);
            match grants.http.decide(method, &url) {
                Decision::Denied(denial) | Decision::Reported(_, denial) => {
                    panic!("\"{rule}\" does not allow {method} {url}: {denial}")
                }
                Decision::Allowed(allowed) => {
                    let open = CLOSED.iter().find(|ip| allowed.reaches(ip.parse().expect("an address")));
                    assert_eq!(open, None, "\"{rule}\" opens what no rule can open");
                }
            }
            assert!(matches!(grants.http.decide("TRACE", &url), Decision::Denied(_)));
        }
        if let Some(session) = &grants.session {
            assert!(!session.on.is_empty(), "a sandbox that nothing makes");
            for rule in session.http.rules() {
                let (method, url) = witness(rule);
                // A rule that ends the TLS there may hide a tunnel.
                let hidden = method == "CONNECT" && session.http.terminates(&url);
                let allowed = matches!(session.http.decide(method, &url), Decision::Allowed(_));
                assert!(allowed != hidden, "\"{rule}\" and {method} {url}");
                let decided = session.http.decide("GET", &url);
                let unseen = url.scheme() == "https" && !session.http.terminates(&url);
                assert!(!unseen || matches!(decided, Decision::Denied(_)), "{url} is looked into");
            }
        }
        for grant in &grants.fs {
            assert!(grant.host.is_absolute() && grant.host.parent().is_some(), "{grant:?}");
            assert!(grant.guest.starts_with('/') && grant.guest.len() > 1, "{grant:?}");
        }
    }
}

/// The rules about requests, of the pack's own and of its sandboxes.
fn requests(entry: &Entry) -> impl Iterator<Item = &HttpRule> {
    entry.http.iter().chain(entry.session.iter().flat_map(|session| &session.http))
}

/// A call's input in which what the rules of `http` take from it is there.
fn filled(entry: &Entry) -> Value {
    let mut input = json!({"url": "https://any.example/"});
    let mut fill = |path: &str, text: &str| {
        let mut place = &mut input;
        for key in path.split('.') {
            if !place.is_object() {
                *place = json!({});
            }
            place = &mut place[key];
        }
        *place = text.into();
    };
    for rule in requests(entry) {
        let of_host = match &rule.target {
            Target::Host { host: HostPattern::Template(template), .. } => Some(template),
            _ => None,
        };
        let of_paths = rule.paths.iter().flatten().flat_map(PathPattern::segments).filter_map(|s| match s {
            Segment::Template(template) => Some(template),
            _ => None,
        });
        for part in of_host.into_iter().chain(of_paths).flat_map(|template| template.parts()) {
            if let Part::Input(reference) = part {
                fill(&reference.path(), "any");
            }
        }
        if let Target::Origin { url, scheme, ports } = &rule.target {
            let scheme = scheme.map_or("https", |scheme| scheme.as_str());
            let port = ports.first().copied().unwrap_or(8443);
            fill(&url.path(), &format!("{scheme}://any.example:{port}/"));
        }
    }
    input
}

/// A request that a rule without templates must allow.
fn witness(rule: &HttpRule) -> (&str, Url) {
    let Target::Host { host, scheme, ports } = &rule.target else { panic!("{rule} is not narrowed") };
    let host = match host {
        HostPattern::Name(name) => name.clone(),
        HostPattern::Below(name) => format!("any.{name}"),
        HostPattern::Address(IpAddr::V4(ip)) => ip.to_string(),
        HostPattern::Address(IpAddr::V6(ip)) => format!("[{ip}]"),
        HostPattern::Template(_) => panic!("{rule} is not narrowed"),
    };
    let port = ports.first().expect("a rule has a port");
    let mut url = Url::parse(&format!("{}://{host}:{port}/any", scheme.as_str())).expect("an origin");
    if let Some(pattern) = rule.paths.as_ref().map(|paths| paths.first().expect("a rule has a path")) {
        let segments = pattern.segments().iter().map(|segment| match segment {
            Segment::Text(text) => text.as_str(),
            Segment::Any => "any",
            Segment::Template(_) => panic!("{rule} is not narrowed"),
        });
        url.path_segments_mut().expect("a path").clear().extend(segments);
    }
    (rule.methods.first().expect("a rule has a method"), url)
}

/// Beside what is shipped, a manifest says the same, and more only where it asks for that.
fn extends(manifest: &Manifest, own: Source) {
    let base = source("base.yaml", "{version: 1, packs: {a.shipped.pack: {}}}", Origin::Shipped);
    let both = Manifest::parse(&[base, own]).expect("a shipped entry without grants is within every ceiling");
    for entry in manifest.entries() {
        assert_eq!(both.entry(&entry.pack), Some(entry));
    }
    let more = both.entries().count() - manifest.entries().count();
    assert!(more <= 1 && (more == 1 || both.revision() == manifest.revision()));
}
