//! A byte stream that breaks after a number of bytes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;

/// Breaks, both ways, once this many bytes went through it.
pub(crate) struct Breaking {
    stream: UnixStream,
    left: usize,
}

impl Breaking {
    pub(crate) fn after(bytes: usize, stream: UnixStream) -> Self {
        Self { stream, left: bytes }
    }

    fn broken() -> io::Error {
        io::ErrorKind::ConnectionReset.into()
    }
}

impl AsyncRead for Breaking {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.left == 0 {
            return Poll::Ready(Err(Self::broken()));
        }
        let mut part = buffer.take(self.left);
        let read = Pin::new(&mut self.stream).poll_read(cx, &mut part);
        let count = part.filled().len();
        self.left -= count;
        // SAFETY: `part` is the unfilled part of `buffer`, and so many bytes of it were just filled.
        unsafe { buffer.assume_init(count) };
        buffer.advance(count);
        read
    }
}

impl AsyncWrite for Breaking {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.left == 0 {
            return Poll::Ready(Err(Self::broken()));
        }
        let most = bytes.len().min(self.left);
        let wrote = Pin::new(&mut self.stream).poll_write(cx, &bytes[..most]);
        if let Poll::Ready(Ok(count)) = &wrote {
            self.left -= count;
        }
        wrote
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
