//! Sending one request and reading its answer.

use packhost_sdk::Error;
use packhost_sdk::api::{Api, Egress, Transport};
use packhost_sdk::http::{Reply, Request};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::failure;

/// Where the API is unless the operator says otherwise.
const BASE: &str = "https://api.github.com";

/// The credential that is used unless the operator says otherwise.
const CREDENTIAL: &str = "GITHUB_TOKEN";

/// Bytes of one answer. A hundred issues with the longest bodies are about this many.
const LARGEST: usize = 8 << 20;

/// GitHub, as this pack's entry lets it be reached.
#[derive(Debug)]
pub struct GitHub<T = Egress> {
    pub(crate) api: Api,
    transport: T,
}

/// What a request is about: where it goes, and what its failure is called.
pub(crate) struct Subject<'a> {
    /// The path, a segment each.
    pub(crate) path: &'a [&'a str],
    /// In words, such as `issue 5 of octo/app`.
    pub(crate) words: String,
    /// Names that GitHub has for fields, and the pointers to the inputs that they come from.
    pub(crate) inputs: &'static [(&'static str, &'static str)],
}

impl GitHub {
    /// As the operator's entry says (`api`, `credential`).
    ///
    /// # Errors
    ///
    /// `failed` where the entry has values that cannot be used.
    pub fn configured() -> Result<Self, Error> {
        Ok(Self::new(Api::configured(BASE, CREDENTIAL)?, Egress))
    }
}

impl<T: Transport> GitHub<T> {
    /// With a way out of the caller's.
    pub fn new(api: Api, transport: T) -> Self {
        Self { api, transport }
    }

    pub(crate) fn get<R: DeserializeOwned>(&self, subject: &Subject<'_>) -> Result<R, Error> {
        self.send(&self.request("GET", subject.path), subject)?.json()
    }

    pub(crate) fn post<R: DeserializeOwned>(
        &self,
        subject: &Subject<'_>,
        body: &impl Serialize,
    ) -> Result<R, Error> {
        let mut request = self.request("POST", subject.path).header("content-type", "application/json");
        request.body = serde_json::to_vec(body)
            .map_err(|error| Error::failed(format!("The request could not be written: {error}.")))?;
        self.send(&request, subject)?.json()
    }

    /// An answer with a status of 2xx; everything else is an error.
    pub(crate) fn send(&self, request: &Request, subject: &Subject<'_>) -> Result<Reply, Error> {
        let reply = self.transport.exchange(request, LARGEST)?;
        match reply.status {
            200..=299 => Ok(reply),
            _ => Err(failure::explain(&reply, request, subject, self.api.credential())),
        }
    }

    /// With the headers that GitHub requires.
    pub(crate) fn request(&self, method: &str, path: &[&str]) -> Request {
        self.api
            .request(method, path)
            .header("accept", "application/vnd.github+json")
            .header("user-agent", concat!("packhost-github/", env!("CARGO_PKG_VERSION")))
            .header("x-github-api-version", "2022-11-28")
    }
}
