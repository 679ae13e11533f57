//! Moves frames between an exchange and its worker.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use packhost_session_protocol::message::{ExecInput, Fault, FileReply, Refusal};
use packhost_session_protocol::{FrameError, Frames, Kind};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, ReadHalf, WriteHalf, split};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

use super::limits::DRAIN;
use super::worker::Worker;

/// How an exchange goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Course {
    /// The host sends input.
    pub(super) input: bool,
    /// An entry is all of the answer.
    pub(super) one_entry: bool,
}

/// How far the host is with what it sends.
#[derive(Default)]
struct Sent {
    /// It sends no more.
    all: AtomicBool,
    /// The answer is out, and nothing but the end of the input is waited for.
    answered: AtomicBool,
}

/// Moves frames until the worker has said its last word, or the exchange is broken: the worker sees its line end.
pub(super) async fn pump<S>(frames: Frames<S>, worker: &mut Worker, line: UnixStream, course: Course)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (from_host, to_host) = split(frames.into_inner());
    let (from_worker, to_worker) = line.into_split();
    let sent = Sent::default();
    sent.all.store(!course.input, Relaxed);
    let mut inward = pin!(inward(Frames::new(from_host), Frames::new(to_worker), &sent));
    let mut to_host = Frames::new(to_host);
    tokio::select! {
        biased;
        done = outward(Frames::new(BufReader::new(from_worker)), &mut to_host, worker, course) => {
            if done.is_err() || to_host.get_mut().shutdown().await.is_err() {
                return;
            }
        }
        () = &mut inward => return,
    }
    sent.answered.store(true, Relaxed);
    if !sent.all.load(Relaxed) {
        // A host that does not read while it writes is to come to the answer.
        let _ = timeout(DRAIN, inward).await;
    }
}

/// Answers without a worker.
pub(super) async fn refuse<S>(frames: Frames<S>, reply: FileReply, course: Course)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (from_host, to_host) = split(frames.into_inner());
    let (mut from_host, mut to_host) = (Frames::new(from_host), Frames::new(to_host));
    if to_host.say(&reply).await.is_err() || to_host.get_mut().shutdown().await.is_err() || !course.input {
        return;
    }
    let rest =
        async { while matches!(from_host.next().await, Ok(Some(frame)) if frame.kind == Kind::Input) {} };
    let _ = timeout(DRAIN, rest).await;
}

/// From the host to the worker, until the host's side ends or says what does not belong here.
async fn inward<S: AsyncRead + Unpin>(
    mut host: Frames<ReadHalf<S>>,
    mut worker: Frames<OwnedWriteHalf>,
    sent: &Sent,
) {
    while let Ok(Some(frame)) = host.next().await {
        if sent.all.load(Relaxed) {
            return;
        }
        // A worker that is gone has said why, or will be said to be gone: what is sent to it is thrown away.
        let _ = match frame.kind {
            Kind::Input => worker.data(Kind::Input, &frame.payload).await,
            Kind::Message if matches!(frame.message(), Ok(ExecInput::End)) => {
                sent.all.store(true, Relaxed);
                worker.say(&ExecInput::End).await
            }
            _ => return,
        };
        if sent.all.load(Relaxed) && sent.answered.load(Relaxed) {
            return;
        }
    }
}

/// From the worker to the host, up to the last message.
async fn outward<S: AsyncRead + AsyncWrite + Unpin>(
    mut worker: Frames<BufReader<OwnedReadHalf>>,
    host: &mut Frames<WriteHalf<S>>,
    process: &mut Worker,
    course: Course,
) -> Result<(), FrameError> {
    loop {
        let reply = match worker.next().await {
            Ok(Some(frame)) if frame.kind == Kind::Output => {
                host.data(Kind::Output, &frame.payload).await?;
                continue;
            }
            Ok(Some(frame)) => frame.message().unwrap_or_else(|_| died()),
            Ok(None) | Err(_) => died(),
        };
        let last = course.one_entry || !matches!(reply, FileReply::Entry(_));
        if last {
            // Before the host knows, and asks for the next thing.
            process.answered();
        }
        host.say(&reply).await?;
        if last {
            return Ok(());
        }
    }
}

fn died() -> FileReply {
    let message = "the worker ended before it was done: it was killed, or a limit of the sandbox ended it";
    FileReply::Refused(Refusal::new(Fault::Failed, message))
}
