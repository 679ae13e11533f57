//! Sandboxes, workspaces and packs that are a program: what may be said of them, and what it grants.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::time::Duration;

use packhost_manifest::{
    Cases, Decision, Diagnostic, Entry, Grants, HostVars, Limits, Manifest, Origin, Sentence, SessionBackend,
    Source, diff, explain, exposes, schema,
};
use serde_json::json;
use url::Url;

const PYTHON: &str = "\
version: 1
packs:
  python.run:
    session:
      on: [process, docker]
      image: packhost/python
      files: { read_write: [/sandbox/, /tmp], read_only: [/usr, /lib, /etc/ssl] }
      http:
        - { host: pypi.org, methods: [GET], paths: [/simple/**], tls: terminate, credentials: [PYPI] }
        - { host: pinned.test, methods: [CONNECT] }
        - { host: plain.test, scheme: http, methods: [GET, POST] }
        - { host: \"${input.mirror}.mirror.test\", tls: terminate }
      env: { TZ: UTC }
      idle: 90s
    workspace: true
    limits: { time: 60s, sandbox_memory: 1GiB, processes: 32, cpu_millis: 1500 }
";

fn operator(text: &str) -> Source {
    Source { name: "a.yaml".into(), text: text.into(), origin: Origin::Operator }
}

fn manifest(text: &str) -> Manifest {
    Manifest::parse(&[operator(text)]).unwrap_or_else(|errors| panic!("{errors}"))
}

fn vars() -> HostVars {
    HostVars { state: "/state".into(), home: None }
}

fn only(manifest: &Manifest) -> Entry {
    manifest.entries().next().unwrap().clone()
}

fn grants(text: &str) -> Grants {
    only(&manifest(text)).narrow(&json!({ "mirror": "eu" }), &vars())
}

/// The errors of an entry of which each line is written below `packs:`, `a:`, so that its first line is line 4.
fn errors(lines: &str) -> Vec<Diagnostic> {
    let text = format!("version: 1\npacks:\n  a:\n    {}", lines.replace('\n', "\n    "));
    Manifest::parse(&[operator(&text)]).map_or_else(|errors| errors.0, |_| Vec::new())
}

fn refused(lines: &str, at: (u32, u32), message: &str, suggestion: &str) {
    let errors = errors(lines);
    let [error] = errors.as_slice() else { panic!("{lines}: {} errors: {errors:#?}", errors.len()) };
    assert!(error.message.contains(message), "{lines}: {error}");
    assert!(error.suggestion.as_deref().unwrap_or_default().contains(suggestion), "{lines}: {error}");
    assert_eq!((error.line, error.column), at, "{lines}: {error}");
}

/// The place of `mark` in what [`refused`] takes: it stands there once.
fn place(lines: &str, mark: &str) -> (u32, u32) {
    let mut found = lines.lines().zip(4..).filter_map(|(line, at)| Some((at, line.find(mark)?)));
    let (line, column) = found.next().unwrap_or_else(|| panic!("{lines}: no {mark}"));
    (line, u32::try_from(column).unwrap() + 5)
}

fn taken(lines: &str) {
    let errors = errors(lines);
    assert!(errors.is_empty(), "{lines}: {errors:#?}");
}

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
        ("session: {on: [docker], image: i, lifetime: 25h}", (4, 49), "lifetime is between 1s and 24h", ""),
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
    taken("session: {on: [process], files: {read_only: [/usr]}, idle: 0s, lifetime: 24h}");
}

const TOOL: &str = "\
session: {on: [docker], image: tools}
command:
  run: [/usr/local/bin/tool, --json]
  title: Tool
  description: Does it.
  input: {type: object, properties: {a: {type: string}}}
  output: {type: object}
  examples: [{a: b}]";

#[test]
fn a_command_is_a_pack_without_a_component() {
    let text = format!("version: 1\npacks:\n  a:\n    {}", TOOL.replace('\n', "\n    "));
    let command = only(&manifest(&text)).command.unwrap();
    assert_eq!(command.run, ["/usr/local/bin/tool", "--json"]);
    assert_eq!((command.title.as_deref(), command.description.as_str()), (Some("Tool"), "Does it."));
    assert_eq!(command.input, json!({ "type": "object", "properties": { "a": { "type": "string" } } }));
    assert_eq!(
        (command.output, command.examples),
        (Some(json!({ "type": "object" })), vec![json!({ "a": "b" })])
    );
    assert_eq!(command.place.line, 5);
    let with = |old: &str, new: &str| {
        assert!(TOOL.contains(old), "{old}");
        TOOL.replace(old, new)
    };
    for (lines, at, message, instead) in [
        (
            with("session: {on: [docker], image: tools}\n", ""),
            (4, 5),
            "this entry has no session",
            "add \"session\"",
        ),
        (with("[/usr/local/bin/tool, --json]", "[]"), (6, 12), "\"run\" is empty", "name the program"),
        (with("[/usr/local/bin/tool, --json]", "[tool, '${input.a}']"), (6, 19), "as they stand", ""),
        (with("[/usr/local/bin/tool, --json]", "['']"), (6, 13), "no name", ""),
        (with("[/usr/local/bin/tool, --json]", "[tool, 5]"), (6, 19), "must be a text", "in quotes"),
        (with("  description: Does it.\n", ""), (6, 7), "\"description\" is missing", ""),
        (with("Does it.", "' '"), (8, 20), "\"description\" is empty", ""),
        (
            with("  input: {type: object, properties: {a: {type: string}}}\n", ""),
            (6, 7),
            "\"input\" is missing",
            "",
        ),
        (with("{type: object, properties: {a: {type: string}}}", "[]"), (9, 14), "must be a map", ""),
        (with("{a: {type: string}}", "{a: {}, a: {}}"), (9, 49), "\"a\" is here twice", ""),
        (TOOL.replace("title", "titel"), (7, 7), "unknown key", "did you mean \"title\"?"),
        (format!("{TOOL}\nhttp: []"), (12, 5), "\"http\" is for a component", "under session.http"),
        (format!("{TOOL}\nask: [user]"), (12, 5), "\"ask\" is for a component", "delete the key"),
    ] {
        refused(&lines, at, message, instead);
    }
    refused(&with("title: Tool", &format!("title: {}", "a".repeat(101))), (7, 14), "at most 100 bytes", "");
    let many = format!("[{}]", vec!["a"; 65].join(", "));
    refused(&with("[/usr/local/bin/tool, --json]", &many), (6, 12), "more than 64 texts", "");
}

#[test]
fn a_session_is_explained_with_its_lines() {
    let said = |text: &str| {
        let manifest = manifest(text);
        let explained = explain(&manifest, &manifest.entries().next().unwrap().pack);
        let line = |one: &Sentence| (one.text.clone(), one.place.as_ref().map_or(0, |place| place.line));
        let lines = |all: &[Sentence]| all.iter().map(line).collect::<Vec<_>>();
        (lines(&explained.may), lines(&explained.may_not))
    };
    let (may, may_not) = said(PYTHON);
    let expected = [
        ("start a sandbox on process or else docker, from image packhost/python", 5),
        ("in its sandbox, write /sandbox and /tmp, and read /etc/ssl, /lib and /usr", 7),
        (
            "from inside its sandbox, send GET to https://pypi.org, path /simple/**, with PYPI of the vault, where bound, the host \
             ending its TLS",
            9,
        ),
        (
            "from inside its sandbox, send CONNECT to https://pinned.test, CONNECT being tunnels that the host does not see into",
            10,
        ),
        ("from inside its sandbox, send GET and POST to http://plain.test", 11),
        (
            "from inside its sandbox, send GET and HEAD to https://${input.mirror}.mirror.test, the host ending its TLS",
            12,
        ),
        ("in its sandbox, see TZ in the environment", 13),
        (
            "keep an unused sandbox for 90s, for the same caller and workspace, and none for longer than 1h",
            14,
        ),
        ("work in a workspace of at most 256MiB, which \"workspace\" of the input names", 15),
        (
            "use at most 1m a call, 64MiB of memory, 1MiB output, 8 requests, 10MiB transfer, 32 processes, 1GiB of memory in a \
             sandbox, 256MiB disk, 1500 thousandths of a processor, 64 execs and 4 sandboxes for each caller",
            16,
        ),
    ];
    assert_eq!(may, expected.map(|(text, line)| (text.to_owned(), line)));
    assert!(!may_not[0].0.contains("no sessions") && !may_not[0].0.contains("no credentials"), "{may_not:?}");
    let (may, may_not) = said(
        "version: 1\npacks:\n  a:\n    session: {on: [process], files: {read_only: [/usr]}, idle: 0s}\n",
    );
    assert_eq!(may[0], ("start a sandbox on process, made of this machine's own files".into(), 4));
    assert_eq!(may[2].0, "keep a sandbox until its call ends, and no longer than 1h");
    assert_eq!(may_not[0].0, "reach anything from inside its sandbox: session has no http");
    let text = format!("version: 1\npacks:\n  a:\n    {}", TOOL.replace('\n', "\n    "));
    let words = "run [\"/usr/local/bin/tool\", \"--json\"] in its sandbox, with its input on standard input: that program is the pack";
    let (may, _) = said(&text);
    assert!(may.contains(&(words.to_owned(), 5)), "{may:?}");
    assert!(!may.last().unwrap().0.contains("64MiB of memory,"), "a command has no component: {may:?}");
}

#[test]
fn the_examples_of_the_book_are_manifests() {
    let book = include_str!("../../../docs/src/manifest.md");
    let blocks: Vec<&str> =
        book.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let entries: Vec<&&str> = blocks.iter().filter(|block| block.starts_with("packs:\n")).collect();
    for block in &entries {
        manifest(&format!("version: 1\n{block}"));
    }
    let whole: Vec<&&str> = blocks.iter().filter(|block| block.starts_with("version: 1\n")).collect();
    whole.iter().for_each(|block| drop(manifest(block)));
    let cases = blocks.iter().find(|block| block.starts_with("- { pack:")).unwrap();
    Cases::parse(&operator(cases)).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!((entries.len(), whole.len()), (3, 2), "examples have come or gone");
}

/// The ceiling of which each part is taken away in turn.
const CEILING: [&str; 8] = [
    "on: [process, docker]",
    "images: [packhost/python]",
    "files: { read_write: [/sandbox, /tmp], read_only: [/usr, /lib, /etc] }",
    "http: [{ host: pypi.org, paths: [/simple/**], credentials: [PYPI] }, { host: '*.mirror.test' }, { host: pinned.test, methods: \
     [CONNECT] }, { host: plain.test, scheme: http, methods: [GET, POST] }]",
    "env: [TZ]",
    "idle: 2m",
    "lifetime: 2h",
    "",
];

#[test]
fn what_of_a_session_is_beyond_the_ceiling_is_shown() {
    let under = |parts: &[String], rest: &str| {
        let session = parts.iter().map(|part| format!("    {part}\n")).collect::<String>();
        let text = format!("{PYTHON}ceiling:\n  session:\n{session}{rest}");
        Manifest::parse(&[operator(&text)]).map_err(|errors| errors.to_string())
    };
    let parts = |at: usize, with: &str| {
        let mut parts: Vec<String> = CEILING.map(String::from).into();
        parts[at] = with.into();
        parts
    };
    let workspace = "  workspace: true\n";
    let whole = parts(7, "");
    assert!(under(&whole, workspace).is_ok(), "{:?}", under(&whole, workspace).err());
    assert!(under(&parts(2, "files: { read_write: [/], read_only: [] }"), workspace).is_ok());
    for (at, with, line, message) in [
        (0, "", 5, "may start a sandbox on process"),
        (0, "on: [process]", 5, "may start a sandbox on docker"),
        (1, "", 6, "may start a sandbox from image packhost/python"),
        (2, "", 7, "may in its sandbox, write /sandbox"),
        (
            2,
            "files: { read_write: [/sandbox, /tmp], read_only: [/usr, /lib] }",
            7,
            "may in its sandbox, read /etc/ssl",
        ),
        (2, "files: { read_write: [/tmp], read_only: [/] }", 7, "may in its sandbox, write /sandbox"),
        (3, "", 9, "may from inside its sandbox, send GET https://pypi.org/simple"),
        (4, "", 13, "may in its sandbox, have the environment variable TZ"),
        (5, "idle: 1m", 14, "may keep an unused sandbox for 90s, and the ceiling is 1m"),
    ] {
        let errors = under(&parts(at, with), workspace).err().unwrap_or_else(|| panic!("{with} takes it"));
        assert!(
            errors.contains(message) && errors.starts_with(&format!("a.yaml:{line}:")),
            "{with}: {errors}"
        );
    }
    let rules = CEILING[3].replace("pinned.test, methods: [CONNECT]", "pinned.test");
    let errors = under(&parts(3, &rules), workspace).unwrap_err();
    assert!(errors.contains("from inside its sandbox, send CONNECT https://pinned.test/"), "{errors}");
    let errors = under(&whole, "").unwrap_err();
    assert!(errors.contains("may work in a workspace") && errors.starts_with("a.yaml:15:"), "{errors}");
    let errors = Manifest::parse(&[operator(&format!("{PYTHON}ceiling: {{}}"))]).unwrap_err().to_string();
    assert!(
        errors.contains("may start a sandbox on process or else docker, from image packhost/python"),
        "{errors}"
    );
    let pinned = format!("images: ['packhost/python@sha256:{}']", "0".repeat(64));
    assert!(
        under(&parts(1, &pinned), workspace).is_err(),
        "another build of the name is beyond a pinned one"
    );
    let lowered = only(&under(&parts(6, "lifetime: 30m"), workspace).unwrap()).session.unwrap();
    assert_eq!(lowered.lifetime, Duration::from_secs(1800), "what the entry does not say is lowered");
    for (key, message) in [("image: a", "a list: \\\"images\\\""), ("tls: x", "unknown key")] {
        let errors = under(&parts(7, key), workspace).unwrap_err();
        assert!(errors.contains(&message.replace('\\', "")), "{errors}");
    }
    let rules = "http: [{ host: pypi.org, tls: terminate }]";
    let errors = under(&parts(3, rules), workspace).unwrap_err();
    assert!(errors.contains("\"tls\" has no place in this ceiling http rule"), "{errors}");
}

#[test]
fn an_edit_of_a_session_gains_and_loses_what_it_says() {
    let change = |old: &str, new: &str| {
        let text = PYTHON.replace(old, new);
        assert_ne!(text, PYTHON, "{old}");
        let (before, after) = (manifest(PYTHON), manifest(&text));
        assert_ne!(before.revision(), after.revision(), "{old}");
        let pack = diff(&before, &after).packs.remove(0);
        let loses = only(&before).loses_under(&only(&after));
        (pack.gained, pack.lost, loses, only(&after).loses_under(&only(&before)))
    };
    let one = |text: &str| vec![text.to_owned()];
    let fact = "in its sandbox, write /opt";
    assert_eq!(change("/tmp]", "/tmp, /opt]"), (one(fact), vec![], false, true));
    assert_eq!(
        change("idle: 90s", "idle: 30s"),
        (vec![], one("keep an unused sandbox for 30s (before: 90s)"), true, false)
    );
    let lifetime = "keep a sandbox for 2h (before: 1h)";
    assert_eq!(change("idle: 90s", "idle: 90s\n      lifetime: 2h"), (one(lifetime), vec![], false, true));
    let rule = "from inside its sandbox, send POST https://pypi.org /simple/**";
    let (gained, lost, loses, back) = change("pypi.org, methods: [GET]", "pypi.org, methods: [GET, POST]");
    assert_eq!(
        (gained.first().map(String::as_str), gained.len(), lost.len()),
        (Some("from inside its sandbox, put PYPI into POST https://pypi.org /simple/**"), 2, 0)
    );
    assert!(gained.contains(&rule.to_owned()) && !loses && back);
    let (gained, lost, loses, back) = change("[process, docker]", "[docker, process]");
    assert_eq!((gained.len(), lost.len(), loses, back), (1, 1, false, false), "the order is a preference");
    let (_, lost, loses, _) = change("[process, docker]", "[process]");
    assert!(lost.contains(&"start a sandbox on docker, from image packhost/python".to_owned()) && loses);
    let (_, _, loses, back) =
        change("packhost/python", &format!("packhost/python@sha256:{}", "0".repeat(64)));
    assert!(loses && !back, "pinned to one build");
    let (_, _, loses, back) = change("TZ: UTC", "TZ: CET");
    assert!(loses && back);
    let (gained, _, loses, back) = change("    workspace: true\n", "");
    assert_eq!((gained.len(), loses, back), (0, true, false));
    let ended = "        - { host: late.test, tls: terminate }\n        - { host: plain.test";
    let (gained, lost, loses, _) = change("        - { host: plain.test", ended);
    assert_eq!((gained.len(), lost.len()), (2, 0));
    assert!(loses, "a rule that ends TLS may take a tunnel away");
}

#[test]
fn an_edit_of_a_command_is_another_revision() {
    let entry =
        |text: &str| manifest(&format!("version: 1\npacks:\n  a:\n    {}", text.replace('\n', "\n    ")));
    let old = entry(TOOL);
    for (from, to, loses) in [
        ("--json", "--yaml", true),
        ("Does it.", "Does it well.", false),
        ("{type: string}", "{type: integer}", false),
        ("[{a: b}]", "[{a: c}]", false),
        ("output: {type: object}", "output: {type: array}", false),
    ] {
        let new = entry(&TOOL.replace(from, to));
        assert_ne!(old.revision(), new.revision(), "{from}");
        assert_eq!(only(&old).loses_under(&only(&new)), loses, "{from}");
    }
    assert_eq!(old.revision(), entry(&TOOL.replace("Does it.", "Does it.  # yes")).revision());
}

#[test]
fn cases_ask_for_sandboxes_and_from_inside() {
    let cases = "\
- {pack: python.run, sandbox: process, expect: allow}
- {pack: python.run, sandbox: docker, expect: allow}
- {pack: python.run, inside: true, request: 'GET https://pypi.org/simple/x/', expect: allow}
- {pack: python.run, inside: true, request: 'CONNECT https://pypi.org/', expect: deny}
- {pack: python.run, inside: true, request: 'CONNECT https://pinned.test/', expect: allow}
- {pack: python.run, inside: true, request: 'GET https://pypi.org/simple/x/', address: 10.0.0.1, expect: deny}
- {pack: python.run, request: 'GET https://pypi.org/simple/x/', expect: deny}
- {pack: python.run, inside: true, write: /sandbox/a, expect: allow}
- {pack: python.run, inside: true, write: /usr/a, expect: deny}
- {pack: python.run, inside: true, read: /usr/lib/x, expect: allow}
- {pack: python.run, inside: true, read: /usr/../etc/passwd, expect: deny}
- {pack: python.run, inside: true, read: /etc/passwd, expect: deny}
- {pack: python.run, read: /usr/lib/x, expect: deny}
- {pack: python.run, inside: true, env: TZ, expect: allow}
- {pack: python.run, env: TZ, expect: deny}
";
    let outcomes =
        Cases::parse(&operator(cases)).unwrap_or_else(|errors| panic!("{errors}")).run(&manifest(PYTHON));
    assert!(outcomes.iter().all(|outcome| outcome.passed()), "{outcomes:#?}");
    assert_eq!(outcomes.len(), 15);
    let without = manifest("{version: 1, packs: {python.run: {}}}");
    let outcomes = Cases::parse(&operator(cases)).unwrap().run(&without);
    assert!(outcomes.iter().all(|outcome| outcome.got == packhost_manifest::Expect::Deny), "{outcomes:#?}");
    for bad in [
        "- {pack: a, sandbox: kubernetes, expect: deny}",
        "- {pack: a, sandbox: process, inside: true, expect: deny}",
        "- {pack: a, inside: true, expect: deny}",
    ] {
        assert!(Cases::parse(&operator(bad)).is_err(), "{bad}");
    }
}

#[test]
fn a_sandbox_made_of_the_machine_may_expose_what_is_the_hosts_own() {
    let found = |session: &str| {
        let manifest = manifest(&format!("version: 1\npacks:\n  a:\n    session: {session}\n"));
        let own = ["/s", "/s/cache", "/home/me/.cache/packhost"].map(PathBuf::from);
        let vars = HostVars { state: "/s".into(), home: Some("/home/me".into()) };
        exposes(&manifest, &vars, &own).into_iter().map(|one| (one.path, one.place.line)).collect::<Vec<_>>()
    };
    assert_eq!(found("{on: [process], files: {read_only: [/usr, /home]}}"), [("/home".into(), 4)]);
    assert_eq!(
        found("{on: [docker, process], image: i, files: {read_only: [/s/cache]}}"),
        [("/s/cache".into(), 4)]
    );
    assert_eq!(found("{on: [docker], image: i, files: {read_only: [/home]}}"), []);
    assert_eq!(
        found("{on: [process], files: {read_only: [/usr], read_write: [/home]}}"),
        [],
        "that is empty inside"
    );
}

#[test]
fn the_schema_takes_sessions_and_refuses_what_the_parser_refuses() {
    let schema = schema();
    let validator = jsonschema::draft202012::options().build(&schema).unwrap();
    let as_json = |text: &str| serde_saphyr::from_str::<serde_json::Value>(text).unwrap();
    let tool = format!("version: 1\npacks:\n  a:\n    {}", TOOL.replace('\n', "\n    "));
    let ceiling =
        format!("version: 1\nceiling:\n  workspace: true\n  session:\n    {}\n", CEILING[..7].join("\n    "));
    for good in [PYTHON, &tool, &ceiling] {
        let errors: Vec<String> =
            validator.iter_errors(&as_json(good)).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{good}: {errors:?}");
        manifest(good);
    }
    for bad in [
        "{session: {on: [kubernetes], image: i}}",
        "{session: {on: [docker], image: 'I:1'}}",
        "{session: {on: [docker], image: i, files: {read_only: [usr]}}}",
        "{session: {on: [docker], image: i, idle: 60}}",
        "{session: {on: [docker], image: i, http: [{host: a.test, tls: passthrough}]}}",
        "{http: [{host: a.test, tls: terminate}]}",
        "{workspace: false}",
        "{session: {on: [docker], image: i}, command: {run: [a], description: b}}",
        "{session: {on: [docker], image: i}, command: {run: [a], description: b, input: 5}}",
        "{limits: {processes: 0}}",
        "{limits: {cpus: 1}}",
    ] {
        let text = format!("{{version: 1, packs: {{a: {bad}}}}}");
        assert!(!validator.is_valid(&as_json(&text)), "the schema takes {bad}");
        assert!(Manifest::parse(&[operator(&text)]).is_err(), "the parser takes {bad}");
    }
}
