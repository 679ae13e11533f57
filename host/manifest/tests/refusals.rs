//! What a manifest may not say, where the error stands, and what it says to write instead.
#![allow(clippy::unwrap_used)]

use packhost_core::{Caller, Group, Identity};
use packhost_manifest::{Decision, Diagnostic, HostVars, Manifest, Origin, PathPattern, Source, shipped};
use serde_json::json;
use url::Url;

fn operator(text: &str) -> Source {
    Source { name: "a.yaml".into(), text: text.into(), origin: Origin::Operator }
}

/// The errors of an entry of which each line is written below `packs:`, `a:`, so that its first line is line 4.
fn errors(lines: &str) -> Vec<Diagnostic> {
    let text = format!("version: 1\npacks:\n  a:\n    {}", lines.replace('\n', "\n    "));
    Manifest::parse(&[operator(&text)]).map_or_else(|errors| errors.0, |_| Vec::new())
}

fn refused(lines: &str, at: (u32, u32), message: &str, suggestion: &str) {
    let errors = errors(lines);
    let [error] = errors.as_slice() else { panic!("{lines}: {} errors: {errors:#?}", errors.len()) };
    assert_eq!((error.line, error.column), at, "{lines}: {error}");
    assert!(error.message.contains(message), "{lines}: {error}");
    assert!(error.suggestion.as_deref().unwrap_or_default().contains(suggestion), "{lines}: {error}");
}

fn taken(lines: &str) {
    let errors = errors(lines);
    assert!(errors.is_empty(), "{lines}: {errors:#?}");
}

#[test]
fn a_file_of_the_operator_that_says_nothing_denies_everything() {
    for nothing in ["", "\n\n", "# a comment\n", "---\n", "~"] {
        let mut sources = shipped();
        sources.push(operator(nothing));
        let manifest = Manifest::parse(&sources).unwrap_or_else(|errors| panic!("{nothing:?}: {errors}"));
        assert_eq!(manifest.entries().count(), 0, "{nothing:?}");
        assert!(manifest.ceiling().is_none());
    }
    let mut sources = shipped();
    sources.push(operator(""));
    sources.push(Source { name: "b.yaml".into(), ..operator("version: 1\nextends: shipped\n") });
    assert!(Manifest::parse(&sources).unwrap().entries().count() > 5, "another file keeps what is shipped");
}

#[test]
fn a_file_of_cases_is_told_from_a_manifest() {
    let text = include_str!("../../../policies/tests/cases.yaml");
    let errors = Manifest::parse(&[Source { name: "policies/tests/cases.yaml".into(), ..operator(text) }])
        .unwrap_err();
    let [error] = errors.0.as_slice() else { panic!("{errors}") };
    assert_eq!(error.message, "this is a file of cases, not a manifest");
    assert_eq!(
        error.suggestion.as_deref(),
        Some("run it with `packhost policy test policies/tests/cases.yaml`")
    );
    let list = Manifest::parse(&[operator("- a\n- b\n")]).unwrap_err();
    assert!(!list.to_string().contains("cases"), "{list}");
}

#[test]
fn a_file_that_is_no_yaml_is_refused_in_words_for_an_operator() {
    for (text, at, message) in [
        ("version: 1\n---\nversion: 1\n", (3, 1), "a second document begins here"),
        ("version: 1\n...\nversion: 1\n", (3, 1), "a second document begins here"),
        ("version: 1\npacks: [\n", (2, 8), "unclosed bracket"),
        ("version: 1\npacks:\n\ttext.stats: {}\n", (3, 2), "tab"),
    ] {
        let errors = Manifest::parse(&[operator(text)]).unwrap_err();
        let [error] = errors.0.as_slice() else { panic!("{text:?}: {errors}") };
        assert_eq!((error.line, error.column), at, "{text:?}: {error}");
        assert!(error.message.contains(message), "{text:?}: {error}");
        for foreign in ["at line", "from_str"] {
            assert!(!error.message.contains(foreign), "{text:?}: {error}");
        }
    }
}

