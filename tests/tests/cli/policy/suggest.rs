//! From a request that was denied to the rule that allows it, as an operator goes there.

use std::fs;

use packhost_tests::host::{Ran, Setup};
use serde_json::{Value, json};

/// A name that no resolver has an answer for (RFC 6761).
const HOST: &str = "a.invalid";
const NARROW: &str = "# ours\nversion: 1\npacks:\n  http.fetch:\n    # one host\n    http:\n    - { host: b.invalid }\n    limits: { time: 5s }\n";

fn fetch(setup: &Setup, method: &str, path: &str) -> (i32, Value) {
    let input = json!({ "url": format!("https://{HOST}{path}"), "method": method }).to_string();
    let ran = setup.run(["--json", "call", "http.fetch", &input]);
    (ran.code, ran.json()["error"]["code"].clone())
}

fn suggest(setup: &Setup, words: &[&str]) -> Ran {
    setup.run([&["--json", "policy", "suggest", "http.fetch"], words].concat())
}

#[test]
fn what_was_denied_is_suggested_and_what_is_written_is_granted() {
    let setup = Setup::new().policy(NARROW).warmed();
    assert_eq!(suggest(&setup, &[]).json()["denied"], json!([]));
    for path in ["/v1/a", "/v1/a?key=secret-in-a-query", "/v1/b"] {
        assert_eq!(fetch(&setup, "GET", path), (15, json!("egress_denied")));
    }
    let told = suggest(&setup, &[]).json();
    let as_clients_see_it = setup.run(["--json", "policy", "suggest", "http_fetch"]).json();
    assert_eq!(as_clients_see_it, told, "it is the same pack");
    let counts: Vec<_> =
        told["denied"].as_array().expect("a list").iter().map(|one| (&one["path"], &one["count"])).collect();
    assert_eq!(counts, [(&json!("/v1/b"), &json!(1)), (&json!("/v1/a"), &json!(2))], "{told}");
    assert!(!told.to_string().contains("secret-in-a-query"), "{told}");
    assert_eq!(told["rules"][0]["paths"], json!(["/v1/a", "/v1/b"]), "{told}");
    assert_eq!(told["written"], false);
    assert_eq!(
        fs::read_to_string(setup.policy_file()).expect("it is there"),
        NARROW,
        "nothing is granted yet"
    );

    let shown = setup.run(["policy", "suggest", "http.fetch"]);
    let added = format!("+    - host: {HOST}\n+      methods: [GET]\n+      paths: [/v1/a, /v1/b]\n");
    assert!(shown.stdout.contains(&added), "{added}\n{}", shown.stdout);
    assert!(shown.stdout.contains("--write"), "{}", shown.stdout);

    assert_eq!(suggest(&setup, &["--write"]).json()["written"], true);
    let edited = fs::read_to_string(setup.policy_file()).expect("it is there");
    let added: String = added.lines().map(|line| format!("{}\n", &line[1..])).collect();
    assert_eq!(edited.replace(&added, ""), NARROW, "everything else is as it was");
    // Granted, and found nowhere; what was not asked for is denied as ever.
    assert_ne!(fetch(&setup, "GET", "/v1/a").1, "egress_denied");
    assert_eq!(fetch(&setup, "POST", "/v1/a").1, "egress_denied");
    assert_eq!(fetch(&setup, "GET", "/v2").1, "egress_denied");
}

#[test]
fn in_report_mode_a_request_leaves_and_is_suggested() {
    let setup = Setup::new().policy(&NARROW.replace("    limits", "    report: true\n    limits")).warmed();
    assert_ne!(fetch(&setup, "GET", "/v1/a").1, "egress_denied");
    let told = suggest(&setup, &[]).json();
    assert_eq!(told["denied"][0]["reported"], true, "{told}");
    assert_eq!(told["rules"][0]["host"], HOST, "{told}");

    let checked = setup.run(["policy", "check"]);
    assert!(format!("{checked:?}").contains("report"), "{checked:?}");
    // Nothing that is not public is opened, and no credential.
    for url in ["http://127.0.0.1:9/", "http://169.254.169.254/latest"] {
        let ran = setup.run(["--json", "call", "http.fetch", &json!({ "url": url }).to_string()]);
        assert_eq!(ran.json()["error"]["code"], "egress_denied", "{url}: {ran:?}");
    }
    let with =
        json!({ "url": format!("https://{HOST}/"), "headers": { "authorization": "Bearer ${vault:KEY}" } });
    let ran = setup.run(["--json", "call", "http.fetch", &with.to_string()]);
    assert_eq!(ran.json()["error"]["code"], "credential_denied", "{ran:?}");
}

#[test]
fn a_shipped_entry_is_copied_before_a_rule_is_added() {
    let setup = Setup::new().policy("version: 1\nextends: shipped\n").warmed();
    let input = json!({ "repo": "a/b" }).to_string();
    let own = "version: 1\nextends: shipped\npacks:\n  github.list_issues:\n    http:\n    - { host: b.invalid }\n    config: { api: \"https://a.invalid\", credential: KEY }\n";
    fs::write(setup.policy_file(), own).expect("ours");
    let ran = setup.run(["--json", "call", "github.list_issues", &input]);
    assert_eq!(ran.json()["error"]["code"], "egress_denied", "{ran:?}");
    fs::write(setup.policy_file(), "version: 1\nextends: shipped\n").expect("ours");
    let written = setup.run(["--json", "policy", "suggest", "github.list_issues", "--write"]);
    assert_eq!(written.json()["written"], true, "{written:?}");
    let text = fs::read_to_string(setup.policy_file()).expect("ours");
    for line in ["host: api.github.com", "host: a.invalid", "credential: GITHUB_TOKEN"] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert_eq!(setup.run(["policy", "check"]).code, 0);
}
