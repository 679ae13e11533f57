//! rmcp's own client against the host, over both transports and in both eras of the protocol.

use std::time::Duration;

use packhost_tests::host::Setup;
use rmcp::model::{
    CallToolRequestParams, CallToolResult, ClientConfig, ErrorCode, ProgressNotificationParam,
    ProtocolVersion,
};
use rmcp::service::{NotificationContext, RunningService};
use rmcp::transport::streamable_http_client::{StreamableHttpClient, StreamableHttpClientTransportConfig};
use rmcp::transport::{StreamableHttpClientTransport, TokioChildProcess};
use rmcp::{ClientHandler, ClientLifecycleMode, ClientServiceExt, RoleClient, ServiceError};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use crate::wire::misbehaving;

/// How long a test waits for a notification before it calls the host dead.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a client and a server find out about each other.
#[derive(Clone, Copy)]
pub(crate) enum Era {
    /// `initialize`, up to 2025-11-25.
    Handshake,
    /// `server/discover`, from 2026-07-28 on.
    Stateless,
}

impl Era {
    fn version(self) -> ProtocolVersion {
        match self {
            Self::Handshake => ProtocolVersion::V_2025_11_25,
            Self::Stateless => ProtocolVersion::V_2026_07_28,
        }
    }

    fn lifecycle(self) -> ClientLifecycleMode {
        match self {
            Self::Handshake => ClientLifecycleMode::Initialize,
            Self::Stateless => ClientLifecycleMode::Discover { preferred_versions: vec![self.version()] },
        }
    }
}

/// What the client's user is told.
pub(crate) struct Ears {
    progress: UnboundedSender<f64>,
    changes: UnboundedSender<()>,
}

impl ClientHandler for Ears {
    async fn on_progress(&self, told: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        // A test that is over does not listen.
        let _ = self.progress.send(told.progress);
    }

    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        let _ = self.changes.send(());
    }

    fn get_info(&self) -> ClientConfig {
        ClientConfig::default().with_protocol_version(Era::Handshake.version())
    }
}

/// A client that is connected.
pub(crate) struct Client {
    pub(crate) service: RunningService<RoleClient, Ears>,
    progress: UnboundedReceiver<f64>,
    changes: UnboundedReceiver<()>,
}

fn ears() -> (Ears, UnboundedReceiver<f64>, UnboundedReceiver<()>) {
    let ((progress, heard), (changes, changed)) = (unbounded_channel(), unbounded_channel());
    (Ears { progress, changes }, heard, changed)
}

/// A client that starts the host as its child.
pub(crate) async fn over_stdio(setup: &Setup, era: Era) -> Client {
    let command = tokio::process::Command::from(setup.command(["mcp"]));
    let transport = TokioChildProcess::new(command).expect("the binary starts");
    let (ears, progress, changes) = ears();
    let service = ears.serve_with_lifecycle(transport, era.lifecycle()).await;
    Client { service: service.expect("the host speaks this version"), progress, changes }
}

/// A client of a host that serves.
pub(crate) async fn over_http(url: &str, era: Era) -> Client {
    let transport = StreamableHttpClientTransport::from_uri(url);
    over(transport, era).await
}

/// The same, with a token in each request.
pub(crate) async fn over_http_as(url: &str, era: Era, token: &str) -> Client {
    let config = StreamableHttpClientTransportConfig::with_uri(url).auth_header(token);
    over(StreamableHttpClientTransport::from_config(config), era).await
}

async fn over(transport: StreamableHttpClientTransport<impl StreamableHttpClient>, era: Era) -> Client {
    let (ears, progress, changes) = ears();
    let service = ears.serve_with_lifecycle(transport, era.lifecycle()).await;
    Client { service: service.expect("the host speaks this version"), progress, changes }
}

impl Client {
    pub(crate) async fn names(&self) -> Vec<String> {
        let tools = self.service.list_all_tools().await.expect("the host lists its tools");
        tools.iter().map(|tool| tool.name.to_string()).collect()
    }

