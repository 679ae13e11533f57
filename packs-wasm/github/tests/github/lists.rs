//! Pages: how far a list goes, and what is left out of it.

use packhost_github::{IssueFilter, Kind, State};
use packhost_sdk::http::Reply;
use packhost_sdk::{Value, json};

use crate::replay::{Replay, github, recorded, reply, repo};

/// GitHub's links name a repository by its number; the packs stay at the path that they were granted.
fn by_name(path: &str) -> String {
    path.replace("/repositories/1000/", "/repos/octokit-fixture-org/paginate-issues/")
}

fn issue(number: u64, more: &Value) -> Value {
    let mut issue = json!({
        "number": number, "title": format!("Issue {number}"), "state": "open",
        "html_url": "https://github.com/o/r/issues/1", "url": "https://api.github.com/repos/o/r/issues/1"
    });
    if let (Value::Object(issue), Value::Object(more)) = (&mut issue, more) {
        issue.extend(more.clone());
    }
    issue
}

fn page(issues: &[Value], next: Option<u32>) -> Reply {
    let link =
        next.map(|page| format!("<https://api.github.com/repositories/1/issues?page={page}>; rel=\"next\""));
    let headers: Vec<_> = link.iter().map(|link| ("link", link.as_str())).collect();
    reply(200, &headers, &json!(issues))
}

#[test]
fn a_list_is_followed_over_its_pages_as_it_was_recorded() {
    let exchanges = recorded("paginate-issues");
    let replay = Replay::of(exchanges.iter().map(|exchange| exchange.reply.clone()));
    let listed = github(&replay)
        .issues(&repo("octokit-fixture-org/paginate-issues"), &IssueFilter::default(), 1000)
        .expect("a list");
    let numbers: Vec<u64> = listed.items.iter().map(|issue| issue.number).collect();
    assert_eq!(numbers, (1..=13).rev().collect::<Vec<_>>());
    assert!(!listed.truncated);
    assert!(listed.items.iter().all(|issue| issue.comment_count == 42 && issue.body.is_none()));
    let asked = replay.asked();
    assert_eq!(asked.len(), exchanges.len());
    for (request, exchange) in asked.iter().zip(&exchanges) {
        let expected = request.url.join(&by_name(&exchange.path)).expect("a URL");
        assert_eq!(request.url.path(), expected.path());
        assert_eq!(request.method, exchange.method);
    }
    for (request, exchange) in asked.iter().zip(&exchanges).skip(1) {
        assert!(by_name(&exchange.path).ends_with(request.url.query().expect("a query")));
    }
}

#[test]
fn a_list_ends_at_its_limit_and_says_that_there_is_more() {
    let replay = Replay::of(recorded("paginate-issues").into_iter().map(|exchange| exchange.reply));
    let repo = repo("octokit-fixture-org/paginate-issues");
    let listed = github(&replay).issues(&repo, &IssueFilter::default(), 5).expect("a list");
    assert_eq!((listed.items.len(), listed.truncated, replay.asked().len()), (5, true, 2));
    let replay = Replay::of(recorded("paginate-issues").into_iter().map(|exchange| exchange.reply));
    let listed = github(&replay).issues(&repo, &IssueFilter::default(), 13).expect("a list");
    assert_eq!((listed.items.len(), listed.truncated, replay.asked().len()), (13, false, 5));
    let replay = Replay::of(recorded("paginate-issues").into_iter().map(|exchange| exchange.reply));
    let listed = github(&replay).issues(&repo, &IssueFilter::default(), 3).expect("a list");
    assert_eq!((listed.items.len(), listed.truncated, replay.asked().len()), (3, true, 1));
}

#[test]
fn ten_pages_are_the_most() {
    let replay = Replay::always(page(&[issue(1, &json!({}))], Some(2)));
    let listed = github(&replay).issues(&repo("o/r"), &IssueFilter::default(), 1000).expect("a list");
    assert_eq!((listed.items.len(), listed.truncated, replay.asked().len()), (10, true, 10));
}

