//! The pack `reach`: sends one HTTP request and tells what came of it. What the host refuses is this pack's error.

use packhost_sdk::http::{self, Request};
use packhost_sdk::{Deserialize, Error, JsonSchema, Serialize};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// Where it goes.
    url: String,
    /// How.
    #[serde(default = "get")]
    method: String,
    /// What to carry.
    #[serde(default)]
    body: String,
    /// Headers to send.
    #[serde(default)]
    headers: Vec<(String, String)>,
    /// How many redirects to follow.
    #[serde(default)]
    follow: u32,
    /// How often to send it; the last response is told.
    #[serde(default = "one")]
    times: u32,
}

fn get() -> String {
    "GET".into()
}

fn one() -> u32 {
    1
}

#[derive(Serialize, JsonSchema)]
struct Output {
    status: u16,
    headers: Vec<(String, String)>,
    /// Where a redirect leads.
    redirect: Option<String>,
    /// At most 64 KiB of it.
    body: String,
    /// There was more.
    truncated: bool,
}

packhost_sdk::pack! {
    name: "reach",
    title: "Reach",
    description: "Sends one HTTP request. For tests.",
    effects: [],
    wants: { http: "To send what it is told to send." },
    examples: [{ "url": "http://127.0.0.1:8080/" }],
    run: reach,
}

fn reach(input: Input) -> Result<Output, Error> {
    let mut request = Request::get(http::url(&input.url)?);
    request.method = input.method;
    request.headers = input.headers;
    request.body = input.body.into_bytes();
    for _ in 1..input.times {
        request.send()?.read(1 << 16)?;
    }
    let response = if input.follow > 0 { request.follow(input.follow)? } else { request.send()? };
    let (status, headers) = (response.status, response.headers.clone());
    let redirect = response.redirect().map(String::from);
    let body = response.read(1 << 16)?;
    let truncated = body.truncated;
    Ok(Output {
        status,
        headers,
        redirect,
        body: String::from_utf8_lossy(&body.bytes).into_owned(),
        truncated,
    })
}