#[test]
fn what_the_host_keeps_for_itself_cannot_be_granted() {
    let host = |host: &str| format!("fs:\n- host: \"{host}\"\n  guest: /f");
    for (directory, message, instead) in [
        ("${state}", "is the host's own state", "${state}/files"),
        ("${state}/", "is the host's own state", "${state}/files"),
        ("${state}/cache", "is the host's own", "${state}/files"),
        ("${state}/cache/x", "is the host's own", "${state}/files"),
        ("${state}/policies", "is the host's own", "${state}/files"),
        ("${state}/packs/${input.p}", "is the host's own", "${state}/files"),
        ("${state}/compiled.key", "is the host's own", "${state}/files"),
        ("${state}/artifacts", "is the host's own", "${state}/files"),
        ("${state}/audit", "is the host's own", "${state}/files"),
        ("${state}/docker", "is the host's own", "${state}/files"),
        ("${state}/images", "is the host's own", "${state}/files"),
        ("${state}/keys", "is the host's own", "${state}/files"),
        ("${state}/sandboxes", "is the host's own", "${state}/files"),
        ("${state}/workspaces/x", "is the host's own", "${state}/files"),
        ("${state}/${input.p}/x", "lets the input choose a name", "${state}/files/${input.p}/x"),
        ("${state}/c${input.p}", "lets the input choose a name", "${state}/files/c${input.p}"),
        ("/", "the whole file system", ""),
    ] {
        refused(&host(directory), (5, 13), message, instead);
    }
    for own in ["${state}/files", "${state}/caches/${input.p}", "${state}/x/cache", "~/cache", "/cache"] {
        taken(&host(own));
    }
    let ceiling = "{version: 1, ceiling: {fs: [{host: '${state}', mode: read-write}, {host: /}]}}";
    assert!(Manifest::parse(&[operator(ceiling)]).is_ok(), "a ceiling only bounds");
}

#[test]
fn directories_one_in_the_other_have_one_mode() {
    let rules = |first: (&str, &str, &str), second: (&str, &str, &str)| {
        let rule = |(host, guest, mode): (&str, &str, &str)| {
            format!("- guest: {guest}\n  mode: {mode}\n  host: \"{host}\"\n")
        };
        format!("fs:\n{}{}", rule(first), rule(second))
    };
    let (ro, rw) = ("read-only", "read-write");
    let guest = "give both one mode, or paths beside each other";
    refused(&rules(("/a", "/f", rw), ("/b", "/f/in", ro)), (8, 14), "/f on line 5 is read-write", guest);
    refused(&rules(("/a", "/f/in", rw), ("/b", "/f", ro)), (8, 14), "one lies in the other", guest);
    let host = "give both one mode, or grant directories beside each other";
    for (outer, inner) in [
        ("/a", "/a/b"),
        ("/a", "/a"),
        ("${state}/f", "${state}/f/${input.p}"),
        ("/a/${input.p}", "/a/shared"),
        ("/a/${input.p}/c", "/a/b/c/d"),
        ("~", "~/x"),
    ] {
        for (first, second) in [(outer, inner), (inner, outer)] {
            refused(
                &rules((first, "/f", rw), (second, "/g", ro)),
                (10, 13),
                "one can lie in the other",
                host,
            );
            taken(&rules((first, "/f", rw), (second, "/g", rw)));
        }
    }
    taken(&rules(("/a", "/f", rw), ("/ab", "/fg", ro)));
    taken(&rules(("/a/${input.p}/x", "/f", rw), ("/a/b/y", "/g", ro)));
    refused(&rules(("/a", "/f", ro), ("/b", "/f", ro)), (8, 14), "is here twice; first on line 5", "");
}

