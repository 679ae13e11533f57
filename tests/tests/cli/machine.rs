//! Verbs about this machine and its agents: `doctor`, `completions`, `connect`, `demo`.

use std::io::Write;
use std::process::{Command, Stdio};

use packhost_tests::host::{Setup, binary};
use serde_json::{Value, json};

const AGENTS: [&str; 7] = ["claude-code", "cursor", "vscode", "codex", "gemini", "opencode", "generic"];

#[test]
fn doctor_says_what_is_in_force() {
    let setup = Setup::new();
    let ran = setup.run(["--json", "doctor"]);
    let said = ran.json();
    let checks = said["checks"].as_array().expect("checks");
    for what in ["state", "artifacts", "swap", "mappings", "manifest", "walls"] {
        assert!(checks.iter().any(|check| check["what"] == what), "{what} is not looked at: {said}");
    }
    let bad = checks.iter().any(|check| check["state"] == "bad");
    assert_eq!(ran.code, i32::from(bad), "it ends as what it found: {said}");
    assert!(
        said["walls"]["seccomp_filters"].is_u64() && said["walls"]["no_new_privs"].is_boolean(),
        "{said}"
    );
    let text = setup.run(["doctor"]).stdout;
    assert!(text.contains("walls") && text.contains("24 packs have an entry"), "{text}");
}

#[test]
fn doctor_ends_with_1_where_something_is_bad() {
    let setup = Setup::new().policy("version: 1\npacks: { text.stats: [] }\n");
    let ran = setup.run(["--json", "doctor"]);
    let said = ran.json();
    let manifest =
        said["checks"].as_array().expect("checks").iter().find(|check| check["what"] == "manifest");
    assert_eq!(manifest.expect("it is looked at")["state"], "bad", "{said}");
    assert!(manifest.is_some_and(|check| check["fix"].is_string()), "it says what to do: {said}");
    assert_eq!(ran.code, 1);
}

#[test]
fn shells_get_completions() {
    let setup = Setup::new();
    for (shell, words) in
        [("bash", "complete -F _packhost"), ("zsh", "#compdef packhost"), ("fish", "complete -c packhost")]
    {
        let ran = setup.run(["completions", shell]);
        assert_eq!(ran.code, 0, "{shell}: {}", ran.stderr);
        for words in [words, "policy", "doctor", "--state"] {
            let found = ran.stdout.contains(words) || ran.stdout.contains(words.trim_start_matches("--"));
            assert!(found, "{shell}: {words} is not in the script");
        }
    }
}

#[test]
fn every_agent_is_told_how_to_start_this_host() {
    let setup = Setup::new().policy("version: 1\npacks: { text.stats: {} }\n");
    let (binary, state) = (binary().display().to_string(), setup.state().display().to_string());
    for agent in AGENTS {
        let said = setup.run(["--json", "connect", agent]).json();
        let content = said["content"].as_str().expect("what to put into a file");
        for word in [binary.as_str(), state.as_str(), "mcp", "--policy"] {
            assert!(content.contains(&format!("\"{word}\"")), "{agent}: {word} is not in {content}");
        }
        assert_eq!(said["stdio"]["command"], json!(binary), "{agent}");
        let text = setup.run(["connect", agent]);
        assert_eq!(text.code, 0);
        assert!(text.stdout.contains(content), "{agent}: {}", text.stdout);
        let command = said["command"].as_str().unwrap_or_default();
        assert!(text.stdout.contains(command), "{agent}: {}", text.stdout);
    }
}

#[test]
fn what_is_printed_for_an_agent_starts_the_host_that_was_asked_about() {
    let setup = Setup::new().policy("version: 1\npacks: { text.stats: {} }\n").warmed();
    let said = setup.run(["--json", "connect", "generic"]).json();
    let words = said["stdio"]["args"].as_array().expect("arguments").iter().filter_map(Value::as_str);
    let mut agent = Command::new(said["stdio"]["command"].as_str().expect("a command"));
    let mut child =
        agent.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    let client = json!({ "name": "test", "version": "1" });
    let hello = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client });
    let mut stdin = child.stdin.take().expect("it is piped");
    for message in [
        json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello }),
        json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }),
        json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list" }),
    ] {
        writeln!(stdin, "{message}").expect("it reads");
    }
    // The end of stdin is the end of the host, and what it was asked before is answered.
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let answers = stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let list = answers.into_iter().find(|answer| answer["id"] == 2).expect("an answer");
    let tools = list["result"]["tools"].as_array().expect("tools");
    assert_eq!(tools.iter().map(|tool| &tool["name"]).collect::<Vec<_>>(), ["text_stats"]);
    assert!(output.status.success());
}

#[test]
fn the_demo_calls_mends_and_is_denied() {
    let setup = Setup::new().warmed();
    let ran = setup.run(["--json", "demo"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let said = ran.json();
    let [counted, read, denied, mended, refused] = said.as_array().expect("steps").as_slice() else {
        panic!("there are five steps: {said}")
    };
    assert_eq!((&counted["tool"], &counted["is_error"]), (&json!("text_stats"), &json!(false)), "{counted}");
    assert!(counted["structured"]["words"].as_u64().is_some_and(|words| words > 100), "{counted}");
    assert_eq!((&read["tool"], &read["is_error"]), (&json!("web_scrape"), &json!(false)), "{read}");
    assert!(read["structured"]["title"].as_str().is_some_and(|title| !title.is_empty()), "{read}");
    assert_eq!(read["usage"]["requests"], 1, "{read}");
    assert_eq!((&denied["tool"], &denied["is_error"]), (&json!("http_fetch"), &json!(true)), "{denied}");
    assert!(denied["text"].as_str().is_some_and(|text| text.starts_with("egress_denied: ")), "{denied}");
    assert_eq!((&mended["is_error"], mended["mends"].as_array().map(Vec::len)), (&json!(false), Some(1)));
    assert!(refused["text"].as_str().is_some_and(|text| text.starts_with("invalid_input: ")), "{refused}");
}

#[test]
fn the_demo_shows_people_a_denial_and_what_to_do_next() {
    let setup = Setup::new().warmed();
    let ran = setup.run(["demo"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let lines: Vec<&str> = ran.stdout.lines().collect();
    let at = lines.iter().position(|line| line.contains("http_fetch") && line.trim_end().ends_with("denied"));
    let why = lines[at.expect("a denial is shown") + 1].trim();
    assert!(why.starts_with("egress_denied: ") && why.contains("169.254.169.254"), "{why}");
    for words in ["24 packs", "deny by default", "mended", "connect claude-code", "policy explain http.fetch"]
    {
        assert!(ran.stdout.contains(words), "{words} is not in\n{}", ran.stdout);
    }
}
