//! The door over real sockets, with a handler that needs no engine.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use packhost_callers::{Callers, Fetch, FetchError, Fetched, Issuer, NamedToken, OAuth, OAuthSettings};
use packhost_core::Identity;
use rmcp::model::{CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;

mod tls;

use crate::listener::{adopt, run};
use crate::service::Service;
use crate::{Settings, bind};

/// Says who calls; or holds a call until it is let go or cancelled.
#[derive(Clone, Default)]
struct Handler(Arc<State>);

struct State {
    started: Semaphore,
    cancelled: Semaphore,
    go: Notify,
}

impl Default for State {
    fn default() -> Self {
        Self { started: Semaphore::new(0), cancelled: Semaphore::new(0), go: Notify::new() }
    }
}

impl ServerHandler for Handler {
    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let parts =
            context.extensions.get::<axum::http::request::Parts>().expect("rmcp hands on the request");
        let identity = parts.extensions.get::<Identity>().expect("the guard says who calls");
        assert!(!parts.headers.contains_key("authorization"), "the token goes no further");
        if request.name == "hold" {
            self.0.started.add_permits(1);
            tokio::select! {
                () = self.0.go.notified() => {}
                () = context.ct.cancelled() => {
                    self.0.cancelled.add_permits(1);
                    return Err(ErrorData::internal_error("cancelled", None));
                }
            }
        }
        Ok(CallToolResult::success(vec![ContentBlock::text(identity.caller.as_str())]).into())
    }
}

fn tokens(tokens: &[(&str, &str)]) -> Callers {
    let tokens = tokens.iter().map(|(name, secret)| NamedToken::new(name, secret).expect("a good token"));
    Callers::named(tokens.collect()).expect("names of their own")
}

struct Running {
    at: SocketAddr,
    handler: Handler,
    shutdown: CancellationToken,
    served: JoinHandle<()>,
}

async fn start(change: impl FnOnce(&mut Settings)) -> Running {
    let mut settings = Settings::new("127.0.0.1:0".parse().expect("an address"));
    change(&mut settings);
    let listener = adopt(bind(&settings).expect("loopback")).expect("a runtime");
    let at = listener.local_addr().expect("an address");
    let (handler, shutdown) = (Handler::default(), CancellationToken::new());
    let each = handler.clone();
    let service = Service::new(&settings, Arc::new(|_: &str, _: &Identity| None), move || each.clone())
        .expect("settings are checked");
    let stop = shutdown.clone();
    let served = tokio::spawn(async move { run(listener, &settings, service, stop).await });
    Running { at, handler, shutdown, served }
}

/// A request as it goes over the wire. Headers of the caller's come instead of the usual ones.
fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> String {
    let usual = [
        ("host", "localhost"),
        ("accept", "application/json, text/event-stream"),
        ("content-type", "application/json"),
        ("connection", "close"),
    ];
    let usual = usual.iter().filter(|(name, _)| headers.iter().all(|(given, _)| given != name));
    let lines: String = usual.chain(headers).map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("{method} {path} HTTP/1.1\r\n{lines}content-length: {}\r\n\r\n{body}", body.len())
}

fn call(tool: &str, headers: &[(&str, &str)]) -> String {
    let about = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {}});
    let params = json!({"name": tool, "arguments": {}, "_meta": about});
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).to_string();
    let own = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", tool)];
    request("POST", "/mcp", &[&own, headers].concat(), &body)
}

fn initialize(headers: &[(&str, &str)]) -> String {
    let about = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let body = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": about}).to_string();
    request("POST", "/mcp", headers, &body)
}

struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Reply {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a JSON body")
    }
}

