//! Bytes both ways between a connection in the sandbox and an exchange, each way to its own end.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use packhost_session_protocol::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is held of one direction at most, in bytes.
pub(crate) const PIECE: usize = 64 * 1024;

/// Passes on until both ways have ended. A way that ends is shut down on the other side while the other way goes on.
///
/// # Errors
///
/// One of the two was cut off, and what arrived may not be all. Whoever gets this should cut off the connection as well, so
/// that the program at its end does not take it for the end.
pub(crate) async fn pass<C>(client: &mut C, exchange: Stream) -> io::Result<()>
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    let mut exchange = Exchange { stream: exchange, shut: false };
    tokio::io::copy_bidirectional_with_sizes(client, &mut exchange, PIECE, PIECE).await?;
    Ok(())
}

/// An exchange of which a reset is an error, and not an end like any other.
struct Exchange {
    stream: Stream,
    /// This side has ended. From then on the two look alike.
    shut: bool,
}

impl AsyncRead for Exchange {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (before, has_room) = (buffer.filled().len(), buffer.remaining() > 0);
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let is_end = has_room && buffer.filled().len() == before;
        if is_end && !self.shut && self.stream.was_cut() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Exchange {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A reset that came before the end of this side was sent is still told from an end.
        if !self.shut && self.stream.was_cut() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        self.shut = true;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
