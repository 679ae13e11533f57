//! An input narrows a grant and never widens it.

use std::path::Path;

use packhost_manifest::{Decision, Grants};
use proptest::prelude::*;
use serde_json::{Value, json};
use url::Url;

use crate::oracle::{parse, source, vars};

fn grants(input: &Value) -> Grants {
    let manifest = parse(&[source(
        "a.yaml",
        &json!({ "version": 1, "packs": { "a": {
            "http": [
                { "host": "${input.h}.x.test", "paths": ["/r/${input.p}/i"] },
                { "url": "${input.u}", "scheme": "https" },
            ],
            "fs": [{ "host": "${state}/files/${input.d}", "guest": "/files" }],
        } } }),
    )]);
    manifest.entry(&"a".parse().unwrap()).unwrap().narrow(input, &vars())
}

fn nasty() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "(\\*|\\.|/|\\\\|%2f|%2e|%|@|:|#|\\?|a|b|-|é|\u{3002}|\u{ff0f}|\u{0}|\\$\\{input\\.h\\}|xn--|443| ){0,6}",
    ]
}

fn allowed(grants: &Grants, url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| matches!(grants.http.decide("GET", &url), Decision::Allowed(_)))
}

proptest! {
    #[test]
    fn a_value_is_one_label_one_segment_one_name(value in nasty()) {
        let grants = grants(&json!({ "h": &value, "p": &value, "d": &value }));
        for rule in grants.http.rules() {
            let shown = rule.to_string();
            let (host, path) = shown.split_once("https://").unwrap().1.split_once(' ').unwrap();
            let label = host.strip_suffix(".x.test").unwrap();
            prop_assert!(!label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'), "{}", shown);
            prop_assert_eq!(path.split('/').count(), 4, "{}", shown);
            prop_assert!(!path.contains(['*', '%', '\\']), "{}", shown);
        }
        for url in ["https://x.test/r/a/i", "https://a.b.x.test/r/a/i", "https://a.x.test/r/a/b/i", "https://a.x.test/r//i", "https://other.test/r/a/i", "https://a.x.test/r/a%2Fb/i"] {
            prop_assert!(!allowed(&grants, url), "{} is allowed by {:?}", url, value);
        }
        for grant in &grants.fs {
            prop_assert_eq!(grant.host.parent(), Some(Path::new("/state/files")));
            prop_assert_eq!(grant.host.file_name().and_then(|name| name.to_str()), Some(value.as_str()));
        }
    }

    #[test]
    fn a_url_grants_its_own_origin(value in prop_oneof![nasty(), "(https?|ftp)://([a-b*@%.:1]|\\[::1\\]){1,8}(:[0-9]{1,4})?/[a-z]{0,3}"]) {
        let grants = grants(&json!({ "u": &value }));
        for rule in grants.http.rules() {
            let origin = Url::parse(&value).unwrap();
            prop_assert_eq!(origin.scheme(), "https");
            prop_assert!(origin.username().is_empty());
            let shown = rule.to_string();
            prop_assert!(shown.contains(origin.host_str().unwrap().trim_end_matches('.')) && !shown.contains('*'), "{}", shown);
        }
        for url in ["https://unasked.test/", "http://a/", "https://a:65000/"] {
            prop_assert!(!allowed(&grants, url), "{} is allowed by {:?}", url, value);
        }
    }
}

#[test]
fn what_does_not_fit_grants_nothing_and_says_why() {
    for (input, why) in [
        (json!({ "u": "https://a.test" }), "the input has no \"h\""),
        (
            json!({ "h": "a.b", "p": "x", "d": "x", "u": 1 }),
            "\"h\" of the input is not one label of a host name",
        ),
        (
            json!({ "h": "a", "p": "x/y", "d": "..", "u": "" }),
            "\"p\" of the input is not one segment of a path",
        ),
        (
            json!({ "h": "a", "p": "x", "d": ["x"], "u": "http://a.test" }),
            "\"d\" of the input is neither a text nor a number",
        ),
        (
            json!({ "h": "a", "p": "x", "d": 7, "u": "https://me:pw@a.test" }),
            "\"u\" of the input carries a user name or password",
        ),
    ] {
        let notes = grants(&input).notes.join("\n");
        assert!(
            notes.contains(why) && notes.contains("The rule at a.yaml:1 grants nothing"),
            "{input}: {notes}"
        );
    }
    let whole = grants(&json!({ "h": "API", "p": 12, "d": 7, "u": "https://B\u{fc}cher.example:444/x?y" }));
    assert!(whole.notes.is_empty(), "{:?}", whole.notes);
    for url in
        ["https://api.x.test/r/12/i?q", "https://api.x.test./r/%312/i", "https://xn--bcher-kva.example:444/z"]
    {
        assert!(allowed(&whole, url), "{url}");
    }
    assert_eq!(whole.fs[0].host, Path::new("/state/files/7"));
}
