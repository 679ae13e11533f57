//! One connection to a supervisor: the greeting, its exchanges, and whether it is still alive.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use packhost_session_protocol::message::{Fault, Hello, Opening, Pong, Refusal, Welcome};
use packhost_session_protocol::{Frame, FrameError, Frames, Mux, Role, Stream, limits};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::error::{LinkError, Trouble, readable};
use super::leaves;
use super::settings::Setup;
use crate::error::{Ended, RuntimeError};

/// A connection that was greeted. When it is dropped, it ends.
pub(super) struct Connection {
    mux: Mux,
    welcome: Welcome,
    end: Arc<End>,
    answer_within: Duration,
    _serving: AbortOnDropHandle<()>,
}

/// How this side ends a connection.
#[derive(Default)]
pub(super) struct End {
    token: CancellationToken,
    why: OnceLock<String>,
}

impl End {
    /// Ends it. The first reason is the one that counts.
    pub(super) fn cut(&self, why: impl Into<String>) {
        let _ = self.why.set(why.into());
        self.token.cancel();
    }

    pub(super) async fn cancelled(&self) -> String {
        self.token.cancelled().await;
        self.why.get().cloned().unwrap_or_default()
    }
}

impl Connection {
    /// Opens one and says Hello.
    pub(super) async fn open(setup: &Setup) -> Result<Self, Trouble> {
        let limit = setup.settings.answer_within;
        let io = match timeout(limit, setup.runtime.open(&setup.id)).await {
            Ok(Ok(io)) => io,
            Ok(Err(RuntimeError::Ended(why))) => return Err(Trouble::Over(LinkError::Ended(why))),
            Ok(Err(RuntimeError::NotFound)) => return Err(Trouble::Over(LinkError::Ended(Ended::Unknown))),
            Ok(Err(other)) => return Err(Trouble::Broke(other.to_string())),
            Err(_) => return Err(Trouble::Broke(format!("the backend opened no stream within {limit:?}"))),
        };
        let (mux, incoming) = Mux::start(io, Role::Host);
        let welcome = greet(&mux, setup).await?;
        let end = Arc::new(End::default());
        let serving = leaves::serve(incoming, mux.clone(), setup.leaves.clone(), setup.settings, end.clone());
        let _serving = AbortOnDropHandle::new(tokio::spawn(serving));
        Ok(Self { mux, welcome, end, answer_within: limit, _serving })
    }

    /// What the supervisor said of itself.
    pub(super) fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// Opens an exchange, as soon as there is a place for one.
    pub(super) async fn exchange(&self, opening: &Opening) -> Result<Frames<Stream>, Trouble> {
        exchange(&self.mux, opening, self.answer_within).await
    }

    /// Opens an exchange that is one answer.
    pub(super) async fn ask<M>(&self, opening: &Opening) -> Result<M, Trouble>
    where
        M: for<'b> minicbor::Decode<'b, ()>,
    {
        let mut frames = self.exchange(opening).await?;
        within(self.answer_within, answer(&mut frames)).await?
    }

    /// Asks whether the supervisor answers.
    pub(super) async fn ping(&self) -> Result<(), Trouble> {
        ping(&self.mux, self.answer_within).await
    }

    /// Ends it, for a reason that is this connection's fault.
    pub(super) fn cut(&self, why: impl Into<String>) {
        self.end.cut(why);
    }

    /// Whether it is over.
    pub(super) fn is_over(&self) -> bool {
        self.end.token.is_cancelled() || self.mux.is_over()
    }

    /// Whether it is over, or is so soon: its exchanges end a moment before it does.
    pub(super) async fn is_ending(&self) -> bool {
        timeout(ENDS_WITHIN, self.over()).await.is_ok()
    }

    /// Waits until it is over, and says why.
    pub(super) async fn over(&self) -> String {
        tokio::select! {
            biased;
            why = self.end.cancelled() => why,
            why = self.mux.ended() => why.to_string(),
        }
    }
}

/// How long after its exchanges a connection may end, longer than one that closes waits for what was written.
const ENDS_WITHIN: Duration = Duration::from_secs(2);

/// The first exchange of a connection.
async fn greet(mux: &Mux, setup: &Setup) -> Result<Welcome, Trouble> {
    let settings = &setup.settings;
    let hello = Hello {
        version: limits::VERSION,
        egress: setup.leaves.is_some(),
        orphaned_after_ms: settings.orphaned_after.map(millis),
    };
    let mut frames = exchange(mux, &Opening::Hello(hello), settings.answer_within).await?;
    let welcome = within(settings.answer_within, answer::<Welcome>(&mut frames)).await?;
    let welcome = welcome.map_err(|trouble| match trouble {
        // It may take the next one.
        Trouble::Over(LinkError::Refused(refusal)) if refusal.fault != Fault::Unsupported => {
            Trouble::Broke(format!("the supervisor does not take it: {refusal}"))
        }
        other => other,
    })?;
    if welcome.version != limits::VERSION {
        let (theirs, ours) = (welcome.version, limits::VERSION);
        return Err(Trouble::protocol(format!(
            "it speaks version {theirs}, this host version {ours}; make the sandbox again with the supervisor of this host"
        )));
    }
    Ok(Welcome { release: readable(&welcome.release), ..welcome })
}

/// Opens an exchange. The wait for a place has no bound of its own; the words have.
async fn exchange(mux: &Mux, opening: &Opening, limit: Duration) -> Result<Frames<Stream>, Trouble> {
    let mut frames = Frames::new(mux.open().await?);
    match timeout(limit, frames.say(opening)).await {
        Ok(said) => said.map_err(Trouble::of_writing)?,
        Err(_) => return Err(Trouble::silent(limit)),
    }
    Ok(frames)
}

/// Asks whether the supervisor still answers. What it answers does not matter, as long as it can be read.
pub(super) async fn ping(mux: &Mux, limit: Duration) -> Result<(), Trouble> {
    let mut frames = exchange(mux, &Opening::Ping, limit).await?;
    let frame = within(limit, frames.next()).await??.ok_or(FrameError::Cut)?;
    // The other way round than elsewhere: a refusal could be read as a pong with a place more.
    match frame.message::<Refusal>() {
        Ok(refusal) => Err(Trouble::refused(refusal)),
        Err(_) => Ok(frame.message::<Pong>().map(drop)?),
    }
}

/// What the other side is given this much time for.
pub(super) async fn within<T>(limit: Duration, what: impl Future<Output = T>) -> Result<T, Trouble> {
    timeout(limit, what).await.map_err(|_| Trouble::silent(limit))
}

/// The next message, or a refusal in its place.
pub(super) async fn answer<M>(frames: &mut Frames<impl tokio::io::AsyncRead + Unpin>) -> Result<M, Trouble>
where
    M: for<'b> minicbor::Decode<'b, ()>,
{
    let frame = frames.next().await?.ok_or(FrameError::Cut)?;
    read(&frame)
}

/// The message in a frame, or a refusal in its place.
pub(super) fn read<M: for<'b> minicbor::Decode<'b, ()>>(frame: &Frame) -> Result<M, Trouble> {
    frame.message::<M>().map_err(|error| match frame.message::<Refusal>() {
        Ok(refusal) => Trouble::refused(refusal),
        Err(_) => error.into(),
    })
}

/// Whole milliseconds, at least one for what is longer than nothing.
pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
