//! The big list of naughty strings: as names of tools, as keys and values of arguments, as queries, as lines of a log, and
//! as names and tokens of callers. Each is data, wherever it stands.

use std::collections::BTreeSet;
use std::path::Path;

use packhost_tests::host::Setup;
use packhost_tests::http;
use packhost_tests::rpc::{Rpc, code};
use serde_json::{Value, json};

use crate::wire::{self, call, misbehaving};

/// The strings, each once. The corpus is kept beside the repository; where it is not, there is nothing to run.
fn corpus() -> Option<BTreeSet<String>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpora/blns/blns.json");
    let Ok(bytes) = std::fs::read(&file) else {
        assert!(std::env::var_os("CI").is_none(), "the corpus is not there: {}", file.display());
        eprintln!("not run: the naughty strings are not there ({})", file.display());
        return None;
    };
    let strings: BTreeSet<String> = serde_json::from_slice(&bytes).expect("a list of strings");
    assert!(strings.len() > 490, "the corpus is not whole");
    Some(strings)
}

fn started(setup: &Setup) -> Rpc {
    let mut host = setup.mcp();
    host.initialize();
    host
}

#[test]
fn no_naughty_name_is_a_tool() {
    let Some(strings) = corpus() else { return };
    let setup = Setup::new().warmed();
    let mut host = started(&setup);
    for name in &strings {
        let answer = host.request("tools/call", json!({ "name": name, "arguments": {} }));
        assert_eq!(answer["error"]["code"], -32602, "{name:?}: {answer}");
        assert_eq!(answer["error"]["data"]["code"], "not_found", "{name:?}: {answer}");
    }
}

#[test]
fn a_naughty_value_arrives_as_it_was_sent() {
    let Some(strings) = corpus() else { return };
    let setup = Setup::new().warmed();
    let mut host = started(&setup);
    for text in &strings {
        let counted = host.call("text_stats", json!({ "text": text }));
        assert_eq!(counted["isError"], false, "{text:?}: {counted}");
        let counted = &counted["structuredContent"];
        assert_eq!(counted["bytes"], text.len(), "{text:?}: {counted}");
        assert_eq!(counted["characters"], text.chars().count(), "{text:?}: {counted}");
    }
    // All of them at once, as values and as keys, there and back.
    let list = json!(strings);
    let keys: Value = strings.iter().map(|text| (text.clone(), json!(text))).collect();
    for sent in [list, keys] {
        let queried = host.call("json_query", json!({ "query": ".", "json": &sent }));
        assert_eq!(queried["structuredContent"]["results"], json!([sent]));
    }
}

#[test]
fn a_naughty_key_or_query_is_taken_or_refused_with_a_reason() {
    let Some(strings) = corpus() else { return };
    let setup = Setup::new().warmed();
    let mut host = started(&setup);
    let mut refused = 0;
    for text in &strings {
        let keyed = host.call("text_stats", json!({ "text": "a b", text: 1 }));
        let queried = host.call("json_query", json!({ "query": text, "json": { "a": 1 } }));
        for result in [keyed, queried] {
            if result["isError"] == true {
                assert_eq!(code(&result), "invalid_input", "{text:?}: {result}");
                refused += 1;
            }
        }
    }
    assert!(refused > strings.len(), "{refused} were refused");
}

