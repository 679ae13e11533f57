//! HTTP/2, where the server speaks it.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, Version};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use packhost_core::{Caller, CredentialName};
use tokio::net::TcpListener;
use tokio::sync::Barrier;
use tokio_rustls::TlsAcceptor;
use zeroize::Zeroizing;

use super::support::*;
use super::tls::Authority;
use packhost_egress::*;

type Answered = Response<UnsyncBoxBody<Bytes, Infallible>>;

fn full(text: impl Into<Bytes>) -> Answered {
    Response::new(Full::new(text.into()).boxed_unsync())
}

/// A server for `granted.test`, and a way out that trusts it.
struct Http2 {
    egress: Egress,
    url: String,
    connections: Arc<AtomicUsize>,
}

impl Http2 {
    async fn start<F, R>(serve: F) -> Self
    where
        F: Fn(Request<Incoming>) -> R + Clone + Send + 'static,
        R: Future<Output = Answered> + Send + 'static,
    {
        let authority = Authority::new("authority");
        let acceptor = TlsAcceptor::from(Arc::new(authority.server(&["granted.test"], &["h2"], |_| ())));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://granted.test:{}", listener.local_addr().unwrap().port());
        let connections = Arc::new(AtomicUsize::new(0));
        let opened = connections.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                opened.fetch_add(1, Ordering::Relaxed);
                let stream = acceptor.accept(stream).await.unwrap();
                let serve = serve.clone();
                let service = service_fn(move |request| {
                    let answer = serve(request);
                    async move { Ok::<_, Infallible>(answer.await) }
                });
                let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
            }
        });
        let names = Names::new(&[("granted.test", &[&["127.0.0.1"]])]);
        let settings = Settings { idle: Settings::default().idle, ..settings(&names) };
        let egress = Egress::new(Settings { extra_roots: vec![authority.root()], ..settings }).unwrap();
        Self { egress, url, connections }
    }

    fn opened(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// A call on behalf of this caller.
    fn call(&self, caller: &Caller) -> CallEgress {
        self.holding(caller, Holding::default())
    }

    fn holding(&self, caller: &Caller, holding: Holding) -> CallEgress {
        let quota = Quota { requests_per_minute: 1000, connections: 4 };
        let account = self.egress.account(&"a.pack".parse().unwrap(), caller, quota);
        CallEgress::of(account, Arc::new(Loopback), Allowance::default(), holding, Ending::default())
    }
}

/// Grants everything on loopback, with one credential.
struct Loopback;

impl Rules for Loopback {
    fn decide(&self, _: &http::Method, _: &url::Url) -> Verdict {
        let name: CredentialName = "API_KEY".parse().unwrap();
        Verdict::Allowed { addresses: vec!["127.0.0.0/8".parse().unwrap()], credentials: vec![name] }
    }
}

struct Vault;

impl Credentials for Vault {
    fn open(&self, _: &CredentialUse) -> Result<Opened, CredentialError> {
        Ok(Opened { value: Zeroizing::new(b"not-a-real-secret".to_vec()), version: 1, form: Form::Text })
    }
}

/// Its head, line by line.
async fn told(request: Request<Incoming>) -> Answered {
    let mut lines = vec![format!("{:?} {} {}", request.version(), request.method(), request.uri())];
    lines
        .extend(request.headers().iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())));
    let body = request.into_body().collect().await.unwrap().to_bytes();
    lines.push(String::from_utf8_lossy(&body).into_owned());
    full(lines.join("\n"))
}

#[tokio::test]
async fn a_request_arrives_as_it_was_meant() {
    let http2 = Http2::start(told).await;
    let request = Request::post(format!("{}/a%20b?c=d", http2.url))
        .header("connection", "keep-alive, x-nominated")
        .header("x-nominated", "gone")
        .header("te", "trailers")
        .header("x-kept", "yes")
        .body(Full::new(Bytes::from_static(b"the body")))
        .unwrap();
    let response = http2.egress.send(request, &http2.call(&Caller::local()), Waits::default()).await.unwrap();
    assert_eq!(response.version(), Version::HTTP_2);
    let seen = text(response).await.unwrap();
    let line = format!("HTTP/2.0 POST {}/a%20b?c=d", http2.url);
    assert_eq!(
        seen.lines().collect::<Vec<_>>(),
        [line.as_str(), "x-kept: yes", "content-length: 8", "the body"]
    );
}

