//! A proxy in a sandbox, the host that it is connected to, and what both read.

use std::net::Ipv4Addr;

use packhost_session_protocol::message::Leaving;
use packhost_session_protocol::{Frames, Incoming, Mux, Role, Stream};
use packhost_supervisor::proxy::Proxy;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

/// Both ends of a connection between a host and a supervisor.
pub(crate) struct Connection {
    pub(crate) host: Mux,
    /// What the supervisor opens.
    pub(crate) leaving: Incoming,
    pub(crate) supervisor: Mux,
    /// What the host opens.
    pub(crate) coming: Incoming,
}

impl Connection {
    pub(crate) fn new() -> Self {
        let (host, supervisor) = tokio::io::duplex(64 * 1024);
        let (host, leaving) = Mux::start(host, Role::Host);
        let (supervisor, coming) = Mux::start(supervisor, Role::Supervisor);
        Self { host, leaving, supervisor, coming }
    }
}

/// A sandbox whose host is connected.
pub(crate) struct Sandbox {
    pub(crate) proxy: Proxy,
    pub(crate) route: watch::Sender<Option<Mux>>,
    leaving: Incoming,
    _coming: Incoming,
    _host: Mux,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        let Connection { host, leaving, supervisor, coming } = Connection::new();
        let (route, routed) = watch::channel(Some(supervisor));
        let proxy = Proxy::start(None, routed).expect("a proxy");
        Self { proxy, route, leaving, _coming: coming, _host: host }
    }

    /// A client that is connected to the proxy.
    pub(crate) async fn client(&self) -> TcpStream {
        client(self.proxy.port()).await
    }

    /// A client that has sent this.
    pub(crate) async fn saying(&self, words: impl AsRef<[u8]>) -> TcpStream {
        let mut client = self.client().await;
        client.write_all(words.as_ref()).await.expect("the proxy reads");
        client
    }

    /// The next exchange, as the host takes it.
    pub(crate) async fn taken(&mut self) -> Stream {
        self.next().await.expect("the connection is there")
    }

    /// The same, unless the connection is over.
    pub(crate) async fn next(&mut self) -> Option<Stream> {
        let mut frames = Frames::new(self.leaving.next().await?);
        assert_eq!(frames.message::<Leaving>().await.expect("an opening"), Leaving::Proxy);
        Some(frames.into_inner())
    }

    /// The host is gone.
    pub(crate) fn disconnect(self) -> (Proxy, watch::Sender<Option<Mux>>) {
        (self.proxy, self.route)
    }
}

/// A proxy without a host.
pub(crate) fn alone() -> (Proxy, watch::Sender<Option<Mux>>) {
    let (route, routed) = watch::channel(None);
    (Proxy::start(None, routed).expect("a proxy"), route)
}

pub(crate) async fn client(port: u16) -> TcpStream {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.expect("the proxy listens")
}

/// Reads so many bytes.
pub(crate) async fn bytes<const N: usize>(from: &mut (impl AsyncRead + Unpin)) -> [u8; N] {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes).await.expect("so many bytes");
    bytes
}

/// Reads to the end, which has to be one.
pub(crate) async fn rest(from: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).await.expect("an end that is no reset");
    bytes
}

/// Reads a head of HTTP.
pub(crate) async fn head(from: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(from.read_u8().await.expect("a whole head"));
    }
    String::from_utf8(head).expect("text")
}
