//! The proxy through which alone anything leaves the sandbox.
//!
//! Owns: one port on the sandbox's loopback, that speaks SOCKS5 ([`socks`], [`handshake`]) and passes on everything else, in
//! an exchange for each client. Refuses: reading HTTP, resolving names, deciding anything: the host does all three.
//!
//! A client is told at once when no host is connected ([`farewell`]), so that programs fail and do not hang.

mod connect;
mod farewell;
mod handshake;
pub mod socks;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use packhost_session_protocol::message::Leaving;
use packhost_session_protocol::{Frames, Mux, Stream, limits};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::{listen, pass};

pub use connect::{ANSWER, ANSWER_HEAD};
pub use farewell::{DRAINED, FAREWELL};

/// Clients at once: as many as there may be exchanges. One more waits until another has gone.
pub const CLIENTS: usize = limits::SUPERVISOR_STREAMS;
/// How long a client may take until it has sent its first byte, and then until a request of SOCKS is whole. After that the
/// host's own limits hold.
pub const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long the opening of an exchange may take.
pub const OPENING: Duration = Duration::from_secs(10);

/// The connection to the host that serves what leaves, while there is one.
type Route = watch::Receiver<Option<Mux>>;

/// A proxy that listens. Dropping it closes its port and cuts off its clients.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    _serving: JoinSet<()>,
}

impl Proxy {
    /// Listens on 127.0.0.1, and on the same port of `::1` where that can be had; on a free port without one. Needs a tokio
    /// runtime.
    ///
    /// # Errors
    ///
    /// The port is taken, may not be listened on, or loopback is down ([`crate::net::loopback_up`]).
    pub fn start(port: Option<u16>, route: watch::Receiver<Option<Mux>>) -> io::Result<Self> {
        let first = listen::on((Ipv4Addr::LOCALHOST, port.unwrap_or(0)))?;
        let port = first.local_addr()?.port();
        let second = listen::on(SocketAddr::from((Ipv6Addr::LOCALHOST, port))).ok();
        let places = Arc::new(Semaphore::new(CLIENTS));
        let mut serving = JoinSet::new();
        for listener in std::iter::once(first).chain(second) {
            let route = route.clone();
            serving
                .spawn(listen::accept(listener, places.clone(), move |client| serve(client, route.clone())));
        }
        Ok(Self { port, _serving: serving })
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// Serves a client to its end.
async fn serve(mut client: TcpStream, route: Route) {
    let mut first = [0];
    let Ok(Ok(1)) = timeout(HANDSHAKE, client.peek(&mut first)).await else { return };
    let _ = client.set_nodelay(true);
    let passed = match first[0] {
        socks::VERSION => match handshake::serve(&mut client, &route).await {
            Some(exchange) => pass::pass(&mut client, exchange).await,
            None => return,
        },
        socks::VERSION_4 => return farewell::say(&mut client, &socks::REFUSED_4).await,
        _ => match open(&route).await {
            Some(exchange) => pass::pass(&mut client, exchange).await,
            None => return farewell::say(&mut client, farewell::no_host().as_bytes()).await,
        },
    };
    if passed.is_err() {
        // What was cut off must not look as if it had ended: the client gets a reset.
        let _ = client.set_zero_linger();
    }
}

/// Opens an exchange with the host, if one is connected.
async fn open(route: &Route) -> Option<Stream> {
    let mux = route.borrow().clone().filter(|mux| !mux.is_over())?;
    let opening = async {
        let mut frames = Frames::new(mux.open().await.ok()?);
        frames.say(&Leaving::Proxy).await.ok()?;
        Some(frames.into_inner())
    };
    timeout(OPENING, opening).await.ok().flatten()
}