    pub(crate) async fn heard_of_a_change(&mut self) {
        let told = timeout(PATIENCE, self.changes.recv()).await.expect("the host tells of the change");
        told.expect("the client runs");
    }

    pub(crate) async fn close(self) {
        self.service.cancel().await.expect("nothing panicked");
    }

    async fn heard_of_progress(&mut self) -> f64 {
        let told = timeout(PATIENCE, self.progress.recv()).await.expect("the host tells of progress");
        told.expect("the client runs")
    }

    async fn call(&self, tool: &'static str, input: Value) -> Result<CallToolResult, ServiceError> {
        let input = input.as_object().expect("an object").clone();
        self.service.call_tool(CallToolRequestParams::new(tool).with_arguments(input)).await
    }
}

fn text(result: &CallToolResult) -> &str {
    &result.content[0].as_text().expect("text").text
}

/// What a client of either era does with either transport.
async fn a_client_gets_along(mut client: Client, era: Era) {
    let server = client.service.peer_info().expect("the host said who it is");
    assert_eq!(server.protocol_version, era.version());
    assert_eq!(server.server_info.as_ref().map(|info| info.name.as_str()), Some("packhost"));
    assert!(server.instructions.as_ref().is_some_and(|text| text.contains("what to change")));
    assert_eq!(client.names().await, ["misbehave", "text_stats"]);

    let answer = client.call("text_stats", json!({ "text": "one two" })).await.expect("an answer");
    assert_eq!(answer.is_error, Some(false));
    let structured = answer.structured_content.as_ref().expect("data beside the text");
    assert_eq!(structured["words"], 2);
    assert_eq!(&serde_json::from_str::<Value>(text(&answer)).expect("JSON"), structured);

    let refused = client.call("text_stats", json!({})).await.expect("a result that is an error");
    assert_eq!(refused.is_error, Some(true));
    let said = refused.meta.as_ref().and_then(|meta| meta.get("packhost/error")).expect("the error as data");
    assert_eq!(said["code"], "invalid_input");
    assert!(text(&refused).starts_with("invalid_input: "), "{}", text(&refused));

    match client.call("no_such_tool", json!({})).await {
        Err(ServiceError::McpError(error)) => assert_eq!(error.code, ErrorCode::INVALID_PARAMS),
        other => panic!("not an error of the protocol: {other:?}"),
    }

    let worked = client.call("misbehave", json!({ "do": "progress", "amount": 3 })).await.expect("an answer");
    assert_eq!(worked.structured_content, Some(json!({ "saw": ["3 reports"] })));
    let mut progress = Vec::new();
    for _ in 0..3 {
        progress.push(client.heard_of_progress().await);
    }
    // rmcp hands each notification to a task of its own.
    progress.sort_by(f64::total_cmp);
    assert_eq!(progress, [1.0, 2.0, 3.0]);
    client.close().await;
}

#[tokio::test]
async fn over_stdio_with_a_handshake() {
    let setup = misbehaving("time: 30s");
    a_client_gets_along(over_stdio(&setup, Era::Handshake).await, Era::Handshake).await;
}

#[tokio::test]
async fn over_stdio_without_a_handshake() {
    let setup = misbehaving("time: 30s");
    a_client_gets_along(over_stdio(&setup, Era::Stateless).await, Era::Stateless).await;
}

#[tokio::test]
async fn over_http_with_a_handshake() {
    let setup = misbehaving("time: 30s");
    let served = setup.serve(&[]);
    a_client_gets_along(over_http(&served.url, Era::Handshake).await, Era::Handshake).await;
}

#[tokio::test]
async fn over_http_without_a_handshake() {
    let setup = misbehaving("time: 30s");
    let served = setup.serve(&[]);
    a_client_gets_along(over_http(&served.url, Era::Stateless).await, Era::Stateless).await;
}
