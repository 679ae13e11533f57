//! The operator's console: a page and its modules, in the binary as they were written.
//!
//! Owns: which files there are, and what a browser may do with them. Refuses: every datum. The page asks the HTTP API for
//! all that it shows, with the token of whoever looks; its own files are the same for everybody and hold nothing.

use axum::Router;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;

/// Where it is.
pub const PLACE: &str = "/console/";

/// Scripts and styles of its own, pictures that it has made, requests to this host; nothing else, and in nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const PAGE: &str = "text/html; charset=utf-8";
const PICTURE: &str = "image/svg+xml";
const SCRIPT: &str = "text/javascript";
const STYLE: &str = "text/css";

/// A file of the console.
struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

macro_rules! asset {
    ($name:literal, $kind:expr) => {
        Asset { name: $name, kind: $kind, bytes: include_bytes!(concat!("../assets/", $name)) }
    };
}

const INDEX: Asset = asset!("index.html", PAGE);

const ASSETS: &[Asset] = &[
    asset!("api.js", SCRIPT),
    asset!("artifact.js", SCRIPT),
    asset!("artifacts.js", SCRIPT),
    asset!("call.js", SCRIPT),
    asset!("calls.js", SCRIPT),
    asset!("credentials.js", SCRIPT),
    asset!("denials.js", SCRIPT),
    asset!("dom.js", SCRIPT),
    asset!("entry.js", SCRIPT),
    asset!("format.js", SCRIPT),
    asset!("icon.svg", PICTURE),
    asset!("live.js", SCRIPT),
    asset!("login.js", SCRIPT),
    asset!("main.js", SCRIPT),
    asset!("overview.js", SCRIPT),
    asset!("pack.js", SCRIPT),
    asset!("packs.js", SCRIPT),
    asset!("part.js", SCRIPT),
    asset!("preview.js", SCRIPT),
    asset!("record.js", SCRIPT),
    asset!("schema.js", SCRIPT),
    asset!("sessions.js", SCRIPT),
    asset!("style.css", STYLE),
    asset!("table.js", SCRIPT),
    asset!("verification.js", SCRIPT),
];

/// The routes of the console, for anybody: what it shows needs a token, where this host has any.
pub fn routes() -> Router {
    let index = get(async || answer(&INDEX));
    let routes =
        Router::new().route("/console", get(async || Redirect::permanent(PLACE))).route(PLACE, index);
    ASSETS.iter().fold(routes, |routes, asset| {
        routes.route(&format!("{PLACE}{}", asset.name), get(async move || answer(asset)))
    })
}

fn answer(asset: &Asset) -> Response {
    let headers = [
        (CONTENT_TYPE, asset.kind),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        // Another version of the host may come any time; the files are small.
        (CACHE_CONTROL, "no-cache"),
    ];
    (headers, asset.bytes).into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_file_is_served_and_every_module_that_is_imported_is_there() {
        let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/assets");
        let files: BTreeSet<String> = std::fs::read_dir(dir)
            .expect("the directory")
            .map(|file| file.expect("readable").file_name().to_string_lossy().into_owned())
            .collect();
        let served: BTreeSet<String> =
            ASSETS.iter().chain([&INDEX]).map(|asset| asset.name.to_owned()).collect();
        assert_eq!(files, served);
        for asset in ASSETS {
            let text = std::str::from_utf8(asset.bytes).expect("text");
            for line in text.lines().filter(|line| line.contains("from \"./")) {
                let module = line
                    .split("from \"./")
                    .nth(1)
                    .and_then(|rest| rest.split('"').next())
                    .unwrap_or_default();
                assert!(served.contains(module), "{}: {module}", asset.name);
            }
        }
    }

    #[test]
    fn nothing_is_fetched_from_elsewhere_and_no_text_becomes_a_page() {
        for asset in ASSETS.iter().chain([&INDEX]) {
            let text = std::str::from_utf8(asset.bytes).expect("text");
            for wrong in [
                "http://",
                "https://",
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
            ] {
                let found =
                    text.lines().find(|line| line.contains(wrong) && !line.contains("www.w3.org/2000/svg"));
                assert_eq!(found, None, "{}: {wrong}", asset.name);
            }
        }
    }
}
