//! The pack `github.create_issue`: opens an issue.

use packhost_github::{GitHub, Issue, NewIssue, Repo};
use packhost_sdk::{Deserialize, Error, JsonSchema};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The repository as "owner/name", such as "octocat/hello-world".
    repo: String,
    /// The issue's title, such as "The start page is blank".
    #[schemars(length(min = 1, max = 256))]
    title: String,
    /// The issue's text, in Markdown.
    body: Option<String>,
    /// Names of labels, such as ["bug"].
    #[serde(default)]
    #[schemars(length(max = 100))]
    labels: Vec<String>,
    /// Names of users who are to work on it, such as ["octocat"].
    #[serde(default)]
    #[schemars(length(max = 10))]
    assignees: Vec<String>,
}

packhost_sdk::pack! {
    name: "github.create_issue",
    title: "Open a GitHub issue",
    description: "Opens an issue in a GitHub repository and returns its number and address.",
    effects: [],
    wants: { http: "to open the issue through GitHub's API" },
    examples: [
        { "repo": "octocat/hello-world", "title": "The start page is blank" },
        {
            "repo": "octocat/hello-world",
            "title": "The start page is blank",
            "body": "Since version 2 the start page is **blank**.",
            "labels": ["bug"],
            "assignees": ["octocat"]
        },
    ],
    run: create,
}

fn create(input: Input) -> Result<Issue, Error> {
    let Input { repo, title, body, labels, assignees } = input;
    GitHub::configured()?.create_issue(&Repo::parse(&repo)?, &NewIssue { title, body, labels, assignees })
}
