//! Report mode, what is suggested for what it lets through, and the edits that come of it.
#![allow(clippy::unwrap_used)]

use packhost_core::PackName;
use packhost_manifest::{
    Decision, DeniedRequest, EditError, HostVars, Manifest, Origin, Source, Suggestion, adopt, diff, edit,
    shipped, suggest,
};
use serde_json::{Value, json};
use url::Url;

fn pack(name: &str) -> PackName {
    name.parse().unwrap()
}

fn source(text: &str) -> Source {
    Source { name: "a.yaml".into(), text: text.into(), origin: Origin::Operator }
}

fn manifest(text: &str) -> Manifest {
    Manifest::parse(&[source(text)]).unwrap_or_else(|errors| panic!("{errors}\n{text}"))
}

/// What the only entry of a manifest decides.
fn decide(entry: &str, method: &str, url: &str) -> Decision {
    let manifest = manifest(&format!("version: 1\npacks:\n  a.b:\n    {entry}\n"));
    let vars = HostVars { state: "/state".into(), home: None };
    let grants = manifest.entries().next().unwrap().narrow(&json!({}), &vars);
    grants.http.decide(method, &Url::parse(url).unwrap())
}

fn denied(requests: &[&str]) -> Vec<DeniedRequest> {
    let read = |text: &&str| {
        let (method, url) = text.split_once(' ').unwrap();
        DeniedRequest::of(method, &Url::parse(url).unwrap()).unwrap_or_else(|| panic!("{text}"))
    };
    requests.iter().map(read).collect()
}

fn suggested(requests: &[&str]) -> Suggestion {
    suggest(None, &denied(requests))
}

/// The rules that are suggested, in one line each.
fn rules(requests: &[&str]) -> Vec<String> {
    let suggestion = suggested(requests);
    assert!(suggestion.left_out.is_empty(), "{:?}", suggestion.left_out);
    suggestion.rules.iter().map(|rule| rule.to_string().replace('\n', " ").replace("   ", " ")).collect()
}

#[test]
fn report_mode_lets_through_what_no_rule_allows_and_says_what_is_missing() {
    let entry = "{report: true, http: [{host: a.test, paths: [/in], credentials: [A]}]}";
    assert!(matches!(decide(entry, "GET", "https://a.test/in"), Decision::Allowed(_)));
    for (method, url, missing) in [
        (
            "GET",
            "https://b.test:8443/x?token=1",
            "a rule for host b.test with scheme https, port 8443 and method GET",
        ),
        ("GET", "https://a.test/out", "add the path /out"),
        ("DELETE", "https://a.test/in", "add the method DELETE"),
        ("GET", "http://8.8.8.8/", "a rule for host 8.8.8.8"),
        ("GET", "https://b.test/a%2Fb", "a rule for host b.test"),
    ] {
        let Decision::Reported(allowed, denial) = decide(entry, method, url) else {
            panic!("{method} {url}")
        };
        assert!(denial.missing.contains(missing), "{denial}");
        assert_eq!(allowed.place.to_string(), "a.yaml:4");
        assert!(allowed.addresses.is_empty() && allowed.credentials.is_empty(), "{allowed:?}");
        assert!(!allowed.reaches("10.0.0.1".parse().unwrap()) && allowed.reaches("8.8.8.8".parse().unwrap()));
        let request = denial.request.unwrap();
        assert!(request.is_reported() && !request.to_string().contains('?'), "{request}");
        let without = decide("{http: [{host: a.test, paths: [/in]}]}", method, url);
        let Decision::Denied(denial) = without else { panic!("{method} {url}: {without:?}") };
        assert!(!denial.request.unwrap().is_reported());
    }
}

#[test]
fn what_report_mode_never_opens() {
    for (method, url) in [
        ("GET", "https://me:pw@b.test/"),
        ("GET", "ftp://b.test/"),
        ("GET", "http://10.0.0.1/"),
        ("GET", "http://127.0.0.1:6379/"),
        ("GET", "http://[::1]/"),
        ("GET", "http://169.254.169.254/latest"),
        ("GET", "http://[64:ff9b::a9fe:a9fe]/"),
        ("CONNECT", "https://b.test/"),
        ("TRACE", "https://b.test/"),
        ("get", "https://b.test/"),
        ("GET", "https://b.test:0/"),
        ("GET", "https://a!b.test/"),
    ] {
        let decision = decide("report: true", method, url);
        assert!(matches!(decision, Decision::Denied(_)), "{method} {url}: {decision:?}");
        let decision = decide("{report: true, deny: true}", method, "https://b.test/");
        assert!(matches!(decision, Decision::Denied(_)), "a denied pack: {decision:?}");
    }
    for url in ["http://169.254.169.254/", "https://b.test:0/"] {
        let Decision::Denied(denial) = decide("report: true", "GET", url) else { panic!("{url}") };
        assert_eq!((denial.request, denial.missing.as_str()), (None, "No rule can allow that."), "{url}");
    }
}

