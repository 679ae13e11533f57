//! Sockets: accepting them, serving them, and letting go of them.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use packhost_core::Identity;
use packhost_engine::{Door, Engine};
use packhost_mcp::Server;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::service::Service;
use crate::{BindError, Settings};

/// The most that the head of a request may take, in bytes.
const HEAD: usize = 64 << 10;
/// How long connections may take to close once everything is answered.
const CLOSE: Duration = Duration::from_secs(1);
/// How long to wait when the system has no socket to give.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// Takes the address, without serving yet.
///
/// # Errors
/// When the settings are unsafe, above all an address that others reach without a token, or when the address cannot
/// be had. The message says what to change.
pub fn bind(settings: &Settings) -> Result<std::net::TcpListener, BindError> {
    settings.check()?;
    let address = settings.listen;
    std::net::TcpListener::bind(address).map_err(|source| BindError::Address { address, source })
}

/// Serves until `shutdown` is cancelled; then calls that run have [`Settings::drain`] to answer. The listener is one
/// that [`bind`] made with the same settings.
///
/// # Errors
/// As [`bind`].
pub async fn serve(
    listener: std::net::TcpListener,
    settings: Settings,
    engine: Engine,
    shutdown: CancellationToken,
) -> Result<(), BindError> {
    settings.check()?;
    let server = Server::new(engine.clone(), Door::Http, shutdown.clone());
    let withheld = move |tool: &str, identity: &Identity| {
        let catalog = engine.catalog();
        let tool = catalog.find(tool).filter(|tool| tool.entry.admits(identity))?;
        (!identity.scopes.may_call(&tool.name)).then(|| tool.name.clone())
    };
    let service = Service::new(&settings, Arc::new(withheld), move || server.another())?;
    let address = settings.listen;
    let listener = adopt(listener).map_err(|source| BindError::Address { address, source })?;
    run(listener, &settings, service, shutdown).await;
    Ok(())
}

pub(crate) fn adopt(listener: std::net::TcpListener) -> io::Result<TcpListener> {
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

pub(crate) async fn run(
    listener: TcpListener,
    settings: &Settings,
    service: Service,
    shutdown: CancellationToken,
) {
    let connections = Connections::new(settings, &service, shutdown.clone());
    let accepting = async {
        loop {
            connections.accept(&listener).await;
        }
    };
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = accepting => {}
    }
    drop(listener);
    service.unanswered.close();
    if timeout(settings.drain, service.unanswered.wait()).await.is_err() {
        tracing::warn!(calls = service.unanswered.len(), "stopped before every call had its answer");
    }
    service.stop.cancel();
    connections.close().await;
}

struct Connections {
    builder: http1::Builder,
    service: TowerToHyperService<axum::Router>,
    places: Arc<Semaphore>,
    open: TaskTracker,
    closing: CancellationToken,
    cut: CancellationToken,
}

impl Connections {
    fn new(settings: &Settings, service: &Service, closing: CancellationToken) -> Self {
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(settings.header_timeout).max_buf_size(HEAD);
        Self {
            builder,
            service: TowerToHyperService::new(service.routes.clone()),
            places: Arc::new(Semaphore::new(settings.max_connections.clamp(1, Semaphore::MAX_PERMITS))),
            open: TaskTracker::new(),
            closing,
            cut: CancellationToken::new(),
        }
    }

    /// Waits for a place and for a client, and serves it on a task of its own.
    async fn accept(&self, listener: &TcpListener) {
        let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return };
        match next(listener).await {
            Ok(stream) => drop(self.open.spawn(self.serve(stream, place))),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(EXHAUSTED).await;
            }
        }
    }

    fn serve(
        &self,
        stream: TcpStream,
        place: OwnedSemaphorePermit,
    ) -> impl Future<Output = ()> + Send + 'static {
        let connection = self.builder.serve_connection(TokioIo::new(stream), self.service.clone());
        let (closing, cut) = (self.closing.clone(), self.cut.clone());
        async move {
            let _place = place;
            let mut connection = pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = closing.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    tokio::select! {
                        ended = connection => ended,
                        () = cut.cancelled() => Ok(()),
                    }
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection ended early");
            }
        }
    }

    async fn close(self) {
        self.open.close();
        if timeout(CLOSE, self.open.wait()).await.is_err() {
            self.cut.cancel();
            self.open.wait().await;
        }
    }
}

/// The next client. Small answers go out at once: with Nagle's algorithm every one of them would wait for the
/// client's delayed acknowledgement, some 40 ms.
async fn next(listener: &TcpListener) -> io::Result<TcpStream> {
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn small_answers_do_not_wait_for_nagle() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let client = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("loopback");
        let accepted = next(&listener).await.expect("a client");
        assert!(accepted.nodelay().expect("a socket option"));
        assert!(!client.nodelay().expect("a socket option"), "it is not the system's default");
    }
}
