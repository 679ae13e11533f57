//! Sessions in words, below a ceiling, and in edits.

use super::commands::TOOL;
use super::*;

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
    for has in ["no sessions", "no credentials", "no artifacts"] {
        assert!(!may_not[0].0.contains(has), "{has}: {may_not:?}");
    }
    let (may, may_not) = said(
        "version: 1\npacks:\n  a:\n    session: {on: [process], files: {read_only: [/usr]}, idle: 0s}\n",
    );
    assert_eq!(may[0], ("start a sandbox on process, made of this machine's own files".into(), 4));
    assert_eq!(may[2].0, "keep a sandbox until its call ends, and no longer than 1h");
    let (warm, _) =
        said("version: 1\npacks:\n  a:\n    session:\n      on: [docker]\n      image: i\n      warm: 2\n");
    assert_eq!(warm[2], ("find up to 2 sandboxes ready, each for one caller alone".into(), 7));
    assert_eq!(may_not[0].0, "reach anything from inside its sandbox: session has no http");
    let text = format!("version: 1\npacks:\n  a:\n    {}", TOOL.replace('\n', "\n    "));
    let words = "run [\"/usr/local/bin/tool\", \"--json\"] in its sandbox, with its input on standard input: that program is the pack";
    let (may, _) = said(&text);
    assert!(may.contains(&(words.to_owned(), 5)), "{may:?}");
    assert!(!may.last().unwrap().0.contains("64MiB of memory,"), "a command has no component: {may:?}");
}

#[test]
fn the_examples_of_the_book_are_manifests() {
    let book = include_str!("../../../../docs/src/manifest.md");
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
    assert_eq!((entries.len(), whole.len()), (4, 2), "examples have come or gone");
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
    for (key, message) in [
        ("image: a", "a list: \\\"images\\\""),
        ("tls: x", "unknown key"),
        ("warm: 2", "for each entry to say"),
    ] {
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
    let ready = "find up to 1 sandbox ready, each for one caller alone";
    assert_eq!(
        change("idle: 90s", "idle: 90s\n      warm: 1"),
        (one(ready), vec![], false, false),
        "fewer take nothing away"
    );
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
