//! What the supervisor opens by itself: connections that leave the sandbox. Beside that, the pings of a connection.

use std::sync::Arc;

use async_trait::async_trait;
use packhost_session_protocol::message::Leaving;
use packhost_session_protocol::{Frames, Incoming, Mux, Stream, limits};
use tokio::task::JoinSet;

use super::connection::{End, ping, within};
use super::settings::LinkSettings;

/// What is done with connections that leave the sandbox.
#[async_trait]
pub trait Leaves: Send + Sync {
    /// Serves one: the bytes are HTTP/1.1, as a proxy gets it from its client. Each runs in a task of its own, of which there
    /// are at most [`limits::SUPERVISOR_STREAMS`] at once; one that comes beside them is reset, and all of them are
    /// cancelled when their connection is over.
    async fn leave(&self, stream: Stream);
}

/// Serves a connection until it is over or `end` says so.
pub(super) async fn serve(
    mut incoming: Incoming,
    mux: Mux,
    leaves: Option<Arc<dyn Leaves>>,
    settings: LinkSettings,
    end: Arc<End>,
) {
    let mut serving = JoinSet::new();
    let beating = beat(&mux, settings);
    tokio::pin!(beating);
    loop {
        tokio::select! {
            stream = incoming.next() => match (stream, &leaves) {
                (None, _) => return,
                (Some(stream), Some(leaves)) if serving.len() < limits::SUPERVISOR_STREAMS => {
                    serving.spawn(leave(stream, Arc::clone(leaves), settings));
                }
                // Dropping it resets it.
                (Some(_), _) => {}
            },
            // One that panicked ended alone.
            Some(_) = serving.join_next() => {}
            why = &mut beating => {
                end.cut(why);
                return;
            }
            _ = end.cancelled() => return,
        }
    }
}

async fn leave(stream: Stream, leaves: Arc<dyn Leaves>, settings: LinkSettings) {
    let mut frames = Frames::new(stream);
    match within(settings.answer_within, frames.message::<Leaving>()).await {
        Ok(Ok(Leaving::Proxy)) => leaves.leave(frames.into_inner()).await,
        Ok(Err(error)) => tracing::debug!(%error, "an exchange that a supervisor opened cannot be read"),
        Err(_) => tracing::debug!("an exchange that a supervisor opened says nothing"),
    }
}

/// Pings until one is not answered. Returns why the connection is not to be used any more.
async fn beat(mux: &Mux, settings: LinkSettings) -> String {
    use super::error::{LinkError, Trouble};
    loop {
        tokio::time::sleep(settings.ping_every).await;
        match ping(mux, settings.answer_within).await {
            // A refusal is an answer.
            Ok(()) | Err(Trouble::Over(LinkError::Refused(_))) => {}
            Err(trouble) => return trouble.last().to_string(),
        }
    }
}
