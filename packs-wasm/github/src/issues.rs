//! Issues and the comments on them.

use packhost_sdk::Error;
use packhost_sdk::api::Transport;
use serde::Serialize;

use crate::client::{GitHub, Subject};
use crate::model::{Comment, Issue, State};
use crate::pages::{Listed, PAGE, page_size, shorten};
use crate::repo::Repo;

/// Bytes of JSON that the text of an issue, and of each comment, may take.
const BODY_LARGEST: usize = 192 << 10;
const COMMENT_LARGEST: usize = 64 << 10;

/// An issue to open.
#[derive(Debug, Clone, Default, Serialize)]
pub struct NewIssue {
    /// Its title.
    pub title: String,
    /// Its text, in Markdown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Names of labels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Names of users.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub assignees: Vec<String>,
}

/// Which issues to list.
#[derive(Debug, Clone, Default)]
pub struct IssueFilter {
    /// Open ones, closed ones, or all.
    pub state: State,
    /// Those that have all of these labels.
    pub labels: Vec<String>,
    /// Those of this user; `none` and `*` as GitHub takes them.
    pub assignee: Option<String>,
}

impl<T: Transport> GitHub<T> {
    /// Opens an issue.
    ///
    /// # Errors
    ///
    /// Those of the API, in words.
    pub fn create_issue(&self, repo: &Repo, issue: &NewIssue) -> Result<Issue, Error> {
        let mut created: Issue = self.post(
            &Subject {
                path: &repo.path(&["issues"]),
                words: format!("the repository {repo}"),
                inputs: &[
                    ("title", "/title"),
                    ("body", "/body"),
                    ("labels", "/labels"),
                    ("label", "/labels"),
                    ("assignees", "/assignees"),
                    ("assignee", "/assignees"),
                ],
            },
            issue,
        )?;
        created.body = None;
        Ok(created)
    }

    /// Lists issues without their texts, newest first. GitHub lists pull requests among them; they are left out.
    ///
    /// # Errors
    ///
    /// Those of the API, in words.
    pub fn issues(&self, repo: &Repo, filter: &IssueFilter, limit: usize) -> Result<Listed<Issue>, Error> {
        let labels = filter.labels.join(",");
        // Whole pages: pull requests may be most of them.
        let size = PAGE.to_string();
        let mut query = vec![("state", filter.state.as_str()), ("per_page", size.as_str())];
        query.extend((!labels.is_empty()).then_some(("labels", labels.as_str())));
        query.extend(filter.assignee.as_deref().map(|assignee| ("assignee", assignee)));
        let subject = Subject {
            path: &repo.path(&["issues"]),
            words: format!("the repository {repo}"),
            inputs: &[("state", "/state"), ("labels", "/labels"), ("assignee", "/assignee")],
        };
        self.list(&subject, &query, limit, |page| {
            let page: Vec<Issue> = page.json()?;
            let issues = page.into_iter().filter(|issue| !issue.is_pull_request);
            Ok(issues.map(|issue| Issue { body: None, ..issue }).collect())
        })
    }

    /// An issue or pull request with its text, and whether that was cut.
    ///
    /// # Errors
    ///
    /// Those of the API, in words.
    pub fn issue(&self, repo: &Repo, number: u64) -> Result<(Issue, bool), Error> {
        let digits = number.to_string();
        let mut issue: Issue = self.get(&Subject {
            path: &repo.path(&["issues", &digits]),
            words: format!("issue {number} of {repo}"),
            inputs: &[],
        })?;
        let cut = shorten(&mut issue.body, BODY_LARGEST);
        Ok((issue, cut))
    }

    /// The first `limit` comments on an issue or pull request, oldest first.
    ///
    /// # Errors
    ///
    /// Those of the API, in words.
    pub fn comments(&self, repo: &Repo, number: u64, limit: usize) -> Result<Listed<Comment>, Error> {
        let digits = number.to_string();
        let subject = Subject {
            path: &repo.path(&["issues", &digits, "comments"]),
            words: format!("issue {number} of {repo}"),
            inputs: &[],
        };
        let mut cut = false;
        let mut listed = self.list(&subject, &[("per_page", &page_size(limit))], limit, |page| {
            let mut comments: Vec<Comment> = page.json()?;
            for comment in &mut comments {
                cut |= shorten(&mut comment.body, COMMENT_LARGEST);
            }
            Ok(comments)
        })?;
        listed.truncated |= cut;
        Ok(listed)
    }

    /// Writes a comment on an issue or pull request.
    ///
    /// # Errors
    ///
    /// Those of the API, in words.
    pub fn comment(&self, repo: &Repo, number: u64, body: &str) -> Result<Comment, Error> {
        let digits = number.to_string();
        let subject = Subject {
            path: &repo.path(&["issues", &digits, "comments"]),
            words: format!("issue {number} of {repo}"),
            inputs: &[("body", "/body")],
        };
        let created: Comment = self.post(&subject, &serde_json::json!({ "body": body }))?;
        Ok(Comment { body: None, ..created })
    }
}
