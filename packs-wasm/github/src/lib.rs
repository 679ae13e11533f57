//! GitHub's REST API as the github packs use it.
//!
//! Owns: requests (version 2022-11-28), pages, rate limits, failures in words, and the shapes of the answers. Refuses:
//! secrets (the host puts them in), redirects, and paths outside of what a call names.

mod client;
mod failure;
mod issues;
mod model;
mod pages;
mod pulls;
mod releases;
mod repo;
mod search;

pub use client::GitHub;
pub use issues::{IssueFilter, NewIssue};
pub use model::{Comment, Issue, PullRequest, Release, State};
pub use pages::Listed;
pub use pulls::{NewPullRequest, PullFilter};
pub use releases::NewRelease;
pub use repo::{Repo, either, number};
pub use search::{Found, Kind, Search};