#[test]
fn a_list_stays_below_what_an_answer_may_have() {
    let title = "\u{1}".repeat(256);
    let issues: Vec<Value> = (0..100).map(|n| issue(n, &json!({ "title": title }))).collect();
    let replay = Replay::always(page(&issues, Some(2)));
    let listed = github(&replay).issues(&repo("o/r"), &IssueFilter::default(), 1000).expect("a list");
    let json = packhost_sdk::serde_json::to_string(&listed.items).expect("JSON");
    assert!(listed.truncated && listed.items.len() > 100, "{}", listed.items.len());
    assert!(json.len() <= 768 << 10, "{}", json.len());
}

#[test]
fn pull_requests_are_no_issues() {
    let pull = json!({ "pull_request": { "url": "https://api.github.com/repos/o/r/pulls/2" } });
    let replay = Replay::of([page(&[issue(3, &json!({})), issue(2, &pull), issue(1, &json!({}))], None)]);
    let filter = IssueFilter {
        state: State::All,
        labels: vec!["bug".into(), "good first issue".into()],
        assignee: Some("none".into()),
    };
    let listed = github(&replay).issues(&repo("o/r"), &filter, 30).expect("a list");
    assert_eq!(listed.items.iter().map(|issue| issue.number).collect::<Vec<_>>(), [3, 1]);
    let asked = replay.asked();
    let query: Vec<(String, String)> =
        asked[0].url.query_pairs().map(|(name, value)| (name.into(), value.into())).collect();
    let expected =
        [("state", "all"), ("per_page", "100"), ("labels", "bug,good first issue"), ("assignee", "none")];
    assert_eq!(query, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn an_issue_says_whether_it_is_a_pull_request_and_whether_its_text_was_cut() {
    let long = json!({ "pull_request": {}, "body": "\"".repeat(200 << 10), "comments": 2 });
    let replay = Replay::of([reply(200, &[], &issue(1, &long)), page(&[], None)]);
    let (found, cut) = github(&replay).issue(&repo("o/r"), 1).expect("an issue");
    assert!(cut && found.is_pull_request);
    assert_eq!(found.body.map(|body| body.len()), Some(96 << 10));
    let comments = github(&replay).comments(&repo("o/r"), 1, 5).expect("comments");
    assert!(comments.items.is_empty() && !comments.truncated);
    let asked = replay.asked();
    assert_eq!(asked[1].url.path(), "/repos/o/r/issues/1/comments");
    assert_eq!(asked[1].url.query(), Some("per_page=5"));
}

#[test]
fn each_kind_of_result_is_named_by_what_it_has() {
    let items = [
        (Kind::Repositories, json!({ "full_name": "o/r", "stargazers_count": 3, "language": "Rust" }), "o/r"),
        (Kind::Code, json!({ "path": "src/a.rs", "repository": { "full_name": "o/r" } }), "src/a.rs"),
        (Kind::Commits, json!({ "sha": "abc", "commit": { "message": "Fix it\n\nAll." } }), "Fix it"),
        (Kind::Users, json!({ "login": "ada", "html_url": "https://github.com/ada" }), "ada"),
        (Kind::Issues, json!({ "title": "T", "number": 4, "pull_request": {} }), "T"),
        (Kind::Issues, json!({}), ""),
        (Kind::Code, json!(null), ""),
    ];
    for (kind, item, title) in items {
        let found = json!({ "total_count": 1200, "incomplete_results": true, "items": [item] });
        let replay = Replay::of([reply(200, &[], &found)]);
        let search = github(&replay).search(kind, "x", 1).expect("found");
        assert_eq!(search.listed.items[0].title, title);
        assert!(search.incomplete && search.listed.truncated);
        assert_eq!(search.total, 1200);
    }
}
