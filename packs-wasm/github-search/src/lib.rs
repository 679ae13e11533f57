//! The pack `github.search`: searches all of GitHub.

use packhost_github::{Found, GitHub, Kind, Search};
use packhost_sdk::{Deserialize, Error, JsonSchema, Serialize};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// Words and qualifiers, such as "blank page repo:octocat/hello-world is:open" or "parser language:rust".
    #[schemars(length(min = 1))]
    query: String,
    /// What to search for; "issues" means pull requests too.
    #[serde(default, rename = "type")]
    kind: Kind,
    /// How many results to return at most.
    #[serde(default = "thirty")]
    #[schemars(range(min = 1, max = 1000))]
    limit: usize,
}

fn thirty() -> usize {
    30
}

#[derive(Serialize, JsonSchema)]
struct Output {
    /// How many there are in all, as GitHub counts.
    total_count: u64,
    /// The results, the best ones first.
    items: Vec<Found>,
    /// How many are returned.
    count: usize,
    /// There are more results than these.
    truncated: bool,
    /// GitHub ran out of time: there may be results that it did not find.
    incomplete_results: bool,
}

packhost_sdk::pack! {
    name: "github.search",
    title: "Search GitHub",
    description: "Searches GitHub for issues, pull requests, repositories, code, commits or users. Add \
                  repo:owner/name to the query to search one repository, and is:pr for pull requests alone.",
    effects: [read_only, idempotent],
    wants: { http: "to search through GitHub's API" },
    examples: [
        { "query": "blank page repo:octocat/hello-world is:issue is:open" },
        { "query": "wasm runtime language:rust stars:>100", "type": "repositories", "limit": 10 },
    ],
    run: search,
}

fn search(input: Input) -> Result<Output, Error> {
    let Search { total, incomplete, listed } =
        GitHub::configured()?.search(input.kind, &input.query, input.limit)?;
    Ok(Output {
        total_count: total,
        count: listed.items.len(),
        items: listed.items,
        truncated: listed.truncated,
        incomplete_results: incomplete,
    })
}
