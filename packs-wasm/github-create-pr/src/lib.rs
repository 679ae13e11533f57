//! The pack `github.create_pr`: opens a pull request.

use packhost_github::{GitHub, NewPullRequest, PullRequest, Repo};
use packhost_sdk::{Deserialize, Error, JsonSchema};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The repository as "owner/name", such as "octocat/hello-world".
    repo: String,
    /// The branch that has the changes, such as "fix-start-page"; in a fork, "octocat:fix-start-page". It must be
    /// pushed already.
    #[schemars(length(min = 1))]
    head: String,
    /// The branch that they are to go into, such as "main".
    #[schemars(length(min = 1))]
    base: String,
    /// The title, such as "Show the start page again".
    #[schemars(length(min = 1, max = 256))]
    title: String,
    /// The text, in Markdown.
    body: Option<String>,
    /// Open it as a draft, not ready for review.
    #[serde(default)]
    draft: bool,
}

packhost_sdk::pack! {
    name: "github.create_pr",
    title: "Open a GitHub pull request",
    description: "Opens a pull request in a GitHub repository, from a branch that is pushed already, and returns its \
                  number and address.",
    effects: [],
    wants: { http: "to open the pull request through GitHub's API" },
    examples: [
        {
            "repo": "octocat/hello-world",
            "head": "fix-start-page",
            "base": "main",
            "title": "Show the start page again",
            "body": "Closes #42."
        },
    ],
    run: create,
}

fn create(input: Input) -> Result<PullRequest, Error> {
    let Input { repo, head, base, title, body, draft } = input;
    let pull = NewPullRequest { title, head, base, body, draft };
    GitHub::configured()?.create_pull_request(&Repo::parse(&repo)?, &pull)
}
