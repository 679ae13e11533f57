//! `packhost policy`: checking, explaining, comparing and testing what packs may do.

mod suggest;

use std::path::{Path, PathBuf};

use packhost_tests::host::Setup;
use serde_json::{Value, json};

const BROKEN: &str = "\
version: 1
packs:
  http.fetch:
    http:
      - url: \"${input.url}\"
        pathes: [\"/v1/**\"]
  text.stats: { limts: { time: 1s } }
";

fn file(setup: &Setup, name: &str, text: &str) -> String {
    let path = setup.root().join(name);
    std::fs::write(&path, text).expect("the directory is the test's");
    path.display().to_string()
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn a_good_manifest_is_said_to_be_good() {
    let setup = Setup::new();
    let checked = setup.run(["--json", "policy", "check"]);
    assert_eq!((checked.code, &checked.json()["packs"]), (0, &json!(24)));
    let [http, fs] = ["http", "fs"].map(|name| repository().join(format!("policies/{name}.yaml")));
    let text = setup.run([Path::new("policy"), Path::new("check"), &http, &fs]);
    assert_eq!(text.code, 0, "{text:?}");
    assert!(text.stdout.starts_with("ok") && text.stdout.contains("6 packs"), "{}", text.stdout);
}

#[test]
fn a_broken_manifest_is_pointed_at() {
    let setup = Setup::new();
    let broken = file(&setup, "broken.yaml", BROKEN);
    let ran = setup.run(["policy", "check", &broken]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
    for line in [
        format!("{broken}:6:9  error: unknown key \"pathes\""),
        "    6 |         pathes: [\"/v1/**\"]".into(),
        "      |         ^^^^^^ did you mean \"paths\"?".into(),
        format!("{broken}:7:17  error: unknown key \"limts\""),
        "^^^^^ did you mean \"limits\"?".into(),
    ] {
        assert!(ran.stderr.contains(&line), "{line:?} is not in\n{}", ran.stderr);
    }
    let said = setup.run(["--json", "policy", "check", &broken]);
    let error = said.json()["error"].clone();
    assert_eq!((said.code, &error["code"]), (1, &json!("manifest_invalid")));
    let first = &error["diagnostics"][0];
    assert_eq!((&first["file"], &first["line"], &first["column"]), (&json!(broken), &json!(6), &json!(9)));
    assert_eq!(first["snippet"], "        pathes: [\"/v1/**\"]");
    assert_eq!(first["suggestion"], "did you mean \"paths\"?");
    // Nothing runs under a manifest that is broken.
    let call = setup.run(["--policy", &broken, "call", "text.stats", "{\"text\": \"a\"}"]);
    assert_eq!((call.code, call.stdout.as_str()), (1, ""));
}

#[test]
fn a_manifest_that_is_not_there_is_told_with_the_option_that_names_it() {
    let setup = Setup::new();
    let missing = setup.root().join("nowhere").display().to_string();
    for verb in [&["packs", "list"][..], &["mcp"], &["policy", "check"], &["policy", "explain", "fs.read"]] {
        let ran = setup.run([&["--policy", &missing], verb].concat());
        let said = format!("--policy {missing}: No such file");
        assert!(ran.code == 1 && ran.stderr.contains(&said), "{verb:?}: {ran:?}");
    }
    // A path that is no option's is told as it is.
    let ran = setup.run(["policy", "check", &missing]);
    assert!(ran.code == 1 && !ran.stderr.contains("--policy"), "{ran:?}");
}

#[test]
fn what_a_pack_may_do_is_explained_with_its_lines() {
    let setup = Setup::new();
    let text = setup.run(["policy", "explain", "http.fetch"]);
    assert_eq!(text.code, 0);
    for words in
        ["http.fetch", "built in", "asks for", "http (outgoing)", "may", "policies/http.yaml:", "may not"]
    {
        assert!(text.stdout.contains(words), "{words} is not in {}", text.stdout);
    }
    let said = setup.run(["--json", "policy", "explain", "http.fetch"]).json();
    assert_eq!(said["pack"], "http.fetch");
    assert_eq!(said["asks_for"][0]["what"], "http (outgoing)", "{said}");
    assert_eq!(said["may"][0]["place"]["file"], "policies/http.yaml", "{said}");
    let nothing = setup.run(["--json", "policy", "explain", "text.stats"]).json();
    assert_eq!(nothing["asks_for"], json!([]), "{nothing}");
    assert_eq!(setup.run(["policy", "explain", "no.such"]).code, 13);
}

#[test]
fn an_edit_is_said_as_what_it_gives_and_takes() {
    let setup = Setup::new();
    let entry = |methods: &str, time: &str| {
        format!(
            "version: 1\npacks:\n  http.fetch:\n    http: [{{ host: a.example, methods: [{methods}] }}]\n    \
             limits: {{ time: {time} }}\n"
        )
    };
    let old = file(&setup, "old.yaml", &entry("GET, HEAD", "20s"));
    let new = file(&setup, "new.yaml", &entry("GET, POST", "10s"));
    let said = setup.run(["--json", "policy", "diff", &old, &new]).json();
    let changed = &said["packs"][0];
    assert_eq!(changed["pack"], "http.fetch", "{said}");
    let lines = |of: &str| -> Vec<String> {
        let lines = changed[of].as_array().expect("lines").iter();
        lines.map(|line| line.as_str().expect("words").to_owned()).collect()
    };
    let (gained, lost) = (lines("gained"), lines("lost"));
    assert!(gained.len() == 1 && gained[0].contains("POST"), "{gained:?}");
    assert!(lost.len() == 2 && lost.iter().any(|line| line.contains("HEAD")), "{lost:?}");
    assert!(lost.iter().any(|line| line.contains("10s") && line.contains("20s")), "{lost:?}");
    let text = setup.run(["policy", "diff", &old, &new]);
    assert_eq!(text.code, 0);
    assert!(text.stdout.contains(&format!("+ may {}", gained[0])), "{}", text.stdout);
    assert!(text.stdout.contains(&format!("- may {}", lost[0])), "{}", text.stdout);
    let same = setup.run(["policy", "diff", &old, &old]);
    assert!(same.stdout.contains("nothing changes"), "{}", same.stdout);
}

#[test]
fn cases_hold_or_do_not() {
    let setup = Setup::new();
    let shipped = repository().join("policies/tests/cases.yaml").display().to_string();
    let held = setup.run(["--json", "policy", "test", &shipped]);
    let said = held.json();
    assert_eq!((held.code, &said["failed"]), (0, &json!(0)), "{said}");
    assert!(said["passed"].as_u64().is_some_and(|passed| passed > 20), "{said}");
    let case = "- { pack: text.stats, request: \"GET https://example.com/\", expect: allow }\n";
    let wrong = file(&setup, "cases.yaml", case);
    let said = setup.run(["--json", "policy", "test", &wrong]);
    assert_eq!((said.code, &said.json()["failed"]), (1, &json!(1)));
    let text = setup.run(["policy", "test", &wrong]);
    assert_eq!(text.code, 1);
    for words in ["FAILED", "text.stats GET https://example.com/", "cases.yaml:1", "0 passed, 1 failed"] {
        assert!(text.stdout.contains(words), "{words} is not in {}", text.stdout);
    }
    let latin = setup.root().join("latin.yaml");
    std::fs::write(&latin, b"# caf\xe9\n").expect("the directory is the test's");
    let refused = setup.run(["policy", "test", &latin.display().to_string()]);
    assert!(refused.code == 1 && refused.stderr.contains("latin.yaml:1: this is not UTF-8"), "{refused:?}");
}

/// Every `$ref` in a schema.
fn references<'a>(schema: &'a Value, found: &mut Vec<&'a str>) {
    match schema {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str));
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn the_schema_is_whole() {
    let setup = Setup::new();
    let ran = setup.run(["policy", "schema"]);
    let schema = ran.json();
    assert_eq!(ran.code, 0);
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert!(schema["$defs"].is_object() && schema["properties"]["packs"].is_object(), "{schema}");
    let mut found = Vec::new();
    references(&schema, &mut found);
    assert!(found.len() > 4, "{found:?}");
    for reference in found {
        let pointer = reference.strip_prefix('#').expect("it leads nowhere else");
        assert!(schema.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}
