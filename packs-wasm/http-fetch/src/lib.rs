//! The pack `http.fetch`: one HTTP request and its answer. What may be requested is the manifest's to say.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use packhost_sdk::{Deserialize, Error, JsonSchema, Serialize, http, text};

/// The most redirects that are followed (Fetch standard, 4.4).
const HOPS: u32 = 20;

/// Bytes that the body may take as JSON: an answer may have 4 MiB as shipped.
const LARGEST: usize = 3 << 20;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The absolute address, such as "https://api.example.com/items?page=2".
    url: String,
    /// The HTTP method.
    #[serde(default)]
    method: Method,
    /// Header names and values.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// The text to send. For JSON, send it as a string and set the header content-type.
    #[serde(default)]
    body: String,
    /// How many bytes of the answer to return at most.
    #[serde(default = "quarter_mebibyte")]
    #[schemars(range(min = 0, max = 2_097_152))]
    max_bytes: u32,
    /// Follow redirects. Otherwise the redirect itself is returned, with its address in the header location.
    #[serde(default)]
    follow_redirects: bool,
    /// Seconds to wait for the server.
    #[serde(default = "fifteen")]
    #[schemars(range(min = 1, max = 300))]
    timeout_s: u32,
}

fn quarter_mebibyte() -> u32 {
    256 << 10
}

fn fifteen() -> u32 {
    15
}

#[derive(Deserialize, Serialize, JsonSchema, Default, Clone, Copy)]
#[serde(rename_all = "UPPERCASE")]
enum Method {
    #[default]
    Get,
    Post,
    Put,
    Delete,
    Patch,
    Head,
}

#[derive(Serialize, JsonSchema)]
struct Output {
    /// The HTTP status code, such as 200 or 404.
    status: u16,
    /// The address that answered; after redirects, the last one.
    url: String,
    /// Header names in lower case and values; several values of one name are joined by a comma.
    headers: BTreeMap<String, String>,
    /// The answer's body.
    body: String,
    /// How `body` is written: "utf8", or "base64" when it is not text.
    body_encoding: Encoding,
    /// The body was longer than max_bytes, or than an answer may be, and was cut.
    truncated: bool,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    Utf8,
    Base64,
}

packhost_sdk::pack! {
    name: "http.fetch",
    title: "HTTP request",
    description: "Makes an HTTP request to a web API and returns status, headers and body. To read a web page as text, \
                  use web.scrape.",
    effects: [],
    wants: { http: "to make the request that it is asked for" },
    examples: [
        { "url": "https://api.example.com/items" },
        {
            "url": "https://api.example.com/items",
            "method": "POST",
            "headers": { "content-type": "application/json" },
            "body": "{\"name\": \"pen\"}"
        },
    ],
    run: fetch,
}

fn fetch(input: Input) -> Result<Output, Error> {
    let method = match input.method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Patch => "PATCH",
        Method::Head => "HEAD",
    };
    let mut request = http::Request::get(http::url(&input.url)?);
    request.method = method.into();
    request.headers = input.headers.into_iter().collect();
    if !request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("user-agent")) {
        request = request.header("user-agent", concat!("packhost-http.fetch/", env!("CARGO_PKG_VERSION")));
    }
    request.body = input.body.into_bytes();
    request.timeout = Some(Duration::from_secs(input.timeout_s.into()));
    let response = if input.follow_redirects { request.follow(HOPS)? } else { request.send()? };
    let (status, url) = (response.status, String::from(response.url.clone()));
    let mut headers = BTreeMap::<String, String>::new();
    for (name, value) in &response.headers {
        let all = headers.entry(name.clone()).or_default();
        let comma = if all.is_empty() { "" } else { ", " };
        all.push_str(comma);
        all.push_str(value);
    }
    let body = response.read(input.max_bytes as usize)?;
    let (mut content, body_encoding) = content(body.bytes, body.truncated);
    let cut = text::cut(&mut content, usize::MAX, LARGEST);
    Ok(Output { status, url, headers, body: content, body_encoding, truncated: body.truncated || cut })
}

/// The body as text where it is text; a cut may fall inside a character.
fn content(bytes: Vec<u8>, truncated: bool) -> (String, Encoding) {
    match String::from_utf8(bytes) {
        Ok(text) => (text, Encoding::Utf8),
        Err(error) if truncated && error.utf8_error().error_len().is_none() => {
            let valid = error.utf8_error().valid_up_to();
            let mut bytes = error.into_bytes();
            bytes.truncate(valid);
            (String::from_utf8_lossy(&bytes).into_owned(), Encoding::Utf8)
        }
        Err(error) => (BASE64_STANDARD.encode(error.as_bytes()), Encoding::Base64),
    }
}
