//! `packhost vault`: how a value comes in, that it never comes out, and where it may be used.

mod keys;
mod transfer;

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use packhost_tests::host::{Ran, Setup};
use serde_json::{Value, json};

/// What must never be seen again.
const VALUE: &str = "marker-7f3a91c2-not-a-real-token";
const BOUND: [&str; 6] =
    ["--host", "api.github.com", "--header", "Authorization:Bearer", "--pack", "github.*"];

fn fed(mut command: Command, stdin: &[u8]) -> Ran {
    let mut child = command.stdin(Stdio::piped()).spawn().expect("the binary starts");
    // One that refuses its command line reads nothing.
    let _ = child.stdin.take().expect("it is piped").write_all(stdin);
    Ran::from(child.wait_with_output().expect("it ends"))
}

fn set(setup: &Setup, name: &str, value: &str, bound: &[&str]) -> Ran {
    fed(setup.command([&["--json", "vault", "set", name], bound].concat()), value.as_bytes())
}

/// A vault with one credential.
fn kept(name: &str) -> Setup {
    let setup = Setup::new();
    let ran = set(&setup, name, VALUE, &BOUND);
    assert_eq!(ran.code, 0, "{ran:?}");
    setup
}

fn vault(setup: &Setup, words: &[&str]) -> Ran {
    setup.run([&["--json", "vault"], words].concat())
}

fn names(setup: &Setup) -> Vec<String> {
    let listed = vault(setup, &["list"]).json();
    let rows = listed["credentials"].as_array().expect("a list").iter();
    rows.map(|row| row["name"].as_str().expect("a name").to_owned()).collect()
}

fn code(ran: &Ran) -> (i32, Value) {
    (ran.code, ran.json()["error"]["code"].clone())
}

fn message(ran: &Ran) -> String {
    let error = ran.json()["error"].clone();
    format!("{} {}", error["message"].as_str().unwrap_or_default(), error["fix"].as_str().unwrap_or_default())
}

#[test]
fn a_value_comes_from_stdin_and_is_never_shown() {
    let setup = Setup::new().args(["--log", "trace"]);
    let mut runs = vec![set(&setup, "GITHUB_TOKEN", VALUE, &BOUND)];
    assert_eq!(runs[0].code, 0, "{runs:?}");
    for words in [
        &["list"][..],
        &["show", "GITHUB_TOKEN"],
        &["uses"],
        &["verify"],
        &["bind", "GITHUB_TOKEN", "--bind", &github().to_string()],
        &["rotate", "--master"],
        &["rm", "GITHUB_TOKEN", "--yes"],
    ] {
        for json in [true, false] {
            // The text of what was done says as much as its JSON, and nothing is there to be forgotten twice.
            let words: Vec<&str> = ["--json"]
                .into_iter()
                .filter(|_| json)
                .chain(["vault"])
                .chain(words.iter().copied())
                .collect();
            let ran = setup.run(&words);
            assert!(ran.code == 0 || words.contains(&"rm"), "{words:?}: {ran:?}");
            runs.push(ran);
        }
    }
    for ran in &runs {
        assert!(!ran.stdout.contains("marker") && !ran.stderr.contains("marker"), "{ran:?}");
    }
}

#[test]
fn a_value_is_not_in_what_other_processes_see() {
    let setup = Setup::new();
    let mut command = setup.command([&["vault", "set", "GITHUB_TOKEN"], &BOUND[..]].concat());
    let mut child = command.stdin(Stdio::piped()).spawn().expect("the binary starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(VALUE.as_bytes()).expect("it reads");
    // It waits for the end of stdin.
    for file in ["cmdline", "environ"] {
        let seen = fs::read(format!("/proc/{}/{file}", child.id())).expect("it runs");
        assert!(!String::from_utf8_lossy(&seen).contains("marker"), "{file}");
    }
    drop(stdin);
    let ran = Ran::from(child.wait_with_output().expect("it ends"));
    assert_eq!(ran.code, 0, "{ran:?}");
    for entry in fs::read_dir(setup.state()).expect("it was made") {
        let path = entry.expect("readable").path();
        let bytes = if path.is_file() { fs::read(&path).expect("readable") } else { Vec::new() };
        assert!(!String::from_utf8_lossy(&bytes).contains("marker"), "{}", path.display());
    }
}

fn github() -> Value {
    let header = json!({ "header": { "name": "authorization", "scheme": "Bearer" } });
    json!({ "hosts": ["api.github.com"], "places": [header], "packs": ["github.*"] })
}

#[test]
fn a_program_gets_all_that_may_be_known() {
    let setup = kept("GITHUB_TOKEN");
    let shown = vault(&setup, &["show", "GITHUB_TOKEN"]).json();
    let keys: Vec<&String> = shown.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["name", "version", "bindings", "master_key", "created", "changed"]);
    assert_eq!((&shown["name"], &shown["version"]), (&json!("GITHUB_TOKEN"), &json!(1)));
    assert_eq!(shown["bindings"], json!([github()]));
    assert_eq!(shown["master_key"].as_str().map(str::len), Some(16), "{shown}");
    assert_eq!(shown["created"], shown["changed"], "{shown}");
    assert_eq!(vault(&setup, &["list"]).json(), json!({ "credentials": [shown] }));
}

