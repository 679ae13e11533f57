//! What a session grants, and what is refused where it stands.

use super::*;

#[test]
fn a_session_grants_what_it_says() {
    let grants = grants(PYTHON);
    assert!(grants.workspace && grants.http.is_empty() && grants.env.is_empty());
    let session = grants.session.unwrap();
    assert_eq!(session.on, [SessionBackend::Process, SessionBackend::Docker]);
    assert_eq!(session.image.unwrap().to_string(), "packhost/python");
    assert_eq!(session.files.read_write, ["/sandbox", "/tmp"]);
    assert_eq!(session.files.read_only, ["/etc/ssl", "/lib", "/usr"]);
    assert_eq!((session.idle, session.lifetime), (Duration::from_secs(90), Duration::from_secs(3600)));
    assert_eq!(session.env.get("TZ").map(String::as_str), Some("UTC"));
    let limits = Limits { cpu_millis: 1500, processes: 32, sandbox_memory: 1 << 30, ..grants.limits };
    assert_eq!(grants.limits, limits);
    assert_eq!((limits.disk, limits.open_files, limits.workspace), (256 << 20, 1024, 256 << 20));
    assert_eq!((limits.execs, limits.sessions), (64, 4));
}

#[test]
fn the_least_of_a_session_grants_next_to_nothing() {
    let grants = grants("{version: 1, packs: {a: {session: {on: [docker], image: i}}}}");
    assert!(!grants.workspace);
    let session = grants.session.unwrap();
    assert!(session.http.is_empty() && session.env.is_empty());
    assert_eq!(session.files, Default::default());
    assert_eq!((session.idle.as_secs(), session.lifetime.as_secs()), (60, 3600));
    let denied = grants_of_denied();
    assert!(denied.session.is_none() && !denied.workspace);
}

fn grants_of_denied() -> Grants {
    grants(&PYTHON.replace("    workspace:", "    deny: true\n    workspace:"))
}

#[test]
fn what_leaves_a_sandbox_is_a_request_that_the_host_sees_or_a_tunnel() {
    let session = grants(PYTHON).session.unwrap();
    let http = session.http;
    let url = |text: &str| Url::parse(text).unwrap();
    for origin in ["https://pypi.org/", "https://pypi.org/any?x", "https://eu.mirror.test/"] {
        assert!(http.terminates(&url(origin)), "{origin}");
    }
    for origin in
        ["https://pinned.test/", "http://pypi.org/", "https://pypi.org:8443/", "https://us.mirror.test/"]
    {
        assert!(!http.terminates(&url(origin)), "{origin}");
    }
    let credentials = |method: &str, at: &str| match http.decide(method, &url(at)) {
        Decision::Allowed(allowed) => Ok(allowed.credentials.len()),
        Decision::Denied(denial) => Err(Box::new(denial)),
        Decision::Reported(..) => panic!("{at} was reported"),
    };
    assert_eq!(credentials("GET", "https://pypi.org/simple/requests/").unwrap(), 1);
    assert_eq!(credentials("POST", "http://plain.test/x").unwrap(), 0);
    assert_eq!(credentials("HEAD", "https://eu.mirror.test/x").unwrap(), 0);
    for (method, at, missing) in [
        ("GET", "https://pypi.org/legacy", "have to add the path /legacy"),
        (
            "POST",
            "https://pypi.org/simple/a",
            "granted for GET; the operator would have to add the method POST.",
        ),
        ("CONNECT", "https://pypi.org/", "looks into what goes there (tls: terminate at a.yaml:9)"),
        ("GET", "https://pinned.test/", "have to add the method GET in a rule with `tls: terminate`"),
        (
            "GET",
            "https://other.test/",
            "a rule under session.http for host other.test with scheme https, port 443 and method GET, with `tls: terminate`.",
        ),
        ("CONNECT", "https://other.test/", "a rule under session.http for host other.test"),
        ("GET", "http://other.test/", "scheme http, port 80 and method GET."),
        ("CONNECT", "http://plain.test/", "a tunnel is for https alone"),
    ] {
        let denial = credentials(method, at).unwrap_err();
        assert!(denial.missing.contains(missing), "{method} {at}: {denial}");
        assert!(denial.what.contains("under session.http"), "{denial}");
        assert!(denial.request.is_none(), "no rule of the pack's own is suggested for {at}");
    }
    assert!(matches!(http.tunnel(&url("https://pinned.test/")), Decision::Allowed(_)));
    assert!(matches!(http.tunnel(&url("https://pypi.org/")), Decision::Denied(_)));
    let inner = credentials("GET", "https://169.254.169.254/").unwrap_err();
    assert!(inner.request.is_none(), "{inner}");
}

