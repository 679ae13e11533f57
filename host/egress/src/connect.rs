//! The connection, made only to addresses that were checked.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use futures::FutureExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use crate::error::{EgressError, Wait};
use crate::target::Target;
use crate::transfer::deadline;

/// More addresses than this are not tried.
const ATTEMPTS: usize = 8;

/// The time until there must be a connection.
pub(crate) struct Connecting {
    limit: Duration,
    until: Instant,
}

impl Connecting {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, until: deadline(limit) }
    }

    pub(crate) async fn within<F: Future>(&self, wait: Wait, future: F) -> Result<F::Output, EgressError> {
        let mut future = pin!(future);
        // Mostly there is nothing to wait for, and no need of a timer.
        if let Some(output) = future.as_mut().now_or_never() {
            return Ok(output);
        }
        timeout_at(self.until, future).await.map_err(|_| EgressError::Timeout { wait, limit: self.limit })
    }

    pub(crate) async fn tcp(&self, to: &[SocketAddr], target: &Target) -> Result<TcpStream, EgressError> {
        connect(to, self.until).await.map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => EgressError::Timeout { wait: Wait::Connect, limit: self.limit },
            _ => EgressError::Connect {
                host: target.host_str().to_owned(),
                port: target.port,
                why: why(&error),
            },
        })
    }
}

/// Tries the addresses in order, sharing the time that is left among those still to be tried.
///
/// # Errors
///
/// The error of the last attempt; [`io::ErrorKind::TimedOut`] when time ran out.
async fn connect(addresses: &[SocketAddr], until: Instant) -> io::Result<TcpStream> {
    let addresses = &addresses[..addresses.len().min(ATTEMPTS)];
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for (at, address) in addresses.iter().enumerate() {
        let left = until.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(addresses.len() - at).unwrap_or(1);
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}

/// In words, for the agent.
fn why(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "nothing listens there",
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => {
            "the server closed the connection"
        }
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => "there is no route to it",
        io::ErrorKind::PermissionDenied => "the operating system does not allow it",
        _ => "the connection could not be made",
    }
}
