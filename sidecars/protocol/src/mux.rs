//! Many exchanges over one byte stream: yamux, which has flow control per exchange, with the bounds of this protocol.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, BufStream, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio_util::compat::{Compat, FuturesAsyncReadCompatExt, TokioAsyncReadCompatExt};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::limits;

/// Which side this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The one who connects.
    Host,
    /// The one in the sandbox.
    Supervisor,
}

/// Exchanges that were opened by the other side and that nobody has taken yet; one more ends the connection. No fewer than
/// there may be: a side that is busy for a moment finds all of them at once.
const UNTAKEN: usize = limits::STREAMS;

/// Opens exchanges on a connection. Cheap to clone; when the last clone is gone, the connection goes on until the other
/// side or [`Incoming`] ends it.
#[derive(Debug, Clone)]
pub struct Mux {
    commands: mpsc::Sender<oneshot::Sender<yamux::Stream>>,
    places: Arc<Semaphore>,
    ended: watch::Receiver<Option<MuxError>>,
    over: CancellationToken,
}

/// The exchanges that the other side opens. Dropping it ends the connection.
#[derive(Debug)]
pub struct Incoming {
    streams: mpsc::Receiver<yamux::Stream>,
    over: CancellationToken,
    _alive: oneshot::Sender<()>,
}

/// Why a connection is over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MuxError {
    /// One of the sides closed it.
    #[error("the connection is closed")]
    Closed,
    /// It broke, or the other side broke the rules.
    #[error("the connection broke: {0}")]
    Broken(String),
}

/// One exchange. Dropping it resets it, unless it was shut down.
#[derive(Debug)]
pub struct Stream {
    inner: Compat<yamux::Stream>,
    /// yamux does not wake who reads or writes when this side closes the connection.
    over: Pin<Box<WaitForCancellationFutureOwned>>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Mux {
    /// Takes over a byte stream; needs a tokio runtime.
    pub fn start<S>(io: S, role: Role) -> (Self, Incoming)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (mode, places) = match role {
            Role::Host => (yamux::Mode::Client, limits::HOST_STREAMS),
            Role::Supervisor => (yamux::Mode::Server, limits::SUPERVISOR_STREAMS),
        };
        // yamux writes a frame in two parts and then flushes, and reads it in two: so each is one system call, and wakes the
        // other side once.
        let io = BufStream::with_capacity(BUFFERED, BUFFERED, io);
        let connection = yamux::Connection::new(io.compat(), config(), mode);
        let (commands, asked) = mpsc::channel(1);
        let (inbound, streams) = mpsc::channel(UNTAKEN);
        let (alive, gone) = oneshot::channel();
        let (end, ended) = watch::channel(None);
        let over = CancellationToken::new();
        let guard = over.clone().drop_guard();
        tokio::spawn(async move {
            let _over_at_the_end = guard;
            let why = drive(connection, asked, inbound, gone).await;
            end.send_replace(Some(why));
        });
        let mux = Self { commands, places: Arc::new(Semaphore::new(places)), ended, over: over.clone() };
        (mux, Incoming { streams, over, _alive: alive })
    }

    /// Opens an exchange, as soon as there is a place for one.
    ///
    /// # Errors
    ///
    /// Why the connection is over.
    pub async fn open(&self) -> Result<Stream, MuxError> {
        // The semaphore is never closed.
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        let (reply, opened) = oneshot::channel();
        if self.commands.send(reply).await.is_err() {
            return Err(self.ended().await);
        }
        // Who asks in the moment in which the connection ends may be neither answered nor forgotten: what is sent while a channel
        // is closed stays in it.
        let opened = tokio::select! {
            biased;
            opened = opened => opened,
            why = self.ended() => return Err(why),
        };
        match opened {
            Ok(stream) => Ok(Stream::new(stream, &self.over, place)),
            Err(_) => Err(self.ended().await),
        }
    }

    /// Waits until the connection is over, and says why.
    pub async fn ended(&self) -> MuxError {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await {
            Ok(why) => why.clone().unwrap_or(MuxError::Closed),
            Err(_) => MuxError::Closed,
        }
    }

    /// Whether the connection is over.
    pub fn is_over(&self) -> bool {
        self.ended.borrow().is_some() || self.ended.has_changed().is_err()
    }
}

impl Incoming {
    /// The next exchange that the other side opened; `None` once the connection is over. Cancel-safe.
    pub async fn next(&mut self) -> Option<Stream> {
        let stream = self.streams.recv().await?;
        Some(Stream::new(stream, &self.over, None))
    }
}

