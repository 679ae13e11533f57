//! The bytes of a file or an archive as a stream of the host.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use packhost_session_protocol::{Frames, Stream};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::connection::{Connection, within};
use super::error::{LinkError, Trouble};
use super::files::{Part, part};
use super::settings::LinkSettings;

/// The bytes of a file or an archive. It ends where the supervisor says that all of it was sent, and fails with the
/// [`LinkError`] inside otherwise. Dropping it ends the exchange.
pub struct FileReader {
    parts: mpsc::Receiver<Result<Part, LinkError>>,
    current: Vec<u8>,
    at: usize,
    ended: bool,
    _task: AbortOnDropHandle<()>,
}

/// Frames that wait for a slow reader; the rest waits on the supervisor's side.
const WAITING: usize = 2;
/// Frames without a byte that are taken in a row.
const EMPTY: usize = 100;

impl FileReader {
    pub(super) fn start(
        mut frames: Frames<Stream>,
        most: Option<u64>,
        settings: LinkSettings,
        connection: &Arc<Connection>,
    ) -> Self {
        let connection = Arc::clone(connection);
        let (sender, parts) = mpsc::channel(WAITING);
        let task = tokio::spawn(async move {
            let _alive = connection;
            let mut left = most.unwrap_or(u64::MAX);
            let mut empty = 0;
            loop {
                let next = within(settings.silent_for, part(&mut frames)).await.and_then(|part| part);
                let next = next.and_then(|part| counted(part, &mut left, &mut empty)).map_err(Trouble::last);
                let last = !matches!(next, Ok(Part::Bytes(_)));
                if sender.send(next).await.is_err() || last {
                    return;
                }
            }
        });
        Self { parts, current: Vec::new(), at: 0, ended: false, _task: AbortOnDropHandle::new(task) }
    }
}

fn counted(part: Part, left: &mut u64, empty: &mut usize) -> Result<Part, Trouble> {
    if let Part::Bytes(bytes) = &part {
        *empty = if bytes.is_empty() { *empty + 1 } else { 0 };
        let rest = left.checked_sub(bytes.len() as u64);
        *left = rest.ok_or_else(|| Trouble::protocol("it sends more of a file than was asked for"))?;
        if *empty > EMPTY {
            return Err(Trouble::protocol("it sends frames without bytes"));
        }
    }
    Ok(part)
}

impl AsyncRead for FileReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.at == self.current.len() && !self.ended {
            match ready!(self.parts.poll_recv(cx)) {
                Some(Ok(Part::Bytes(bytes))) => (self.current, self.at) = (bytes, 0),
                Some(Ok(Part::End)) => self.ended = true,
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                // It was read on after an error, or its task panicked: not an end.
                None => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            }
        }
        let count = buffer.remaining().min(self.current.len() - self.at);
        buffer.put_slice(&self.current[self.at..self.at + count]);
        self.at += count;
        Poll::Ready(Ok(()))
    }
}
