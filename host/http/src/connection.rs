//! One connection: whichever of the two versions of HTTP it speaks, with the same bounds.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::Service as _;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use packhost_engine::ClientAddress;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::Settings;
use crate::client::Proxies;
use crate::held::Held;

/// The most that the head of a request may take, in bytes.
const HEAD: usize = 64 << 10;
/// Requests of one connection at once, where it can have several.
const STREAMS: u32 = 16;

type Routes = TowerToHyperService<axum::Router>;

/// Serves connections.
#[derive(Clone)]
pub(crate) struct Server {
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
    routes: Routes,
    proxies: Proxies,
    idle: Duration,
}

/// What ends connections: in good order, and at once.
#[derive(Clone)]
pub(crate) struct Ending {
    pub(crate) closing: CancellationToken,
    pub(crate) cut: CancellationToken,
}

impl Server {
    pub(crate) fn new(settings: &Settings, routes: axum::Router) -> Self {
        let mut http1 = http1::Builder::new();
        http1.timer(TokioTimer::new()).header_read_timeout(settings.header_timeout).max_buf_size(HEAD);
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .max_header_list_size(HEAD as u32)
            .max_concurrent_streams(STREAMS)
            .keep_alive_interval(settings.header_timeout)
            .keep_alive_timeout(settings.header_timeout);
        let proxies = Proxies::of(&settings.trusted_proxies);
        Self {
            http1,
            http2,
            routes: TowerToHyperService::new(routes),
            proxies,
            idle: settings.header_timeout,
        }
    }

    /// Serves a connection of HTTP/1.1 to its end.
    pub(crate) async fn http1(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send,
        peer: IpAddr,
        ending: Ending,
    ) {
        let (routes, proxies) = (self.routes, self.proxies);
        let service = hyper::service::service_fn(move |request| routes.call(placed(request, peer, &proxies)));
        let connection = self.http1.serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = ending.closing.cancelled() => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = connection => ended,
                    () = ending.cut.cancelled() => Ok(()),
                }
            }
        };
        told(ended);
    }

    /// Serves a connection of HTTP/2 to its end, or until nothing was asked on it for as long as an unused connection may stay.
    pub(crate) async fn http2(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: IpAddr,
        ending: Ending,
    ) {
        let open = Arc::new(Open::default());
        let (routes, proxies, counted) = (self.routes, self.proxies, Arc::clone(&open));
        let service = hyper::service::service_fn(move |request| {
            let asked = Asked::of(&counted);
            let answer = routes.call(placed(request, peer, &proxies));
            async move {
                let answer: Result<Response, _> = answer.await;
                answer.map(|answer| answer.map(|body| Held::until_read(body, asked)))
            }
        });
        let connection = self.http2.serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = async { tokio::select! { () = ending.closing.cancelled() => {} () = open.unused(self.idle) => {} } } => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = connection => ended,
                    () = ending.cut.cancelled() => Ok(()),
                }
            }
        };
        told(ended);
    }
}

/// A request that carries where its client is.
fn placed(mut request: Request<Incoming>, peer: IpAddr, proxies: &Proxies) -> Request<Incoming> {
    let client = proxies.client(peer, request.headers());
    request.extensions_mut().insert(ClientAddress(client));
    request
}

fn told(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// The requests of one connection that have not been answered to the end.
#[derive(Default)]
struct Open {
    count: AtomicU64,
    changed: Notify,
}

impl Open {
    /// Waits until there was none for so long.
    async fn unused(&self, idle: Duration) {
        loop {
            let changed = self.changed.notified();
            if self.count.load(Ordering::Acquire) == 0 {
                if timeout(idle, changed).await.is_err() {
                    return;
                }
            } else {
                changed.await;
            }
        }
    }
}

/// One of them.
struct Asked(Arc<Open>);

impl Asked {
    fn of(open: &Arc<Open>) -> Self {
        open.count.fetch_add(1, Ordering::AcqRel);
        open.changed.notify_one();
        Self(Arc::clone(open))
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::AcqRel);
        self.0.changed.notify_one();
    }
}