#[test]
fn a_network_that_holds_what_no_rule_opens_is_refused() {
    let rule = |net: &str| format!("http: [{{host: a.test, addresses: ['{net}']}}]");
    let (v4, v6) = ("10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16", "fd00::/8");
    for (net, message, instead) in [
        ("0.0.0.0/0", "holds 224.0.0.0/4 (multicast", v4),
        ("160.0.0.0/4", "holds 169.254.0.0/16 (link-local", v4),
        ("169.254.0.0/24", "is in 169.254.0.0/16", v4),
        ("100.100.100.200/32", "is in 100.100.100.200/32 (cloud metadata, Alibaba Cloud)", v4),
        ("::/0", "holds ff00::/8 (multicast", v6),
        ("::ffff:10.0.0.0/104", "is in ::ffff:0.0.0.0/96 (IPv4-mapped", v6),
        ("fe80::1/128", "is in fe80::/10 (link-local", v6),
        ("64:ff9b::/96", "stands for IPv4 addresses", "list the IPv4 networks that are meant"),
        ("64:ff9b::a00:0/104", "stands for IPv4 addresses", "10.0.0.0/8 opens them"),
        ("10.0.0.0/33", "is not a network", "10.0.0.0/8"),
        ("10.0.0.1/8", "has bits beyond its prefix", "did you mean \"10.0.0.0/8\"?"),
    ] {
        refused(&rule(net), (4, 39), message, instead);
    }
    for net in
        ["10.0.0.0/8", "fd00::/8", "fc00::/7", "100.64.0.0/10", "127.0.0.0/8", "::1/128", "64:ff9b:1::/48"]
    {
        taken(&rule(net));
    }
    for (host, message) in [
        ("169.254.169.254", "never reachable (cloud metadata, most clouds): no rule can open it"),
        ("64:ff9b::a9fe:a9fe", "never reachable"),
        ("::ffff:10.0.0.1", "never reachable (IPv4-mapped"),
        ("0.0.0.0", "never reachable"),
    ] {
        refused(&format!("http: [{{host: '{host}'}}]"), (4, 12), message, "");
    }
}

#[test]
fn a_host_that_is_an_address_can_be_reached() {
    let vars = HostVars { state: "/state".into(), home: None };
    for host in ["10.0.0.1", "8.8.8.8", "[64:ff9b::a00:1]", "[64:ff9b:1::a00:1]", "[::1]"] {
        let text = format!("{{version: 1, packs: {{a: {{http: [{{url: 'https://{host}'}}]}}}}}}");
        let manifest = Manifest::parse(&[operator(&text)]).unwrap_or_else(|errors| panic!("{errors}"));
        let grants = manifest.entries().next().unwrap().narrow(&json!({}), &vars);
        let decision = grants.http.decide("GET", &Url::parse(&format!("https://{host}/")).unwrap());
        assert!(matches!(decision, Decision::Allowed(_)), "{host}: {decision:?}");
    }
}

#[test]
fn a_tunnel_is_granted_whole_or_not_at_all() {
    let rule = |rest: &str| format!("http: [{{host: a.test, methods: [CONNECT], {rest}}}]");
    for (rest, column, message, instead) in [
        ("paths: [/v1/**]", 54, "the host sees none in a tunnel", "in a rule of its own"),
        ("scheme: http", 12, "cannot be granted over http", "the https origin"),
        ("credentials: [TOKEN]", 60, "a tunnel carries no credential", "delete the key"),
    ] {
        refused(&rule(rest), (4, column), message, instead);
    }
    refused("http: [{host: a.test, methods: [TRACE]}]", (4, 37), "TRACE cannot be granted", "");
    refused("http: [{url: 'http://a.test', methods: [CONNECT]}]", (4, 12), "cannot be granted over http", "");
    taken(&rule("ports: [443, 8443]"));
    taken("http: [{host: a.test, methods: [GET, CONNECT], credentials: [TOKEN]}]");
    taken("http: [{url: '${input.url}', methods: [CONNECT]}]");
}