#[test]
fn a_long_path_is_kept_up_to_a_slash() {
    let (long, word) = ("x".repeat(300), "y".repeat(100));
    for (path, kept, cut) in [
        ("/".to_owned(), "/".to_owned(), false),
        (format!("/{}", "x".repeat(255)), format!("/{}", "x".repeat(255)), false),
        (format!("/{}", "x".repeat(256)), String::new(), true),
        (format!("/{word}/{word}/{word}/z"), format!("/{word}/{word}"), true),
        (format!("/a/{long}"), "/a".to_owned(), true),
        (format!("/{}/z", "x".repeat(255)), format!("/{}", "x".repeat(255)), true),
    ] {
        let request = denied(&[&format!("GET https://a.test{path}?{long}")]).remove(0);
        assert_eq!((request.path(), request.is_cut()), (kept.as_str(), cut));
        assert!(request.path().len() <= DeniedRequest::PATH);
    }
    let url = format!("https://{}.test/", "a.".repeat(130));
    assert_eq!(DeniedRequest::of("GET", &Url::parse(&url).unwrap()), None, "a host longer than names are");
}

#[test]
fn paths_that_differ_in_one_segment_become_one() {
    let items = ["GET https://a.test/i/1", "GET https://a.test/i/2", "GET https://a.test/i/3"];
    let listed = "- host: a.test methods: [GET] paths: [/i/1, /i/2]";
    assert_eq!(rules(&items[..2]), [listed]);
    assert_eq!(rules(&items), ["- host: a.test methods: [GET] paths: [\"/i/*\"]"]);
    let deep = ["GET https://a.test/u/1/p", "GET https://a.test/u/2/p", "GET https://a.test/u/3/p"];
    assert_eq!(rules(&deep), ["- host: a.test methods: [GET] paths: [\"/u/*/p\"]"]);
    let both = ["GET https://a.test/a/1", "GET https://a.test/b/2", "GET https://a.test/c/3"];
    assert_eq!(rules(&both), ["- host: a.test methods: [GET] paths: [/a/1, /b/2, /c/3]"], "in two segments");
    let grid: Vec<String> =
        (0..9).map(|n| format!("GET https://a.test/{}/x/{}", ["k", "l", "m"][n / 3], n % 3)).collect();
    let grid: Vec<&str> = grid.iter().map(String::as_str).collect();
    assert_eq!(rules(&grid), ["- host: a.test methods: [GET] paths: [\"/*/x/*\"]"]);
    let slash = ["GET https://a.test/i/", "GET https://a.test/i/1", "GET https://a.test/i/2"];
    assert_eq!(rules(&slash), ["- host: a.test methods: [GET] paths: [/i/, /i/1, /i/2]"], "no segment");
}

#[test]
fn what_is_not_asked_for_is_not_suggested() {
    let mixed = [
        "GET https://a.test/i/1",
        "PUT https://a.test/i/1",
        "DELETE https://a.test/i/2",
        "GET https://a.test:8443/i/1",
        "GET http://a.test/i/1",
        "GET https://b.a.test/i/1",
        "PURGE https://8.8.8.8/",
        "GET https://[2606:4700::1]/",
    ];
    assert_eq!(
        rules(&mixed),
        [
            "- host: \"8.8.8.8\" methods: [\"PURGE\"] paths: [/]",
            "- host: \"[2606:4700::1]\" methods: [GET] paths: [/]",
            "- host: a.test scheme: http methods: [GET] paths: [/i/1]",
            "- host: a.test methods: [DELETE] paths: [/i/2]",
            "- host: a.test methods: [GET, PUT] paths: [/i/1]",
            "- host: a.test ports: [8443] methods: [GET] paths: [/i/1]",
            "- host: b.a.test methods: [GET] paths: [/i/1]",
        ]
    );
}

