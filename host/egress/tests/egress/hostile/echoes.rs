//! Servers that send back what they were sent, in every place and spelling that a web server has for it.

use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD, URL_SAFE_NO_PAD};
use futures::FutureExt;
use http::Response;
use http_body_util::BodyExt;
use packhost_egress::*;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::super::coded::coded;
use super::super::credentials::{VALUE, everywhere, request};
use super::super::support::*;
use super::Lasting;

/// A way to write a value down.
struct Spelling {
    name: &'static str,
    /// As it is sent.
    text: String,
    /// The part of that by which the value can be read.
    needle: String,
}

fn each(value: &str, spell: impl Fn(u8) -> String) -> String {
    value.bytes().map(spell).collect()
}

fn spellings(value: &str) -> Vec<Spelling> {
    let json = serde_json::Value::from(value).to_string();
    let named = value.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
    let mut all: Vec<Spelling> = [
        ("as it is", value.to_owned()),
        ("in percents", utf8_percent_encode(value, NON_ALPHANUMERIC).to_string()),
        ("in percents, all of it", each(value, |byte| format!("%{byte:02x}"))),
        ("as in a form", url::form_urlencoded::byte_serialize(value.as_bytes()).collect()),
        ("as in JSON", json[1..json.len() - 1].to_owned()),
        ("as in JSON with slashes", json[1..json.len() - 1].replace('/', "\\/")),
        ("as in JSON, all of it", each(value, |byte| format!("\\u{byte:04X}"))),
        ("as in HTML", named),
        ("as in HTML, in decimals", each(value, |byte| format!("&#{byte};"))),
        ("as in HTML, in hexadecimals", each(value, |byte| format!("&#x{byte:x};"))),
        ("in hexadecimals", each(value, |byte| format!("{byte:02x}"))),
        ("in large hexadecimals", each(value, |byte| format!("{byte:02X}"))),
    ]
    .map(|(name, text)| Spelling { name, needle: text.clone(), text })
    .into();
    for before in ["", "a", "ab", "me:"] {
        all.push(base64("in base64", &STANDARD, before, value));
        all.push(base64("in base64 for URLs", &URL_SAFE_NO_PAD, before, value));
    }
    all
}

/// With text around it, of which the digits at the border hold a part.
fn base64(name: &'static str, engine: &GeneralPurpose, before: &str, value: &str) -> Spelling {
    let text = engine.encode(format!("{before}{value}!?"));
    let (from, to) = ((before.len() * 8).div_ceil(6), (before.len() + value.len()) * 8 / 6);
    Spelling { name, needle: text[from..to].to_owned(), text }
}

/// How a value is written.
type Way = fn(&str) -> String;

/// Ways in which it is not found.
const LIMITS: [(&str, Way); 3] = [
    ("backwards", |value| value.chars().rev().collect()),
    ("json-in-json", |value| {
        let once = serde_json::Value::from(value).to_string();
        serde_json::Value::from(once).to_string()
    }),
    ("percents-in-percents", |value| {
        let once = utf8_percent_encode(value, NON_ALPHANUMERIC).to_string();
        utf8_percent_encode(&once, NON_ALPHANUMERIC).to_string()
    }),
];

const PLACES: [&str; 14] = [
    "body",
    "single bytes",
    "400",
    "401",
    "500",
    "header",
    "headers that clients follow",
    "reason",
    "trailer",
    "gzip",
    "deflate",
    "br",
    "zstd",
    "single bytes of gzip",
];

fn chunks(body: &[u8], trailers: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for byte in body {
        out.extend_from_slice(&[b'1', b'\r', b'\n', *byte, b'\r', b'\n']);
    }
    out.extend_from_slice(format!("0\r\n{trailers}\r\n").as_bytes());
    out
}

fn compressed(coding: &str, text: &str) -> Vec<u8> {
    coded(coding, text.as_bytes()).now_or_never().unwrap()
}

