//! The pack `github.post_comment`: writes a comment on an issue or pull request.

use packhost_github::{Comment, GitHub, Repo, number};
use packhost_sdk::{Deserialize, Error, JsonSchema};

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
    /// The comment, in Markdown.
    #[schemars(length(min = 1, max = 65536))]
    body: String,
}

packhost_sdk::pack! {
    name: "github.post_comment",
    title: "Comment on a GitHub issue",
    description: "Writes a comment on an issue or pull request of a GitHub repository and returns the comment's address.",
    effects: [],
    wants: { http: "to write the comment through GitHub's API" },
    examples: [{ "repo": "octocat/hello-world", "number": 42, "body": "Fixed in version 2.1." }],
    run: comment,
}

fn comment(input: Input) -> Result<Comment, Error> {
    let repo = Repo::parse(&input.repo)?;
    GitHub::configured()?.comment(&repo, number(input.number, input.issue_number)?, &input.body)
}
