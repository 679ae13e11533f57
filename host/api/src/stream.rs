//! A call as server-sent events (WHATWG HTML section 9.2): what it says while it runs, and what came of it as the last.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream};
use packhost_engine::Level;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::mpsc::{Receiver, channel};
use tokio_util::sync::DropGuard;

use crate::calls::ProgressMade;
use crate::job::{Job, Said};
use crate::reply::{Reply, text};

/// After so long without an event a comment is sent, so that nothing on the way takes the connection for dead.
const ALIVE: Duration = Duration::from_secs(15);

/// A log line of a pack, from `info` up: the data of an event `log`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Line {
    /// How much it matters.
    level: Weight,
    /// The part of the pack that speaks; may be empty.
    context: String,
    /// What it says.
    message: String,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Weight {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Critical,
}

impl From<Level> for Weight {
    fn from(level: Level) -> Self {
        match level {
            Level::Trace => Self::Trace,
            Level::Debug => Self::Debug,
            Level::Info => Self::Info,
            Level::Warn => Self::Warn,
            Level::Error => Self::Error,
            Level::Critical => Self::Critical,
        }
    }
}

/// A stream that is being read.
struct Following {
    job: Arc<Job>,
    said: Receiver<Said>,
    over: bool,
    /// Ends the call when the client goes away.
    _guard: Option<DropGuard>,
}

/// The events of a call that was just started.
pub(crate) fn events(job: Arc<Job>, said: Receiver<Said>, guard: Option<DropGuard>) -> Response {
    let following = Following { job, said, over: false, _guard: guard };
    Sse::new(following.stream()).keep_alive(KeepAlive::new().interval(ALIVE)).into_response()
}

/// The one event of a call that has ended.
pub(crate) fn ended(job: Arc<Job>) -> Response {
    let (_, said) = channel(1);
    events(job, said, None)
}

impl Following {
    fn stream(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, async |mut following| {
            let event = following.next().await?;
            Some((Ok(event), following))
        })
    }

    async fn next(&mut self) -> Option<Event> {
        if self.over {
            return None;
        }
        let reply = tokio::select! {
            biased;
            Some(said) = self.said.recv() => return Some(event(said)),
            reply = self.job.answered() => reply,
        };
        // What was said before the end is read before it.
        if let Ok(said) = self.said.try_recv() {
            return Some(event(said));
        }
        self.over = true;
        Some(last(&reply))
    }
}

fn event(said: Said) -> Event {
    match said {
        Said::Progress(progress) => data("progress", &text(&ProgressMade::from(progress))),
        Said::Log(line) => {
            let line = Line { level: line.level.into(), context: line.context, message: line.message };
            data("log", &text(&line))
        }
    }
}

fn last(reply: &Reply) -> Event {
    data(if reply.is_answer() { "result" } else { "problem" }, &reply.body)
}

/// JSON has no line breaks of its own, so the data is one line.
fn data(name: &str, json: &[u8]) -> Event {
    Event::default().event(name).data(String::from_utf8_lossy(json))
}
