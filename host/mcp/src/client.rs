//! The client of one call, as the engine sees it: progress and log lines go out while the call runs, questions go
//! to whoever can answer them.

// Logging is deprecated from 2026-07-28 on and still what every client has.
#![expect(deprecated, reason = "rmcp marks what the newest protocol version deprecates")]

use async_trait::async_trait;
use packhost_engine::{Client, Level, LogLine, Progress, Question, Reply};
use rmcp::model::{LoggingLevel, LoggingMessageNotificationParam, ProgressNotificationParam, ProgressToken};
use rmcp::{Peer, RoleServer};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio_util::sync::CancellationToken;

use crate::ask::Asks;

/// How much a call may have said that the client has not taken. What comes after is dropped: a client that does not
/// read must not hold up a guest.
const QUEUE: usize = 256;

enum Said {
    Progress(Progress),
    Log(LogLine),
}

/// The engine's side.
pub(crate) struct Reach {
    feed: Option<Sender<Said>>,
    progress: bool,
    floor: Option<LoggingLevel>,
    asks: Asks,
}

/// The protocol's side.
pub(crate) struct Feed {
    said: Receiver<Said>,
    peer: Peer<RoleServer>,
    progress: Option<ProgressToken>,
    logger: String,
}

impl Reach {
    /// A client that wants progress where it gave a token, and log lines from `floor` up. Without either there is
    /// nothing to feed.
    pub(crate) fn new(
        peer: Peer<RoleServer>,
        progress: Option<ProgressToken>,
        floor: Option<LoggingLevel>,
        logger: String,
        asks: Asks,
    ) -> (Self, Option<Feed>) {
        if progress.is_none() && floor.is_none() {
            return (Self { feed: None, progress: false, floor, asks }, None);
        }
        let (feed, said) = channel(QUEUE);
        let reach = Self { feed: Some(feed), progress: progress.is_some(), floor, asks };
        (reach, Some(Feed { said, peer, progress, logger }))
    }

    fn say(&self, said: Said) {
        if let Some(feed) = &self.feed {
            // Full or closed: dropped, as the queue's length says.
            let _ = feed.try_send(said);
        }
    }
}

#[async_trait]
impl Client for Reach {
    fn progress(&self, progress: Progress) {
        if self.progress {
            self.say(Said::Progress(progress));
        }
    }

    fn log(&self, line: LogLine) {
        if self.floor.is_some_and(|floor| weight(severity(line.level)) >= weight(floor)) {
            self.say(Said::Log(line));
        }
    }

    async fn ask(&self, question: Question) -> Reply {
        self.asks.ask(question).await
    }
}

impl Feed {
    /// Sends what the call says, in order, until the call has ended and all of it is sent.
    pub(crate) async fn run(mut self, ended: CancellationToken) {
        loop {
            tokio::select! {
                biased;
                said = self.said.recv() => match said {
                    Some(said) => self.send(said).await,
                    None => return,
                },
                () = ended.cancelled(), if !self.said.is_closed() => self.said.close(),
            }
        }
    }

    async fn send(&self, said: Said) {
        let sent = match (said, &self.progress) {
            (Said::Progress(progress), Some(token)) => {
                let mut note = ProgressNotificationParam::new(token.clone(), progress.done);
                note.total = progress.total;
                note.message = progress.message;
                self.peer.notify_progress(note).await
            }
            (Said::Progress(_), None) => return,
            (Said::Log(line), _) => {
                let logger = if line.context.is_empty() { self.logger.clone() } else { line.context };
                let note = LoggingMessageNotificationParam::new(severity(line.level), line.message.into());
                self.peer.notify_logging_message(note.with_logger(logger)).await
            }
        };
        if let Err(error) = sent {
            tracing::debug!(%error, "a notification did not reach the client");
        }
    }
}

/// The severity (RFC 5424 section 6.2.1) of a level of `wasi:logging`.
fn severity(level: Level) -> LoggingLevel {
    match level {
        Level::Trace | Level::Debug => LoggingLevel::Debug,
        Level::Info => LoggingLevel::Info,
        Level::Warn => LoggingLevel::Warning,
        Level::Error => LoggingLevel::Error,
        Level::Critical => LoggingLevel::Critical,
    }
}

fn weight(level: LoggingLevel) -> u8 {
    match level {
        LoggingLevel::Debug => 0,
        LoggingLevel::Info => 1,
        LoggingLevel::Notice => 2,
        LoggingLevel::Warning => 3,
        LoggingLevel::Error => 4,
        LoggingLevel::Critical => 5,
        LoggingLevel::Alert => 6,
        LoggingLevel::Emergency => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(progress: bool, floor: Option<LoggingLevel>) -> (Reach, Receiver<Said>) {
        let (feed, said) = channel(2);
        (Reach { feed: Some(feed), progress, floor, asks: Asks::Nobody }, said)
    }

    fn line(level: Level) -> LogLine {
        LogLine { level, context: String::new(), message: format!("{level:?}") }
    }

    #[test]
    fn only_what_was_asked_for_is_said() {
        let (client, mut said) = reach(false, Some(LoggingLevel::Warning));
        client.progress(Progress { done: 1.0, total: None, message: None });
        for level in [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Critical] {
            client.log(line(level));
        }
        let heard: Vec<_> = std::iter::from_fn(|| said.try_recv().ok())
            .map(|said| match said {
                Said::Log(line) => line.message,
                Said::Progress(_) => "progress".into(),
            })
            .collect();
        assert_eq!(heard, ["Warn", "Critical"]);

        let (client, mut said) = reach(true, None);
        client.log(line(Level::Critical));
        client.progress(Progress { done: 1.0, total: None, message: None });
        assert!(matches!(said.try_recv(), Ok(Said::Progress(_))));
        assert!(said.try_recv().is_err());
    }

    #[test]
    fn a_client_that_does_not_read_holds_up_nobody() {
        let (client, mut said) = reach(true, None);
        for done in 0..1000 {
            client.progress(Progress { done: f64::from(done), total: None, message: None });
        }
        assert_eq!(std::iter::from_fn(|| said.try_recv().ok()).count(), 2);
    }
}