#[test]
fn a_person_is_told_where_it_may_be_used_in_words() {
    let setup = kept("GITHUB_TOKEN");
    let list = setup.run(["vault", "list"]);
    assert_eq!(list.code, 0, "{list:?}");
    for words in ["GITHUB_TOKEN", "v1", "github.*", "api.github.com, in the header authorization as Bearer"] {
        assert!(list.stdout.contains(words), "{words} is not in {}", list.stdout);
    }
    let show = setup.run(["vault", "show", "GITHUB_TOKEN"]);
    assert!(show.stdout.contains("its value is not shown"), "{}", show.stdout);
    let empty = Setup::new().run(["vault", "list"]);
    assert!(empty.code == 0 && empty.stdout.contains("no credentials"), "{empty:?}");
}

#[test]
fn a_value_on_the_command_line_is_refused_and_not_repeated() {
    let setup = Setup::new();
    for words in [
        &["vault", "set", "A", VALUE, "--host", "a.example"][..],
        &["vault", "set", "A", &format!("--value={VALUE}")],
        &["vault", "rotate", "A", VALUE],
        &["--vault-key", VALUE, "vault", "list"],
        &["--vault-key", &format!("env:A={VALUE}"), "vault", "list"],
    ] {
        let text = setup.run(words);
        assert_eq!((text.code, text.stdout.as_str()), (2, ""), "{text:?}");
        assert!(!text.stderr.contains("marker"), "{}", text.stderr);
        let said = setup.run([&["--json"], words].concat());
        assert_eq!(code(&said), (2, json!("wrong_command_line")));
        assert!(!said.stdout.contains("marker"), "{said:?}");
    }
    let said = vault(&setup, &["set", "A", VALUE]);
    assert!(message(&said).contains("stdin"), "it says where: {said:?}");
    let source = setup.command(["--json", "vault", "list"]).env("PACKHOST_VAULT_KEY", VALUE).output();
    let ran = Ran::from(source.expect("the binary starts"));
    assert_eq!(code(&ran), (2, json!("wrong_command_line")), "it names a source, and is not the key");
    assert!(!ran.stdout.contains("marker"), "{ran:?}");
}

#[test]
fn what_cannot_be_a_value_is_10() {
    let setup = Setup::new();
    for (value, words) in [
        (&b""[..], "empty"),
        (b"\n", "empty"),
        (b"   \n", "empty"),
        (b"short\n", "shorter than 8"),
        (b"two lines\nof it\n", "control character"),
        (b"a line break more\n\n", "control character"),
        (b"a bell \x07 in it", "control character"),
        (b"not text \xff\xfe", "UTF-8"),
        (b"${vault:OTHER}", "placeholder"),
        (&[b'a'; 20_000], "longer than 16384"),
    ] {
        let ran = fed(setup.command([&["--json", "vault", "set", "A"], &BOUND[..]].concat()), value);
        assert_eq!(code(&ran), (10, json!("invalid_input")), "{ran:?}");
        assert!(message(&ran).contains(words), "{words}: {ran:?}");
    }
    assert_eq!(names(&setup), Vec::<String>::new());
    for value in ["its line break is cut off\n", "also this one\r\n", "nothing to cut"] {
        assert_eq!(set(&setup, "A", value, &BOUND).code, 0, "{value:?}");
    }
}