#[test]
fn a_segment_that_no_pattern_spells_is_any_one() {
    for (path, pattern) in [
        ("/a/x%25y", "[\"/a/*\"]"),
        ("/a/*", "[\"/a/*\"]"),
        ("/a/**", "[\"/a/*\"]"),
        ("/a/$%7Binput.v%7D", "[\"/a/*\"]"),
        ("/a/$%7Bvault:KEY%7D/b", "[\"/a/*/b\"]"),
        ("/a/%E2%80%AE", "[\"/a/*\"]"),
        ("/a/b%20c", "[\"/a/b c\"]"),
        ("/a/b%22", "[\"/a/b\\\"\"]"),
        ("/caf%C3%A9", "[\"/café\"]"),
        ("/a//b/c", "[\"/a/**\"]"),
        ("/a/b//", "[\"/a/b/**\"]"),
    ] {
        let request = format!("GET https://a.test{path}");
        assert_eq!(rules(&[&request]), [format!("- host: a.test methods: [GET] paths: {pattern}")], "{path}");
    }
}

#[test]
fn what_would_open_far_more_is_left_out_with_a_reason() {
    let long = format!("GET https://a.test/{}", "x".repeat(300));
    for (request, why) in [
        ("GET https://gitlab.test/projects/group%2Fproject", "no pattern matches it"),
        ("GET https://a.test/x/..%3B/y", "no pattern matches it"),
        ("GET https://a.test//x", "a rule for every path"),
        (long.as_str(), "a rule for every path"),
        ("GET http://10.0.0.1/", "not public"),
    ] {
        let suggestion = suggested(&[request]);
        assert!(suggestion.rules.is_empty(), "{request}: {:?}", suggestion.rules);
        assert!(suggestion.left_out[0].why.contains(why), "{request}: {}", suggestion.left_out[0].why);
    }
}

#[test]
fn what_the_entry_allows_by_now_is_not_suggested_again() {
    let entry = "version: 1\npacks:\n  a:\n    report: true\n    http:\n      - {host: a.test, paths: [/x, '/y/*']}\n      - {url: '${input.u}'}\n";
    let manifest = manifest(entry);
    let long = format!("GET https://a.test/y/{}", "/z".repeat(200));
    let requests = denied(&["GET https://a.test/x", "POST https://a.test/x", "GET https://b.test/", &long]);
    let suggestion = suggest(manifest.entries().next(), &requests);
    let rules: Vec<String> = suggestion.rules.iter().map(ToString::to_string).collect();
    assert_eq!(rules.len(), 3, "{rules:?}");
    assert!(
        rules[0].contains("methods: [GET]") && rules[0].contains("/y/**"),
        "one segment is not many: {}",
        rules[0]
    );
    assert!(rules[1].contains("methods: [POST]") && rules[2].contains("host: b.test"), "{rules:?}");
}

/// What the edit of a text for the pack `a.b` is; the requests are allowed afterwards.
fn edited(text: &str, requests: &[&str]) -> Result<String, EditError> {
    edit(&source(text), &pack("a.b"), &suggested(requests).rules)
}

const ONE: &[&str] = &["GET https://x.test/p"];
const TWO: &[&str] = &["GET https://x.test/p", "POST http://y.test:81/q/1"];

