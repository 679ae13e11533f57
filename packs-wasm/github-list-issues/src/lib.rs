//! The pack `github.list_issues`: the issues of a repository.

use packhost_github::{GitHub, Issue, IssueFilter, Listed, Repo, State};
use packhost_sdk::{Deserialize, Error, JsonSchema, OneOrMany, Serialize};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The repository as "owner/name", such as "octocat/hello-world".
    repo: String,
    /// Which issues to list, by their state.
    #[serde(default)]
    state: State,
    /// Only issues that have all of these labels, such as ["bug", "good first issue"] or "bug,good first issue".
    labels: Option<OneOrMany>,
    /// Only issues of this user, such as "octocat"; "none" for issues of nobody.
    assignee: Option<String>,
    /// How many issues to return at most.
    #[serde(default = "thirty")]
    #[schemars(range(min = 1, max = 1000))]
    limit: usize,
}

fn thirty() -> usize {
    30
}

#[derive(Serialize, JsonSchema)]
struct Output {
    /// The issues, newest first, without their texts.
    issues: Vec<Issue>,
    /// How many are returned.
    count: usize,
    /// There may be more issues than these.
    truncated: bool,
}

packhost_sdk::pack! {
    name: "github.list_issues",
    title: "List GitHub issues",
    description: "Lists the issues of a GitHub repository, newest first. Pull requests are left out: use \
                  github.list_prs. For an issue's text, use github.get_issue; to find issues by words, github.search.",
    effects: [read_only, idempotent],
    wants: { http: "to list the issues through GitHub's API" },
    examples: [
        { "repo": "octocat/hello-world" },
        { "repo": "octocat/hello-world", "state": "all", "labels": ["bug"], "limit": 100 },
    ],
    run: list,
}

fn list(input: Input) -> Result<Output, Error> {
    let labels = input.labels.map(|labels| labels.as_slice().to_vec()).unwrap_or_default();
    let filter = IssueFilter { state: input.state, labels, assignee: input.assignee };
    let Listed { items, truncated } =
        GitHub::configured()?.issues(&Repo::parse(&input.repo)?, &filter, input.limit)?;
    Ok(Output { count: items.len(), issues: items, truncated })
}
