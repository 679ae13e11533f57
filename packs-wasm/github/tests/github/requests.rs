//! What is sent for a call.

use packhost_github::{Kind, NewIssue, NewPullRequest, NewRelease, PullFilter, Repo, State, either, number};
use packhost_sdk::api::Api;
use packhost_sdk::bindings::packhost::pack::types::ErrorCode;
use packhost_sdk::http::Request;
use packhost_sdk::{Value, json, serde_json};

use crate::replay::{Replay, github, recorded, reply, repo, told};

fn body(request: &Request) -> Value {
    serde_json::from_slice(&request.body).expect("JSON")
}

fn line(request: &Request) -> String {
    let query = request.url.query().map(|query| format!("?{query}")).unwrap_or_default();
    format!("{} {}{query}", request.method, request.url.path())
}

fn query(request: &Request) -> Vec<(String, String)> {
    request.url.query_pairs().map(|(name, value)| (name.into(), value.into())).collect()
}

#[test]
fn an_issue_is_opened_as_it_was_recorded() {
    let exchange = recorded("add-labels-to-issue").remove(0);
    let replay = Replay::of([exchange.reply]);
    let issue = NewIssue { title: "Issue without a label".into(), ..NewIssue::default() };
    let created = github(&replay)
        .create_issue(&repo("octokit-fixture-org/add-labels-to-issue"), &issue)
        .expect("opened");
    let asked = replay.asked();
    assert_eq!(line(&asked[0]), format!("{} {}", exchange.method, exchange.path));
    assert_eq!(body(&asked[0]), exchange.body);
    assert_eq!((created.number, created.state.as_str()), (1, "open"));
    assert_eq!(created.title, "Issue without a label");
    assert_eq!(created.user.as_deref(), Some("octokit-fixture-user-a"));
    assert_eq!(created.html_url, "https://github.com/octokit-fixture-org/add-labels-to-issue/issues/1");
}

#[test]
fn a_search_asks_as_it_was_recorded() {
    let exchange = recorded("search-issues").remove(0);
    let replay = Replay::of([exchange.reply]);
    let words = "sesame repo:octokit-fixture-org/search-issues";
    let search = github(&replay).search(Kind::Issues, words, 30).expect("found");
    let asked = &replay.asked()[0];
    let path = asked.url.join(&exchange.path).expect("a URL");
    assert_eq!((asked.method.clone(), asked.url.path()), (exchange.method, path.path()));
    let recorded: Vec<(String, String)> =
        path.query_pairs().map(|(name, value)| (name.into(), value.into())).collect();
    assert_eq!(query(asked), [recorded, vec![("per_page".into(), "30".into())]].concat());
    assert_eq!((search.total, search.incomplete, search.listed.truncated), (2, false, false));
    let first = &search.listed.items[0];
    assert_eq!(first.repo.as_deref(), Some("octokit-fixture-org/search-issues"));
    assert_eq!((first.state.as_deref(), first.is_pull_request), (Some("open"), Some(false)));
    let titles: Vec<&str> = search.listed.items.iter().map(|item| item.title.as_str()).collect();
    assert_eq!(titles, ["Sesame seeds split without a pop!", "The doors don’t open"]);
}

#[test]
fn every_request_has_githubs_headers_and_a_placeholder_for_the_secret() {
    let replay = Replay::always(recorded("add-labels-to-issue").remove(0).reply);
    github(&replay).issue(&repo("o/r"), 1).expect("an issue");
    let names = ["accept", "authorization", "user-agent", "x-github-api-version"];
    let mut headers = replay.asked()[0].headers.clone();
    headers.sort();
    assert_eq!(headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), names);
    assert_eq!(headers[0].1, "application/vnd.github+json");
    assert_eq!(headers[1].1, "Bearer ${vault:GITHUB_TOKEN}");
    assert_eq!(headers[3].1, "2022-11-28");
    let api = Api::new("https://ghe.example.com/api/v3", "").expect("an API");
    packhost_github::GitHub::new(api, &replay).issue(&repo("o/r"), 1).expect("an issue");
    let enterprise = &replay.asked()[1];
    assert_eq!(enterprise.url.as_str(), "https://ghe.example.com/api/v3/repos/o/r/issues/1");
    assert!(enterprise.headers.iter().all(|(name, _)| name != "authorization"));
}

