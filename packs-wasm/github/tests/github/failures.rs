//! What an agent reads when GitHub says no.

use packhost_github::{GitHub, NewIssue, NewPullRequest, NewRelease};
use packhost_sdk::api::Api;
use packhost_sdk::bindings::packhost::pack::types::{ErrorCode, PackError};
use packhost_sdk::http::Reply;
use packhost_sdk::{Value, json};

use crate::replay::{Replay, github, recorded, reply, repo, told};

const DATE: (&str, &str) = ("date", "Tue, 10 Oct 2017 16:00:00 GMT");

/// What becomes of an answer to a request that reads.
fn read(reply: Reply) -> PackError {
    told(github(&Replay::of([reply])).issue(&repo("octo/app"), 5).expect_err("a failure"))
}

/// What becomes of an answer to a request that opens an issue.
fn write(reply: Reply) -> PackError {
    let issue = NewIssue { title: "T".into(), ..NewIssue::default() };
    told(github(&Replay::of([reply])).create_issue(&repo("octo/app"), &issue).expect_err("a failure"))
}

fn message(text: &str) -> Value {
    json!({ "message": text, "documentation_url": "https://docs.github.com/rest" })
}

fn fix(error: &PackError) -> &str {
    error.fix.as_deref().unwrap_or_default()
}

#[test]
fn a_recorded_404_names_what_was_looked_for() {
    let error = read(recorded("branch-protection").remove(0).reply);
    assert_eq!(error.code, ErrorCode::NotFound);
    assert!(error.message.contains("issue 5 of octo/app") && error.message.contains("private"), "{error:?}");
    assert!(fix(&error).contains("GITHUB_TOKEN"), "{error:?}");
}

#[test]
fn a_recorded_422_says_which_field_is_not_valid() {
    let error = write(recorded("errors").remove(0).reply);
    assert_eq!(error.code, ErrorCode::InvalidInput);
    assert_eq!(error.message, "GitHub did not accept the input: \"color\" is not valid.");
    assert_eq!(error.pointer, None, "color is no input");
}

#[test]
fn a_recorded_422_says_that_there_is_one_already() {
    let error = write(recorded("release-assets-conflict").remove(1).reply);
    assert_eq!(error.code, ErrorCode::InvalidInput);
    assert!(error.message.contains("there is already a ReleaseAsset with this \"name\""), "{error:?}");
}

#[test]
fn a_recorded_redirect_of_a_renamed_repository_is_not_followed() {
    let exchange = recorded("rename-repository").remove(0);
    assert_eq!(exchange.reply.status, 301);
    let error = read(exchange.reply);
    assert_eq!((error.code, error.pointer.as_deref()), (ErrorCode::NotFound, Some("/repo")));
    assert!(error.message.contains("moved"), "{error:?}");
}

#[test]
fn a_field_of_githubs_is_pointed_at_by_the_input_that_it_comes_from() {
    let failed =
        |errors: Value| reply(422, &[], &json!({ "message": "Validation Failed", "errors": errors }));
    let error = write(failed(
        json!([{ "resource": "Issue", "field": "assignees", "code": "invalid", "value": "nobody" }]),
    ));
    assert_eq!(error.pointer.as_deref(), Some("/assignees"));
    assert_eq!(fix(&error), "Change \"assignees\".");
    let exists = json!([{ "resource": "Release", "code": "already_exists", "field": "tag_name" }]);
    let replay = Replay::of([failed(exists)]);
    let release = NewRelease { tag_name: "v1".into(), ..NewRelease::default() };
    let error = told(github(&replay).create_release(&repo("o/r"), &release).expect_err("it is there"));
    assert_eq!(error.pointer.as_deref(), Some("/tag"));
    assert!(error.message.contains("already a Release with this \"tag\""), "{error:?}");
    let replay = Replay::of([failed(json!([
        { "resource": "PullRequest", "code": "custom", "message": "No commits between main and fix" },
        { "resource": "PullRequest", "field": "head", "code": "missing_field" }
    ]))]);
    let pull = NewPullRequest { head: "fix".into(), base: "main".into(), ..NewPullRequest::default() };
    let error = told(github(&replay).create_pull_request(&repo("o/r"), &pull).expect_err("nothing to merge"));
    let expected = "GitHub did not accept the input: No commits between main and fix; \"head\" is missing.";
    assert_eq!((error.message.as_str(), error.pointer.as_deref()), (expected, Some("/head")));
}

#[test]
fn words_of_github_are_told_on_one_line_and_not_without_end() {
    for errors in [json!("a\nb"), json!(["a\nb"]), json!([{ "message": "a\nb" }])] {
        let error = write(reply(422, &[], &json!({ "message": "Validation Failed", "errors": errors })));
        assert_eq!(error.message, "GitHub did not accept the input: a b.");
    }
    let many: Vec<String> = (0..1000).map(|_| "x".repeat(1000)).collect();
    let error = write(reply(422, &[], &json!({ "message": "x".repeat(100_000), "errors": many })));
    assert!(error.message.len() < 2000, "{}", error.message.len());
    for body in [json!(null), json!([]), json!({ "errors": [null, 5, {}] }), json!({ "message": 5 })] {
        assert_eq!(write(reply(422, &[], &body)).code, ErrorCode::InvalidInput, "{body}");
    }
}

