//! Sockets: accepting them, serving them, and letting go of them.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use packhost_core::Identity;
use packhost_engine::{Door, Engine};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connection::{Ending, Server};
use crate::guard::Withheld;
use crate::service::Service;
use crate::tls::{HTTP2, Tls};
use crate::{BindError, Settings};

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
    if let Some(files) = &settings.tls {
        Tls::new(files.clone())?;
    }
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
    let server = packhost_mcp::Server::new(engine.clone(), Door::Http, shutdown.clone());
    let asked = engine.clone();
    let withheld: Arc<Withheld> = Arc::new(move |tool: &str, identity: &Identity| {
        let catalog = asked.catalog();
        let tool = catalog.find(tool).filter(|tool| tool.entry.admits(identity))?;
        (!identity.scopes.may_call(&tool.name)).then(|| tool.name.clone())
    });
    let service = Service::new(&settings, Arc::clone(&withheld), move || server.another())?.with_api(
        &settings,
        withheld,
        engine,
        shutdown.clone(),
    )?;
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
    let watching = async {
        match service.tls.clone() {
            Some(tls) => tls.watch().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = accepting => {}
        () = watching => {}
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
    server: Server,
    tls: Option<Arc<Tls>>,
    handshake: Duration,
    places: Arc<Semaphore>,
    open: TaskTracker,
    ending: Ending,
}

impl Connections {
    fn new(settings: &Settings, service: &Service, closing: CancellationToken) -> Self {
        Self {
            server: Server::new(settings, service.routes.clone()),
            tls: service.tls.clone(),
            handshake: settings.header_timeout,
            places: Arc::new(Semaphore::new(settings.max_connections.clamp(1, Semaphore::MAX_PERMITS))),
            open: TaskTracker::new(),
            ending: Ending { closing, cut: CancellationToken::new() },
        }
    }

    /// Waits for a place and for a client, and serves it on a task of its own.
    async fn accept(&self, listener: &TcpListener) {
        let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return };
        match next(listener).await {
            Ok((stream, peer)) => drop(self.open.spawn(self.serve(stream, peer, place))),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(EXHAUSTED).await;
            }
        }
    }

    fn serve(
        &self,
        stream: TcpStream,
        peer: IpAddr,
        place: OwnedSemaphorePermit,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (server, ending, patience) = (self.server.clone(), self.ending.clone(), self.handshake);
        let acceptor = self.tls.as_ref().map(|tls| tls.acceptor());
        async move {
            let _place = place;
            let Some(acceptor) = acceptor else { return server.http1(stream, peer, ending).await };
            let secured = tokio::select! {
                secured = timeout(patience, acceptor.accept(stream)) => secured,
                () = ending.closing.cancelled() => return,
            };
            match secured {
                Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(HTTP2) => {
                    server.http2(stream, peer, ending).await;
                }
                Ok(Ok(stream)) => server.http1(stream, peer, ending).await,
                Ok(Err(error)) => tracing::debug!(%error, "a connection could not be secured"),
                Err(_) => tracing::debug!("a connection took too long to be secured"),
            }
        }
    }

    async fn close(self) {
        self.open.close();
        if timeout(CLOSE, self.open.wait()).await.is_err() {
            self.ending.cut.cancel();
            self.open.wait().await;
        }
    }
}

/// The next client, and where it is. Small answers go out at once: with Nagle's algorithm every one of them would wait for the
/// client's delayed acknowledgement, some 40 ms.
async fn next(listener: &TcpListener) -> io::Result<(TcpStream, IpAddr)> {
    let (stream, peer) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, peer.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn small_answers_do_not_wait_for_nagle() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let client = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("loopback");
        let (accepted, _) = next(&listener).await.expect("a client");
        assert!(accepted.nodelay().expect("a socket option"));
        assert!(!client.nodelay().expect("a socket option"), "it is not the system's default");
    }
}
