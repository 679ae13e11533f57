//! The stdio door: one client on the standard streams, messages as lines of JSON.

use std::borrow::Cow;
use std::io;
use std::time::Duration;

use packhost_engine::{Door, Engine};
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::service::{ServerInitializeError, serve_server_with_ct};
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::transport::{Transport, stdio_pipes};
use rmcp::{RoleServer, Service};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use crate::Server;

/// Bounds of the stdio door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StdioSettings {
    /// The longest message, in bytes. A longer one is dropped, and the log says so.
    pub max_message: usize,
    /// How long calls that run may still answer after the client has closed its end or the host was asked to stop;
    /// then they are cancelled. At most 5 seconds.
    pub linger: Duration,
}

impl Default for StdioSettings {
    fn default() -> Self {
        Self { max_message: 4 << 20, linger: Duration::from_secs(2) }
    }
}

/// Why the stdio door closed before its client did.
#[derive(Debug, thiserror::Error)]
pub enum StdioError {
    /// The client could not be answered, or the protocol's first steps failed.
    #[error("the MCP client on stdin and stdout cannot be served: {0}")]
    Opening(#[source] Box<ServerInitializeError>),
    /// The task that serves the client failed.
    #[error("serving the MCP client failed: {0}")]
    Serving(#[source] tokio::task::JoinError),
}

/// Serves the client on stdin and stdout until it closes its end or `shutdown` is cancelled. Nothing else may write
/// to stdout meanwhile.
///
/// # Errors
/// When the client cannot be answered.
pub async fn serve_stdio(
    engine: Engine,
    settings: StdioSettings,
    shutdown: CancellationToken,
) -> Result<(), StdioError> {
    let (input, output) = stdio_pipes();
    serve(engine, settings, shutdown, input, output).await
}

/// Like [`serve_stdio`], on any pair of streams.
///
/// # Errors
/// When the client cannot be answered.
pub async fn serve<R, W>(
    engine: Engine,
    settings: StdioSettings,
    shutdown: CancellationToken,
    input: R,
    output: W,
) -> Result<(), StdioError>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let server = Server::new(engine, Door::Stdio, shutdown.clone());
    serve_lines(server, settings, shutdown, AsyncRwTransport::new_server(input, output)).await
}

async fn serve_lines<S, R, W>(
    server: S,
    settings: StdioSettings,
    shutdown: CancellationToken,
    lines: AsyncRwTransport<RoleServer, R, W>,
) -> Result<(), StdioError>
where
    S: Service<RoleServer>,
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let (over, stop) = (CancellationToken::new(), CancellationToken::new());
    let lines = lines.with_max_line_length(settings.max_message);
    let lines = Lines { lines, opened: false, shutdown, over: over.clone() };
    let serving = async {
        match serve_server_with_ct(server, lines, stop.clone()).await {
            Ok(running) => running.waiting().await.map(|_| ()).map_err(StdioError::Serving),
            Err(ServerInitializeError::ConnectionClosed(_) | ServerInitializeError::Cancelled) => Ok(()),
            Err(error) => Err(StdioError::Opening(Box::new(error))),
        }
    };
    let lingering = async {
        over.cancelled().await;
        tokio::time::sleep(settings.linger).await;
        stop.cancel();
        std::future::pending().await
    };
    tokio::select! {
        served = serving => served,
        () = lingering => Ok(()),
    }
}

/// rmcp's lines, with an end that can be seen and a beginning that forgives.
struct Lines<R: AsyncRead, W: AsyncWrite> {
    lines: AsyncRwTransport<RoleServer, R, W>,
    opened: bool,
    shutdown: CancellationToken,
    over: CancellationToken,
}

impl<R, W> Lines<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    /// The next message. What comes before the first request and is none would end the session in rmcp; it means
    /// nothing, so it is passed over.
    async fn next(&mut self) -> Option<ClientJsonRpcMessage> {
        loop {
            let message = tokio::select! {
                biased;
                () = self.shutdown.cancelled() => None,
                message = self.lines.receive() => message,
            }?;
            self.opened |= matches!(message, ClientJsonRpcMessage::Request(_));
            if self.opened {
                return Some(message);
            }
            tracing::debug!("passed over a message before the first request");
        }
    }
}

impl<R, W> Transport<RoleServer> for Lines<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    type Error = io::Error;

    fn name() -> Cow<'static, str> {
        "stdio".into()
    }

    fn send(
        &mut self,
        message: ServerJsonRpcMessage,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        self.lines.send(message)
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        let message = self.next().await;
        if message.is_none() {
            self.over.cancel();
        }
        message
    }

    async fn close(&mut self) -> io::Result<()> {
        self.lines.close().await
    }
}