async fn read(mut stream: TcpStream) -> Reply {
    let mut all = Vec::new();
    // A refused body may end the connection before all of it is sent; what was answered counts.
    let _ = stream.read_to_end(&mut all).await;
    let all = String::from_utf8(all).expect("text");
    let (head, body) = all.split_once("\r\n\r\n").unwrap_or((&all, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Reply { status, head: head.to_owned(), body: body.to_owned() }
}

impl Running {
    async fn open(&self, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.at).await.expect("it listens");
        stream.write_all(request.as_bytes()).await.expect("it reads");
        stream
    }

    async fn send(&self, request: &str) -> Reply {
        read(self.open(request).await).await
    }

    async fn held(&self) {
        self.handler.0.started.acquire().await.expect("open").forget();
    }
}

#[tokio::test]
async fn with_tokens_every_call_is_somebodys() {
    let running = start(|s| s.callers = tokens(&[("ci", "secret-of-the-pipeline")])).await;
    let answer = running.send(&call("whoami", &[("authorization", "Bearer secret-of-the-pipeline")])).await;
    assert_eq!(answer.json()["result"]["content"][0]["text"], "token:ci");
    let unknown = running.send(&call("whoami", &[("authorization", "Bearer guess")])).await;
    assert_eq!(unknown.status, 401);
    assert_eq!(
        unknown.header("www-authenticate"),
        Some(
            "Bearer realm=\"packhost\", error=\"invalid_token\", error_description=\"the token is not known here\""
        )
    );
    for none in [
        call("whoami", &[]),
        initialize(&[]),
        request("GET", "/mcp", &[], ""),
        request("DELETE", "/mcp", &[], ""),
    ] {
        let refused = running.send(&none).await;
        assert_eq!(
            (refused.status, refused.header("www-authenticate")),
            (401, Some("Bearer realm=\"packhost\""))
        );
    }
    assert_eq!(running.send(&request("GET", "/healthz", &[], "")).await.body, "ok\n");
}

/// An issuer that cannot be reached.
struct Away;

#[async_trait]
impl Fetch for Away {
    async fn get(&self, _: &Url, _: usize) -> Result<Fetched, FetchError> {
        Err(FetchError("it is away".into()))
    }
}

fn oauth() -> Callers {
    let issuer = Issuer::parse("https://login.example.com", false).expect("an issuer");
    let settings = OAuthSettings::new(issuer, vec!["https://packs.example.com/base/mcp".into()]);
    Callers::default().with_oauth(OAuth::new(settings, Arc::new(Away)).expect("good settings"))
}

const METADATA: &str = "https://packs.example.com/.well-known/oauth-protected-resource/base/mcp";

#[tokio::test]
async fn a_client_learns_where_it_gets_a_token() {
    let running = start(|s| s.callers = oauth()).await;
    let refused = running.send(&call("whoami", &[])).await;
    let challenge =
        format!("Bearer realm=\"packhost\", resource_metadata=\"{METADATA}\", scope=\"packs:call\"");
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some(challenge.as_str())));
    for path in ["", "/mcp", "/base/mcp"] {
        let about = format!("/.well-known/oauth-protected-resource{path}");
        let found = running.send(&request("GET", &about, &[], "")).await;
        assert_eq!((found.status, found.header("content-type")), (200, Some("application/json")), "{path}");
        assert_eq!(found.json()["resource"], "https://packs.example.com/base/mcp");
        assert_eq!(found.json()["authorization_servers"], json!(["https://login.example.com"]));
    }
    for path in ["/other", "/base", "/base/mcp/x"] {
        let about = format!("/.well-known/oauth-protected-resource{path}");
        assert_eq!(running.send(&request("GET", &about, &[], "")).await.status, 404, "{path}");
    }
    let without = start(|_| {}).await;
    let none = without.send(&request("GET", "/.well-known/oauth-protected-resource", &[], "")).await;
    assert_eq!(none.status, 404, "there is no authorization server");
}

#[tokio::test]
async fn a_token_that_proves_nothing_is_challenged() {
    let running = start(|s| s.callers = oauth()).await;
    let shown = |token: &str| call("whoami", &[("authorization", &format!("Bearer {token}"))]);
    for token in ["a.b.c", "eyJhbGciOiJub25lIn0.e30.", "guess", "ph_guess"] {
        let refused = running.send(&shown(token)).await;
        let challenge = refused.header("www-authenticate").expect("a challenge");
        assert_eq!(refused.status, 401, "{token}");
        assert!(challenge.contains("error=\"invalid_token\", error_description=\"the token "), "{challenge}");
        assert!(challenge.contains(&format!("resource_metadata=\"{METADATA}\"")), "{challenge}");
        assert!(!challenge.contains(token), "{challenge}");
    }
}