#[test]
fn rules_go_where_a_person_would_put_them() {
    for (before, requests, after) in [
        (
            "version: 1\npacks:\n  a.b: # ours\n    http:\n      - host: a.test # one\n        paths: [/x]\n        # and no more\n\n    # how long\n    limits: { time: 5s }\n",
            TWO,
            "version: 1\npacks:\n  a.b: # ours\n    http:\n      - host: a.test # one\n        paths: [/x]\n        # and no more\n      - host: x.test\n        methods: [GET]\n        paths: [/p]\n      - host: y.test\n        scheme: http\n        ports: [81]\n        methods: [POST]\n        paths: [/q/1]\n\n    # how long\n    limits: { time: 5s }\n",
        ),
        // A list as deep as its key, items between brackets, and another entry behind.
        (
            "version: 1\npacks:\n    a.b:\n        http:\n        - { host: a.test }\n        - {\n            host: b.test }\n        report: true\n    c: {}\n",
            ONE,
            "version: 1\npacks:\n    a.b:\n        http:\n        - { host: a.test }\n        - {\n            host: b.test }\n        - host: x.test\n          methods: [GET]\n          paths: [/p]\n        report: true\n    c: {}\n",
        ),
        (
            "version: 1\npacks:\n  a.b:\n    # what it is given\n    env: { TZ: UTC }\n",
            ONE,
            "version: 1\npacks:\n  a.b:\n    http:\n      - host: x.test\n        methods: [GET]\n        paths: [/p]\n    # what it is given\n    env: { TZ: UTC }\n",
        ),
        (
            "version: 1\npacks:\n  a.b:\n  c: {}\n",
            ONE,
            "version: 1\npacks:\n  a.b:\n    http:\n      - host: x.test\n        methods: [GET]\n        paths: [/p]\n  c: {}\n",
        ),
        (
            "version: 1\npacks:\n  c:\n    fs:\n      - { host: /srv, guest: /f }\n\n# the ceiling\nceiling: { http: [{ url: any }], fs: [{ host: /srv }] }",
            ONE,
            "version: 1\npacks:\n  c:\n    fs:\n      - { host: /srv, guest: /f }\n  a.b:\n    http:\n      - host: x.test\n        methods: [GET]\n        paths: [/p]\n\n# the ceiling\nceiling: { http: [{ url: any }], fs: [{ host: /srv }] }",
        ),
        (
            "version: 1\nextends: shipped",
            ONE,
            "version: 1\nextends: shipped\npacks:\n  a.b:\n    http:\n      - host: x.test\n        methods: [GET]\n        paths: [/p]\n",
        ),
        (
            "packs:\nversion: 1\n",
            ONE,
            "packs:\n  a.b:\n    http:\n      - host: x.test\n        methods: [GET]\n        paths: [/p]\nversion: 1\n",
        ),
        (
            "# nothing yet\n",
            ONE,
            "# nothing yet\nversion: 1\npacks:\n  a.b:\n    http:\n      - host: x.test\n        methods: [GET]\n        paths: [/p]\n",
        ),
        (
            "version: 1\r\npacks:\r\n  a.b:\r\n    http:\r\n      - host: a.test",
            ONE,
            "version: 1\r\npacks:\r\n  a.b:\r\n    http:\r\n      - host: a.test\r\n      - host: x.test\r\n        methods: [GET]\r\n        paths: [/p]\r\n",
        ),
    ] {
        let text = edited(before, requests).unwrap_or_else(|error| panic!("{error}\n{before}"));
        assert_eq!(text, after);
    }
}

#[test]
fn many_paths_stand_in_a_list_of_their_own() {
    let requests: Vec<String> =
        (0..6).map(|n| format!("GET https://x.test/{n}/{}", "abcdef".repeat(n + 1))).collect();
    let requests: Vec<&str> = requests.iter().map(String::as_str).collect();
    let text = edited("version: 1\n", &requests).unwrap();
    assert!(text.contains("        paths:\n          - /0/abcdef\n"), "{text}");
    assert_eq!(manifest(&text).entries().next().unwrap().http[0].paths.as_ref().unwrap().len(), 6);
}

#[test]
fn what_is_written_between_brackets_is_left_to_a_person() {
    for (text, place, why) in [
        ("version: 1\npacks:\n  a.b:\n    http: [{ host: a.test }]\n", "a.yaml:4", "between brackets"),
        ("version: 1\npacks:\n  a.b:\n    http: []\n", "a.yaml:4", "between brackets"),
        ("version: 1\npacks:\n  a.b: { env: { TZ: UTC } }\n", "a.yaml:3", "between brackets"),
        ("version: 1\npacks: {}\n", "a.yaml:2", "between brackets"),
        ("{ version: 1 }\n", "a.yaml:1", "between brackets"),
        ("version: 1\npacks:\n  a.b:\n    deny: true\n", "a.yaml:3", "is denied here"),
        (
            "version: 1\npacks:\n  a.b: &x\n    http:\n      -\n        host: a.test\n  c: *x\n",
            "a.yaml:6",
            "laid out",
        ),
        ("version: 1\npacks:\n  c: &x\n    http:\n      - host: a.test\n  a.b: *x\n", "a.yaml", "laid out"),
        ("version: 1\npacks:\n  a.b: &x\n    http:\n      - host: a.test\n  c: *x\n", "a.yaml:5", "laid out"),
    ] {
        let error = edited(text, ONE).unwrap_err();
        let EditError::ByHand { place: at, .. } = &error else { panic!("{text}: {error}") };
        assert!(at.to_string().starts_with(place), "{text}: {at}");
        let shown = error.to_string();
        assert!(
            shown.contains(why) && shown.ends_with("- host: x.test\n  methods: [GET]\n  paths: [/p]"),
            "{shown}"
        );
    }
}

