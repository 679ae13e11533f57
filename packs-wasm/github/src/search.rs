//! The search over all of GitHub.

use packhost_sdk::api::Transport;
use packhost_sdk::{Error, JsonSchema, text};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::client::{GitHub, Subject};
use crate::model;
use crate::pages::{Listed, page_size};

/// Characters of a title and of a description.
const WORDS: usize = 500;

/// What is searched for: issues and pull requests, repositories, files, commits, or users and organisations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "their descriptions would only make the schema longer")]
pub enum Kind {
    #[default]
    Issues,
    Repositories,
    Code,
    Commits,
    Users,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Issues => "issues",
            Self::Repositories => "repositories",
            Self::Code => "code",
            Self::Commits => "commits",
            Self::Users => "users",
        }
    }
}

/// What a search found.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    /// How many there are in all, as GitHub counts.
    pub total: u64,
    /// GitHub ran out of time: there may be others.
    pub incomplete: bool,
    /// The best ones first.
    pub listed: Listed<Found>,
}

/// One thing that a search found. What its kind does not have is left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct Found {
    /// The title of an issue, the name of a repository or user, the path of a file, the first line of a commit.
    pub title: String,
    /// Its page.
    pub html_url: String,
    /// Its address in the API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The repository that it is in, as "owner/name".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repo: Option<String>,
    /// The number of an issue or pull request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// "open" or "closed".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Whether it is a pull request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_pull_request: Option<bool>,
    /// Who wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The path of a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The hash of a commit or file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha: Option<String>,
    /// What a repository says of itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The language that most of a repository is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// How many stars a repository has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stars: Option<u64>,
    /// When it was last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<String>,
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    total_count: u64,
    #[serde(default)]
    incomplete_results: bool,
    #[serde(default)]
    items: Vec<Value>,
}

impl<T: Transport> GitHub<T> {
    /// Searches; GitHub answers the first 1000 at most.
    ///
    /// # Errors
    ///
    /// Those of the API, in words.
    pub fn search(&self, kind: Kind, query: &str, limit: usize) -> Result<Search, Error> {
        let subject = Subject {
            path: &["search", kind.as_str()],
            words: format!("the search for {}", kind.as_str()),
            inputs: &[("q", "/query"), ("type", "/type")],
        };
        let (mut total, mut incomplete) = (0, false);
        let query = [("q", query), ("per_page", &page_size(limit))];
        let mut listed = self.list(&subject, &query, limit, |page| {
            let page: Page = page.json()?;
            total = page.total_count;
            incomplete |= page.incomplete_results;
            Ok(page.items.iter().map(|item| found(kind, item)).collect())
        })?;
        listed.truncated |= total > listed.items.len() as u64;
        Ok(Search { total, incomplete, listed })
    }
}

fn found(kind: Kind, item: &Value) -> Found {
    let at = |pointer: &str| model::text(item, pointer);
    let first_line = |text: String| text.lines().next().unwrap_or_default().to_owned();
    let title = match kind {
        Kind::Issues => at("/title"),
        Kind::Repositories => at("/full_name"),
        Kind::Code => at("/path"),
        Kind::Commits => at("/commit/message").map(first_line),
        Kind::Users => at("/login"),
    };
    let of_issue = |url: String| url.split_once("/repos/").map(|(_, repo)| repo.to_owned());
    let mut found = Found {
        title: title.unwrap_or_default(),
        html_url: at("/html_url").unwrap_or_default(),
        url: at("/url"),
        repo: at("/repository/full_name").or_else(|| at("/repository_url").and_then(of_issue)),
        number: item["number"].as_u64(),
        state: at("/state"),
        is_pull_request: (kind == Kind::Issues).then(|| item["pull_request"].is_object()),
        user: at("/user/login").or_else(|| at("/author/login")),
        path: (kind == Kind::Code).then(|| at("/path")).flatten(),
        sha: at("/sha"),
        description: at("/description"),
        language: at("/language"),
        stars: item["stargazers_count"].as_u64(),
        updated_at: at("/updated_at").or_else(|| at("/commit/committer/date")),
    };
    for long in [Some(&mut found.title), found.description.as_mut()].into_iter().flatten() {
        text::cut(long, WORDS, usize::MAX);
    }
    found
}
