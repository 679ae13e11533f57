//! A request, and the redirects that may follow from it.

use std::time::Duration;

use url::Url;
use wasip2::http::types::ErrorCode;

use super::{Response, refusal};
use crate::Error;

/// A request.
#[derive(Debug, Clone)]
pub struct Request {
    /// Upper case, such as `GET`.
    pub method: String,
    /// Where it goes.
    pub url: Url,
    /// Names and values, in order.
    pub headers: Vec<(String, String)>,
    /// What it carries.
    pub body: Vec<u8>,
    /// How long to wait for a connection, for the response's start, and between its bytes. The host may allow less.
    pub timeout: Option<Duration>,
}

impl Request {
    /// A `GET` without headers.
    pub fn get(url: Url) -> Self {
        Self { method: "GET".into(), url, headers: Vec::new(), body: Vec::new(), timeout: None }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sends it and waits for the status and headers. No redirect is followed.
    ///
    /// # Errors
    ///
    /// `denied` where the manifest does not allow the request, `timeout`, `invalid-input` for what is not HTTP,
    /// `failed` for the rest. A status such as 404 is not an error.
    pub fn send(&self) -> Result<Response, Error> {
        self.exchange()?.map_err(|code| refusal::explain(self, &code))
    }

    /// Sends it, and where the answer is a redirect, a new request there, at most `hops` times. Each is allowed or
    /// denied by itself. Credentials do not travel to another origin (Fetch standard, 4.4).
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send); `invalid-input` for a redirect to another origin where this call may not go;
    /// `failed` for more redirects than `hops`.
    pub fn follow(mut self, hops: u32) -> Result<Response, Error> {
        let asked = self.url.clone();
        for _ in 0..=hops {
            let response = self.exchange()?.map_err(|code| match code {
                ErrorCode::HttpRequestDenied if self.url.origin() != asked.origin() => {
                    refusal::moved(&asked, &self.url)
                }
                code => refusal::explain(&self, &code),
            })?;
            let Some(next) = response.redirect() else { return Ok(response) };
            self.redirect(response.status, next);
        }
        Err(Error::failed(format!("There are more than {hops} redirects; the last leads to {}.", self.url)))
    }

    /// Becomes the request that a redirect with this status asks for.
    fn redirect(&mut self, status: u16, next: Url) {
        if status == 303 || (matches!(status, 301 | 302) && self.method == "POST") {
            self.body.clear();
            self.headers.retain(|(name, _)| !name.to_ascii_lowercase().starts_with("content-"));
            if self.method != "HEAD" {
                self.method = "GET".into();
            }
        }
        if next.origin() != self.url.origin() {
            let secret = ["authorization", "cookie", "proxy-authorization"];
            self.headers.retain(|(name, _)| !secret.contains(&name.to_ascii_lowercase().as_str()));
        }
        self.url = next;
    }

    /// Whether a header is set, whatever its case.
    pub(super) fn has(&self, wanted: &str) -> bool {
        self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted))
    }
}