#[test]
fn the_two_sides_of_an_entry_have_nothing_of_each_other() {
    let text = "{version: 1, packs: {a: {http: [{host: own.test}], report: true, session: {on: [docker], image: i, http: [{host: in.test, \
                tls: terminate}]}}}}";
    let grants = grants(text);
    let asked = |host: &str| Url::parse(&format!("https://{host}/")).unwrap();
    let session = grants.session.unwrap();
    assert!(matches!(session.http.decide("GET", &asked("in.test")), Decision::Allowed(_)));
    assert!(matches!(session.http.decide("GET", &asked("own.test")), Decision::Denied(_)));
    assert!(matches!(grants.http.decide("GET", &asked("own.test")), Decision::Allowed(_)));
    assert!(matches!(grants.http.decide("GET", &asked("in.test")), Decision::Reported(..)));
}

#[test]
fn a_rule_that_does_not_fit_the_input_grants_nothing_and_is_noted() {
    let entry = only(&manifest(PYTHON));
    let grants = entry.narrow(&json!({ "mirror": "a/b" }), &vars());
    assert!(grants.notes[0].starts_with("The rule at a.yaml:12 grants nothing"), "{:?}", grants.notes);
    assert!(!grants.session.unwrap().http.terminates(&Url::parse("https://eu.mirror.test/").unwrap()));
}

#[test]
fn a_rule_about_https_says_whether_the_host_looks_into_it() {
    let rule = |rule: &str| format!("session:\n  on: [docker]\n  image: i\n  http: [{{{rule}}}]");
    let needs = "needs `tls: terminate`, or `methods: [CONNECT]`";
    for (text, mark, message, instead) in [
        ("host: a.test", "{host", "the host sees the host and the port alone", needs),
        ("host: a.test, methods: [GET]", "[GET]", "no method and no path", needs),
        ("host: a.test, paths: [/v1]", "[/v1]", "no method and no path", needs),
        ("host: a.test, methods: [GET, CONNECT]", "[GET, C", "no method and no path", needs),
        ("url: '${input.url}', methods: [GET]", "[GET]", "no method and no path", needs),
        (
            "host: a.test, methods: [CONNECT], tls: terminate",
            "[CONNECT]",
            "a tunnel that nobody looks into",
            "name the methods",
        ),
        ("host: a.test, scheme: http, tls: terminate", "terminate", "is for https", "delete the key"),
        (
            "host: a.test, methods: [CONNECT], paths: [/v1]",
            "[/v1]",
            "cannot be granted for some paths",
            "without paths",
        ),
        (
            "host: a.test, methods: [CONNECT], credentials: [A]",
            "[A]",
            "a tunnel carries no credential",
            "delete the key",
        ),
        ("host: a.test, tls: terminat", "terminat", "no value of tls", "terminate"),
    ] {
        refused(&rule(text), place(&rule(text), mark), message, instead);
    }
    for text in [
        "host: a.test, tls: terminate, paths: [/v1], credentials: [A]",
        "host: a.test, methods: [CONNECT]",
        "host: a.test, scheme: http, paths: [/v1]",
        "url: '${input.url}', tls: terminate",
        "url: '${input.url}', methods: [CONNECT]",
        "url: '${input.url}', scheme: http",
        "url: 'http://a.test'",
    ] {
        taken(&rule(text));
    }
    refused(
        "http: [{host: a.test, tls: terminate}]",
        (4, 27),
        "\"tls\" has no place in this http rule",
        "under session.http",
    );
    let both = "session:\n  on: [docker]\n  image: i\n  http:\n  - {host: '*.a.test', tls: terminate}\n  - {host: '*.a.test', methods: \
                [CONNECT]}";
    refused(
        both,
        (9, 9),
        "a tunnel to https://*.a.test is never opened: the rule on line 8",
        "delete one of the two",
    );
    taken(&both.replace("'*.a.test', tls", "'b.a.test', tls"));
    refused(&rule("url: any, tls: terminate"), (7, 20), "belongs in a ceiling", "");
}