#[test]
fn a_name_that_is_none_is_a_wrong_command_line() {
    let setup = Setup::new();
    for name in ["", "1A", "_A", "A B", "Ä", "A}", &"A".repeat(65)] {
        let ran = set(&setup, name, VALUE, &BOUND);
        assert_eq!(code(&ran), (2, json!("wrong_command_line")), "{name:?}");
    }
}

#[test]
fn what_is_not_there_is_13() {
    let setup = kept("A");
    let bind = github().to_string();
    for words in [
        &["show", "NO_SUCH"][..],
        &["bind", "NO_SUCH", "--bind", &bind],
        &["rm", "NO_SUCH", "--yes"],
        &["rotate", "NO_SUCH"],
        &["uses", "NO_SUCH"],
    ] {
        let ran = vault(&setup, words);
        assert_eq!(code(&ran), (13, json!("not_found")), "{words:?}: {ran:?}");
        assert!(message(&ran).contains("NO_SUCH") && message(&ran).contains("vault list"), "{ran:?}");
    }
}

#[test]
fn a_credential_without_a_binding_is_refused_with_an_example_that_works() {
    let setup = Setup::new();
    let ran = set(&setup, "GITHUB_TOKEN", VALUE, &[]);
    assert_eq!(code(&ran), (10, json!("invalid_input")));
    let fix = ran.json()["error"]["fix"].as_str().expect("a fix").to_owned();
    let example = fix.strip_prefix("For example: packhost ").and_then(|line| line.strip_suffix(" < FILE"));
    let example = example.expect("a command").replace('\'', "");
    let done = fed(setup.command(example.split(' ')), VALUE.as_bytes());
    assert_eq!(done.code, 0, "{example}: {done:?}");
    assert_eq!(vault(&setup, &["show", "GITHUB_TOKEN"]).json()["bindings"], json!([github()]));
    assert_eq!(code(&vault(&setup, &["bind", "GITHUB_TOKEN"])), (10, json!("invalid_input")));
    for (bound, words) in [
        (&BOUND[..4], "--pack"),
        (&BOUND[2..], "--host"),
        (&["--host", "a.example", "--pack", "web.*"], "--header, --query, --path or --body"),
        (&["--bind", "{}"], "hosts"),
        (&["--bind", "nonsense"], "--bind"),
        (&["--host", "a.example", "--pack", "web.*", "--header", "user-agent"], "user-agent"),
        (&["--host", "https://a.example/", "--pack", "web.*", "--body"], "host"),
    ] {
        let ran = set(&setup, "OTHER", VALUE, bound);
        assert_eq!(code(&ran), (10, json!("invalid_input")), "{bound:?}: {ran:?}");
        assert!(message(&ran).contains(words), "{bound:?}: {ran:?}");
    }
    assert_eq!(names(&setup), ["GITHUB_TOKEN"]);
}

#[test]
fn another_value_keeps_the_bindings_and_other_bindings_replace_them() {
    let setup = kept("A");
    let about = set(&setup, "A", "another-value-of-it", &[]).json();
    assert_eq!((&about["version"], &about["bindings"]), (&json!(2), &json!([github()])));
    let rotated = fed(setup.command(["--json", "vault", "rotate", "A"]), b"yet-another-value");
    assert_eq!(rotated.json()["version"], 3, "{rotated:?}");
    let options = [
        "--host",
        "a.example",
        "--query",
        "key",
        "--pack",
        "web.scrape",
        "--method",
        "GET",
        "--port",
        "8443",
    ];
    let bound = vault(&setup, &[&["bind", "A", "--caller", "local"], &options[..]].concat()).json();
    let other = json!({ "hosts": ["a.example"], "ports": [8443], "methods": ["GET"],
        "places": [{ "query": { "name": "key" } }], "packs": ["web.scrape"], "callers": ["local"] });
    assert_eq!((&bound["version"], &bound["bindings"]), (&json!(4), &json!([other])));
    let both = set(&setup, "A", VALUE, &[&BOUND[..], &["--bind", &other.to_string()]].concat()).json();
    assert_eq!((&both["version"], &both["bindings"]), (&json!(5), &json!([other, github()])));
    let plain = vault(&setup, &[&["bind", "A", "--allow-plain"], &BOUND[..]].concat()).json();
    assert_eq!(
        (&plain["bindings"][0]["plain"], &plain["bindings"][0]["ports"]),
        (&json!(true), &json!([443, 80]))
    );
}

