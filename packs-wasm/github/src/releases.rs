//! Releases.

use packhost_sdk::Error;
use packhost_sdk::api::Transport;
use serde::Serialize;

use crate::client::{GitHub, Subject};
use crate::model::Release;
use crate::repo::Repo;

/// A release to make.
#[derive(Debug, Clone, Default, Serialize)]
pub struct NewRelease {
    /// Its tag; made where it is not there yet.
    pub tag_name: String,
    /// The branch or commit that a new tag is put on; the default branch without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_commitish: Option<String>,
    /// Its title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its notes, in Markdown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Nobody but the maintainers is to see it yet.
    pub draft: bool,
    /// It is not meant for everybody's use yet.
    pub prerelease: bool,
    /// GitHub is to write notes, after `body`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub generate_release_notes: bool,
}

impl<T: Transport> GitHub<T> {
    /// Makes a release.
    ///
    /// # Errors
    ///
    /// Those of the API, in words.
    pub fn create_release(&self, repo: &Repo, release: &NewRelease) -> Result<Release, Error> {
        let subject = Subject {
            path: &repo.path(&["releases"]),
            words: format!("the repository {repo}"),
            inputs: &[
                ("tag_name", "/tag"),
                ("target_commitish", "/target"),
                ("name", "/name"),
                ("body", "/body"),
                ("draft", "/draft"),
                ("prerelease", "/prerelease"),
            ],
        };
        self.post(&subject, release)
    }
}