#[test]
fn a_pull_request_a_comment_and_a_release_are_made_where_github_wants_them() {
    let made = json!({
        "number": 7, "id": 9, "title": "T", "state": "open", "tag_name": "v1",
        "head": { "label": "o:fix", "ref": "fix" }, "base": { "ref": "main" }, "user": null,
        "html_url": "https://github.com/o/r/pull/7", "url": "https://api.github.com/repos/o/r/pulls/7",
        "labels": [{ "name": "bug" }], "upload_url": "https://uploads.github.com/x{?name,label}"
    });
    let replay = Replay::always(reply(201, &[], &made));
    let pull =
        NewPullRequest { title: "T".into(), head: "fix".into(), base: "main".into(), ..Default::default() };
    let pull = github(&replay).create_pull_request(&repo("o/r"), &pull).expect("opened");
    assert_eq!((pull.number, pull.head.as_deref(), pull.base.as_deref()), (7, Some("o:fix"), Some("main")));
    assert_eq!((pull.user, pull.labels), (None, vec!["bug".to_owned()]));
    github(&replay).comment(&repo("o/r"), 7, "Fixed").expect("written");
    let release = NewRelease { tag_name: "v1".into(), prerelease: true, ..Default::default() };
    let release = github(&replay).create_release(&repo("o/r"), &release).expect("made");
    assert_eq!((release.id, release.tag_name.as_str()), (9, "v1"));
    let asked = replay.asked();
    let lines: Vec<String> = asked.iter().map(line).collect();
    let expected = ["POST /repos/o/r/pulls", "POST /repos/o/r/issues/7/comments", "POST /repos/o/r/releases"];
    assert_eq!(lines, expected);
    assert_eq!(body(&asked[0]), json!({ "title": "T", "head": "fix", "base": "main", "draft": false }));
    assert_eq!(body(&asked[1]), json!({ "body": "Fixed" }));
    assert_eq!(body(&asked[2]), json!({ "tag_name": "v1", "draft": false, "prerelease": true }));
}

#[test]
fn a_recorded_release_is_read() {
    let replay = Replay::of([recorded("release-assets-conflict").remove(0).reply]);
    let release = NewRelease { tag_name: "v1.0.0".into(), ..NewRelease::default() };
    let release = github(&replay)
        .create_release(&repo("octokit-fixture-org/release-assets-conflict"), &release)
        .expect("made");
    assert_eq!((release.id, release.tag_name.as_str(), release.draft), (1000, "v1.0.0", false));
    assert!(release.upload_url.expect("an address").starts_with("https://uploads.github.com/repos/"));
}

#[test]
fn a_branch_without_an_owner_is_one_of_the_repositorys_own() {
    let replay = Replay::always(reply(200, &[], &json!([])));
    for (head, expected) in [("fix", "octo:fix"), ("ada:fix", "ada:fix"), ("a&b=c/d e", "octo:a&b=c/d e")] {
        let filter = PullFilter { state: State::All, head: Some(head.into()), base: Some("main".into()) };
        github(&replay).pull_requests(&repo("octo/app"), &filter, 20).expect("a list");
        let asked = replay.asked().pop().expect("a request");
        let pairs = [("state", "all"), ("per_page", "20"), ("head", expected), ("base", "main")];
        assert_eq!(query(&asked), pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(asked.url.path(), "/repos/octo/app/pulls");
    }
}

#[test]
fn nothing_but_a_repository_is_taken_for_one() {
    let long = format!("o/{}", "r".repeat(101));
    for bad in [
        "",
        "o",
        "/",
        "o/",
        "/r",
        "o/r/issues",
        "o/..",
        "o/.",
        "../r",
        "o/r?x=1",
        "o/r#x",
        "o/r%2F..",
        "o /r",
        "o/r\nx",
        "o.x/r",
        "https://github.com/o/r",
        "o/r\\x",
        "o/é",
        "o//r",
        &long,
        "${vault:A}/r",
    ] {
        let error = told(Repo::parse(bad).expect_err(bad));
        assert_eq!((error.code, error.pointer.as_deref()), (ErrorCode::InvalidInput, Some("/repo")), "{bad}");
    }
    assert_eq!(Repo::parse(" o/r\n").expect("trimmed").to_string(), "o/r");
    for good in ["octocat/hello-world", "o/.github", "a_b/c.d_e-f", "0/0", "o/..."] {
        assert_eq!(Repo::parse(good).expect(good).to_string(), good);
    }
}

#[test]
fn an_input_with_two_names_is_given_once() {
    assert_eq!(number(Some(5), None).ok(), Some(5));
    assert_eq!(number(None, Some(5)).ok(), Some(5));
    assert_eq!(number(Some(5), Some(5)).ok(), Some(5));
    for (first, second) in [(None, None), (Some(5), Some(6)), (Some(0), None)] {
        let error = told(number(first, second).expect_err("no number"));
        assert_eq!(error.pointer.as_deref(), Some("/number"));
    }
    assert!(either("tag", Some("v1"), Some("v2")).is_err());
}
