//! Outgoing HTTP over `wasi:http`. One call is one request: what the manifest allows is decided for each.

mod refusal;
mod reply;
mod request;
mod response;
mod send;

pub use reply::Reply;
pub use request::Request;
pub use response::{Body, Response};
pub use url::Url;

use crate::Error;

/// The address that an input names.
///
/// # Errors
///
/// `invalid-input` where it is not an absolute `http` or `https` URL, or has a user name or password in it.
pub fn url(text: &str) -> Result<Url, Error> {
    let wrong = |why: &str| {
        Error::invalid_input(format!(
            "\"{}\" is not a web address: {why}.",
            text.chars().take(200).collect::<String>()
        ))
        .fix("Give an absolute URL such as https://example.com/page.")
        .pointer("/url")
    };
    let url = Url::parse(text.trim()).map_err(|error| wrong(&error.to_string()))?;
    match url.scheme() {
        "http" | "https" if url.username().is_empty() && url.password().is_none() => Ok(url),
        "http" | "https" => {
            Err(Error::invalid_input("The address has a user name or password before its @.")
                .fix("Use a header instead, such as authorization, and the address without them.")
                .pointer("/url"))
        }
        other => Err(wrong(&format!("it starts with {other}:, and only http: and https: are fetched"))),
    }
}
