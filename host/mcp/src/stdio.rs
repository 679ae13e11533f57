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

    fn send(&mut self, message: ServerJsonRpcMessage) -> impl Future<Output = io::Result<()>> + Send + 'static {
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
