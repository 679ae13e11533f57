//! The pack `github.list_prs`: the pull requests of a repository.

use packhost_github::{GitHub, Listed, PullFilter, PullRequest, Repo, State};
use packhost_sdk::{Deserialize, Error, JsonSchema, Serialize};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The repository as "owner/name", such as "octocat/hello-world".
    repo: String,
    /// Which pull requests to list; merged ones are closed.
    #[serde(default)]
    state: State,
    /// Only those from this branch, such as "fix-start-page"; from a fork, "octocat:fix-start-page".
    head: Option<String>,
    /// Only those into this branch, such as "main".
    base: Option<String>,
    /// How many pull requests to return at most.
    #[serde(default = "thirty")]
    #[schemars(range(min = 1, max = 1000))]
    limit: usize,
}

fn thirty() -> usize {
    30
}

#[derive(Serialize, JsonSchema)]
struct Output {
    /// The pull requests, newest first, without their texts.
    prs: Vec<PullRequest>,
    /// How many are returned.
    count: usize,
    /// There are more pull requests than these.
    truncated: bool,
}

packhost_sdk::pack! {
    name: "github.list_prs",
    title: "List GitHub pull requests",
    description: "Lists the pull requests of a GitHub repository, newest first. For the text of one, use \
                  github.get_issue with its number.",
    effects: [read_only, idempotent],
    wants: { http: "to list the pull requests through GitHub's API" },
    examples: [
        { "repo": "octocat/hello-world" },
        { "repo": "octocat/hello-world", "state": "closed", "base": "main", "limit": 100 },
    ],
    run: list,
}

fn list(input: Input) -> Result<Output, Error> {
    let filter = PullFilter { state: input.state, head: input.head, base: input.base };
    let Listed { items, truncated } =
        GitHub::configured()?.pull_requests(&Repo::parse(&input.repo)?, &filter, input.limit)?;
    Ok(Output { count: items.len(), prs: items, truncated })
}
