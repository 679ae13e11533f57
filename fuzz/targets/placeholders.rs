//! Placeholders in requests, through the way out to a server on loopback. Nothing that begins a placeholder arrives there in
//! any spelling; a value arrives where it was asked for, and only then; and a request without a placeholder arrives as it is.
//!
//! The first line is the path and query, then a header's name, its value, and the media type; the rest is the body.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use packhost_core::Caller;
use packhost_egress::{
    Allowance, CallEgress, CredentialError, CredentialUse, Credentials, Egress, Ending, Form, Holding,
    Opened, Quota, Redactor, Rules, Settings, Used, Verdict, Waits,
};
use tokio::runtime::{Builder, Runtime};
use url::Url;
use zeroize::Zeroizing;

/// The second has what every place writes in its own way.
const VALUES: [(&str, &str); 2] = [("KEY", "not-a-real-secret-0123"), ("ODD", "odd & \"quoted\" = 100% <ü>")];

/// What the server was sent.
struct Arrived {
    target: String,
    headers: HeaderMap,
    body: Bytes,
}

#[derive(Default)]
struct Seen {
    arrived: Mutex<Vec<Arrived>>,
    opened: Mutex<Vec<String>>,
}

impl Seen {
    fn take(&self) -> (Vec<Arrived>, Vec<String>) {
        let arrived = std::mem::take(&mut *self.arrived.lock().unwrap_or_else(PoisonError::into_inner));
        (arrived, std::mem::take(&mut *self.opened.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Credentials for Seen {
    fn open(&self, of: &CredentialUse) -> Result<Opened, CredentialError> {
        let value = VALUES.iter().find(|(name, _)| *name == of.name.as_str());
        let (name, value) = value.ok_or(CredentialError::NotFound)?;
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).push((*name).to_owned());
        Ok(Opened { value: Zeroizing::new(value.as_bytes().to_vec()), form: Form::Text, version: 1 })
    }
}

struct Everything;

impl Rules for Everything {
    fn decide(&self, _: &Method, _: &Url) -> Verdict {
        let credentials = ["KEY", "ODD", "ABSENT"].map(|name| name.parse().expect("a name")).to_vec();
        Verdict::Allowed { addresses: vec!["127.0.0.1/32".parse().expect("a network")], credentials }
    }
}

struct Place {
    runtime: Runtime,
    egress: Egress,
    server: SocketAddr,
    seen: Arc<Seen>,
}

static PLACE: LazyLock<Place> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let seen = Arc::new(Seen::default());
    let server = runtime.block_on(serve(seen.clone()));
    Place { runtime, egress: Egress::new(Settings::default()).expect("a way out"), server, seen }
});

async fn serve(seen: Arc<Seen>) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let seen = seen.clone();
            let service = service_fn(move |request: Request<Incoming>| {
                let seen = seen.clone();
                async move {
                    let (parts, body) = request.into_parts();
                    if let Ok(body) = body.collect().await {
                        let (target, headers) = (parts.uri.to_string(), parts.headers);
                        let arrived = Arrived { target, headers, body: body.to_bytes() };
                        seen.arrived.lock().unwrap_or_else(PoisonError::into_inner).push(arrived);
                    }
                    Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
                }
            });
            tokio::spawn(
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
            );
        }
    });
    address
}

pub(crate) fn fuzz(text: &str) {
    let mut lines = text.splitn(5, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (path, name, value, media, body) = (line(), line(), line(), line(), line());
    let place = &*PLACE;
    let url = format!("http://{}/{path}", place.server);
    let (Ok(uri), Ok(name)) = (url.parse::<Uri>(), format!("x-{name}").parse::<HeaderName>()) else { return };
    // One header of any name, and the one that knows Basic.
    let name = if name == "x-" { http::header::AUTHORIZATION } else { name };
    let (Ok(value), Ok(media)) = (value.parse::<HeaderValue>(), media.parse::<HeaderValue>()) else { return };
    let mut request = Request::new(Full::new(Bytes::from(body.to_owned())));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    request.headers_mut().insert(name.clone(), value.clone());
    request.headers_mut().insert(http::header::CONTENT_TYPE, media);

    let holding = Holding { credentials: place.seen.clone(), used: Used::default() };
    let quota = Quota { requests_per_minute: u32::MAX, connections: 4 };
    let account = place.egress.account(&"fuzz.pack".parse().expect("a name"), &Caller::local(), quota);
    let call =
        CallEgress::of(account, Arc::new(Everything), Allowance::default(), holding, Ending::default());
    let sent = place.runtime.block_on(async {
        let response = place.egress.send(request, &call, Waits::default()).await?;
        response.into_body().collect().await.map(drop)
    });
    let (arrived, opened) = place.seen.take();
    let Some(one) = arrived.first().filter(|_| sent.is_ok()) else {
        assert!(sent.is_err(), "it was answered, and did not arrive");
        assert!(arrived.is_empty(), "{sent:?}, and it arrived: {}", arrived[0].target);
        return;
    };
    let got = one.headers.get(&name).map_or(&b""[..], HeaderValue::as_bytes);
    let head = one.headers.values().map(HeaderValue::as_bytes).chain([one.target.as_bytes()]);
    // A body is read as it stands or decoded once, which is how the finder reads: only a head is decoded again on its way.
    let everything = head.map(peeled).chain([one.body.to_vec()]).collect::<Vec<_>>().join(&b'\n');
    assert!(
        !finds("${vault:", &everything),
        "a placeholder has left: {}",
        String::from_utf8_lossy(&everything)
    );
    for (name, value) in VALUES {
        let asked = opened.iter().any(|opened| opened == name);
        assert_eq!(
            finds(value, &everything) || text.contains(value),
            asked || text.contains(value),
            "{name}"
        );
    }
    if !finds("${vault:", &peeled(text.as_bytes())) {
        let read = Url::parse(&url).expect("it was sent");
        assert_eq!(one.target, read[url::Position::BeforePath..url::Position::AfterQuery]);
        // White space around a field is no part of it (RFC 9110 section 5.5).
        assert_eq!((got, &*one.body), (value.as_bytes().trim_ascii(), body.as_bytes()));
        assert!(opened.is_empty());
    }
}

/// The bytes, and what percent-decoding makes of them, and again, one behind the other; with what Basic holds.
fn peeled(bytes: &[u8]) -> Vec<u8> {
    use base64::Engine as _;
    let mut all = bytes.to_vec();
    let mut last = bytes.to_vec();
    for _ in 0..3 {
        last = percent_encoding::percent_decode(&last).collect();
        all.push(b'\n');
        all.extend_from_slice(&last);
    }
    let basic = bytes.get(6..).filter(|_| bytes[..6].eq_ignore_ascii_case(b"basic "));
    if let Some(Ok(pair)) = basic.map(|pair| base64::engine::general_purpose::STANDARD.decode(pair)) {
        all.push(b'\n');
        all.extend(pair);
    }
    all
}

/// In any spelling in which a value is taken out of answers; `+` is a space in forms.
fn finds(value: &str, bytes: &[u8]) -> bool {
    let redactor = Redactor::new([("value", value.as_bytes())]).expect("long enough");
    let spaced: Vec<u8> = bytes.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    redactor.finds(bytes) || redactor.finds(&spaced)
}
