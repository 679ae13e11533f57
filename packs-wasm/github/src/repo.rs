//! The names of what a call is about, checked before they become a part of a path.

use packhost_sdk::Error;

/// A repository: its owner (1 to 39 of `A-Za-z0-9-_`) and its name (1 to 100 of `A-Za-z0-9._-`, not `.` or `..`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repo {
    owner: String,
    name: String,
}

impl Repo {
    /// Reads `owner/name`.
    ///
    /// # Errors
    ///
    /// `invalid-input` for anything else.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let wrong = || {
            Error::invalid_input("The repository is not written as \"owner/name\".")
                .fix("Give owner and name alone, such as \"octocat/hello-world\": no address and no .git.")
                .pointer("/repo")
        };
        let (owner, name) = text.trim().split_once('/').ok_or_else(wrong)?;
        let of = |text: &str, longest: usize, more: &[u8]| {
            (1..=longest).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || more.contains(&b))
        };
        let fits = of(owner, 39, b"-_") && of(name, 100, b"-_.") && !matches!(name, "." | "..");
        if fits { Ok(Self { owner: owner.into(), name: name.into() }) } else { Err(wrong()) }
    }

    /// The path of something in the repository.
    pub(crate) fn path<'a>(&'a self, rest: &[&'a str]) -> Vec<&'a str> {
        [&["repos", self.owner.as_str(), self.name.as_str()], rest].concat()
    }

    /// The user or organisation that it belongs to.
    pub(crate) fn owner(&self) -> &str {
        &self.owner
    }
}

impl std::fmt::Display for Repo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

/// An input that has two names: the first, or the second where callers are used to that.
///
/// # Errors
///
/// `invalid-input` where neither is there, or both are and differ. `name` is the first one's.
pub fn either<V: PartialEq>(name: &str, first: Option<V>, second: Option<V>) -> Result<V, Error> {
    match (first, second) {
        (Some(first), Some(second)) if first != second => {
            Err(Error::invalid_input(format!("There are two values for \"{name}\", and they differ."))
                .fix("Give one of them.")
                .pointer(format!("/{name}")))
        }
        (Some(value), _) | (None, Some(value)) => Ok(value),
        (None, None) => Err(Error::invalid_input(format!("\"{name}\" is missing."))
            .fix(format!("Add \"{name}\"."))
            .pointer(format!("/{name}"))),
    }
}

/// The number of an issue or pull request, from either of its two inputs.
///
/// # Errors
///
/// `invalid-input` as [`either`], and for 0.
pub fn number(number: Option<u64>, issue_number: Option<u64>) -> Result<u64, Error> {
    match either("number", number, issue_number)? {
        0 => Err(Error::invalid_input("Issues and pull requests are numbered from 1.").pointer("/number")),
        number => Ok(number),
    }
}