#[test]
fn a_credential_is_forgotten_when_somebody_says_so() {
    let setup = kept("A");
    let unasked = vault(&setup, &["rm", "A"]);
    assert_eq!(code(&unasked), (1, json!("command_failed")));
    assert!(message(&unasked).contains("--yes"), "{unasked:?}");
    assert_eq!(names(&setup), ["A"]);
    let removed = vault(&setup, &["rm", "A", "--yes"]);
    assert_eq!((removed.code, removed.json()), (0, json!({ "name": "A", "removed": true })));
    assert_eq!(names(&setup), Vec::<String>::new());
}

#[test]
fn packs_that_could_use_it_are_named_with_the_line_that_lets_them() {
    let policy = "version: 1\npacks:\n  web.scrape: { http: [{ host: a.example, credentials: [A] }] }\n  http.fetch: {}\n";
    let setup = Setup::new().policy(policy);
    let bound = ["--host", "a.example", "--header", "x-key", "--pack", "web.*", "--pack", "http.fetch"];
    assert_eq!(set(&setup, "A", VALUE, &bound).code, 0);
    let elsewhere = ["--host", "a.example", "--header", "x-key", "--pack", "jira.*"];
    assert_eq!(set(&setup, "B", VALUE, &elsewhere).code, 0);
    let uses = vault(&setup, &["uses"]).json();
    let used = |index: usize| uses["credentials"][index].clone();
    let place = format!("{}:3", setup.policy_file().display());
    let words = "a.example, in the header x-key";
    let fetch = json!({ "pack": "http.fetch", "uses": words, "manifest": null });
    let scrape = used(0)["packs"].as_array().and_then(|packs| packs.last()).cloned();
    assert_eq!(scrape, Some(json!({ "pack": "web.scrape", "uses": words, "manifest": place })), "{uses}");
    assert_eq!((&used(0)["name"], &used(0)["packs"][0]), (&json!("A"), &fetch), "{uses}");
    assert_eq!(used(1), json!({ "name": "B", "packs": [] }), "no pack of that family ships");
    let text = setup.run(["vault", "uses", "A"]).stdout;
    assert!(
        text.contains(&format!("granted by {place}")) && text.contains("no rule of the manifest"),
        "{text}"
    );
}

#[test]
fn packs_show_says_which_credentials_a_pack_may_use_and_what_is_missing() {
    let policy = "version: 1\npacks:\n  github.search:\n    http:\n    - { host: api.github.com, credentials: [BOUND, ELSEWHERE] }\n    \
                  - { host: other.example, credentials: [ABSENT] }\n    config: { credential: BOUND }\n";
    let setup = Setup::new().policy(policy).warmed();
    let show = || setup.run(["--json", "packs", "show", "github.search"]).json()["credentials"].clone();
    let absent = show();
    assert_eq!(absent.as_array().map(Vec::len), Some(3), "{absent}");
    assert!(!setup.state().join("state.db").exists(), "looking makes no database");

    assert_eq!(set(&setup, "BOUND", VALUE, &BOUND).code, 0);
    let elsewhere = ["--host", "api.github.com", "--header", "Authorization:Bearer", "--pack", "http.fetch"];
    assert_eq!(set(&setup, "ELSEWHERE", VALUE, &elsewhere).code, 0);
    let place = |line: u32| format!("{}:{line}", setup.policy_file().display());
    let bound = "api.github.com, in the header authorization as Bearer";
    let shown = json!([
        { "name": "ABSENT", "manifest": place(6), "kept": false, "uses": [] },
        { "name": "BOUND", "manifest": place(5), "kept": true, "uses": [bound] },
        { "name": "ELSEWHERE", "manifest": place(5), "kept": true, "uses": [] },
    ]);
    assert_eq!(show(), shown);

    let text = setup.run(["packs", "show", "github.search"]).stdout;
    for line in [
        format!("may use BOUND: {bound} (granted by {})", place(5)),
        format!("cannot use ELSEWHERE, which {} names: it is not bound to this pack", place(5)),
        format!("cannot use ABSENT, which {} names: it is not in the vault", place(6)),
    ] {
        assert!(text.contains(&line), "{line}\n{text}");
    }
}
