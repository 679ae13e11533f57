//! A listener over a real engine with a real component, and a client on a real socket.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use packhost_callers::{Callers, NamedToken};
use packhost_engine::{Engine, Observer, PackSource};
use packhost_http::{Settings, bind, serve};
use packhost_manifest::{Manifest, Origin, Source};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const POLICY: &str = "
version: 1
packs:
  math: { limits: { time: 60s } }
  alices: { callers: [\"token:alice\"], limits: { time: 60s } }
";
pub(crate) const ALICE: &str = "secret-of-alice-1";
pub(crate) const BOB: &str = "secret-of-bob-234";

/// A host that serves; stopped when dropped.
pub(crate) struct Host {
    pub(crate) at: SocketAddr,
    pub(crate) engine: Engine,
    pub(crate) shutdown: CancellationToken,
    pub(crate) served: JoinHandle<()>,
    _state: TempDir,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("not JSON: {error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }

    /// The problem that it is, after its status and code were looked at.
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        let problem = self.json();
        assert_eq!((self.status.as_u16(), &problem["code"]), (status, &code.into()), "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        assert_eq!(problem["status"], status);
        problem
    }

    /// The events of a stream: each one's name and data.
    pub(crate) fn events(&self) -> Vec<(String, Value)> {
        let blocks = self.body.split("\n\n").filter(|block| block.contains("event: "));
        let field = |block: &str, name: &str| {
            block.lines().find_map(|line| line.strip_prefix(name)).expect("a field").to_owned()
        };
        let read = |block: &str| {
            (field(block, "event: "), serde_json::from_str(&field(block, "data: ")).expect("JSON"))
        };
        blocks.map(read).collect()
    }
}

/// Alice and Bob have tokens.
pub(crate) async fn start(change: impl FnOnce(&mut Settings)) -> Host {
    start_with(|settings| {
        let token = |name, secret| NamedToken::new(name, secret).expect("a good token");
        settings.callers =
            Callers::named(vec![token("alice", ALICE), token("bob", BOB)]).expect("names of their own");
        change(settings);
    })
    .await
}

/// Everyone is the local user, until `change` says otherwise.
pub(crate) async fn start_with(change: impl FnOnce(&mut Settings)) -> Host {
    let (engine, state) = engine().await;
    serving(engine, state, change)
}

/// Everyone is the local user, and this one is told of calls.
pub(crate) async fn start_observed(by: Arc<dyn Observer>) -> Host {
    let (engine, state) = engine().await;
    assert!(engine.observe(by), "nobody else is told");
    serving(engine, state, |_| {})
}

async fn engine() -> (Engine, TempDir) {
    let state = tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(0o700))
        .tempdir()
        .expect("a temporary directory");
    let component = wat::parse_str(include_str!("guest.wat")).expect("a component");
    let pack = |name: &str| PackSource {
        name: name.to_owned(),
        origin: "a test".to_owned(),
        bytes: Cow::Owned(component.clone()),
        digest: None,
    };
    let source = Source { name: "policy.yaml".into(), text: POLICY.into(), origin: Origin::Operator };
    let manifest = Manifest::parse(&[source]).expect("a manifest");
    let own = packhost_engine::Settings::new(state.path().to_owned(), state.path().join("cache"));
    let engine = Engine::start(own, vec![pack("math"), pack("alices")], manifest).await.expect("an engine");
    assert_eq!(engine.catalog().refused(), [], "every pack is served");
    (engine, state)
}

fn serving(engine: Engine, state: TempDir, change: impl FnOnce(&mut Settings)) -> Host {
    let mut settings = Settings::new("127.0.0.1:0".parse().expect("an address"));
    change(&mut settings);
    let listener = bind(&settings).expect("loopback");
    let (at, shutdown) = (listener.local_addr().expect("an address"), CancellationToken::new());
    let (own, stop) = (engine.clone(), shutdown.clone());
    let served = tokio::spawn(async move { serve(listener, settings, own, stop).await.expect("it serves") });
    Host { at, engine, shutdown, served, _state: state }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// A request of this caller.
pub(crate) fn request(method: &str, path: &str, token: &str) -> axum::http::request::Builder {
    let request = Request::builder().method(method).uri(path).header("host", "localhost");
    if token.is_empty() { request } else { request.header("authorization", format!("Bearer {token}")) }
}

/// A call with this input.
pub(crate) fn call(pack: &str, token: &str, input: &Value, headers: &[(&str, &str)]) -> Request<Body> {
    let path = format!("/v1/packs/{pack}/calls");
    let request = request("POST", &path, token).header("content-type", "application/json");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(Body::from(serde_json::json!({ "input": input }).to_string())).expect("a request")
}

impl Host {
    /// Sends a request and reads the response to its end.
    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.open(request).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        let body = String::from_utf8(body.to_vec()).expect("text");
        Reply { status: parts.status, headers: parts.headers, body }
    }

    /// Sends a request and reads the head of the response.
    pub(crate) async fn open(&self, request: Request<Body>) -> hyper::Response<hyper::body::Incoming> {
        let stream = TcpStream::connect(self.at).await.expect("it listens");
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("HTTP");
        tokio::spawn(connection);
        sender.send_request(request).await.expect("a response")
    }

    /// Sends a request, and hands on the wait for its response.
    pub(crate) async fn asking(
        &self,
        request: Request<Body>,
    ) -> impl Future<Output = hyper::Result<()>> + use<> {
        let stream = TcpStream::connect(self.at).await.expect("it listens");
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("HTTP");
        tokio::spawn(connection);
        async move { sender.send_request(request).await.map(drop) }
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Reply {
        self.send(request("GET", path, token).body(Body::empty()).expect("a request")).await
    }

    pub(crate) async fn delete(&self, path: &str, token: &str) -> Reply {
        self.send(request("DELETE", path, token).body(Body::empty()).expect("a request")).await
    }

    pub(crate) async fn call(
        &self,
        pack: &str,
        token: &str,
        input: Value,
        headers: &[(&str, &str)],
    ) -> Reply {
        self.send(call(pack, token, &input, headers)).await
    }

    /// A call that is fetched later: where it is.
    pub(crate) async fn begin(&self, pack: &str, token: &str, input: Value) -> String {
        let begun = self.call(pack, token, input, &[("prefer", "respond-async")]).await;
        assert_eq!(begun.status, 202, "{begun:?}");
        begun.header("location").expect("a place").to_owned()
    }
}
