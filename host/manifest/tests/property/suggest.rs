//! What is suggested allows what was denied and little else, and an edit puts it into a manifest.

use packhost_core::PackName;
use packhost_manifest::{
    Decision, DeniedRequest, EditError, Manifest, Origin, PathPattern, Segment, Source, edit, suggest,
};
use proptest::prelude::*;
use serde_json::Value;
use url::Url;

use crate::oracle::vars;

const HOSTS: &[&str] = &[
    "a.test",
    "b.a.test",
    "A.TEST.",
    "x",
    "1.e5",
    "true",
    "xn--bcher-kva.example",
    "8.8.8.8",
    "10.0.0.1",
    "[2606:4700::1]",
    "[::1]",
    "169.254.169.254",
];
const METHODS: &[&str] = &["GET", "HEAD", "POST", "DELETE", "TRUE", "NULL", "GET", "get", "TRACE"];

/// Layouts that the edit knows, for a pack with and without an entry.
const TEXTS: &[&str] = &[
    "",
    "version: 1\n",
    "version: 1\npacks:\n  other: {}\n",
    "version: 1\npacks:\n  other: {}\n  a:\n",
    "version: 1\npacks:\n  a:\n    http:\n    - host: a.test\n      paths: [/a]\n    limits: {}\n  other: {}\n",
    "packs:\n    a:\n        env: { A: b }\n\n# end\nversion: 1",
    "version: 1\r\npacks:\r\n  a:\r\n    http:\r\n      - { host: b.a.test }   # é\r\n",
];

fn segment() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[abc]",
        2 => "(a|%20|é|\\$|\\*|%2A|%25|%7B|\"|'|:|#x|~|;|\\[|,|%0A|%E2%80%AE|%C2%85|\u{ffff}|%EF%BB%BF|-|null){1,3}",
        1 => prop::sample::select(vec!["", "%2F", "..%3B", "%252e", "$%7Binput.v%7D", "**", "%FF"]).prop_map(String::from),
        1 => (100..300_usize).prop_map(|length| "l".repeat(length)),
    ]
}

fn request() -> impl Strategy<Value = (&'static str, Url)> {
    let origin = (
        prop::sample::select(HOSTS),
        prop::sample::select(vec!["https", "http"]),
        prop::sample::select(vec!["", ":443", ":81"]),
    );
    let path = prop::collection::vec(segment(), 1..4);
    (prop::sample::select(METHODS), origin, path).prop_filter_map(
        "a URL",
        |(method, (host, scheme, port), path)| {
            Some((method, Url::parse(&format!("{scheme}://{host}{port}/{}?q=secret", path.join("/"))).ok()?))
        },
    )
}

fn allows(manifest: &Manifest, pack: &PackName, method: &str, url: &Url) -> bool {
    let grants = manifest.entry(pack).unwrap().narrow(&Value::Null, &vars());
    matches!(grants.http.decide(method, url), Decision::Allowed(_))
}

/// Why a request may be left out: no pattern matches it, or only one for every path.
fn may_be_left_out(request: &DeniedRequest, url: &Url) -> bool {
    let any: PathPattern = "/**".parse().unwrap();
    let private = ["10.0.0.1", "[::1]"].contains(&request.host());
    let nameless =
        request.path().starts_with("//") || (request.is_cut() && ["", "/"].contains(&request.path()));
    private || nameless || !any.matches(url.path())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn an_edit_allows_what_was_denied_and_nothing_elsewhere(asked in prop::collection::vec(request(), 1..40), at in 0..TEXTS.len()) {
        let source = Source { name: "a.yaml".into(), text: TEXTS[at].into(), origin: Origin::Operator };
        let before = Manifest::parse(std::slice::from_ref(&source)).unwrap();
        let pack: PackName = "a".parse().unwrap();
        let denied: Vec<DeniedRequest> = asked.iter().filter_map(|(method, url)| DeniedRequest::of(method, url)).collect();
        let suggestion = suggest(before.entry(&pack), &denied);
        let text = edit(&source, &pack, &suggestion.rules);
        let text = text.map_err(|error: EditError| TestCaseError::fail(format!("{error}\n{:?}", source.text)))?;
        let after = Manifest::parse(&[Source { text, ..source }]).unwrap();
        for (method, url) in &asked {
            let Some(request) = DeniedRequest::of(method, url) else { continue };
            if suggestion.left_out.iter().any(|out| out.request == request) {
                prop_assert!(may_be_left_out(&request, url), "{request} is left out");
                continue;
            }
            // Of a path that was cut, nobody knows what the rest was.
            let known = !request.is_cut() || "/**".parse::<PathPattern>().unwrap().matches(url.path());
            prop_assert!(!known || allows(&after, &pack, method, url), "{request} is not allowed");
            let mut elsewhere = url.clone();
            for host in ["c.test", "a.a.test", "9.9.9.9"] {
                elsewhere.set_host(Some(host)).unwrap();
                prop_assert!(!allows(&after, &pack, method, &elsewhere), "{elsewhere}");
            }
            elsewhere = url.clone();
            elsewhere.set_port(Some(7)).unwrap();
            prop_assert!(!allows(&after, &pack, method, &elsewhere), "{elsewhere}");
        }
        let as_before = before.entry(&pack).is_none() || suggestion.rules.is_empty();
        prop_assert!(as_before || !before.entry(&pack).unwrap().loses_under(after.entry(&pack).unwrap()));
    }

    #[test]
    fn nothing_is_suggested_that_was_not_asked_for(asked in prop::collection::vec(request(), 1..40)) {
        let denied: Vec<DeniedRequest> = asked.iter().filter_map(|(method, url)| DeniedRequest::of(method, url)).collect();
        for rule in suggest(None, &denied).rules {
            let host = rule.host.to_string();
            let here: Vec<&DeniedRequest> =
                denied.iter().filter(|one| (one.host(), one.port(), one.scheme()) == (&host, rule.port, rule.scheme)).collect();
            prop_assert!(!rule.methods.is_empty() && !rule.paths.is_empty());
            for method in &rule.methods {
                for path in &rule.paths {
                    let met: Vec<_> = here.iter().filter(|one| one.method() == method && (path.matches(one.path()) || one.is_cut())).collect();
                    prop_assert!(!met.is_empty(), "{method} {path} was not asked for");
                    let odd = |text: &str| !text.bytes().all(|b| b.is_ascii_lowercase() || b == b'/');
                    let stars = path.segments().contains(&Segment::Any);
                    prop_assert!(!stars || met.len() >= 3 || met.iter().any(|one| odd(one.path())), "{path}");
                    let open = path.has_rest();
                    prop_assert!(!open || met.iter().any(|one| one.is_cut() || one.path().contains("//")), "{path}");
                    prop_assert!(!matches!(path.segments(), []), "every path of {host}");
                }
            }
        }
    }

    #[test]
    fn what_is_kept_of_a_request_comes_back_from_its_parts((method, url) in request()) {
        let Some(request) = DeniedRequest::of(method, &url) else { return Ok(()) };
        prop_assert!(request.path().len() <= DeniedRequest::PATH && !request.to_string().contains("secret"));
        let (scheme, host, port) = (request.scheme().as_str(), request.host(), request.port());
        let back = DeniedRequest::stored(request.method(), (scheme, host, port), request.path(), request.is_cut(), false);
        prop_assert_eq!(back.as_ref(), Some(&request));
        for (path, cut) in [("x", false), ("", false), ("/a?b", false), ("/a b", false), ("/../a", false)] {
            prop_assert_eq!(DeniedRequest::stored("GET", (scheme, host, port), path, cut, false), None);
        }
    }
}
