//! Tokens that the host makes: what their holders see and call, and that taking one back works at once.

use packhost_tests::host::{Served, Setup, wait_until};
use packhost_tests::http::Response;
use packhost_tests::rpc::{code, result};
use serde_json::{Value, json};

use crate::clients::{self, Era};
use crate::wire::{self, call};

fn counting() -> Value {
    call("text_stats", &json!({ "text": "a b" }))
}

/// Makes a token with these options, and gives the token.
fn token(setup: &Setup, name: &str, options: &[&str]) -> String {
    let words = ["--json", "tokens", "create", name].into_iter().chain(options.iter().copied());
    let made = setup.run(words);
    assert_eq!(made.code, 0, "{made:?}");
    made.json()["token"].as_str().expect("the token").to_owned()
}

fn shown(served: &Served, token: &str, message: &Value) -> Response {
    wire::send(served.address, &[("authorization", &format!("Bearer {token}"))], message)
}

fn names(listed: &Value) -> Vec<&str> {
    let tools = listed["tools"].as_array().expect("a list");
    tools.iter().filter_map(|tool| tool["name"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tokens_see_and_call_what_their_scopes_say() {
    let setup = Setup::new().warmed();
    let words = token(&setup, "words", &["--scope", "packs:call:text.*"]);
    let data = token(&setup, "data", &["--scope", "packs:call:json.query", "--scope", "packs:call:csv.*"]);
    let served = setup.serve(&[]);
    for era in [Era::Handshake, Era::Stateless] {
        let of_words = clients::over_http_as(&served.url, era, &words).await;
        let of_data = clients::over_http_as(&served.url, era, &data).await;
        let (one, two) = (of_words.names().await, of_data.names().await);
        assert!(!one.is_empty() && one.iter().all(|name| name.starts_with("text_")), "{one:?}");
        assert!(
            !two.is_empty() && two.iter().all(|name| name == "json_query" || name.starts_with("csv_")),
            "{two:?}"
        );
    }
    let list = wire::message("tools/list", json!({}));
    assert!(names(&result(shown(&served, &words, &list).message())).contains(&"text_stats"));
    assert_eq!(result(shown(&served, &words, &counting()).message())["structuredContent"]["words"], 2);
    let refused = shown(&served, &data, &counting());
    assert_eq!((refused.status, &refused.message()["error"]["code"]), (200, &json!(-32602)));
    let unknown = shown(&served, &data, &call("no_such_tool", &json!({})));
    let told = |answer: &Response| {
        answer.message()["error"]["message"].as_str().map(|text| text.contains("There is no tool"))
    };
    assert_eq!((told(&refused), told(&unknown)), (Some(true), Some(true)), "it is as if it were not there");
}

#[test]
fn who_may_list_sees_what_it_may_not_call() {
    let setup = Setup::new().warmed();
    let looker = token(&setup, "looker", &["--scope", "packs:list"]);
    let served = setup.serve(&[]);
    let list = wire::message("tools/list", json!({}));
    assert!(names(&result(shown(&served, &looker, &list).message())).len() > 10);
    let refused = result(shown(&served, &looker, &counting()).message());
    assert_eq!(code(&refused), "capability_denied");
    assert!(refused.to_string().contains("packs:call:text.stats"), "{refused}");
}

#[test]
fn the_manifest_and_the_scopes_both_have_to_allow_it() {
    let policy = "version: 1\npacks:\n  text.stats: { callers: [\"group:writers\"] }\n  json.query: {}\n";
    let setup = Setup::new().policy(policy).warmed();
    let writer = token(&setup, "writer", &["--group", "writers", "--scope", "packs:call:text.*"]);
    let other = token(&setup, "other", &["--scope", "packs:*"]);
    let served = setup.serve(&[]);
    let list = wire::message("tools/list", json!({}));
    assert_eq!(names(&result(shown(&served, &writer, &list).message())), ["text_stats"]);
    assert_eq!(names(&result(shown(&served, &other, &list).message())), ["json_query"]);
    assert_eq!(result(shown(&served, &writer, &counting()).message())["isError"], false);
    assert_eq!(shown(&served, &other, &counting()).message()["error"]["code"], -32602);
}

#[test]
fn a_token_that_is_taken_back_is_refused_from_the_next_request_on() {
    let setup = Setup::new().warmed();
    let (kept, lost) = (token(&setup, "kept", &[]), token(&setup, "lost", &[]));
    let served = setup.serve(&[]);
    assert_eq!(shown(&served, &lost, &counting()).status, 200);
    assert_eq!(setup.run(["tokens", "revoke", "lost"]).code, 0);
    let refused = shown(&served, &lost, &counting());
    let challenge = refused.header("www-authenticate").expect("a challenge");
    assert!(refused.status == 401 && challenge.contains("invalid_token"), "{challenge}");
    assert_eq!(shown(&served, &kept, &counting()).status, 200);
    assert_eq!(setup.run(["tokens", "revoke", "kept"]).code, 0);
    assert_eq!(
        wire::send(served.address, &[], &counting()).status,
        401,
        "the last one does not open the door"
    );
    let made = token(&setup, "lost", &[]);
    assert_eq!(shown(&served, &made, &counting()).status, 200, "a new one is good at once");
    assert_eq!(shown(&served, &lost, &counting()).status, 401, "and does not bring the old one back");
}

#[test]
fn a_token_is_refused_once_its_time_is_over() {
    let setup = Setup::new().warmed();
    let (short, long) =
        (token(&setup, "short", &["--expires", "3s"]), token(&setup, "long", &["--expires", "1d"]));
    let served = setup.serve(&[]);
    wait_until("the token expires", &|| {
        let answered = shown(&served, &short, &counting());
        let challenge = answered.header("www-authenticate").unwrap_or_default();
        assert!(answered.status == 200 || challenge.contains("has expired"), "{challenge}");
        answered.status == 401
    });
    assert_eq!(shown(&served, &long, &counting()).status, 200);
}

#[test]
fn the_first_token_closes_a_door_that_was_open() {
    let setup = Setup::new().warmed();
    let served = setup.serve(&[]);
    assert_eq!(wire::send(served.address, &[], &counting()).status, 200);
    let made = token(&setup, "first", &[]);
    wait_until("the door is closed", &|| wire::send(served.address, &[], &counting()).status == 401);
    assert_eq!(shown(&served, &made, &counting()).status, 200);
}

#[test]
fn a_token_of_another_host_and_a_guess_are_nobodys() {
    let setup = Setup::new().warmed();
    let own = token(&setup, "own", &[]);
    let foreign = token(&Setup::new(), "own", &[]);
    let served = setup.serve(&[]);
    let mut last = own.clone();
    last.replace_range(20..21, if &own[20..21] == "a" { "b" } else { "a" });
    for (guess, told) in [
        (foreign.as_str(), "not known"),
        (&last, "not complete"),
        (&own[..51], "not complete"),
        ("ph_", "not complete"),
        ("own", "not known"),
        ("token:own", "not known"),
    ] {
        let refused = shown(&served, guess, &counting());
        let challenge = refused.header("www-authenticate").expect("a challenge").to_owned();
        assert!(refused.status == 401 && challenge.contains(told), "{guess}: {challenge}");
    }
    // A thousand guesses cost the same and change nothing.
    for _ in 0..1000 {
        assert_eq!(shown(&served, &foreign, &counting()).status, 401);
    }
    assert_eq!(shown(&served, &own, &counting()).status, 200);
    let (exit, log) = served.terminate();
    assert_eq!(exit, 0, "{log}");
    assert!(log.contains("token:own") && !log.contains(&own) && !log.contains(&foreign), "{log}");
}

#[test]
fn a_token_is_printed_once_and_kept_nowhere() {
    let setup = Setup::new();
    let made =
        setup.run(["tokens", "create", "ci", "--expires", "90d", "--scope", "packs:list", "--group", "ops"]);
    let token = made.stdout.trim();
    assert_eq!((made.code, token.len()), (0, 52), "{made:?}");
    assert!(token.starts_with("ph_") && !made.stderr.contains(token), "{made:?}");
    let listed = setup.run(["--json", "tokens", "list"]);
    let about = &listed.json()["tokens"][0];
    assert_eq!(
        (&about["name"], &about["scopes"], &about["groups"]),
        (&json!("ci"), &json!(["packs:list"]), &json!(["ops"]))
    );
    let lifetime = about["expires"].as_u64().zip(about["created"].as_u64()).map(|(end, begin)| end - begin);
    assert!(lifetime.is_some_and(|lifetime| lifetime.abs_diff(90 * 86_400) <= 5), "{about}");
    assert!(!listed.stdout.contains(token));
    for file in std::fs::read_dir(setup.state()).expect("it is there") {
        let path = file.expect("readable").path();
        let bytes = std::fs::read(&path).unwrap_or_default();
        assert!(
            !bytes.windows(20).any(|part| part == &token.as_bytes()[3..23]),
            "it is in {}",
            path.display()
        );
    }
}

#[test]
fn what_cannot_be_a_token_is_told() {
    let setup = Setup::new();
    assert_eq!(setup.run(["tokens", "create", "ci"]).code, 0);
    for (words, exit, told) in [
        (&["tokens", "create", "ci"][..], 10, "revoke it first"),
        (&["tokens", "create", "old", "--expires", "2020-01-01"], 10, "expired already"),
        (&["tokens", "revoke", "other"], 13, "tokens list"),
        (&["tokens", "create", "a b"], 2, "not a name"),
        (&["tokens", "create", "a", "--scope", "packs:write"], 2, "packs:call"),
        (&["tokens", "create", "a", "--expires", "soon"], 2, "90d"),
        (&["tokens", "create", "a", "--group", "a b"], 2, "not a group"),
    ] {
        let refused = setup.run(words);
        assert_eq!(refused.code, exit, "{words:?}: {refused:?}");
        assert!(refused.stderr.contains(told), "{words:?}: {}", refused.stderr);
    }
}

#[test]
fn a_name_is_of_one_kind_of_token() {
    let setup = Setup::new().warmed();
    let file = setup.root().join("tokens");
    std::fs::write(&file, "ci secret-of-the-pipeline-1f9b\n").expect("the directory is the test's");
    let path = file.display().to_string();
    let served = setup.serve(&["--tokens", &path]);
    let same = token(&setup, "ci", &["--scope", "admin"]);
    let other = token(&setup, "other", &[]);
    assert_eq!(shown(&served, &same, &counting()).status, 401, "the file has that name");
    assert_eq!(shown(&served, &other, &counting()).status, 200);
    assert_eq!(shown(&served, "secret-of-the-pipeline-1f9b", &counting()).status, 200);
    drop(served);
    let refused = setup.run(["serve", "--listen", "127.0.0.1:0", "--tokens", &path]);
    assert!(refused.code == 1 && refused.stderr.contains("\"ci\""), "{refused:?}");
}

#[test]
fn a_caller_has_so_many_requests_a_minute_and_another_has_its_own() {
    let setup = Setup::new().warmed();
    let (one, two) = (token(&setup, "one", &[]), token(&setup, "two", &[]));
    let served = setup.serve(&["--requests-per-minute", "3"]);
    for _ in 0..3 {
        assert_eq!(shown(&served, &one, &counting()).status, 200);
    }
    let refused = shown(&served, &one, &counting());
    let wait = refused.header("retry-after").and_then(|wait| wait.parse::<u64>().ok());
    assert!(refused.status == 429 && wait.is_some_and(|wait| (1..=60).contains(&wait)), "{refused:?}");
    assert_eq!(shown(&served, &two, &counting()).status, 200);
}

#[test]
fn a_session_of_another_token_is_not_there() {
    let setup = Setup::new().warmed();
    let (one, two) = (token(&setup, "one", &[]), token(&setup, "two", &[]));
    let served = setup.serve(&[]);
    let opened = packhost_tests::http::post(
        served.address,
        &[("authorization", &format!("Bearer {one}"))],
        &json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": { "protocolVersion": "2025-11-25",
            "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } } }),
    );
    let id = opened.header("mcp-session-id").expect("a session").to_owned();
    let list = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list" });
    let asked = |token: &str| {
        let head = [("authorization", &*format!("Bearer {token}")), ("mcp-session-id", &id)];
        packhost_tests::http::post(served.address, &head, &list).status
    };
    assert_eq!((asked(&two), asked(&one)), (404, 200));
    assert_eq!(setup.run(["tokens", "revoke", "one"]).code, 0);
    assert_eq!(asked(&one), 401, "a session does not outlive its token");
}
