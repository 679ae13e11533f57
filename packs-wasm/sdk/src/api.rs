//! An HTTP API whose address and credential the operator configures: the config values `api` and `credential`.
//!
//! Owns: the base address, the placeholder in place of a secret, and the way out. Refuses: secrets themselves.

use std::time::Duration;

use crate::http::{self, Reply, Request, Url};
use crate::{Error, config};

/// How long to wait for the other side; the entry's time limit may come first.
const PATIENCE: Duration = Duration::from_secs(30);

/// The way out, so that a test can answer in the place of a server.
pub trait Transport {
    /// Sends a request and reads the answer, of at most `limit` bytes.
    ///
    /// # Errors
    ///
    /// As [`Request::send`], and `resource-exhausted` for an answer that is too long. A status is not an error.
    fn exchange(&self, request: &Request, limit: usize) -> Result<Reply, Error>;
}

/// The host's way out.
#[derive(Debug, Clone, Copy)]
pub struct Egress;

impl Transport for Egress {
    fn exchange(&self, request: &Request, limit: usize) -> Result<Reply, Error> {
        request.send()?.whole(limit)
    }
}

/// Where an API is, and which credential its requests carry.
#[derive(Debug, Clone)]
pub struct Api {
    base: Url,
    credential: Option<String>,
}

impl Api {
    /// As the operator's entry says, with these where it says nothing.
    ///
    /// # Errors
    ///
    /// `failed`, for the operator, where a value of the entry is not what it should be.
    pub fn configured(base: &str, credential: &str) -> Result<Self, Error> {
        let (own_base, own_credential) = (config::get("api")?, config::get("credential")?);
        Self::new(own_base.as_deref().unwrap_or(base), own_credential.as_deref().unwrap_or(credential))
    }

    /// An API at this address; its path, if it has one, comes before every other. The credential is a name of the vault:
    /// `[A-Za-z][A-Za-z0-9_.-]{0,63}`, or empty for none.
    ///
    /// # Errors
    ///
    /// `failed`, for the operator, where one of them is not what it should be.
    pub fn new(base: &str, credential: &str) -> Result<Self, Error> {
        let wrong = |key: &str, example: &str| {
            Error::failed(format!("The config value \"{key}\" of this pack's manifest entry is not usable."))
                .fix(format!("The operator has to set it, to something such as {example}."))
        };
        let base = http::url(base)
            .ok()
            .filter(|url| url.query().is_none() && url.fragment().is_none())
            .ok_or_else(|| wrong("api", "https://api.example.com"))?;
        if !credential.is_empty() && !is_name(credential) {
            return Err(wrong("credential", "API_TOKEN, or to \"\" for none"));
        }
        Ok(Self { base, credential: Some(credential.to_owned()).filter(|name| !name.is_empty()) })
    }

    /// The name of the credential that requests carry.
    pub fn credential(&self) -> Option<&str> {
        self.credential.as_deref()
    }

    /// The host of the API.
    pub fn host(&self) -> &str {
        self.base.host_str().unwrap_or_default()
    }

    /// A request with the credential's placeholder, which the host replaces on the way out. Each segment is
    /// percent-encoded, so none of them leads elsewhere; `.` and `..` are left out.
    pub fn request(&self, method: &str, segments: &[&str]) -> Request {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        let mut request = Request { method: method.into(), timeout: Some(PATIENCE), ..Request::get(url) };
        if let Some(name) = &self.credential {
            request = request.header("authorization", &format!("Bearer ${{vault:{name}}}"));
        }
        request
    }
}

fn is_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_stay_below_the_base_whatever_is_in_them() {
        for (base, expected) in [
            ("https://api.example.com", "https://api.example.com/a%2Fb/c%3F%23%25/..%2Fx"),
            ("https://ghe.example.com/api/v3/", "https://ghe.example.com/api/v3/a%2Fb/c%3F%23%25/..%2Fx"),
        ] {
            let api = Api::new(base, "").expect("an API");
            let url = api.request("GET", &["a/b", "..", ".", "c?#%", "../x"]).url;
            assert_eq!(url.as_str(), expected);
        }
    }

    #[test]
    fn a_credential_is_written_as_a_placeholder_and_an_empty_one_not_at_all() {
        let with =
            Api::new("https://api.example.com", "GITHUB_TOKEN").expect("an API").request("GET", &["x"]);
        assert_eq!(with.headers, [("authorization".to_owned(), "Bearer ${vault:GITHUB_TOKEN}".to_owned())]);
        assert!(
            Api::new("https://api.example.com", "").expect("an API").request("GET", &[]).headers.is_empty()
        );
    }

    #[test]
    fn what_an_operator_got_wrong_is_not_sent_anywhere() {
        for name in ["a b", "1a", "a}", "${vault:a}", "_a", &"a".repeat(65)] {
            assert!(Api::new("https://api.example.com", name).is_err(), "{name} was taken");
        }
        for base in ["api.example.com", "ftp://a.example", "https://u:p@a.example", "https://a.example?b", ""]
        {
            assert!(Api::new(base, "").is_err(), "{base} was taken");
        }
    }
}
