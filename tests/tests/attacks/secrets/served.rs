//! From both doors of MCP, with every pack that ships: the protocol's bytes, the logs, the files, and what a crash leaves.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use packhost_tests::host::Setup;
use packhost_tests::rpc::Rpc;
use packhost_tests::web::Web;
use serde_json::{Value, json};

use super::{control, echo, finder, manifest, nothing_is_kept, set};
use crate::scene::{Posted, connect};

/// With a rule for what sends, and nothing for the other packs but that they may be called.
fn everything(setup: &Setup, origin: &str) -> (String, Vec<(String, Value)>) {
    let listed = setup.run(["--json", "packs", "list"]).json();
    let names = listed["packs"].as_array().expect("a list").iter().map(|pack| pack["name"].as_str());
    let mut policy = manifest(origin);
    let mut packs = Vec::new();
    for name in names.flatten() {
        if !policy.contains(&format!("  {name}: ")) {
            policy += &format!("  {name}: {{}}\n");
        }
        let shown = setup.run(["--json", "packs", "show", name]).json();
        packs.push((name.replace('.', "_"), shown["input_schema"]["examples"][0].clone()));
    }
    (policy, packs)
}

/// The example, and the example with each of its texts made into one that holds the placeholder.
fn with_placeholders(example: &Value) -> Vec<Value> {
    let places = example.as_object().into_iter().flatten().filter(|(_, value)| value.is_string());
    let with = |key: &String| {
        let mut input = example.clone();
        input[key] = format!("{} ${{vault:TOKEN}}", example[key].as_str().unwrap_or_default()).into();
        input
    };
    std::iter::once(example.clone()).chain(places.map(|(key, _)| with(key))).collect()
}

/// Calls that send the secret, and have it sent back, and calls that fail on the way.
fn sending(origin: &str) -> Vec<(&'static str, Value)> {
    let with = json!({ "authorization": "Bearer ${vault:TOKEN}" });
    vec![
        ("http_fetch", json!({ "url": format!("{origin}/"), "headers": with })),
        ("http_fetch", json!({ "url": format!("{origin}/fail"), "headers": with })),
        ("http_fetch", json!({ "url": format!("{origin}/"), "headers": { "x-other": "${vault:TOKEN}" } })),
        ("github_list_issues", json!({ "repo": "a/b" })),
        ("github_create_issue", json!({ "repo": "a/fail", "title": "x" })),
    ]
}

#[test]
fn nothing_that_a_client_reads_holds_a_secret_whatever_the_pack() {
    let web = Web::with(echo);
    let (policy, packs) = everything(&Setup::new(), &web.origin());
    assert!(packs.len() > 20, "{packs:?}");
    let setup = Setup::new().policy(&policy).args(["--log", "trace"]).warmed();
    assert_eq!(set(&setup, "TOKEN", web.address.port()).code, 0);

    let mut written = String::new();
    let mut host = connect(&setup);
    let mut ask = |host: &mut Rpc, tool: &str, input: Value| {
        let id = host.start(tool, input);
        loop {
            let line = host.next_line();
            written.push_str(&line);
            let message: Value = serde_json::from_str(&line).expect("a message");
            if message["id"] == id && message.get("method").is_none() {
                return;
            }
        }
    };
    for (tool, input) in sending(&web.origin()) {
        ask(&mut host, tool, input);
    }
    for (tool, example) in &packs {
        assert!(example.is_object(), "{tool} shows no example");
        for input in with_placeholders(example) {
            ask(&mut host, tool, input);
        }
    }
    let (code, left, log) = host.close();
    assert_eq!(code, 0, "{log}");
    written.extend([left.concat(), log]);
    control(&web, 3);
    assert!(written.contains("[redacted:TOKEN]"), "nothing came back to be taken out");
    assert!(!finder().finds(written.as_bytes()), "a client or the log was told the secret");
    nothing_is_kept(&setup);
}

#[test]
fn the_door_of_http_and_its_log_hold_no_secret() {
    let web = Web::with(echo);
    let setup = Setup::new().policy(&manifest(&web.origin())).args(["--log", "trace"]).warmed();
    assert_eq!(set(&setup, "TOKEN", web.address.port()).code, 0);
    let served = setup.serve(&[]);
    let mut written = Vec::new();
    for (tool, input) in sending(&web.origin()) {
        let response = Posted::call(tool, input).to(&served);
        written.extend(format!("{:?}", response.headers).into_bytes());
        written.extend(response.body);
    }
    let (_, log) = served.terminate();
    assert!(log.contains("a credential is used"), "{log}");
    written.extend(log.into_bytes());
    control(&web, 3);
    assert!(!finder().finds(&written), "a client or the log was told the secret");
    nothing_is_kept(&setup);
}

/// In this directory, with no limit of the shell's on core files.
fn dumping(directory: &Path, words: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -c unlimited && exec \"$@\"", "sh"]).args(words).current_dir(directory);
    command
}

fn core_files(directory: &Path) -> usize {
    let files = fs::read_dir(directory).expect("ours").flatten();
    files.filter(|file| file.file_name().to_string_lossy().starts_with("core")).count()
}

#[test]
fn a_crash_leaves_no_core_file() {
    let web = Web::with(echo);
    let setup = Setup::new().policy(&manifest(&web.origin())).warmed();
    assert_eq!(set(&setup, "TOKEN", web.address.port()).code, 0);
    let place = tempfile::tempdir().expect("a directory");

    let host = setup.command(["mcp"]);
    let words: Vec<&str> = [host.get_program()]
        .into_iter()
        .chain(host.get_args())
        .map(|word| word.to_str().expect("UTF-8"))
        .collect();
    let mut command = dumping(place.path(), &words);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut host = Rpc::new(command.spawn().expect("a shell"));
    host.initialize();
    for (tool, input) in sending(&web.origin()) {
        host.call(tool, input);
    }
    control(&web, 3);
    let pid = host.pid().to_string();
    assert!(Command::new("kill").args(["-ABRT", &pid]).status().expect("kill is there").success());
    let (code, _, _) = host.close();
    assert_eq!(code, -1, "a signal ended it");
    assert_eq!(core_files(place.path()), 0);

    // Where the kernel writes core files to the directory that a process is in, one that does not prevent it leaves one.
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").expect("Linux says it");
    if pattern.starts_with("core") {
        let crash = dumping(place.path(), &["sh", "-c", "kill -ABRT $$"]).status().expect("a shell");
        assert!(!crash.success());
        assert_eq!(core_files(place.path()), 1, "the search finds one where there is one");
    }
}

#[test]
fn a_pack_that_is_granted_while_the_host_runs_has_its_credential() {
    let web = Web::with(echo);
    let setup = Setup::new().policy("version: 1\npacks: { text.stats: {} }\n").warmed();
    assert_eq!(set(&setup, "TOKEN", web.address.port()).code, 0);
    let mut host = connect(&setup);
    fs::write(setup.policy_file(), manifest(&web.origin())).expect("the directory is the test's");
    crate::scene::notified(&mut host, "notifications/tools/list_changed");
    let (tool, input) = sending(&web.origin()).swap_remove(0);
    let answer = host.call(tool, input);
    assert!(answer.to_string().contains("[redacted:TOKEN]"), "{answer}");
    control(&web, 1);
}
