//! The pack `github.get_issue`: one issue with its text, and its comments where they are wanted.

use packhost_github::{Comment, GitHub, Issue, Listed, Repo, number};
use packhost_sdk::{Deserialize, Error, JsonSchema, Serialize};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The repository as "owner/name", such as "octocat/hello-world".
    repo: String,
    /// The number of the issue or pull request, such as 42. Always needed.
    #[schemars(range(min = 1))]
    number: Option<u64>,
    /// Another name for number; give one of the two.
    #[schemars(range(min = 1))]
    issue_number: Option<u64>,
    /// How many comments to return, from the oldest on.
    #[serde(default)]
    #[schemars(range(max = 1000))]
    comments: usize,
}

#[derive(Serialize, JsonSchema)]
struct Output {
    #[serde(flatten)]
    issue: Issue,
    /// The comments, oldest first, when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    comments: Option<Vec<Comment>>,
    /// A text was cut, or there are more comments than those that were asked for.
    truncated: bool,
}

packhost_sdk::pack! {
    name: "github.get_issue",
    title: "Read a GitHub issue",
    description: "Reads one issue of a GitHub repository by its number: title, text, state, labels and, when asked for, \
                  its comments. Works for pull requests too.",
    effects: [read_only, idempotent],
    wants: { http: "to read the issue through GitHub's API" },
    examples: [
        { "repo": "octocat/hello-world", "number": 42 },
        { "repo": "octocat/hello-world", "number": 42, "comments": 50 },
    ],
    run: read,
}

fn read(input: Input) -> Result<Output, Error> {
    let repo = Repo::parse(&input.repo)?;
    let number = number(input.number, input.issue_number)?;
    let github = GitHub::configured()?;
    let (issue, cut) = github.issue(&repo, number)?;
    if input.comments == 0 {
        return Ok(Output { issue, comments: None, truncated: cut });
    }
    let Listed { items, truncated } = github.comments(&repo, number, input.comments)?;
    Ok(Output { issue, comments: Some(items), truncated: truncated || cut })
}