/// A response with the text in this place.
fn answer(place: &str, text: &str) -> Vec<u8> {
    let whole = |status: &str, fields: &str, body: &[u8]| {
        let head = format!("HTTP/1.1 {status}\r\n{fields}content-length: {}\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    };
    let pieces = |fields: &str, body: &[u8], trailers: &str| {
        let head = format!("HTTP/1.1 200 OK\r\n{fields}transfer-encoding: chunked\r\n\r\n");
        [head.as_bytes(), &chunks(body, trailers)].concat()
    };
    let page = format!("<p>{text}</p>");
    match place {
        "body" => whole("200 OK", "", page.as_bytes()),
        "single bytes" => pieces("", page.as_bytes(), ""),
        "400" | "401" | "500" => {
            whole(&format!("{place} No"), "content-type: text/html\r\n", page.as_bytes())
        }
        "header" => whole("200 OK", &format!("x-echo: <{text}>\r\nx-echo: {text}\r\n"), b""),
        "headers that clients follow" => {
            let location = format!("location: /?{text}\r\nlink: <{text}>; rel=next\r\n");
            let others =
                format!("set-cookie: a={text}; path=/\r\nwww-authenticate: Bearer realm=\"{text}\"\r\n");
            whole("302 Found", &(location + &others), b"")
        }
        "reason" => whole(&format!("200 {text}"), "", b""),
        "trailer" => pieces("trailer: x-echo\r\n", b"x", &format!("x-echo: {text}\r\n")),
        "single bytes of gzip" => pieces("content-encoding: gzip\r\n", &compressed("gzip", &page), ""),
        coding => whole("200 OK", &format!("content-encoding: {coding}\r\n"), &compressed(coding, &page)),
    }
}

/// Writes what it gets after `Bearer` into the place that the path says, in the spelling that it says.
async fn echoing() -> Lasting {
    Lasting::start("127.0.0.1:0", |head| {
        let value = head.lines().find_map(|line| line.strip_prefix("authorization: Bearer ")).unwrap();
        let path = head.split(' ').nth(1).unwrap();
        let (place, spelling) = path[1..].split_once('/').unwrap();
        let place = PLACES[place.parse::<usize>().unwrap()];
        if let Some((_, written)) = LIMITS.iter().find(|(way, _)| *way == spelling) {
            return answer(place, &written(value));
        }
        answer(place, &spellings(value)[spelling.parse::<usize>().unwrap()].text)
    })
    .await
}

/// All that a caller has of a response, in one.
async fn everything(response: Response<ResponseBody>) -> Vec<u8> {
    let (parts, mut body) = response.into_parts();
    let reason = parts.extensions.get::<hyper::ext::ReasonPhrase>();
    let mut all = reason.map(|reason| reason.as_bytes().to_vec()).unwrap_or_default();
    let mut fields = parts.headers;
    while let Some(frame) = body.frame().await {
        match frame.unwrap().into_data() {
            Ok(data) => all.extend_from_slice(&data),
            Err(frame) => fields.extend(frame.into_trailers().unwrap()),
        }
    }
    for (name, value) in &fields {
        all.extend_from_slice(format!("\n{name}: ").as_bytes());
        all.extend_from_slice(value.as_bytes());
    }
    all
}

async fn asked(egress: &Egress, call: &CallEgress, url: &str, authorization: &str) -> Vec<u8> {
    let request = request(url, &[("authorization", authorization)], "");
    everything(egress.send(request, call, Waits::default()).await.unwrap()).await
}

fn is_in(all: &[u8], needle: &[u8]) -> bool {
    all.windows(needle.len()).any(|window| window == needle)
}

#[tokio::test]
async fn no_echo_brings_a_value_back() {
    let (server, egress) = (echoing().await, plain());
    for (at, place) in PLACES.iter().enumerate() {
        for (index, Spelling { name, text, needle }) in spellings(VALUE).iter().enumerate() {
            let url = server.url(&format!("/{at}/{index}"));
            let (call, ..) = everywhere();
            let all = asked(&egress, &call, &url, "Bearer ${vault:TOKEN}").await;
            let said = String::from_utf8_lossy(&all);
            assert!(!is_in(&all, needle.as_bytes()), "{place}, {name}: {said}");
            assert_eq!(said.contains("[redacted:TOKEN]"), *place != "reason", "{place}, {name}: {said}");
            // A value that the pack wrote itself is no secret, and comes back as the server wrote it.
            let all = asked(&egress, &loopback(), &url, &format!("Bearer {VALUE}")).await;
            let coding = place.rsplit(' ').next().unwrap();
            let sought = match coding {
                "gzip" | "deflate" | "br" | "zstd" => compressed(coding, &format!("<p>{text}</p>")),
                _ => needle.clone().into_bytes(),
            };
            assert_eq!(is_in(&all, &sought), *place != "reason", "{place}, {name}: the search finds nothing");
        }
    }
}

/// What is done to a value besides writing it down is not undone: a server that means to hand it over can. Nor is an escape
/// within an escape, which matters only to a value with signs that are escaped.
#[tokio::test]
async fn a_value_that_is_turned_around_or_escaped_twice_comes_back() {
    let (server, egress) = (echoing().await, plain());
    for (way, written) in LIMITS {
        let (call, ..) = everywhere();
        let all = asked(&egress, &call, &server.url(&format!("/0/{way}")), "Bearer ${vault:TOKEN}").await;
        assert!(
            is_in(&all, written(VALUE).as_bytes()),
            "{way}: it is found by now, and belongs to the others"
        );
    }
}

#[tokio::test]
async fn a_field_whose_name_holds_a_value_is_left_out() {
    let hexadecimals = each("12345678", |byte| format!("{byte:02X}"));
    let percents = each("12345678", |byte| format!("%{byte:02x}"));
    for name in ["12345678", "x-12345678-y", &hexadecimals, &percents] {
        for head in [
            format!("HTTP/1.1 200 OK\r\n{name}: 1\r\nx-fine: 1\r\ncontent-length: 0\r\n\r\n"),
            format!(
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n{name}: 1\r\nx-fine: 1\r\n\r\n"
            ),
        ] {
            let server = Lasting::start("127.0.0.1:0", move |_| head.clone().into_bytes()).await;
            let (call, ..) = everywhere();
            let all = asked(&plain(), &call, &server.url("/"), "Bearer ${vault:PLAIN}").await;
            let plainly = asked(&plain(), &loopback(), &server.url("/"), "Bearer 12345678").await;
            let name = name.to_lowercase();
            assert!(!is_in(&all, name.as_bytes()) && is_in(&all, b"x-fine: 1"), "{name}");
            assert!(is_in(&plainly, name.as_bytes()), "{name}: the search finds nothing");
        }
    }
}
