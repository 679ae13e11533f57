//! Standard input and the outputs of a program as streams of the host.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::program::{Channel, Outcome, Program};

/// Standard input of a program. Its end is its being shut down or dropped. What is written counts as written once the host
/// keeps it; it is kept until the supervisor has it, and beyond
/// [`UNCONFIRMED`](packhost_session_protocol::limits::UNCONFIRMED) bytes a writer waits.
pub struct ExecStdin {
    program: Arc<Program>,
    /// Whether dropping it is its end.
    ends: bool,
}

impl ExecStdin {
    pub(super) fn new(program: Arc<Program>) -> Self {
        Self { program, ends: true }
    }

    /// Without an end, for whoever comes after this host.
    pub(super) fn keep(mut self) -> Self {
        self.ends = false;
        self
    }

    fn end(&self) {
        self.program.lock().stdin.ended = true;
        self.program.nudge();
    }
}

impl AsyncWrite for ExecStdin {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = self.program.lock();
        if let Some(Err(error)) = &state.outcome {
            return Poll::Ready(Err(io::Error::other(error.clone())));
        }
        if state.stdin.closed || state.stdin.ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let taken = state.stdin.push(bytes);
        if taken == 0 && !bytes.is_empty() {
            state.stdin.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        drop(state);
        self.program.nudge();
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Nothing is held back: what is kept is on its way.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end();
        Poll::Ready(Ok(()))
    }
}

impl Drop for ExecStdin {
    fn drop(&mut self) {
        if self.ends {
            self.end();
        }
    }
}

/// An output of a program. It ends when the program and all that it started have ended; before that it fails with the
/// [`LinkError`](super::LinkError) inside where the program is lost. Dropping it throws away what is still to come.
pub struct ExecReader {
    program: Arc<Program>,
    channel: Channel,
}

impl ExecReader {
    pub(super) fn new(program: Arc<Program>, channel: Channel) -> Self {
        Self { program, channel }
    }
}

impl AsyncRead for ExecReader {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.program.lock();
        let output = &mut state.outputs[self.channel as usize];
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        if output.take(buffer) > 0 {
            let due = output.is_due();
            drop(state);
            if due {
                self.program.nudge();
            }
            return Poll::Ready(Ok(()));
        }
        match &state.outcome {
            Some(Outcome::Ok(_)) => Poll::Ready(Ok(())),
            Some(Outcome::Err(error)) => Poll::Ready(Err(io::Error::other(error.clone()))),
            None => {
                state.outputs[self.channel as usize].reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for ExecReader {
    fn drop(&mut self) {
        self.program.lock().outputs[self.channel as usize].discard();
        self.program.nudge();
    }
}