#[tokio::test]
async fn a_caller_that_asks_too_often_is_told_when_to_come_back() {
    let per_minute = std::num::NonZeroU32::new(1).expect("not zero");
    let running =
        start(|s| s.callers = tokens(&[("ci", "secret-of-the-pipeline")]).at_most(per_minute)).await;
    let asked = call("whoami", &[("authorization", "Bearer secret-of-the-pipeline")]);
    assert_eq!(running.send(&asked).await.status, 200);
    let refused = running.send(&asked).await;
    let wait = refused.header("retry-after").and_then(|wait| wait.parse::<u64>().ok());
    assert!(refused.status == 429 && wait.is_some_and(|wait| (1..=60).contains(&wait)), "{}", refused.head);
}

#[tokio::test]
async fn a_page_from_elsewhere_reaches_nothing() {
    let running = start(|s| s.allowed_hosts = vec!["packs.example".into()]).await;
    for (header, value, status) in [
        ("host", "localhost:1234", 200),
        ("host", "127.0.0.1", 200),
        ("host", "[::1]:80", 200),
        ("host", "packs.example", 200),
        ("host", "evil.example", 403),
        ("host", "localhost.evil.example", 403),
        ("host", "", 400),
        ("origin", "http://localhost:6274", 200),
        ("origin", "https://localhost:6274", 403),
        ("origin", "http://evil.example", 403),
        ("origin", "http://localhost.evil.example", 403),
        ("origin", "null", 403),
        ("origin", "", 403),
    ] {
        for request in [call("whoami", &[(header, value)]), initialize(&[(header, value)])] {
            assert_eq!(running.send(&request).await.status, status, "{header}: {value}");
        }
    }
}

#[tokio::test]
async fn a_body_that_is_no_message_is_told_so() {
    let running = start(|s| s.max_body = 2000).await;
    for (body, status, code) in [
        ("{", 400, -32700),
        ("nonsense", 400, -32700),
        ("", 400, -32700),
        ("[]", 400, -32600),
        ("{\"jsonrpc\": \"1.0\"}", 400, -32600),
    ] {
        let refused = running.send(&request("POST", "/mcp", &[], body)).await;
        assert_eq!((refused.status, &refused.json()["error"]["code"]), (status, &json!(code)), "{body:?}");
    }
    assert_eq!(running.send(&request("POST", "/mcp", &[], &" ".repeat(2001))).await.status, 413);
    let chunked =
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";
    let chunk = format!("3e8\r\n{}\r\n", " ".repeat(1000));
    assert_eq!(running.send(&format!("{chunked}{chunk}{chunk}{chunk}0\r\n\r\n")).await.status, 413);
}

#[tokio::test]
async fn a_slow_client_is_not_waited_for() {
    let (head, body) = (Duration::from_millis(500), Duration::from_millis(50));
    let running = start(|s| (s.header_timeout, s.body_timeout) = (head, body)).await;
    let silent = read(running.open("").await).await;
    assert_eq!(silent.status, 0, "it is hung up on");
    let half_a_head = read(running.open("POST /mcp HTTP/1.1\r\nhost: ").await).await;
    assert!(matches!(half_a_head.status, 0 | 408));
    let whole = call("whoami", &[]);
    let half_a_body = read(running.open(&whole[..whole.len() - 10]).await).await;
    assert_eq!(half_a_body.status, 408);
}