#[test]
fn a_manifest_that_would_have_errors_is_not_made() {
    let text = "version: 1\npacks:\n  a.b:\nceiling: { http: [{ host: a.test }] }\n";
    let error = edited(text, ONE).unwrap_err();
    assert!(matches!(error, EditError::After { .. }), "{error}");
    let shown = error.to_string();
    assert!(
        shown.contains("beyond the ceiling: a.b may send GET https://x.test/p")
            && shown.contains("- host: x.test"),
        "{shown}"
    );
    assert!(matches!(edited("version: 2\n", ONE), Err(EditError::Before(_))));
    let nothing = edit(&source("version: 1\n"), &pack("a.b"), &[]).unwrap();
    assert_eq!(nothing, "version: 1\n", "nothing to add");
}

/// The text that was put into `old` in one piece.
fn added<'t>(old: &str, new: &'t str) -> &'t str {
    let front = old.bytes().zip(new.bytes()).take_while(|(a, b)| a == b).count();
    let back = new.len() - (old.len() - front);
    assert_eq!(&old.as_bytes()[front..], &new.as_bytes()[back..], "the rest is as it was");
    &new[front..back]
}

#[test]
fn the_shipped_manifests_can_all_be_edited() {
    let mut made = 0;
    for source in shipped() {
        let before = Manifest::parse(std::slice::from_ref(&source)).unwrap();
        let new: PackName = "new.pack".parse().unwrap();
        for name in before.entries().map(|entry| &entry.pack).chain([&new]) {
            let rules = suggest(before.entry(name), &denied(TWO)).rules;
            let text = edit(&source, name, &rules).unwrap_or_else(|error| panic!("{name}: {error}"));
            let after = Manifest::parse(&[Source { text: text.clone(), ..source.clone() }]).unwrap();
            let changes = diff(&before, &after);
            let [change] = changes.packs.as_slice() else { panic!("{}: {changes}", source.name) };
            assert_eq!((&change.pack, &change.lost), (name, &Vec::new()));
            assert!(added(&source.text, &text).contains("host: y.test"));
            let vars = HostVars { state: "/state".into(), home: None };
            let grants = after.entry(name).unwrap().narrow(&Value::Null, &vars);
            for request in TWO {
                let (method, url) = request.split_once(' ').unwrap();
                let decision = grants.http.decide(method, &Url::parse(url).unwrap());
                assert!(matches!(decision, Decision::Allowed(_)), "{name}: {request}");
            }
            made += 1;
        }
    }
    assert!(made > 20, "{made} made");
}

#[test]
fn every_shipped_entry_can_be_copied_into_a_file_of_the_operator() {
    let text = "version: 1\nextends: shipped\npacks:\n    my.pack: {}\n# the end\n";
    for from in shipped() {
        let there = Manifest::parse(std::slice::from_ref(&from)).unwrap();
        for name in there.entries().map(|entry| &entry.pack) {
            for text in [text, "version: 1\nextends: shipped\n", ""] {
                let own = source(text);
                let copied = adopt(&own, &from, name).unwrap_or_else(|error| panic!("{error}"));
                added(text, &copied);
                let entry = |text: &str| manifest(text).entry(name).cloned().unwrap();
                let (entry, theirs) = (entry(&copied), there.entry(name).unwrap());
                assert!(!entry.loses_under(theirs) && !theirs.loses_under(&entry), "{name}: {copied}");
                assert!(adopt(&source(&copied), &from, name).is_err(), "there is one already");
            }
        }
    }
    let fetch = shipped().into_iter().find(|source| source.name.ends_with("/http.yaml")).unwrap();
    let own = source("version: 1\nextends: shipped\n");
    let copied = adopt(&own, &fetch, &pack("http.fetch")).unwrap();
    let text = edit(&source(&copied), &pack("http.fetch"), &suggested(ONE).rules).unwrap();
    assert_eq!(
        text,
        "version: 1\nextends: shipped\npacks:\n  http.fetch:\n    http:\n      - url: \"${input.url}\"\n        methods: [GET, HEAD]\n      - host: x.test\n        methods: [GET]\n        paths: [/p]\n    limits: { time: 20s, memory: 64MiB, output: 4MiB, requests: 8, transfer: 10MiB }\n"
    );
    assert!(
        adopt(&own, &fetch, &pack("web.scrape")).unwrap_err().to_string().contains("no entry of the pack")
    );
}