#[test]
fn a_tunnel_needs_a_rule_that_names_it_and_looks_at_no_path() {
    let text = "version: 1\npacks:\n  a:\n    http:\n    - { host: get.test, methods: [GET, POST] }\n    - { host: paths.test, \
                paths: [/v1/**] }\n    - { host: tunnel.test, methods: [GET, CONNECT], ports: [443, 8443], credentials: [TOKEN], \
                addresses: [10.0.0.0/8] }\n    - { url: '${input.url}', methods: [CONNECT] }\n";
    let manifest = Manifest::parse(&[operator(text)]).unwrap_or_else(|errors| panic!("{errors}"));
    let vars = HostVars { state: "/state".into(), home: None };
    let entry = manifest.entries().next().unwrap();
    let tunnel = |input: &str, url: &str| {
        let grants = entry.narrow(&json!({ "url": input }), &vars);
        grants.http.tunnel(&Url::parse(url).unwrap())
    };
    for (url, missing) in [
        ("https://get.test/", "The host is granted, and not for a tunnel"),
        ("https://paths.test/", "a rule with the method CONNECT and without paths"),
        ("https://tunnel.test:444/", "scheme https, port 444 and method CONNECT"),
        ("https://other.test/", "a rule for host other.test with scheme https, port 443 and method CONNECT"),
        ("https://me@tunnel.test/", "No rule can allow that"),
        ("http://tunnel.test:443/", "a tunnel is for https alone"),
    ] {
        let Decision::Denied(denial) = tunnel("https://x.test", url) else { panic!("{url} was allowed") };
        assert!(denial.missing.contains(missing), "{url}: {denial}");
    }
    for url in ["https://tunnel.test/", "https://tunnel.test:8443/any?path=1"] {
        let Decision::Allowed(allowed) = tunnel("https://x.test", url) else { panic!("{url} was denied") };
        assert_eq!(allowed.addresses, ["10.0.0.0/8".parse().unwrap()], "{url}");
        assert!(allowed.credentials.is_empty(), "a tunnel carries none");
    }
    assert!(matches!(tunnel("https://y.test:9", "https://y.test:9/"), Decision::Allowed(_)));
    assert!(matches!(tunnel("http://y.test:9", "https://y.test:9/"), Decision::Denied(_)));
    assert!(matches!(tunnel("http://y.test:9", "http://y.test:9/"), Decision::Denied(_)));
    let explained = packhost_manifest::explain(&manifest, &entry.pack).may;
    assert!(explained.iter().any(|line| line.text.contains("CONNECT being tunnels")), "{explained:?}");
}