#[tokio::test]
async fn sessions_are_bounded_and_have_owners() {
    let running = start(|s| {
        s.max_sessions = 1;
        s.callers = tokens(&[("a", "secret-of-caller-a"), ("b", "secret-of-caller-b")]);
    })
    .await;
    let opened = running.send(&initialize(&[("authorization", "Bearer secret-of-caller-a")])).await;
    let id = opened.header("mcp-session-id").expect("a session").to_owned();
    let list = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}).to_string();
    let of = |token| request("POST", "/mcp", &[("authorization", token), ("mcp-session-id", &id)], &list);
    assert_eq!(running.send(&of("Bearer secret-of-caller-a")).await.status, 200);
    assert_eq!(running.send(&of("Bearer secret-of-caller-b")).await.status, 404);
    let full = running.send(&initialize(&[("authorization", "Bearer secret-of-caller-b")])).await;
    assert_eq!((full.status, full.header("retry-after")), (503, Some("60")));
    let modern = running.send(&call("whoami", &[("authorization", "Bearer secret-of-caller-b")])).await;
    assert_eq!(modern.status, 200, "calls without a session do not need a place");
    let end = request(
        "DELETE",
        "/mcp",
        &[("authorization", "Bearer secret-of-caller-a"), ("mcp-session-id", &id)],
        "",
    );
    assert_eq!(running.send(&end).await.status, 202);
    assert_eq!(
        running.send(&initialize(&[("authorization", "Bearer secret-of-caller-b")])).await.status,
        200
    );
}

#[tokio::test]
async fn a_session_that_nobody_uses_makes_room() {
    let running = start(|s| (s.max_sessions, s.session_grace) = (2, Duration::ZERO)).await;
    let list = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}).to_string();
    let of = |id: &str| request("POST", "/mcp", &[("mcp-session-id", id)], &list);
    let mut ids = Vec::new();
    for _ in 0..3 {
        let opened = running.send(&initialize(&[])).await;
        ids.push(opened.header("mcp-session-id").expect("a session").to_owned());
        assert_eq!(running.send(&of(&ids[0])).await.status, 200, "what is used stays");
    }
    assert_eq!(running.send(&of(&ids[1])).await.status, 404);
    assert_eq!(running.send(&of(&ids[2])).await.status, 200);
}

#[tokio::test]
async fn a_client_that_hangs_up_takes_its_call_back() {
    let running = start(|_| {}).await;
    let stream = running.open(&call("hold", &[])).await;
    running.held().await;
    drop(stream);
    running.handler.0.cancelled.acquire().await.expect("open").forget();
}

#[tokio::test]
async fn a_shutdown_waits_for_answers_and_for_nothing_else() {
    let running = start(|_| {}).await;
    let opened = running.send(&initialize(&[])).await;
    let id = opened.header("mcp-session-id").expect("a session");
    let listening = running
        .open(&request("GET", "/mcp", &[("mcp-session-id", id), ("connection", "keep-alive")], ""))
        .await;
    let idle = running.open("").await;
    let called = running.open(&call("hold", &[])).await;
    running.held().await;
    running.shutdown.cancel();
    running.handler.0.go.notify_one();
    assert_eq!(read(called).await.json()["result"]["content"][0]["text"], "local");
    running.served.await.expect("no panic");
    assert!(TcpStream::connect(running.at).await.is_err(), "nobody listens");
    drop((listening, idle));
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_ever() {
    let running = start(|s| s.drain = Duration::from_millis(50)).await;
    let _called = running.open(&call("hold", &[])).await;
    running.held().await;
    running.shutdown.cancel();
    running.served.await.expect("no panic");
    running.handler.0.cancelled.acquire().await.expect("open").forget();
}

#[tokio::test]
async fn more_connections_than_there_is_room_for_wait() {
    let running = start(|s| s.max_connections = 1).await;
    let first = running.open(&call("hold", &[])).await;
    running.held().await;
    let second = running.open(&call("whoami", &[])).await;
    let mut none = [0];
    let early = tokio::time::timeout(Duration::from_millis(50), second.peek(&mut none)).await;
    assert!(early.is_err(), "the second is not served beside the first");
    running.handler.0.go.notify_one();
    assert_eq!(read(first).await.status, 200);
    assert_eq!(read(second).await.status, 200);
}
