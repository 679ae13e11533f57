//! The worker's end of the line to the supervisor: the frames of its exchange, read and written by blocking calls.

use std::future::Future;
use std::io::{self, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use packhost_session_protocol::message::{ExecInput, Fault, FileReply, Refusal};
use packhost_session_protocol::{Frames, Kind};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The one who asked, as the worker sees it.
pub(super) struct Host {
    frames: Frames<Blocking>,
}

impl Host {
    pub(super) fn new(line: UnixStream) -> Self {
        Self { frames: Frames::new(Blocking(BufReader::new(line))) }
    }

    /// Says something.
    pub(super) fn say(&mut self, reply: &FileReply) -> Result<(), Refusal> {
        now(self.frames.say(reply)).map_err(|_| gone())
    }

    /// Sends bytes of a file.
    pub(super) fn output(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        now(self.frames.data(Kind::Output, bytes)).map_err(|_| gone())
    }

    /// The bytes that the host sends.
    pub(super) fn input(&mut self) -> Input<'_> {
        Input { host: self, piece: Vec::new(), taken: 0, ended: false }
    }
}

/// What is answered when nobody is there to be answered.
pub(super) fn gone() -> Refusal {
    Refusal::new(Fault::Gone, "the host went away before it was done")
}

/// What the host sends, up to the end that it says. The end of the line before is an error.
pub(super) struct Input<'a> {
    host: &'a mut Host,
    piece: Vec<u8>,
    taken: usize,
    ended: bool,
}

impl Read for Input<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.piece.len() && !self.ended {
            let frame = now(self.host.frames.next()).ok().flatten();
            let frame = frame.ok_or(io::ErrorKind::ConnectionAborted)?;
            match frame.kind {
                Kind::Input => (self.piece, self.taken) = (frame.payload, 0),
                _ if matches!(frame.message(), Ok(ExecInput::End)) => self.ended = true,
                _ => return Err(io::ErrorKind::ConnectionAborted.into()),
            }
        }
        let rest = &self.piece[self.taken..];
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.taken += length;
        Ok(length)
    }
}

/// `Output` frames as a writer.
impl Write for Host {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.output(bytes).map_err(|_| io::Error::from(io::ErrorKind::ConnectionAborted))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A blocking socket as an asynchronous one that is always ready.
struct Blocking(BufReader<UnixStream>);

/// Runs a future that only waits for a [`Blocking`], and so is ready when it is first asked.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return done;
        }
    }
}

fn uninterrupted(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

impl AsyncRead for Blocking {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let length = uninterrupted(|| self.0.read(buffer.initialize_unfilled()))?;
        buffer.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Blocking {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(uninterrupted(|| self.0.get_mut().write(bytes)))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
