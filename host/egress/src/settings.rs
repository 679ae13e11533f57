//! How requests leave, for the whole host.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;

use crate::proxy::ProxyWaits;
use crate::resolve::{Resolve, SystemResolver};

/// How requests leave, for the whole host.
#[derive(Clone)]
pub struct Settings {
    /// For a free slot, the name, the TCP connection and TLS together. Default 10 s.
    pub connect: Duration,
    /// From the end of the request to the response's head. Default 30 s.
    pub first_byte: Duration,
    /// Between two pieces of a response body. Default 60 s.
    pub between_bytes: Duration,
    /// For the whole exchange, bodies included. Default 5 min.
    pub total: Duration,
    /// How long a connection that is idle stays open for the next request of its account to the same server; zero closes each
    /// after its exchange. Default 30 s.
    pub idle: Duration,
    /// The largest response head (status line and headers) in bytes; also the limit for trailers. At most 100
    /// fields are read. Default 64 KiB.
    pub max_head: usize,
    /// The most that a compressed response body may become, in bytes, where the host has to look into it: when the call has
    /// used a credential; of several codings, what lies between two of them as well. Default 64 MiB.
    pub max_decoded: u64,
    /// Roots that are trusted besides the platform's.
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// Who resolves names. Default [`SystemResolver`]; [`EncryptedResolver`](crate::EncryptedResolver) asks over TLS.
    pub resolver: Arc<dyn Resolve>,
    /// Where this host listens. Never reachable, whatever a rule says; an unspecified address stands for every
    /// address of this machine.
    pub own_listeners: Vec<SocketAddr>,
    /// What the other side of [`Egress::serve_proxy`](crate::Egress::serve_proxy) is waited for.
    pub proxy: ProxyWaits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(30),
            between_bytes: Duration::from_secs(60),
            total: Duration::from_secs(300),
            idle: Duration::from_secs(30),
            max_head: 64 * 1024,
            max_decoded: 64 << 20,
            extra_roots: Vec::new(),
            resolver: Arc::new(SystemResolver::default()),
            own_listeners: Vec::new(),
            proxy: ProxyWaits::default(),
        }
    }
}

/// What one request asks for; shortens the host's times, never lengthens them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waits {
    /// As [`Settings::connect`].
    pub connect: Option<Duration>,
    /// As [`Settings::first_byte`].
    pub first_byte: Option<Duration>,
    /// As [`Settings::between_bytes`].
    pub between_bytes: Option<Duration>,
}