#[test]
fn a_credential_that_is_not_accepted_is_the_operators_to_renew() {
    let error = read(reply(401, &[], &message("Bad credentials")));
    assert_eq!(error.code, ErrorCode::AuthFailed);
    assert_eq!(error.message, "GitHub did not accept the credential: Bad credentials.");
    assert!(fix(&error).contains("GITHUB_TOKEN"), "{error:?}");
    let replay = Replay::of([reply(401, &[], &message("Requires authentication"))]);
    let api = Api::new("https://api.github.com", "").expect("an API");
    let error = told(GitHub::new(api, &replay).issue(&repo("o/r"), 1).expect_err("refused"));
    assert!(fix(&error).contains("manifest entry"), "{error:?}");
}

#[test]
fn a_missing_permission_is_named_where_github_names_it() {
    let no = message("Resource not accessible by personal access token");
    let cases = [
        (vec![("x-accepted-github-permissions", "issues=write")], "permission issues=write"),
        (vec![("x-accepted-oauth-scopes", "repo, public_repo")], "scopes repo, public_repo"),
        (vec![("x-github-sso", "required; url=https://github.com/orgs/o/sso")], "single sign-on"),
        (vec![], "the permission for this"),
    ];
    for (headers, expected) in cases {
        let error = write(reply(403, &headers, &no));
        assert_eq!(error.code, ErrorCode::AuthFailed);
        assert!(error.message.contains("Resource not accessible"), "{error:?}");
        assert!(fix(&error).contains(expected) && fix(&error).contains("GITHUB_TOKEN"), "{error:?}");
    }
    let error = write(reply(403, &[], &message("Repository was archived so is read-only.")));
    assert_eq!((error.code, error.pointer.as_deref()), (ErrorCode::InvalidInput, Some("/repo")));
}

#[test]
fn a_limit_says_how_long_to_wait_by_githubs_own_clock() {
    let exceeded = message("API rate limit exceeded");
    // 1507651290 is 16:01:30 of that day.
    let none_left = ("x-ratelimit-remaining", "0");
    let cases = [
        (403, vec![none_left, ("x-ratelimit-reset", "1507651290"), DATE], 90),
        (429, vec![none_left, ("x-ratelimit-reset", "1507651290"), DATE], 90),
        (403, vec![("retry-after", "30")], 30),
        (429, vec![("retry-after", "Tue, 10 Oct 2017 16:00:45 GMT"), DATE], 45),
        (403, vec![none_left, ("x-ratelimit-reset", "1507651000"), DATE], 1),
        (403, vec![none_left, ("x-ratelimit-reset", "1507651200000"), DATE], 3600),
        (403, vec![none_left, ("x-ratelimit-reset", "18446744073709551615"), DATE], 60),
        (403, vec![none_left, ("x-ratelimit-reset", "1507651290")], 60),
        (403, vec![("x-ratelimit-remaining", "17")], 60),
        (429, vec![], 60),
        (403, vec![("retry-after", "0")], 1),
    ];
    for (status, headers, seconds) in cases {
        let error = read(reply(status, &headers, &exceeded));
        assert_eq!(error.code, ErrorCode::RateLimited, "{headers:?}");
        assert_eq!(error.retry_after_ms, Some(seconds * 1000), "{headers:?}");
    }
    let error = read(reply(403, &[("x-ratelimit-remaining", "17")], &message("Must have admin rights")));
    assert_eq!(error.code, ErrorCode::AuthFailed);
}

#[test]
fn the_other_statuses_mean_what_they_say() {
    let cases = [
        (400, ErrorCode::InvalidInput),
        (409, ErrorCode::InvalidInput),
        (410, ErrorCode::InvalidInput),
        (413, ErrorCode::InvalidInput),
        (418, ErrorCode::Failed),
        (451, ErrorCode::Failed),
        (500, ErrorCode::Failed),
        (503, ErrorCode::Failed),
        (304, ErrorCode::Failed),
    ];
    for (status, code) in cases {
        let error = write(reply(status, &[], &message("Issues are disabled for this repo.")));
        assert_eq!(error.code, code, "{status}");
        assert!(error.message.ends_with('.') && !error.message.ends_with(".."), "{error:?}");
    }
}

#[test]
fn after_a_fault_of_the_servers_what_writes_is_not_simply_tried_again() {
    let busy = || reply(503, &[("retry-after", "20")], &json!("<html>"));
    assert_eq!((read(busy()).retry_after_ms, fix(&read(busy()))), (Some(20_000), "Try again later."));
    assert!(fix(&write(busy())).contains("look before you try again"));
    assert_eq!(write(busy()).retry_after_ms, None);
    assert_eq!(read(reply(502, &[], &json!(null))).retry_after_ms, Some(10_000));
}

#[test]
fn an_answer_that_is_no_json_is_a_failure_and_no_panic() {
    for body in ["", "<html>", "[1]", "{\"number\": -1}"] {
        let reply = Reply { status: 200, headers: Vec::new(), body: body.into() };
        assert_eq!(read(reply).code, ErrorCode::Failed, "{body}");
    }
}