#[test]
fn a_url_takes_no_host_that_a_host_pattern_refuses() {
    let rule = |url: &str| format!("http: [{{url: '{url}'}}]");
    for (url, message) in [
        ("HTTPS://a.test", "starts with \"https://\""),
        ("Https://a.test", "starts with \"https://\""),
        ("ftp://a.test", "starts with \"https://\""),
        ("https:a.test", "starts with \"https://\""),
        ("https://2130706433", "canonical form: 127.0.0.1"),
        ("https://127.1", "canonical form: 127.0.0.1"),
        ("https://0x7f.0.0.1", "canonical form: 127.0.0.1"),
        ("https://[0:0::1]", "canonical form: ::1"),
        ("https://::1", "without \"[\""),
        ("https://*.a.test", "goes under \"host\""),
        ("https://a%2etest", "is not a host name"),
        ("https://me@a.test", "user name or password"),
        ("https://a.test:0", "no port between 1 and 65535"),
        ("https://a.test:", "no port between 1 and 65535"),
        ("https://a.test:080", "no port between 1 and 65535"),
        ("https://a.test:65536", "no port between 1 and 65535"),
        ("https://a.test/x", "is an origin"),
        ("https://a.test?x", "is an origin"),
        ("https://a.test\\x", "is an origin"),
        ("https://", "is not a host name"),
    ] {
        refused(&rule(url), (4, 18), message, "");
    }
    for (url, origin) in [
        ("https://a.test", "https://a.test"),
        ("http://A.Test:8080/", "http://a.test:8080"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("https://[::1]:444", "https://[::1]:444"),
        ("http://10.0.0.1", "http://10.0.0.1"),
    ] {
        let text = format!("{{version: 1, packs: {{a: {{http: [{{url: '{url}'}}]}}}}}}");
        let manifest = Manifest::parse(&[operator(&text)]).unwrap_or_else(|errors| panic!("{url}: {errors}"));
        assert_eq!(manifest.entries().next().unwrap().http[0].target.to_string(), origin);
    }
}

#[test]
fn a_path_that_servers_read_in_two_ways_matches_nothing() {
    let any: PathPattern = "/a/**".parse().unwrap();
    for path in ["/a/x", "/a/x;y", "/a/...", "/a/%C3%A9", "/a/;x"] {
        assert!(any.matches(path), "{path}");
    }
    for path in [
        "/a/..",
        "/a/.",
        "/a/..;x",
        "/a/..;",
        "/a/.;x",
        "/a/..;x/b",
        "/a/%2e%2e%3bx",
        "/a/%FF",
        "/a/%C3",
        "/a/%C0%AE",
        "/a/b%2Fc",
        "/a/b%5Cc",
        "/a/%252e",
        "/a/%00",
        "a/x",
    ] {
        assert!(!any.matches(path), "{path}");
    }
    for pattern in ["/..;x", "/.;/a", "/a/..", "/a/.;${input.x}"] {
        assert!(pattern.parse::<PathPattern>().is_err(), "{pattern}");
    }
}

#[test]
fn credentials_are_named_in_the_rules_that_may_carry_them() {
    taken("http: [{host: a.test, credentials: [GITHUB_TOKEN]}]");
    refused("http: [{host: a.test, credentials: [1A]}]", (4, 41), "\"1A\"", "");
    refused("http: [{host: a.test, credentials: []}]", (4, 40), "\"credentials\" is empty", "delete the key");
    refused("credentials: [A]", (4, 5), "unknown key", "");
    let text = "version: 1\npacks: {a: {http: [{host: a.test, credentials: [B, A]}, {host: a.test, paths: [/x], credentials: [C]}]}}";
    let manifest = Manifest::parse(&[operator(text)]).unwrap();
    let vars = HostVars { state: "/s".into(), home: None };
    let grants = manifest.entry(&"a".parse().unwrap()).unwrap().narrow(&json!({}), &vars);
    let credentials = |url: &str| match grants.http.decide("GET", &Url::parse(url).unwrap()) {
        Decision::Allowed(allowed) => allowed.credentials.iter().map(ToString::to_string).collect::<Vec<_>>(),
        Decision::Denied(denial) | Decision::Reported(_, denial) => panic!("{denial}"),
    };
    assert_eq!(credentials("https://a.test/x"), ["A", "B", "C"]);
    assert_eq!(credentials("https://a.test/y"), ["A", "B"]);
}

/// An empty list is no "all of them", wherever it stands; neither is one that is missing where it would add something.
#[test]
fn a_list_that_is_empty_grants_nothing() {
    let vars = HostVars { state: "/s".into(), home: None };
    for nothing in ["{}", "{http: []}", "{fs: []}", "{env: {}}", "{http: [], fs: [], env: {}, config: {}}"] {
        let text = format!("{{version: 1, packs: {{a: {nothing}}}}}");
        let manifest = Manifest::parse(&[operator(&text)]).unwrap_or_else(|errors| panic!("{errors}"));
        let grants = manifest.entry(&"a".parse().unwrap()).unwrap().narrow(&json!({}), &vars);
        assert!(grants.fs.is_empty() && grants.env.is_empty() && grants.config.is_empty(), "{nothing}");
        for url in ["https://a.test/", "http://a.test/", "https://8.8.8.8/", "http://127.0.0.1/"] {
            let decision = grants.http.decide("GET", &Url::parse(url).unwrap());
            assert!(matches!(decision, Decision::Denied(_)), "{nothing}: {url}");
        }
    }
    for key in ["methods", "paths", "ports"] {
        let message = format!("with no {key} the rule allows nothing");
        let rule = format!("http: [{{host: a.test, {key}: []}}]");
        let column = 29 + u32::try_from(key.len()).unwrap();
        refused(&rule, (4, column), &message, "delete the rule");
    }
    for key in ["addresses", "credentials"] {
        let errors = errors(&format!("http: [{{host: a.test, {key}: []}}]"));
        assert_eq!(errors.len(), 1, "{key}: {errors:#?}");
        assert!(errors[0].message.contains("is empty"), "{key}: {errors:#?}");
    }
    for list in ["host: ''", "host: []", "url: ''", "{}"] {
        assert!(!errors(&format!("http: [{{{}}}]", list.trim_matches(['{', '}']))).is_empty(), "{list}");
    }
}

/// The list of callers is the one that is everyone where it is missing. Empty, it is nobody.
#[test]
fn an_empty_list_of_callers_is_nobody() {
    let admits = |entry: &str| {
        let text = format!("{{version: 1, packs: {{a: {entry}}}}}");
        let manifest = Manifest::parse(&[operator(&text)]).unwrap_or_else(|errors| panic!("{errors}"));
        let entry = manifest.entry(&"a".parse().unwrap()).unwrap();
        [Caller::local(), Caller::token("ci")].map(|caller| entry.admits(&Identity::of(caller)))
    };
    assert_eq!(admits("{}"), [true, true]);
    assert_eq!(admits("{callers: [local]}"), [true, false]);
    assert_eq!(admits("{callers: []}"), [false, false]);
}

#[test]
fn a_caller_is_let_in_by_its_name_or_by_a_group() {
    let admits = |callers: &str, identity: &Identity| {
        let text = format!("{{version: 1, packs: {{a: {{callers: {callers}}}}}}}");
        let manifest = Manifest::parse(&[operator(&text)]).unwrap_or_else(|errors| panic!("{errors}"));
        manifest.entry(&"a".parse().unwrap()).unwrap().admits(identity)
    };
    let subject = Caller::oauth("https://login.example.com", "auth0|1").unwrap();
    let groups = ["ops", "Team/A"].map(|group| group.parse::<Group>().unwrap());
    let ada = Identity { groups: groups.into_iter().collect(), ..Identity::of(subject) };
    for (callers, lets_in) in [
        ("[\"oauth:login.example.com:auth0|1\"]", true),
        ("[\"oauth:login.example.com:auth0|2\"]", false),
        ("[\"group:ops\"]", true),
        ("[\"group:Team/A\", local]", true),
        ("[\"group:op\", \"token:ops\"]", false),
    ] {
        assert_eq!(admits(callers, &ada), lets_in, "{callers}");
    }
    assert!(!admits("[\"group:ops\"]", &Identity::local()));
    for wrong in
        ["ops", "group:", "group:a b", "oauth:a", "oauth:a:b c", "token:a/b", "nobody", "oauth:a:b:c"]
    {
        let text = format!("{{version: 1, packs: {{a: {{callers: [\"{wrong}\"]}}}}}}");
        assert!(Manifest::parse(&[operator(&text)]).is_err(), "{wrong} was taken for a caller");
    }
}

#[test]
fn a_wildcard_is_what_lies_below_and_never_the_name_itself() {
    let vars = HostVars { state: "/s".into(), home: None };
    let reaches = |hosts: &[&str], url: &str| {
        let rules: Vec<String> = hosts.iter().map(|host| format!("{{host: '{host}'}}")).collect();
        let text = format!("{{version: 1, packs: {{a: {{http: [{}]}}}}}}", rules.join(", "));
        let manifest = Manifest::parse(&[operator(&text)]).unwrap_or_else(|errors| panic!("{errors}"));
        let grants = manifest.entries().next().unwrap().narrow(&json!({}), &vars);
        matches!(grants.http.decide("GET", &Url::parse(url).unwrap()), Decision::Allowed(_))
    };
    for (url, below, apex) in [
        ("https://x.test/", false, true),
        ("https://x.test./", false, true),
        ("https://X.TEST/", false, true),
        ("https://a.x.test/", true, false),
        ("https://a.b.x.test./", true, false),
        ("https://ax.test/", false, false),
        ("https://x.test.evil.test/", false, false),
        ("https://a.x.test.evil.test/", false, false),
        ("https://evil.test/?a.x.test", false, false),
        ("https://evil.test/#a.x.test", false, false),
        ("https://test/", false, false),
        ("https://a.x.test:8443/", false, false),
        ("http://a.x.test/", false, false),
    ] {
        assert_eq!(reaches(&["*.x.test"], url), below, "*.x.test: {url}");
        assert_eq!(reaches(&["x.test"], url), apex, "x.test: {url}");
        assert_eq!(reaches(&["x.test", "*.x.test"], url), below || apex, "both: {url}");
    }
    let one_port = "{version: 1, packs: {a: {http: [{host: '*.x.test', ports: [8443]}]}}}";
    let manifest = Manifest::parse(&[operator(one_port)]).unwrap();
    let grants = manifest.entries().next().unwrap().narrow(&json!({}), &vars);
    for (url, allowed) in [("https://a.x.test:8443/", true), ("https://a.x.test/", false)] {
        let decision = grants.http.decide("GET", &Url::parse(url).unwrap());
        assert_eq!(matches!(decision, Decision::Allowed(_)), allowed, "{url}");
    }
}
