//! What GitHub answers, as flat as an agent reads it best.

use packhost_sdk::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// Which issues or pull requests are meant: open ones, closed ones (merged ones too), or all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "their descriptions would only make the schema longer")]
pub enum State {
    #[default]
    Open,
    Closed,
    All,
}

impl State {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::All => "all",
        }
    }
}

/// An issue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Issue {
    /// Its number in the repository.
    pub number: u64,
    /// Its title.
    pub title: String,
    /// "open" or "closed".
    pub state: String,
    /// Why it is closed, such as "completed" or "not_planned".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_reason: Option<String>,
    /// Who opened it.
    #[serde(default, deserialize_with = "login", skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The names of its labels.
    #[serde(default, deserialize_with = "names")]
    pub labels: Vec<String>,
    /// Who is to work on it.
    #[serde(default, deserialize_with = "logins")]
    pub assignees: Vec<String>,
    /// How many comments it has.
    #[serde(default, rename(deserialize = "comments"))]
    pub comment_count: u64,
    /// When it was opened, such as "2026-01-31T12:00:00Z".
    #[serde(default)]
    pub created_at: String,
    /// When it was last changed.
    #[serde(default)]
    pub updated_at: String,
    /// When it was closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<String>,
    /// The page of the issue.
    pub html_url: String,
    /// Its address in the API.
    pub url: String,
    /// True if it is a pull request.
    #[serde(
        default,
        rename(deserialize = "pull_request"),
        deserialize_with = "is_there",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub is_pull_request: bool,
    /// Its text, in Markdown. Not in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// A comment on an issue or pull request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comment {
    /// Its number among all comments of GitHub.
    pub id: u64,
    /// Who wrote it.
    #[serde(default, deserialize_with = "login", skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// When it was written.
    #[serde(default)]
    pub created_at: String,
    /// Its place on the issue's page.
    pub html_url: String,
    /// Its address in the API.
    pub url: String,
    /// Its text, in Markdown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// A pull request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PullRequest {
    /// Its number in the repository.
    pub number: u64,
    /// Its title.
    pub title: String,
    /// "open" or "closed".
    pub state: String,
    /// It is not ready for review.
    #[serde(default)]
    pub draft: bool,
    /// Who opened it.
    #[serde(default, deserialize_with = "login", skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The names of its labels.
    #[serde(default, deserialize_with = "names")]
    pub labels: Vec<String>,
    /// The branch that has the changes, such as "octocat:fix".
    #[serde(default, deserialize_with = "label_or_ref", skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// The branch that they are to go into.
    #[serde(default, deserialize_with = "reference", skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// When it was opened.
    #[serde(default)]
    pub created_at: String,
    /// When it was last changed.
    #[serde(default)]
    pub updated_at: String,
    /// When it was merged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_at: Option<String>,
    /// The page of the pull request.
    pub html_url: String,
    /// Its address in the API.
    pub url: String,
}

/// A release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Release {
    /// Its number among all releases of GitHub.
    pub id: u64,
    /// Its tag.
    pub tag_name: String,
    /// Its title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Nobody but the maintainers sees it yet.
    #[serde(default)]
    pub draft: bool,
    /// It is not meant for everybody's use yet.
    #[serde(default)]
    pub prerelease: bool,
    /// When it was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published_at: Option<String>,
    /// The page of the release.
    pub html_url: String,
    /// Its address in the API.
    pub url: String,
    /// Where files for it are uploaded to, as a URI template (RFC 6570).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload_url: Option<String>,
}

/// Text at a place of what GitHub nests.
pub(crate) fn text(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer).and_then(Value::as_str).map(str::to_owned)
}

fn login<'de, D: Deserializer<'de>>(of: D) -> Result<Option<String>, D::Error> {
    Ok(text(&Value::deserialize(of)?, "/login"))
}

fn label_or_ref<'de, D: Deserializer<'de>>(of: D) -> Result<Option<String>, D::Error> {
    let value = Value::deserialize(of)?;
    Ok(text(&value, "/label").or_else(|| text(&value, "/ref")))
}

fn reference<'de, D: Deserializer<'de>>(of: D) -> Result<Option<String>, D::Error> {
    Ok(text(&Value::deserialize(of)?, "/ref"))
}

fn is_there<'de, D: Deserializer<'de>>(of: D) -> Result<bool, D::Error> {
    Ok(!Value::deserialize(of)?.is_null())
}

fn logins<'de, D: Deserializer<'de>>(of: D) -> Result<Vec<String>, D::Error> {
    Ok(each(&Value::deserialize(of)?, "/login"))
}

/// Labels are objects with a name, or in old answers names.
fn names<'de, D: Deserializer<'de>>(of: D) -> Result<Vec<String>, D::Error> {
    Ok(each(&Value::deserialize(of)?, "/name"))
}

fn each(list: &Value, pointer: &str) -> Vec<String> {
    let items = list.as_array().into_iter().flatten();
    items.filter_map(|item| text(item, pointer).or_else(|| text(item, ""))).collect()
}
