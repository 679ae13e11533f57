//! `packhost packs`: what is served, what is not and why, and what a pack is.

use packhost_tests::guests;
use packhost_tests::host::Setup;
use serde_json::{Value, json};

fn names(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().filter_map(|row| row["name"].as_str()).collect()
}

#[test]
fn the_shipped_packs_are_listed_with_the_line_that_grants_each() {
    let setup = Setup::new();
    let listed = setup.run(["--json", "packs", "list"]).json();
    let packs = listed["packs"].as_array().expect("a list");
    assert_eq!(packs.len(), 24, "{listed}");
    for row in packs {
        assert_eq!(row["origin"], "built in", "{row}");
        let place = row["manifest"].as_str().expect("a place");
        assert!(place.starts_with("policies/") && place.contains(".yaml:"), "{row}");
        assert!(row["digest"].as_str().is_some_and(|digest| digest.starts_with("sha256:")), "{row}");
        assert!(row["title"].is_string() && row["tool"].is_string() && row["version"].is_string(), "{row}");
    }
    let text = setup.run(["packs", "list"]);
    assert_eq!(text.code, 0);
    for name in names(&listed["packs"]) {
        assert!(text.stdout.contains(name), "{name} is not in {}", text.stdout);
    }
}

#[test]
fn what_is_not_served_is_listed_with_the_reason() {
    let policy = "version: 1\npacks: { text.stats: {}, liar: {}, misbehave: {} }\n";
    let setup = Setup::new().policy(policy).packs(guests::misbehave()).packs(guests::liar());
    let listed = setup.run(["--json", "packs", "list"]).json();
    assert_eq!(names(&listed["packs"]), ["misbehave", "text.stats"]);
    let reason = |name: &str| {
        let refused = listed["not_served"].as_array().expect("a list");
        let row = refused.iter().find(|row| row["name"] == name).expect("it is not served");
        row["reason"].as_str().expect("a reason").to_owned()
    };
    assert!(reason("liar").contains("http"), "{}", reason("liar"));
    assert!(reason("http.fetch").contains("no entry"), "{}", reason("http.fetch"));
    let text = setup.run(["packs", "list"]).stdout;
    assert!(text.contains(&format!("not served: {}", reason("liar"))), "{text}");
}

#[test]
fn a_pack_that_its_entry_denies_is_said_to_be_denied_and_not_to_lack_something() {
    let policy = "version: 1\npacks:\n  text.stats: { deny: true }\n  http.fetch:\n    deny: true\n";
    let setup = Setup::new().policy(policy).warmed();
    let listed = setup.run(["--json", "packs", "list"]).json();
    assert_eq!(listed["packs"], json!([]), "{listed}");
    let refused = listed["not_served"].as_array().expect("a list");
    for (name, line) in [("text.stats", 3), ("http.fetch", 5)] {
        let row = refused.iter().find(|row| row["name"] == name).expect("it is not served");
        let said = format!("its entry denies it ({}:{line})", setup.policy_file().display());
        assert_eq!(row["reason"], said, "{row}");
        let call = setup.run(["call", name, "{}"]);
        assert!(call.code == 13 && call.stderr.contains(&said), "{call:?}");
    }
    let mcp = setup.run(["mcp"]);
    assert!(mcp.stderr.contains("http.fetch is not served: its entry denies it"), "{mcp:?}");
    assert!(!mcp.stderr.contains("outgoing requests"), "{mcp:?}");
}

#[test]
fn a_pack_is_shown_with_what_it_takes_and_asks_for() {
    let setup = Setup::new();
    for name in ["web.scrape", "web_scrape"] {
        let shown = setup.run(["--json", "packs", "show", name]).json();
        assert_eq!((&shown["name"], &shown["tool"]), (&json!("web.scrape"), &json!("web_scrape")));
        assert_eq!(shown["input_schema"]["properties"]["url"]["type"], "string", "{shown}");
        assert!(shown["output_schema"].is_object() && shown["description"].is_string(), "{shown}");
        assert!(shown["wants"]["http"].is_string(), "{shown}");
        assert_eq!((&shown["read_only"], &shown["open_world"]), (&json!(true), &json!(true)));
        let imports = shown["imports"].as_array().expect("imports");
        assert!(
            imports.iter().any(|import| import.as_str().is_some_and(|name| name.starts_with("wasi:http/")))
        );
    }
    let text = setup.run(["packs", "show", "web.scrape"]).stdout;
    for words in ["web.scrape", "web_scrape", "asks for http", "policies/web.yaml:"] {
        assert!(text.contains(words), "{words} is not in {text}");
    }
    let missing = setup.run(["packs", "show", "no.such"]);
    assert_eq!((missing.code, missing.stdout.as_str()), (13, ""));
    assert!(missing.stderr.contains("packhost packs list"), "{}", missing.stderr);
}