#[cfg(test)]
mod tests {
    use rmcp::model::{CallToolRequestParams, CallToolResponse};
    use rmcp::service::RequestContext;
    use rmcp::{ErrorData, ServerHandler};
    use serde_json::{Value, json};
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines as Read, duplex};
    use tokio::task::JoinHandle;

    use super::*;

    /// A handler whose calls end only when they are cancelled.
    struct Endless;

    impl ServerHandler for Endless {
        async fn call_tool(
            &self,
            _: CallToolRequestParams,
            context: RequestContext<RoleServer>,
        ) -> Result<CallToolResponse, ErrorData> {
            context.ct.cancelled().await;
            Err(ErrorData::internal_error("cancelled", None))
        }
    }

    struct Client {
        to: DuplexStream,
        from: Read<BufReader<DuplexStream>>,
        shutdown: CancellationToken,
        served: JoinHandle<Result<(), StdioError>>,
    }

    fn start(settings: StdioSettings) -> Client {
        let (to, input) = duplex(64 << 10);
        let (output, from) = duplex(64 << 10);
        let shutdown = CancellationToken::new();
        let lines = AsyncRwTransport::new_server(input, output);
        let served = tokio::spawn(serve_lines(Endless, settings, shutdown.clone(), lines));
        Client { to, from: BufReader::new(from).lines(), shutdown, served }
    }

    impl Client {
        async fn say(&mut self, line: &[u8]) {
            self.to.write_all(line).await.expect("the server reads");
            self.to.write_all(b"\n").await.expect("the server reads");
        }

        async fn hear(&mut self) -> Value {
            let line = self.from.next_line().await.expect("the server writes").expect("the server is there");
            serde_json::from_str(&line).expect("only JSON comes out")
        }

        async fn ping(&mut self, id: u32) {
            self.say(json!({"jsonrpc": "2.0", "id": id, "method": "ping"}).to_string().as_bytes()).await;
            let answer = self.hear().await;
            assert_eq!((&answer["id"], &answer["result"]), (&json!(id), &json!({})), "{answer}");
        }

        async fn open(&mut self) {
            let about = json!({"protocolVersion": "2025-11-25", "capabilities": {},
                "clientInfo": {"name": "test", "version": "1"}});
            let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": about});
            self.say(hello.to_string().as_bytes()).await;
            assert_eq!(self.hear().await["result"]["protocolVersion"], "2025-11-25");
        }
    }

    #[tokio::test]
    async fn nothing_that_is_not_a_message_ends_the_session() {
        let mut client = start(StdioSettings { max_message: 1000, ..StdioSettings::default() });
        let bad: [&[u8]; 9] = [
            b"",
            b"\r",
            b"no json",
            b"{\"jsonrpc\":",
            b"\xff\xfe\x00",
            b"{\"jsonrpc\": \"2.0\", \"method\": \"\xff\"}",
            b"{\"jsonrpc\": \"2.0\", \"method\": \"notifications/cancelled\", \"params\": {\"requestId\": 9}}",
            b"{\"jsonrpc\": \"2.0\", \"id\": 5, \"result\": {}}",
            &[b'['; 5000],
        ];
        for line in bad {
            client.say(line).await;
        }
        client.ping(1).await;
        client.open().await;
        for line in bad {
            client.say(line).await;
        }
        client.ping(2).await;
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_run_are_cancelled_a_while_after_the_client_has_gone() {
        let linger = Duration::from_secs(1);
        let mut client = start(StdioSettings { linger, ..StdioSettings::default() });
        client.open().await;
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "endless"}});
        client.say(call.to_string().as_bytes()).await;
        client.ping(2).await;
        let gone = tokio::time::Instant::now();
        drop(client.to);
        client.served.await.expect("no panic").expect("a client may go");
        assert_eq!(gone.elapsed().as_secs(), linger.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_shutdown_ends_the_session_without_the_client() {
        let mut client = start(StdioSettings::default());
        client.open().await;
        client.shutdown.cancel();
        client.served.await.expect("no panic").expect("it was asked to stop");
        assert!(client.from.next_line().await.is_ok_and(|line| line.is_none()), "stdout is closed");
    }

    #[tokio::test]
    async fn a_client_that_never_speaks_may_go() {
        let client = start(StdioSettings::default());
        drop(client.to);
        client.served.await.expect("no panic").expect("nothing went wrong");
    }
}
