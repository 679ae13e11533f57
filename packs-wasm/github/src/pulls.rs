//! Pull requests.

use packhost_sdk::Error;
use packhost_sdk::api::Transport;
use serde::Serialize;

use crate::client::{GitHub, Subject};
use crate::model::{PullRequest, State};
use crate::pages::{Listed, page_size};
use crate::repo::Repo;

/// A pull request to open.
#[derive(Debug, Clone, Default, Serialize)]
pub struct NewPullRequest {
    /// Its title.
    pub title: String,
    /// The branch that has the changes; `user:branch` where it is in a fork.
    pub head: String,
    /// The branch that they are to go into.
    pub base: String,
    /// Its text, in Markdown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// It is not ready for review.
    pub draft: bool,
}

/// Which pull requests to list.
#[derive(Debug, Clone, Default)]
pub struct PullFilter {
    /// Open ones, closed ones, or all.
    pub state: State,
    /// Those from this branch. Without an owner before a colon, one of the repository's own.
    pub head: Option<String>,
    /// Those into this branch.
    pub base: Option<String>,
}

impl<T: Transport> GitHub<T> {
    /// Opens a pull request.
    ///
    /// # Errors
    ///
    /// Those of the API, in words.
    pub fn create_pull_request(&self, repo: &Repo, pull: &NewPullRequest) -> Result<PullRequest, Error> {
        let subject = Subject {
            path: &repo.path(&["pulls"]),
            words: format!("the repository {repo}"),
            inputs: &[
                ("title", "/title"),
                ("head", "/head"),
                ("head_sha", "/head"),
                ("base", "/base"),
                ("body", "/body"),
                ("draft", "/draft"),
            ],
        };
        self.post(&subject, pull)
    }

    /// Lists pull requests, newest first.
    ///
    /// # Errors
    ///
    /// Those of the API, in words.
    pub fn pull_requests(
        &self,
        repo: &Repo,
        filter: &PullFilter,
        limit: usize,
    ) -> Result<Listed<PullRequest>, Error> {
        let size = page_size(limit);
        // GitHub silently lists all of them for a branch without its owner.
        let head = filter.head.as_ref().map(|head| match head.contains(':') {
            true => head.clone(),
            false => format!("{}:{head}", repo.owner()),
        });
        let mut query = vec![("state", filter.state.as_str()), ("per_page", size.as_str())];
        query.extend(head.as_deref().map(|head| ("head", head)));
        query.extend(filter.base.as_deref().map(|base| ("base", base)));
        let subject = Subject {
            path: &repo.path(&["pulls"]),
            words: format!("the repository {repo}"),
            inputs: &[("state", "/state"), ("head", "/head"), ("base", "/base")],
        };
        self.list(&subject, &query, limit, |page| page.json())
    }
}