#[test]
fn a_session_that_cannot_be_is_refused_where_it_stands() {
    let later = "a later version has it";
    for (lines, at, message, instead) in [
        ("session: {image: i}", (4, 14), "\"on\" is missing from this session", ""),
        ("session: {on: [], image: i}", (4, 19), "with nothing that makes sandboxes", "delete the session"),
        ("session: {on: [docker, kubernetes], image: i}", (4, 28), "in version 1 of the manifest", later),
        ("session: {on: [openshell], image: i}", (4, 20), "in version 1 of the manifest", later),
        ("session: {on: [dockr], image: i}", (4, 20), "no value of on", "did you mean \"docker\"?"),
        ("session: {on: [docker, docker], image: i}", (4, 28), "docker is here twice", ""),
        ("session: {on: docker, image: i}", (4, 19), "must be a list", "[ … ]"),
        (
            "session: {on: [process, docker], files: {read_only: [/usr]}}",
            (4, 29),
            "this session names none",
            "under \"image\"",
        ),
        ("session: {on: [process]}", (4, 5), "made of what files.read_only names", "or an image"),
        ("session: {on: [docker], image: 'python:3'}", (4, 36), "has no tag", ""),
        ("session: {on: [docker], image: i, idle: 2h}", (4, 45), "idle is between 0ms and 1h", ""),
        ("session: {on: [docker], image: i, idle: 60}", (4, 45), "is not a time", ""),
        ("session: {on: [docker], image: i, lifetime: 25h}", (4, 49), "lifetime is between 1s and 1d", ""),
        ("session: {on: [docker], image: i, warm: 17}", (4, 45), "warm is between 0 and 16, not 17", ""),
        ("session: {on: [docker], image: i, warm: -1}", (4, 45), "warm is between 0 and 16, not -1", ""),
        ("session: {on: [docker], image: i, warm: yes}", (4, 45), "\"warm\" must be a whole number", ""),
        (
            "session: {on: [docker], image: i, lifetim: 1h}",
            (4, 39),
            "unknown key",
            "did you mean \"lifetime\"?",
        ),
        (
            "session: {on: [docker], image: i, limits: {}}",
            (4, 39),
            "has no place in this session",
            "the entry's own limits",
        ),
        (
            "session: {on: [docker], image: i, env: {A: '${vault:B}'}}",
            (4, 48),
            "values are taken as they stand",
            "",
        ),
        ("limits: {cpus: 2}", (4, 14), "\"cpus\" has no place in this limits", "cpu_millis"),
        ("workspace: false", (4, 16), "must be true", ""),
    ] {
        refused(lines, at, message, instead);
    }
    let files = |files: &str| format!("session:\n  on: [docker]\n  image: i\n  files: {{{files}}}");
    for (text, mark, message, instead) in [
        ("read_only: [/]", "/]", "the whole file system", ""),
        ("read_only: [usr]", "usr", "is not a plain absolute path", "such as /sandbox"),
        ("read_only: [/a/../b]", "/a/..", "is not a plain absolute path", ""),
        ("read_write: ['/a/${input.x}']", "'/a/$", "is not a plain absolute path", ""),
        ("read_only: [/a, /a/]", "/a/]", "/a is here twice", ""),
        (
            "read_write: [/a], read_only: [/a]",
            "/a]}",
            "in which it lies, is read-write",
            "give both one mode",
        ),
        ("read_write: [/a], read_only: [/a/b]", "/a/b", "/a/b is read-only, and /a", "give both one mode"),
        ("read_write: [/proc/self]", "/proc", "/proc is the sandbox's own", "read_only"),
        ("readonly: [/a]", "readonly", "unknown key", "did you mean \"read_only\"?"),
    ] {
        refused(&files(text), place(&files(text), mark), message, instead);
    }
    refused(&files("read_write: [/etc]"), (7, 28), "/etc is the sandbox's own", "");
    refused(&files("read_write: [/dev]"), (7, 28), "/dev is the sandbox's own", "");
    taken(&files("read_write: [/usr/local/x, /dev/shm], read_only: [/usr, /proc, /dev, /etc]"));
    let many = |most: usize| {
        format!("read_only: [{}]", (0..most).map(|n| format!("/{n}")).collect::<Vec<_>>().join(", "))
    };
    taken(&files(&many(100)));
    let hundred = files(&many(101));
    refused(&hundred, place(&hundred, "/100"), "read_only has more than 100 paths", "");
    taken("session: {on: [process], files: {read_only: [/usr]}, idle: 0s, lifetime: 24h, warm: 16}");
}