#[tokio::test]
async fn requests_at_the_same_time_share_connections() {
    const REQUESTS: usize = 16;
    // Nobody is answered before all have asked: with four connections in all, some must share one.
    let barrier = Arc::new(Barrier::new(REQUESTS));
    let http2 = Http2::start(move |_| {
        let barrier = barrier.clone();
        async move {
            barrier.wait().await;
            full("all are here")
        }
    })
    .await;
    let call = http2.call(&Caller::local());
    let asked = std::iter::repeat_with(|| get(&http2.egress, &call, &http2.url)).take(REQUESTS);
    for answer in futures::future::join_all(asked).await {
        assert_eq!(text(answer.unwrap()).await.unwrap(), "all are here");
    }
    assert!(http2.opened() <= 4, "{} connections", http2.opened());
}

#[tokio::test]
async fn one_after_the_other_they_share_it_too() {
    let http2 = Http2::start(told).await;
    for _ in 0..3 {
        let call = http2.call(&Caller::local());
        text(get(&http2.egress, &call, &http2.url).await.unwrap()).await.unwrap();
    }
    assert_eq!(http2.opened(), 1);
    let other = http2.call(&Caller::token("somebody"));
    text(get(&http2.egress, &other, &http2.url).await.unwrap()).await.unwrap();
    assert_eq!(http2.opened(), 2);
}

#[tokio::test]
async fn a_credential_is_put_in_and_taken_out_again() {
    let http2 = Http2::start(|request| async move {
        let key = request.headers()["x-key"].clone();
        assert_eq!(key, "not-a-real-secret");
        let mut trailers = HeaderMap::new();
        trailers.insert("x-trailer", key.clone());
        let frames = [Frame::data(Bytes::copy_from_slice(key.as_bytes())), Frame::trailers(trailers)];
        let body = StreamBody::new(futures::stream::iter(frames.map(Ok)));
        let mut response = Response::new(body.boxed_unsync());
        response.headers_mut().insert("x-echo", key);
        response
    })
    .await;
    let holding = Holding { credentials: Arc::new(Vault), used: Used::default() };
    let call = http2.holding(&Caller::local(), holding);
    let request =
        Request::get(&http2.url).header("x-key", "${vault:API_KEY}").body(Full::<Bytes>::default()).unwrap();
    let response = http2.egress.send(request, &call, Waits::default()).await.unwrap();
    assert_eq!(response.headers()["x-echo"], "[redacted:API_KEY]");
    let body = response.into_body().collect().await.unwrap();
    assert_eq!(body.trailers().unwrap()["x-trailer"], "[redacted:API_KEY]");
    assert_eq!(body.to_bytes(), "[redacted:API_KEY]");
}

#[tokio::test]
async fn a_head_that_is_too_large_and_a_server_that_gives_up_are_errors() {
    let http2 = Http2::start(|request| async move {
        assert!(request.uri().path() != "/panic", "the server gives up");
        let mut response = full("x");
        response.headers_mut().insert("x-large", "x".repeat(128 * 1024).parse().unwrap());
        response
    })
    .await;
    let call = http2.call(&Caller::local());
    for path in ["/large", "/panic"] {
        let answer = get(&http2.egress, &call, &format!("{}{path}", http2.url)).await;
        assert!(matches!(answer, Err(EgressError::Protocol(_))), "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn a_body_without_end_stops_at_what_the_call_may_receive() {
    let http2 = Http2::start(|_| async {
        let piece = || Ok(Frame::data(Bytes::from_static(&[b'x'; 16 * 1024])));
        Response::new(StreamBody::new(futures::stream::repeat_with(piece)).boxed_unsync())
    })
    .await;
    let quota = Quota { requests_per_minute: 10, connections: 1 };
    let account = http2.egress.account(&"a.pack".parse().unwrap(), &Caller::local(), quota);
    let allowance = Allowance { bytes: 1 << 20, ..Allowance::default() };
    let call = CallEgress::of(account, Arc::new(Loopback), allowance, Holding::default(), Ending::default());
    let ended = text(get(&http2.egress, &call, &http2.url).await.unwrap()).await;
    assert!(matches!(ended, Err(EgressError::Budget { resource: Resource::Bytes, .. })), "{ended:?}");
    assert!(call.spent().bytes <= 1 << 20);
}
