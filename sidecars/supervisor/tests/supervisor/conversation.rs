//! A host that feeds a program and takes what it writes, over as many connections as it takes.

use packhost_session_protocol::message::{Attach, ExecInput, ExecOutput, Executed, Exit, Opening, Start};
use packhost_session_protocol::{FrameError, Frames, Kind, Stream, limits};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use crate::host::{Host, Outcome};

/// What went to and fro so far.
pub(crate) struct Conversation {
    start: Start,
    known: bool,
    input: Vec<u8>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

/// What the reader tells the writer.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    taken: u64,
    closed: bool,
    stdout: u64,
    stderr: u64,
}

impl Conversation {
    /// The program gets this on its standard input.
    pub(crate) fn new(mut start: Start, input: Vec<u8>) -> Self {
        start.stdin = true;
        Self { start, known: false, input, stdout: Vec::new(), stderr: Vec::new() }
    }

    pub(crate) async fn whole(mut self, host: &Host) -> Outcome {
        let exit = self.part(host).await.expect("the connection holds");
        self.outcome(exit)
    }

    pub(crate) fn outcome(self, exit: Exit) -> Outcome {
        Outcome { stdout: self.stdout, stderr: self.stderr, exit }
    }

    /// Goes on over this connection, until the end or until it breaks.
    pub(crate) async fn part(&mut self, host: &Host) -> Result<Exit, FrameError> {
        let broken = |_| FrameError::Cut;
        let mut frames: Frames<Stream> = Frames::new(host.mux.open().await.map_err(broken)?);
        frames.say(&self.opening()).await?;
        let attached = match frames.message().await? {
            Executed::Attached(attached) => attached,
            Executed::Refused(refusal) => panic!("refused: {refusal}"),
        };
        self.known = true;
        let (read, write) = tokio::io::split(frames.into_inner());
        let counts = watch::Sender::new(Counts { taken: attached.stdin, ..Counts::default() });
        let feed = feed(&self.input, attached.stdin, counts.subscribe(), Frames::new(write));
        let take = take((&mut self.stdout, &mut self.stderr), &counts, Frames::new(read));
        tokio::pin!(feed, take);
        let exit = tokio::select! {
            exit = &mut take => exit?,
            fed = &mut feed => {
                fed?;
                take.await?
            }
        };
        Ok(exit)
    }

    fn opening(&self) -> Opening {
        if !self.known {
            return Opening::Start(self.start.clone());
        }
        let (stdout, stderr) = (self.stdout.len() as u64, self.stderr.len() as u64);
        Opening::Attach(Attach { id: self.start.id, stdout, stderr })
    }
}

async fn feed<W: AsyncWrite + Unpin>(
    input: &[u8],
    from: u64,
    mut counts: watch::Receiver<Counts>,
    mut frames: Frames<W>,
) -> Result<(), FrameError> {
    let (mut sent, mut ended, mut told) = (from, false, (0, 0));
    loop {
        let now = *counts.borrow_and_update();
        if (now.stdout, now.stderr) != told {
            told = (now.stdout, now.stderr);
            frames.say(&ExecInput::Confirm { stdout: now.stdout, stderr: now.stderr }).await?;
        }
        let rest = &input[usize::try_from(sent).expect("small")..];
        let window = (now.taken + limits::UNCONFIRMED as u64).saturating_sub(sent);
        let piece = rest.len().min(limits::DATA).min(usize::try_from(window).expect("small"));
        if piece > 0 && !now.closed {
            frames.data(Kind::Input, &rest[..piece]).await?;
            sent += piece as u64;
        } else if rest.is_empty() && !ended {
            ended = true;
            frames.say(&ExecInput::End).await?;
        } else if counts.changed().await.is_err() {
            return Ok(());
        }
    }
}

async fn take<R: AsyncRead + Unpin>(
    (stdout, stderr): (&mut Vec<u8>, &mut Vec<u8>),
    counts: &watch::Sender<Counts>,
    mut frames: Frames<R>,
) -> Result<Exit, FrameError> {
    loop {
        let frame = frames.next().await?.ok_or(FrameError::Cut)?;
        match frame.kind {
            Kind::Output => stdout.extend(&frame.payload),
            Kind::Error => stderr.extend(&frame.payload),
            Kind::Input => return Err(FrameError::Unexpected(Kind::Input)),
            Kind::Message => match frame.message()? {
                ExecOutput::Exited(exit) => return Ok(exit),
                ExecOutput::Confirm { stdin } => counts.send_modify(|counts| counts.taken = stdin),
                ExecOutput::StdinClosed => counts.send_modify(|counts| counts.closed = true),
            },
        }
        counts.send_modify(|counts| {
            (counts.stdout, counts.stderr) = (stdout.len() as u64, stderr.len() as u64);
        });
    }
}