#[test]
fn a_naughty_line_of_a_log_stays_one_line_without_commands() {
    let Some(strings) = corpus() else { return };
    let setup = misbehaving("time: 30s").args(["--log", "packhost::pack=trace"]);
    let mut host = started(&setup);
    for text in &strings {
        let result = host.call("misbehave", json!({ "do": "log_levels", "text": text }));
        assert_eq!(result["structuredContent"]["saw"], json!(["six levels"]), "{text:?}: {result}");
    }
    let (exit, rest, log) = host.close();
    assert_eq!(exit, 0, "{log}");
    for line in rest {
        serde_json::from_str::<Value>(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
    // Controls, separators of lines, and what turns the direction of a terminal's text.
    let odd = |c: char| {
        c.is_control() && c != '\n'
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let found: Vec<&str> = log.lines().filter(|line| line.contains(odd)).collect();
    assert!(found.is_empty(), "{found:?}");
    let said: Vec<&str> = log.lines().skip_while(|line| !line.contains("packhost::pack")).collect();
    assert!(said.len() > 6 * 490, "{} lines were logged", said.len());
    // Each begins with its time, as the host writes it.
    let forged: Vec<&&str> = said.iter().filter(|line| !line.starts_with("20")).collect();
    assert!(forged.is_empty(), "{forged:?}");
}

#[test]
fn no_naughty_token_is_a_callers() {
    let Some(strings) = corpus() else { return };
    let setup = Setup::new().warmed();
    let file = setup.root().join("tokens");
    std::fs::write(&file, "ci secret-of-the-pipeline-1f9b\n").expect("the directory is the test's");
    let served = setup.serve(&["--tokens", &file.display().to_string()]);
    let message = call("text_stats", &json!({ "text": "a" }));
    for text in strings.iter().filter(|text| !text.contains(['\r', '\n'])) {
        let bearer = format!("Bearer {text}");
        let mut head = wire::headers(&message);
        head.push(("authorization", &bearer));
        let answered = http::send(served.address, &head, "POST", "/mcp", message.to_string().as_bytes());
        // A header that HTTP does not allow is nobody's token either.
        assert!(matches!(answered.status, 400 | 401), "{text:?}: {}", answered.text());
    }
    let (exit, log) = served.terminate();
    assert_eq!(exit, 0, "{log}");
}

/// The name of a caller stands in records and in the manifest: it is plain, or the host does not start.
#[test]
fn a_caller_has_a_plain_name_or_the_host_does_not_start() {
    let Some(strings) = corpus() else { return };
    let plain = |name: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        (1..=64).contains(&name.len()) && name.chars().all(fits)
    };
    // A line is a name, a space and a token, and one that starts with # says nothing.
    let names = strings.iter().filter(|name| !name.is_empty() && !name.contains(char::is_whitespace));
    let (good, bad): (Vec<&String>, Vec<&String>) =
        names.filter(|name| !name.starts_with('#')).partition(|name| plain(name));
    assert!(good.len() > 40 && bad.len() > 100, "{} and {}", good.len(), bad.len());
    let setup = Setup::new().warmed().args(["--log", "warn,packhost=trace"]);
    let file = setup.root().join("tokens");
    let words = ["--tokens", &file.display().to_string()];
    let token = |number: usize| format!("secret-of-caller-{number:04}");
    let lines: Vec<String> =
        good.iter().enumerate().map(|(n, name)| format!("{name} {}\n", token(n))).collect();
    std::fs::write(&file, lines.concat()).expect("the directory is the test's");
    let served = setup.serve(&words);
    for (number, name) in good.iter().enumerate() {
        let bearer = format!("Bearer {}", token(number));
        let message = call("text_stats", &json!({ "text": "a" }));
        let answered = wire::send(served.address, &[("authorization", &bearer)], &message);
        assert_eq!(answered.status, 200, "{name}: {}", answered.text());
    }
    let (exit, log) = served.terminate();
    assert_eq!(exit, 0, "{log}");
    for name in good {
        assert!(log.contains(&format!("token:{name}")), "the record does not name {name}");
    }
    // Every tenth, because each is a host of its own.
    for name in bad.iter().step_by(10) {
        std::fs::write(&file, format!("{name} {}\n", token(0))).expect("the directory is the test's");
        let ran = setup.run(["serve", "--listen", "127.0.0.1:0", words[0], words[1]]);
        assert_eq!(ran.code, 1, "{name:?}: {ran:?}");
        assert!(ran.stderr.contains("tokens:1: "), "{name:?}: {}", ran.stderr);
        assert!(!ran.stderr.contains(&token(0)), "the token is repeated: {}", ran.stderr);
    }
}
