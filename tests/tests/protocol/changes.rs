//! `tools/list_changed`: an edit of the manifest reaches clients that are connected.

use std::process::{Command, Stdio};

use packhost_tests::host::{Setup, wait_until};
use packhost_tests::record;
use packhost_tests::rpc::{Rpc, result};
use rmcp::model::{ServerNotification, SubscriptionFilter};
use serde_json::{Value, json};

use crate::clients::{Client, Era, over_http, over_stdio};

const ONE: &str = "version: 1\npacks: { text.stats: {} }\n";
const TWO: &str = "version: 1\npacks: { text.stats: {}, json.query: {} }\n";

fn edit(setup: &Setup) {
    std::fs::write(setup.policy_file(), TWO).expect("the directory is the test's");
}

fn names(host: &mut Rpc) -> Vec<String> {
    let listed = result(host.request("tools/list", json!({})));
    let tools = listed["tools"].as_array().expect("a list").iter();
    tools.map(|tool| tool["name"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn an_edit_is_a_notification_on_stdio() {
    let setup = Setup::new().policy(ONE).warmed();
    let mut host = setup.mcp();
    let hello = host.initialize();
    assert_eq!(hello["result"]["capabilities"]["tools"]["listChanged"], true, "{hello}");
    assert_eq!(names(&mut host), ["text_stats"]);
    edit(&setup);
    while host.message()["method"] != "notifications/tools/list_changed" {}
    assert_eq!(names(&mut host), ["json_query", "text_stats"]);
    let called = host.call("json_query", json!({ "query": ".a", "json": { "a": 1 } }));
    assert_eq!(called["structuredContent"]["results"], json!([1]), "{called}");
}

#[test]
fn a_client_that_says_again_that_it_is_initialized_is_told_once() {
    let setup = Setup::new().policy(ONE).warmed();
    let mut host = setup.mcp();
    host.initialize();
    for _ in 0..50 {
        host.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
    }
    assert_eq!(names(&mut host), ["text_stats"]);
    edit(&setup);
    while host.message()["method"] != "notifications/tools/list_changed" {}
    assert_eq!(names(&mut host), ["json_query", "text_stats"]);
    let mut rest: Vec<_> = host.passed.iter().map(ToString::to_string).collect();
    rest.extend(host.close().1);
    let again = rest.iter().filter(|line| line.contains("notifications/tools/list_changed")).count();
    assert_eq!(again, 0, "{rest:?}");
}

#[tokio::test]
async fn a_client_with_a_handshake_is_told() {
    let setup = Setup::new().policy(ONE).warmed();
    let mut client = over_stdio(&setup, Era::Handshake).await;
    assert_eq!(client.names().await, ["text_stats"]);
    edit(&setup);
    client.heard_of_a_change().await;
    assert_eq!(client.names().await, ["json_query", "text_stats"]);
    client.close().await;
}

/// Without a handshake a client hears of what it has subscribed to, and of nothing else.
async fn a_subscriber_is_told(setup: &Setup, client: Client) {
    assert_eq!(client.names().await, ["text_stats"]);
    let tools = SubscriptionFilter::builder().tools_list_changed().build();
    let mut subscribed = client.service.listen(tools).await.expect("the host takes subscriptions");
    edit(setup);
    let told = subscribed.next().await.expect("the subscription holds").expect("there is a change");
    assert!(matches!(told, ServerNotification::ToolListChangedNotification(_)), "{told:?}");
    assert_eq!(client.names().await, ["json_query", "text_stats"]);
    subscribed.cancel().await.expect("the host is there");
    client.close().await;
}

#[tokio::test]
async fn a_subscriber_on_stdio_is_told() {
    let setup = Setup::new().policy(ONE).warmed();
    let client = over_stdio(&setup, Era::Stateless).await;
    a_subscriber_is_told(&setup, client).await;
}

#[tokio::test]
async fn a_subscriber_over_http_is_told() {
    let setup = Setup::new().policy(ONE).warmed();
    let served = setup.serve(&[]);
    let client = over_http(&served.url, Era::Stateless).await;
    a_subscriber_is_told(&setup, client).await;
}

/// What is on record of edits.
fn reloads(setup: &Setup) -> Vec<Value> {
    let acts = record::of_kind(&setup.state(), "act").into_iter();
    acts.filter(|act| act["verb"] == "policy.reload").collect()
}

fn are_begun_and_done(acts: &[Value]) {
    assert_eq!((&acts[0]["outcome"], &acts[1]["outcome"]), (&json!("begun"), &json!("done")));
    assert_eq!((&acts[0]["subject"], &acts[0]["details"]["files"]), (&acts[1]["subject"], &json!("1")));
    assert_ne!(acts[0]["subject"], acts[0]["details"]["was"]);
}

#[test]
fn another_manifest_is_on_record() {
    let setup = Setup::new().policy(ONE).warmed();
    let mut host = setup.mcp();
    host.initialize();
    assert_eq!(names(&mut host), ["text_stats"]);
    edit(&setup);
    while host.message()["method"] != "notifications/tools/list_changed" {}
    wait_until("what came of it is on record", &|| reloads(&setup).len() == 2);
    are_begun_and_done(&reloads(&setup));
}

/// A host that outlives a write beyond the size that files may have: it fails.
fn with_bounded_files(setup: &Setup) -> Rpc {
    let host = setup.command(["mcp"]);
    let mut command = Command::new("env");
    command.arg("--ignore-signal=XFSZ").arg(host.get_program()).args(host.get_args());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Rpc::new(command.spawn().expect("env of coreutils"))
}

/// From now on no file of the host gets larger than this.
fn bound(host: &Rpc, size: &str) {
    let (pid, size) = (host.pid().to_string(), format!("--fsize={size}:"));
    let bounded =
        Command::new("prlimit").args(["--pid", &pid, &size]).status().expect("prlimit of util-linux");
    assert!(bounded.success());
}

#[test]
fn an_edit_that_cannot_be_put_on_record_is_in_force_once_it_can_be() {
    let setup = Setup::new().policy(ONE).warmed();
    let mut host = with_bounded_files(&setup);
    host.initialize();
    assert_eq!(names(&mut host), ["text_stats"]);
    bound(&host, "0");
    edit(&setup);
    host.logged("cannot be put on record");
    host.logged("nothing changed");
    assert_eq!(names(&mut host), ["text_stats"]);
    let told = host.passed.iter().find(|message| message["method"] == "notifications/tools/list_changed");
    assert_eq!(told, None);
    assert_eq!(reloads(&setup), Vec::<Value>::new());
    // Nobody edits anything again.
    bound(&host, "unlimited");
    while host.message()["method"] != "notifications/tools/list_changed" {}
    assert_eq!(names(&mut host), ["json_query", "text_stats"]);
    wait_until("what came of it is on record", &|| reloads(&setup).len() == 2);
    are_begun_and_done(&reloads(&setup));
}