fn config() -> yamux::Config {
    let mut config = yamux::Config::default();
    // In this order: each is checked against the other's value at that moment.
    config.set_max_num_streams(limits::STREAMS);
    config.set_max_connection_receive_window(Some(limits::UNREAD));
    config.set_split_send_size(limits::DATA + 64);
    config
}

type Ask = oneshot::Sender<yamux::Stream>;

/// Moves bytes until the connection is over.
async fn drive<S>(
    mut connection: yamux::Connection<Compat<S>>,
    mut asked: mpsc::Receiver<Ask>,
    inbound: mpsc::Sender<yamux::Stream>,
    mut gone: oneshot::Receiver<()>,
) -> MuxError
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut asking: Option<Ask> = None;
    let mut asked_open = true;
    let why = poll_fn(|cx| {
        loop {
            if Pin::new(&mut gone).poll(cx).is_ready() {
                return Poll::Ready(MuxError::Closed);
            }
            if asking.is_none() && asked_open {
                match asked.poll_recv(cx) {
                    Poll::Ready(Some(ask)) => asking = Some(ask),
                    Poll::Ready(None) => asked_open = false,
                    Poll::Pending => {}
                }
            }
            if asking.is_some() {
                match connection.poll_new_outbound(cx) {
                    Poll::Ready(Ok(stream)) => {
                        if let Some(ask) = asking.take() {
                            let _ = ask.send(stream);
                        }
                        continue;
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(over(&error)),
                    Poll::Pending => {}
                }
            }
            match connection.poll_next_inbound(cx) {
                Poll::Ready(Some(Ok(stream))) => match inbound.try_send(stream) {
                    Ok(()) => {}
                    Err(mpsc::error::TrySendError::Closed(_)) => return Poll::Ready(MuxError::Closed),
                    Err(mpsc::error::TrySendError::Full(_)) => {
                        return Poll::Ready(MuxError::Broken(
                            "the other side opens more than is taken".into(),
                        ));
                    }
                },
                Poll::Ready(Some(Err(error))) => return Poll::Ready(over(&error)),
                Poll::Ready(None) => return Poll::Ready(MuxError::Closed),
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await;
    if why == MuxError::Closed {
        // What was written before is still to arrive. A peer that no longer reads is not waited for.
        let _ = tokio::time::timeout(LINGER, poll_fn(|cx| connection.poll_close(cx))).await;
    }
    why
}

/// Bytes that are gathered each way between yamux and the byte stream. Longer pieces go past it.
const BUFFERED: usize = 4 * 1024;

/// How long a connection that this side closes gets to send what was written before.
const LINGER: std::time::Duration = std::time::Duration::from_secs(1);

fn over(error: &yamux::ConnectionError) -> MuxError {
    match error {
        yamux::ConnectionError::Closed => MuxError::Closed,
        other => MuxError::Broken(other.to_string()),
    }
}

impl Stream {
    fn new(inner: yamux::Stream, over: &CancellationToken, place: Option<OwnedSemaphorePermit>) -> Self {
        Self { inner: inner.compat(), over: Box::pin(over.clone().cancelled_owned()), _place: place }
    }

    /// An error once the connection is over, for whoever would wait for it.
    fn poll_over<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        self.over.as_mut().poll(cx).map(|()| Err(io::ErrorKind::ConnectionAborted.into()))
    }

    /// Whether the other side has reset the exchange, or the connection is over. Asked at the end of what can be read, it
    /// tells an exchange that was cut off from one that was ended. It means that only until this side has been shut down:
    /// after that, every end looks like this.
    pub fn was_cut(&self) -> bool {
        self.inner.get_ref().is_closed()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.inner).poll_read(cx, buffer) {
            Poll::Pending => self.poll_over(cx),
            read => read,
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.inner).poll_write(cx, bytes) {
            Poll::Pending => self.poll_over(cx),
            written => written,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn as_many_exchanges_as_a_host_may_open_wait_for_a_supervisor_that_is_busy() {
        let (one, two) = tokio::io::duplex(1 << 20);
        let (host, _from_supervisor) = Mux::start(one, Role::Host);
        let (_supervisor, mut from_host) = Mux::start(two, Role::Supervisor);
        let mut open = Vec::new();
        for _ in 0..limits::HOST_STREAMS {
            let mut exchange = host.open().await.expect("there is a place");
            exchange.write_all(b"x").await.expect("it is taken over");
            exchange.flush().await.expect("it is taken over");
            open.push(exchange);
        }
        for _ in 0..limits::HOST_STREAMS {
            let mut exchange = from_host.next().await.expect("none is lost");
            assert_eq!(exchange.read_u8().await.expect("a byte"), b'x');
        }
        assert!(!host.is_over());
    }
}
